/**
 * Recurrent layers in plain float64, as their equations are written: one sequence, one step, one number at a time.
 * Forward only; slow, and meant to be read.
 *
 *   Elman   h = phi(W_ih x + b_ih + W_hh h' + b_hh)
 *   LSTM    i, f, o = sigmoid(...), g = tanh(...), c = f c' + i g, h = o tanh(c), projected: W_hr (o tanh(c))
 *   GRU     r, z = sigmoid(...), n = tanh(W_in x + b_in + r (W_hn h' + b_hn)), h = (1 - z) n + z h'
 */

/** Cells by PyTorch's names. */
export type Mode = "rnn_tanh" | "rnn_relu" | "lstm" | "gru";

/** Weights of one layer in one direction; matrices row-major. */
export interface Weights {
  readonly weightIh: Float64Array;
  readonly weightHh: Float64Array;
  readonly biasIh: Float64Array;
  readonly biasHh: Float64Array;
  readonly weightHr?: Float64Array | undefined;
}

/** State between two steps; c is the LSTM's. */
export interface State {
  readonly h: Float64Array;
  readonly c: Float64Array;
}

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** W x (+ b) */
export function affine(w: Float64Array, x: Float64Array, b?: Float64Array): Float64Array {
  const rows = w.length / x.length;
  return Float64Array.from({ length: rows }, (_, r) => {
    let total = b?.[r] ?? 0;
    for (let k = 0; k < x.length; k++) total += (w[r * x.length + k] as number) * (x[k] as number);
    return total;
  });
}

/** One step. */
export function step(mode: Mode, w: Weights, x: Float64Array, { h, c }: State): State {
  const a = affine(w.weightIh, x, w.biasIh);
  const b = affine(w.weightHh, h, w.biasHh);
  if (mode === "rnn_tanh" || mode === "rnn_relu") {
    const phi = mode === "rnn_tanh" ? Math.tanh : (v: number) => Math.max(0, v);
    return { h: a.map((v, k) => phi(v + (b[k] as number))), c };
  }
  const size = mode === "lstm" ? c.length : h.length;
  const at = (rows: Float64Array, gate: number, k: number): number => rows[gate * size + k] as number;
  const gate = (index: number, k: number): number => at(a, index, k) + at(b, index, k);
  if (mode === "gru") {
    return {
      h: h.map((previous, k) => {
        const [r, z] = [sigmoid(gate(0, k)), sigmoid(gate(1, k))];
        const n = Math.tanh(at(a, 2, k) + r * at(b, 2, k));
        return (1 - z) * n + z * previous;
      }),
      c,
    };
  }
  const cell = c.map((previous, k) => sigmoid(gate(1, k)) * previous + sigmoid(gate(0, k)) * Math.tanh(gate(2, k)));
  const out = cell.map((value, k) => sigmoid(gate(3, k)) * Math.tanh(value));
  return { h: w.weightHr === undefined ? out : affine(w.weightHr, out), c: cell };
}

/** One layer in one direction over one sequence: outputs by time (zeros past the length) and the last state. */
export function run(
  mode: Mode,
  w: Weights,
  x: readonly Float64Array[],
  initial: State,
  length: number,
  reverse: boolean,
): { y: Float64Array[]; last: State } {
  const y: Float64Array[] = x.map(() => new Float64Array(initial.h.length));
  let last = initial;
  for (let s = 0; s < length; s++) {
    const t = reverse ? length - 1 - s : s;
    last = step(mode, w, x[t] as Float64Array, last);
    y[t] = last.h;
  }
  return { y, last };
}
