/** Recurrent layers written out step by step in float64: the naive oracle of the fused ones. */

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

export type CellName = "elman" | "lstm" | "gru";

export interface Weights {
  readonly weightIh: readonly number[];
  readonly weightHh: readonly number[];
  readonly biasIh: readonly number[];
  readonly biasHh: readonly number[];
}

/** One step of one row. */
export function step(
  cell: CellName,
  x: readonly number[],
  h: readonly number[],
  c: readonly number[],
  weights: Weights,
): { h: number[]; c: number[] } {
  const hidden = h.length;
  const row = (w: readonly number[], v: readonly number[], r: number) =>
    v.reduce((total, value, k) => total + value * w[r * v.length + k]!, 0);
  const fromInput = (r: number) => row(weights.weightIh, x, r) + weights.biasIh[r]!;
  const fromState = (r: number) => row(weights.weightHh, h, r) + weights.biasHh[r]!;
  const both = (r: number) => fromInput(r) + fromState(r);
  const units = h.map((_, j) => j);
  if (cell === "elman") return { h: units.map((j) => Math.tanh(both(j))), c: [] };
  if (cell === "gru") {
    const next = units.map((j) => {
      const r = sigmoid(both(j));
      const z = sigmoid(both(hidden + j));
      const n = Math.tanh(fromInput(2 * hidden + j) + r * fromState(2 * hidden + j));
      return (1 - z) * n + z * h[j]!;
    });
    return { h: next, c: [] };
  }
  const memory = units.map((j) => {
    const [i, f, g] = [sigmoid(both(j)), sigmoid(both(hidden + j)), Math.tanh(both(2 * hidden + j))];
    return f * c[j]! + i * g;
  });
  return { h: units.map((j) => sigmoid(both(3 * hidden + j)) * Math.tanh(memory[j]!)), c: memory };
}
