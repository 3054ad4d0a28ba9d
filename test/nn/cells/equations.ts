/**
 * Cells in float64, as plain loops over rows and columns: the oracles that compiled and fused layers are held against.
 *
 * A reference says what one step of one row does; what goes around it (batch, time, states) is here, once.
 */

export type Vector = readonly number[];

/** Parameters by name, without the suffix of a layer. A bias has one column. */
export interface Matrix {
  readonly shape: readonly number[];
  readonly data: Vector;
  /** Its products are those of 8-bit integers, {@link rounded} each: of its rows, and of what it multiplies. */
  readonly int8?: boolean;
}

/** The parameters of a layer. */
export type Weights = (name: string) => Matrix;

/** One cell. */
export interface Reference {
  /** One step of one row. */
  readonly step: (x: Vector, state: Readonly<Record<string, Vector>>, weights: Weights) => Record<string, Vector>;
  /** The state that is the output; default: the first. */
  readonly output?: string;
}

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
export const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** f of the elements of one, two or three vectors at the same place. */
export function each(
  f: (a: number, b: number, c: number) => number,
  a: Vector,
  b: Vector = [],
  c: Vector = [],
): Vector {
  return a.map((value, j) => f(value, b[j] as number, c[j] as number));
}

/** Sum of vectors. */
export function sum(...vectors: Vector[]): Vector {
  return (vectors[0] as Vector).map((_, j) => vectors.reduce((total, vector) => total + (vector[j] as number), 0));
}

/** Multiples of 1/127 of the largest magnitude, the nearest to each value. */
export function rounded(values: Vector): Vector {
  const scale = Math.max(...values.map(Math.abs)) / 127;
  return scale === 0 ? values : values.map((value) => scale * Math.round(value / scale));
}

/** Rows `gate * height` and on, `height` of them, of a matrix, times a vector. */
export function times(matrix: Matrix, vector: Vector, gate = 0, height = matrix.shape[0] as number): Vector {
  const columns = vector.length;
  if (matrix.shape[1] !== columns) throw new Error(`${columns} values for a matrix of ${matrix.shape}`);
  const round = matrix.int8 === true ? rounded : (values: Vector) => values;
  const x = round(vector);
  return Array.from({ length: height }, (_, row) => {
    const first = (gate * height + row) * columns;
    return round(matrix.data.slice(first, first + columns)).reduce((total, w, k) => total + w * (x[k] as number), 0);
  });
}

/** Rows of a bias, as {@link times}. */
export function rows(bias: Matrix, gate: number, height: number): Vector {
  return bias.data.slice(gate * height, (gate + 1) * height);
}

/** W x + U h + b of gate number k of the stacked parameters weight_ih, weight_hh and bias. */
export function gate(weights: Weights, k: number, x: Vector, h: Vector, hidden = h.length): Vector {
  return sum(
    times(weights("weight_ih"), x, k, hidden),
    times(weights("weight_hh"), h, k, hidden),
    rows(weights("bias"), k, hidden),
  );
}

/** Values with their shapes. */
export interface Values {
  readonly shape: readonly number[];
  readonly data: number[];
}

/** x (B, T, I) and states (1, B, S) to the output (B, T, S) and the last states, through one layer. */
export function runReference(
  reference: Reference,
  x: Values,
  states: Readonly<Record<string, Values>>,
  weights: Weights,
): { output: number[]; states: Record<string, number[]> } {
  const [batch, steps, inputs] = x.shape as [number, number, number];
  const output: number[] = [];
  const last: Record<string, number[]> = {};
  for (let b = 0; b < batch; b++) {
    let state: Record<string, Vector> = {};
    for (const [name, { shape, data }] of Object.entries(states)) {
      const width = shape[2] as number;
      state[name] = data.slice(b * width, (b + 1) * width);
    }
    const out = reference.output ?? (Object.keys(state)[0] as string);
    for (let t = 0; t < steps; t++) {
      const from = (b * steps + t) * inputs;
      state = reference.step(x.data.slice(from, from + inputs), state, weights);
      output.push(...(state[out] as Vector));
    }
    for (const [name, values] of Object.entries(state)) last[name] = [...(last[name] ?? []), ...values];
  }
  return { output, states: last };
}
