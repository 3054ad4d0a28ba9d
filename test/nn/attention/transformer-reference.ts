/** Causal transformers in float64, one sequence at a time, step by step and pair by pair. */

export type Matrix = number[][];

/** Which steps see which, and by what. */
export interface Sight {
  readonly heads: number;
  readonly context: number;
  /** Default: linear biases over a sliding window; otherwise windows one after another. */
  readonly windows?: boolean;
}

/** A parameter's values by its name. */
export type Values = (name: string) => readonly number[];

export const rowsOf = (flat: ArrayLike<number>, width: number): Matrix =>
  Array.from({ length: flat.length / width }, (_, i) => Array.from(flat).slice(i * width, (i + 1) * width));

export const affine = (x: readonly number[], weight: readonly number[], bias: readonly number[]): number[] =>
  rowsOf(weight, x.length).map((row, j) => row.reduce((sum, w, k) => sum + w * x[k]!, bias[j]!));

/** Self-attention over one sequence (T, size). */
export function attend(x: Matrix, { heads, context, windows = false }: Sight, value: Values): Matrix {
  const size = x[0]!.length;
  const part = size / heads;
  const projected = x.map((row) => affine(row, value("in_proj_weight"), value("in_proj_bias")));
  return x.map((_, t) => {
    const joined: number[] = [];
    for (let head = 0; head < heads; head++) {
      const slope = windows ? 0 : 2 ** ((-8 * (head + 1)) / heads);
      const of = (kind: number, s: number) =>
        projected[s]!.slice(kind * size + head * part, kind * size + (head + 1) * part);
      const visible = (s: number) => (windows ? Math.floor(s / context) === Math.floor(t / context) : s > t - context);
      const seen = x.map((_, s) => s).filter((s) => s <= t && visible(s));
      const scores = seen.map(
        (s) => of(0, t).reduce((sum, q, k) => sum + q * of(1, s)[k]!, 0) / Math.sqrt(part) - slope * (t - s),
      );
      const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
      for (let k = 0; k < part; k++) {
        joined.push(seen.reduce((sum, s, i) => sum + (Math.exp(scores[i]!) / total) * of(2, s)[k]!, 0));
      }
    }
    return affine(joined, value("out_proj.weight"), value("out_proj.bias"));
  });
}

export function layerNorm(x: readonly number[], weight: readonly number[], bias: readonly number[]): number[] {
  const mean = x.reduce((sum, v) => sum + v, 0) / x.length;
  const variance = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length;
  return x.map((v, k) => ((v - mean) / Math.sqrt(variance + 1e-5)) * weight[k]! + bias[k]!);
}

/** A layer over one sequence (T, size). */
export function transformerLayer(x: Matrix, sight: Sight, value: Values): Matrix {
  const attended = attend(
    x.map((row) => layerNorm(row, value("norm1.weight"), value("norm1.bias"))),
    sight,
    (name) => value(`self_attn.${name}`),
  );
  return x.map((row, t) => {
    const y = row.map((v, k) => v + attended[t]![k]!);
    const normed = layerNorm(y, value("norm2.weight"), value("norm2.bias"));
    const hidden = affine(normed, value("linear1.weight"), value("linear1.bias"));
    const added = affine(
      hidden.map((v) => Math.max(v, 0)),
      value("linear2.weight"),
      value("linear2.bias"),
    );
    return y.map((v, k) => v + added[k]!);
  });
}
