/**
 * The min-char-rnn algorithm in plain float64, written from its equations: a tanh network over one-hot characters, the
 * loss summed over a chunk, back-propagation through the chunk by hand, clipping by value, Adagrad.
 *
 *   h_t = tanh(Wxh x_t + Whh h_{t-1} + bh)     p_t = softmax(Why h_t + by)     L = -sum_t log p_t[target_t]
 *
 * Matrices are arrays of rows; x_t is one-hot, so that Wxh x_t is a column of Wxh.
 */
export type Matrix = readonly Float64Array[];

/** The five weights, or their gradients. */
export interface MinCharRnn {
  /** (H, V) */
  readonly Wxh: Matrix;
  /** (H, H) */
  readonly Whh: Matrix;
  /** (V, H) */
  readonly Why: Matrix;
  /** (H) */
  readonly bh: Float64Array;
  /** (V) */
  readonly by: Float64Array;
}

/** A row-major array as rows. */
export function rows(values: ArrayLike<number>, columns: number): Matrix {
  const all = Float64Array.from(values);
  return Array.from({ length: all.length / columns }, (_, r) => all.slice(r * columns, (r + 1) * columns));
}

/** Loss of a chunk in nats, unclipped gradients, and the state after it. */
export function lossAndGradients(
  { Wxh, Whh, Why, bh, by }: MinCharRnn,
  inputs: ArrayLike<number>,
  targets: ArrayLike<number>,
  before: Float64Array,
): { loss: number; gradients: MinCharRnn; h: Float64Array } {
  const hidden = bh.length;
  const h: Float64Array[] = [before];
  const p: Float64Array[] = [];
  let loss = 0;
  for (let t = 0; t < inputs.length; t++) {
    const x = inputs[t] as number;
    const previous = h[t] as Float64Array;
    const now = bh.map((b, i) => Math.tanh((Wxh[i]?.[x] as number) + dot(Whh[i] as Float64Array, previous) + b));
    const scores = by.map((b, k) => dot(Why[k] as Float64Array, now) + b);
    const highest = Math.max(...scores);
    const raised = scores.map((s) => Math.exp(s - highest));
    const total = raised.reduce((a, b) => a + b, 0);
    p.push(raised.map((e) => e / total));
    loss -= Math.log(p[t]?.[targets[t] as number] as number);
    h.push(now);
  }
  const gradients = { Wxh: zeros(Wxh), Whh: zeros(Whh), Why: zeros(Why), bh: bh.map(() => 0), by: by.map(() => 0) };
  let dhNext = new Float64Array(hidden);
  for (let t = inputs.length - 1; t >= 0; t--) {
    const [now, previous] = [h[t + 1] as Float64Array, h[t] as Float64Array];
    const dy = (p[t] as Float64Array).map((q, k) => (k === targets[t] ? q - 1 : q));
    const dh = Float64Array.from(dhNext);
    dy.forEach((d, k) => {
      addScaled(gradients.Why[k] as Float64Array, d, now);
      addScaled(dh, d, Why[k] as Float64Array);
    });
    addScaled(gradients.by, 1, dy);
    dhNext = new Float64Array(hidden);
    for (let i = 0; i < hidden; i++) {
      const d = (dh[i] as number) * (1 - (now[i] as number) * (now[i] as number));
      (gradients.bh[i] as number) += d;
      const column = gradients.Wxh[i] as Float64Array;
      (column[inputs[t] as number] as number) += d;
      addScaled(gradients.Whh[i] as Float64Array, d, previous);
      addScaled(dhNext, d, Whh[i] as Float64Array);
    }
  }
  return { loss, gradients, h: h[inputs.length] as Float64Array };
}

/** One value of one parameter after Adagrad: s += g g, p -= lr g / sqrt(s + 1e-8), with g clipped to [-5, 5]. */
export function adagrad(p: number, gradient: number, sum: number, lr: number): { p: number; sum: number } {
  const g = Math.min(5, Math.max(-5, gradient));
  const next = sum + g * g;
  return { p: p - (lr * g) / Math.sqrt(next + 1e-8), sum: next };
}

function dot(a: Float64Array, b: Float64Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += (a[i] as number) * (b[i] as number);
  return total;
}

/** y += alpha x */
function addScaled(y: Float64Array, alpha: number, x: Float64Array): void {
  for (let i = 0; i < y.length; i++) (y[i] as number) += alpha * (x[i] as number);
}

function zeros(like: Matrix): Float64Array[] {
  return like.map((row) => new Float64Array(row.length));
}
