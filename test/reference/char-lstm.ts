/**
 * A stacked LSTM over one-hot characters in plain float64, forward and backward by hand: gates i, f, g, o in this
 * order,
 *
 *   i, f, o = sigmoid(W_ih x + b_ih + W_hh h' + b_hh),  g = tanh(...),  c = f c' + i g,  h = o tanh(c),
 *   p = softmax(V h + b),  L = the mean over the batch of the sum over time of -log p[target]
 */
import { type Matrix, rows } from "./min-char-rnn.js";
import { affine, sigmoid } from "./recurrent.js";

/** Named row-major arrays, by PyTorch's names. */
export type Arrays = Map<string, Float64Array>;

/** States of every layer and lane: [layer][lane] an array of H. */
export type States = Float64Array[][];

interface Saved {
  readonly x: Float64Array;
  readonly before: { h: Float64Array; c: Float64Array };
  readonly gates: Float64Array;
  readonly tanhC: Float64Array;
}

const SUFFIXES = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"] as const;

/** Loss, gradients by name, and the states after. `inputs` and `targets` are (B, T). */
export function lossAndGradients(
  weights: Arrays,
  layers: number,
  inputs: Matrix,
  targets: Matrix,
  before: { h: States; c: States },
): { loss: number; gradients: Arrays; h: States; c: States } {
  const gradients: Arrays = new Map([...weights].map(([name, values]) => [name, new Float64Array(values.length)]));
  const of = (from: Arrays, name: string): Float64Array => from.get(name) as Float64Array;
  const vocabulary = of(weights, "head.bias").length;
  const h = before.h.map((lanes) => [...lanes]);
  const c = before.c.map((lanes) => [...lanes]);
  let loss = 0;
  inputs.forEach((ids, lane) => {
    const saved: Saved[][] = [];
    const dLogits: Float64Array[] = [];
    for (const [t, id] of ids.entries()) {
      let x: Float64Array = new Float64Array(vocabulary);
      x[id] = 1;
      saved.push(
        Array.from({ length: layers }, (_, layer) => {
          const [wih, whh, bih, bhh] = SUFFIXES.map((s) => of(weights, `rnn.${s}_l${layer}`)) as [
            Float64Array,
            Float64Array,
            Float64Array,
            Float64Array,
          ];
          const previous = { h: stateOf(h, layer, lane), c: stateOf(c, layer, lane) };
          const size = previous.h.length;
          const recurrent = affine(whh, previous.h, bhh);
          const gates = affine(wih, x, bih).map((a, r) =>
            Math.floor(r / size) === 2
              ? Math.tanh(a + (recurrent[r] as number))
              : sigmoid(a + (recurrent[r] as number)),
          );
          const gate = (g: number, k: number): number => gates[g * size + k] as number;
          const cell = previous.c.map((value, k) => gate(1, k) * value + gate(0, k) * gate(2, k));
          const tanhC = cell.map(Math.tanh);
          const step: Saved = { x, before: previous, gates, tanhC };
          x = tanhC.map((value, k) => gate(3, k) * value);
          (h[layer] as Float64Array[])[lane] = x;
          (c[layer] as Float64Array[])[lane] = cell;
          return step;
        }),
      );
      const logits = affine(of(weights, "head.weight"), x, of(weights, "head.bias"));
      const highest = Math.max(...logits);
      const total = logits.reduce((sum, v) => sum + Math.exp(v - highest), 0);
      const target = targets[lane]?.[t] as number;
      loss -= ((logits[target] as number) - highest - Math.log(total)) / inputs.length;
      dLogits.push(logits.map((v, k) => (Math.exp(v - highest) / total - (k === target ? 1 : 0)) / inputs.length));
      addOuter(of(gradients, "head.weight"), dLogits[t] as Float64Array, x);
      addTo(of(gradients, "head.bias"), dLogits[t] as Float64Array);
    }
    const dh: Float64Array[] = Array.from(
      { length: layers },
      (_, layer) => new Float64Array(stateOf(h, layer, lane).length),
    );
    const dc = dh.map((values) => new Float64Array(values.length));
    for (let t = ids.length - 1; t >= 0; t--) {
      let dAbove = transposedProduct(of(weights, "head.weight"), dLogits[t] as Float64Array);
      for (let layer = layers - 1; layer >= 0; layer--) {
        const { x, before: previous, gates, tanhC } = (saved[t] as Saved[])[layer] as Saved;
        const size = previous.h.length;
        const dA = new Float64Array(4 * size);
        const dCell = dc[layer] as Float64Array;
        addTo(dAbove, dh[layer] as Float64Array);
        for (let k = 0; k < size; k++) {
          const [i, f, g, o] = [0, 1, 2, 3].map((gate) => gates[gate * size + k] as number) as [
            number,
            number,
            number,
            number,
          ];
          const [d, th] = [dAbove[k] as number, tanhC[k] as number];
          const dNow = (dCell[k] as number) + d * o * (1 - th * th);
          dA[k] = dNow * g * i * (1 - i);
          dA[size + k] = dNow * (previous.c[k] as number) * f * (1 - f);
          dA[2 * size + k] = dNow * i * (1 - g * g);
          dA[3 * size + k] = d * th * o * (1 - o);
          dCell[k] = dNow * f;
        }
        addOuter(of(gradients, `rnn.weight_ih_l${layer}`), dA, x);
        addOuter(of(gradients, `rnn.weight_hh_l${layer}`), dA, previous.h);
        addTo(of(gradients, `rnn.bias_ih_l${layer}`), dA);
        addTo(of(gradients, `rnn.bias_hh_l${layer}`), dA);
        dh[layer] = transposedProduct(of(weights, `rnn.weight_hh_l${layer}`), dA);
        if (layer > 0) dAbove = transposedProduct(of(weights, `rnn.weight_ih_l${layer}`), dA);
      }
    }
  });
  return { loss, gradients, h, c };
}

/** One value after RMSprop: v = alpha v + (1 - alpha) g g, p -= lr g / (sqrt(v) + 1e-8), with g clipped to [-5, 5]. */
export function rmsprop(p: number, gradient: number, v: number, lr: number, alpha: number): { p: number; v: number } {
  const g = Math.min(5, Math.max(-5, gradient));
  const next = alpha * v + (1 - alpha) * g * g;
  return { p: p - (lr * g) / (Math.sqrt(next) + 1e-8), v: next };
}

/** (layers, B, H) values as states. */
export function statesOf(values: ArrayLike<number>, layers: number, lanes: number): States {
  const size = values.length / layers / lanes;
  const all = rows(values, size);
  return Array.from({ length: layers }, (_, layer) => all.slice(layer * lanes, (layer + 1) * lanes) as Float64Array[]);
}

function stateOf(states: States, layer: number, lane: number): Float64Array {
  return (states[layer] as Float64Array[])[lane] as Float64Array;
}

function addTo(y: Float64Array, x: Float64Array): void {
  for (let k = 0; k < y.length; k++) (y[k] as number) += x[k] as number;
}

/** M += d xT */
function addOuter(m: Float64Array, d: Float64Array, x: Float64Array): void {
  for (let r = 0; r < d.length; r++) {
    for (let k = 0; k < x.length; k++) (m[r * x.length + k] as number) += (d[r] as number) * (x[k] as number);
  }
}

/** MT d */
function transposedProduct(m: Float64Array, d: Float64Array): Float64Array {
  const columns = m.length / d.length;
  const y = new Float64Array(columns);
  for (let r = 0; r < d.length; r++) {
    for (let k = 0; k < columns; k++) (y[k] as number) += (m[r * columns + k] as number) * (d[r] as number);
  }
  return y;
}
