/**
 * Orthogonal matrices, which neither stretch nor shrink what passes through them. Saxe, McClelland & Ganguli 2014,
 * "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks".
 *
 * Q of A = Q R, A of independent normals, by Householder reflections in double precision (Golub & Van Loan, "Matrix
 * Computations", 5.2); the columns of Q get the signs of the diagonal of R, which makes Q uniform over all orthogonal
 * matrices (Mezzadri 2007, "How to generate random matrices from the classical compact groups").
 */
import { ArgumentError } from "../errors.js";
import type { Initializer } from "../tensor/parameter.js";
import { matrix, normal } from "./initializers.js";

/** Options of {@link orthogonal}. */
export interface OrthogonalOptions {
  /** Factor of the result; default 1. */
  readonly gain?: number;
  /**
   * How many matrices stand above each other, each orthogonal by itself. Default: for recurrent weights
   * (`weight_hh...`) whose rows are a multiple of their columns, one a gate (4 in an LSTM, 3 in a GRU), else 1. With a
   * projection say 4.
   */
  readonly blocks?: number;
}

/**
 * gain times a random orthogonal matrix: of the rows and columns, the fewer ones are orthonormal. Up to float32's
 * rounding of each element.
 *
 * @throws ArgumentError for a parameter that is not a matrix, or whose rows do not divide into the blocks
 */
export function orthogonal(options: OrthogonalOptions = {}): Initializer {
  const { gain = 1 } = options;
  if (!Number.isFinite(gain)) throw new ArgumentError("orthogonal", "gain", "a finite number", gain);
  return (parameter, seed, stream) => {
    const [rows, columns] = matrix("orthogonal", parameter);
    const recurrent = /(^|\.)weight_hh/.test(parameter.name) && columns > 0 && rows % columns === 0;
    const blocks = options.blocks ?? (recurrent ? rows / columns : 1);
    if (!(Number.isInteger(blocks) && blocks > 0 && rows % blocks === 0)) {
      throw new ArgumentError("orthogonal", "blocks", `a divisor of the ${rows} rows of ${parameter.name}`, blocks);
    }
    normal()(parameter, seed, stream);
    const { core, pointer, size } = parameter;
    const values = core.readF32(pointer, size);
    const high = rows / blocks;
    for (let block = 0; block < blocks; block++) {
      const part = values.subarray(block * high * columns, (block + 1) * high * columns);
      // The reflections need at least as many rows as columns: a wide matrix is made as its transpose.
      const wide = high < columns;
      const tall = Float64Array.from(part);
      const q = wide ? orthonormal(tall, columns, high) : orthonormal(tall, high, columns);
      for (let i = 0; i < high; i++) {
        for (let j = 0; j < columns; j++) {
          part[i * columns + j] = gain * (q[wide ? j * high + i : i * columns + j] as number);
        }
      }
    }
    core.f32.set(values, pointer >>> 2);
  };
}

/** Q (m, n) of the matrix `a` (m, n), m >= n, which is overwritten; the diagonal of R positive. */
function orthonormal(a: Float64Array, m: number, n: number): Float64Array {
  const signs = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    let norm = 0;
    for (let i = k; i < m; i++) norm += (a[i * n + k] as number) * (a[i * n + k] as number);
    norm = Math.sqrt(norm);
    const head = a[k * n + k] as number;
    // The reflection maps the column to -sign(head) norm, so that nothing cancels in its vector v = x + sign norm e_k.
    signs[k] = head < 0 ? 1 : -1;
    a[k * n + k] = head + (head < 0 ? -norm : norm);
    for (let j = k + 1; j < n; j++) reflect(a, a, k, j, m, n);
  }
  const q = new Float64Array(m * n);
  for (let j = 0; j < n; j++) {
    q[j * n + j] = signs[j] as number;
    for (let k = n - 1; k >= 0; k--) reflect(a, q, k, j, m, n);
  }
  return q;
}

/** Column j of `target` -= 2 v (v . column) / (v . v), with v in column k of `source` from row k on. */
function reflect(source: Float64Array, target: Float64Array, k: number, j: number, m: number, n: number): void {
  let [dot, square] = [0, 0];
  for (let i = k; i < m; i++) {
    const v = source[i * n + k] as number;
    dot += v * (target[i * n + j] as number);
    square += v * v;
  }
  if (square === 0) return;
  const factor = (2 * dot) / square;
  for (let i = k; i < m; i++)
    target[i * n + j] = (target[i * n + j] as number) - factor * (source[i * n + k] as number);
}
