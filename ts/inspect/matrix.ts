/** Small dense matrices in float64, row-major. */
import { ArgumentError } from "../errors.js";

/** A matrix: element (i, j) is `data[i * columns + j]`. */
export interface Matrix {
  /** How many rows it has. */
  readonly rows: number;
  /** Length of a row. */
  readonly columns: number;
  /** Row-major. */
  readonly data: Float64Array;
}

/** a b. */
export function product(a: Matrix, b: Matrix): Matrix {
  const data = new Float64Array(a.rows * b.columns);
  for (let i = 0; i < a.rows; i++) {
    for (let k = 0; k < a.columns; k++) {
      const factor = a.data[i * a.columns + k] as number;
      if (factor === 0) continue;
      for (let j = 0; j < b.columns; j++) {
        data[i * b.columns + j] = (data[i * b.columns + j] as number) + factor * (b.data[k * b.columns + j] as number);
      }
    }
  }
  return { rows: a.rows, columns: b.columns, data };
}

/** The Lanczos process is exact after as many steps as there are columns, and long before at the largest value. */
const LANCZOS_STEPS = 128;

/**
 * The largest singular value, which is how much the matrix can stretch a vector: the root of the largest eigenvalue of
 * At A, by the Lanczos process with full reorthogonalisation (Golub & Van Loan 2013, "Matrix computations", 10.1) and
 * bisection (8.4). NaN or Infinity where the matrix has such elements.
 */
export function largestSingularValue(matrix: Matrix): number {
  const { rows, columns, data } = matrix;
  let scale = 0;
  for (const value of data) scale = Math.max(scale, Math.abs(value));
  if (scale === 0 || !Number.isFinite(scale)) return scale;
  const apply = (v: Float64Array): Float64Array => {
    const result = new Float64Array(columns);
    for (let i = 0; i < rows; i++) {
      let dot = 0;
      for (let j = 0; j < columns; j++) dot += ((data[i * columns + j] as number) / scale) * (v[j] as number);
      for (let j = 0; j < columns; j++) {
        result[j] = (result[j] as number) + dot * ((data[i * columns + j] as number) / scale);
      }
    }
    return result;
  };
  const [diagonal, beside]: [number[], number[]] = [[], []];
  const basis: Float64Array[] = [];
  let next = unit(start(columns));
  while (diagonal.length < Math.min(columns, LANCZOS_STEPS)) {
    basis.push(next);
    const image = apply(next);
    diagonal.push(dotProduct(image, next));
    // Twice: once leaves rounding errors as large as what remains.
    for (let pass = 0; pass < 2; pass++) for (const v of basis) subtract(image, v, dotProduct(image, v));
    const rest = Math.sqrt(dotProduct(image, image));
    // Elements are at most 1 by now, so this is rounding: the process has found all it can.
    if (rest < 1e-14) break;
    beside.push(rest);
    next = unit(image);
  }
  return scale * Math.sqrt(largestEigenvalue(diagonal, beside));
}

/** A vector without structure, so that it is at right angles to no eigenvector. */
function start(length: number): Float64Array {
  let state = 1;
  return Float64Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 0x100000000 - 0.5;
  });
}

function dotProduct(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

function subtract(from: Float64Array, v: Float64Array, factor: number): void {
  for (let i = 0; i < from.length; i++) from[i] = (from[i] as number) - factor * (v[i] as number);
}

function unit(v: Float64Array): Float64Array {
  const length = Math.sqrt(dotProduct(v, v));
  return v.map((value) => value / length);
}

/** Of a symmetric tridiagonal matrix without negative eigenvalues, by bisection. */
function largestEigenvalue(diagonal: readonly number[], beside: readonly number[]): number {
  let [low, high] = [0, 0];
  diagonal.forEach((value, i) => {
    high = Math.max(high, value + (beside[i - 1] ?? 0) + (i < diagonal.length - 1 ? (beside[i] ?? 0) : 0));
  });
  // Halved until no number lies between.
  for (;;) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return high;
    if (hasEigenvalueAbove(middle, diagonal, beside)) low = middle;
    else high = middle;
  }
}

/** Whether the pivots of T - value I are not all negative (Sylvester's law of inertia). */
function hasEigenvalueAbove(value: number, diagonal: readonly number[], beside: readonly number[]): boolean {
  let pivot = 1;
  for (let i = 0; i < diagonal.length; i++) {
    const b = i === 0 ? 0 : (beside[i - 1] as number);
    pivot = (diagonal[i] as number) - value - (b * b) / pivot;
    if (pivot >= 0) return true;
  }
  return false;
}

/**
 * X of A X = B for a symmetric positive definite A, by Cholesky's decomposition.
 * @throws ArgumentError where A is not positive definite
 */
export function solvePositive(a: Matrix, b: Matrix): Matrix {
  const n = a.rows;
  const factor = Float64Array.from(a.data);
  const at = (i: number, j: number): number => factor[i * n + j] as number;
  for (let j = 0; j < n; j++) {
    let square = at(j, j);
    for (let k = 0; k < j; k++) square -= at(j, k) * at(j, k);
    if (!(square > 0)) throw new ArgumentError("solvePositive", "a", "positive definite", square);
    factor[j * n + j] = Math.sqrt(square);
    for (let i = j + 1; i < n; i++) {
      let value = at(i, j);
      for (let k = 0; k < j; k++) value -= at(i, k) * at(j, k);
      factor[i * n + j] = value / at(j, j);
    }
  }
  const { columns } = b;
  const x = Float64Array.from(b.data);
  const subtractRow = (to: number, from: number, by: number): void => {
    for (let c = 0; c < columns; c++) {
      x[to * columns + c] = (x[to * columns + c] as number) - by * (x[from * columns + c] as number);
    }
  };
  const divideRow = (row: number, by: number): void => {
    for (let c = 0; c < columns; c++) x[row * columns + c] = (x[row * columns + c] as number) / by;
  };
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) subtractRow(i, k, at(i, k));
    divideRow(i, at(i, i));
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) subtractRow(i, k, at(k, i));
    divideRow(i, at(i, i));
  }
  return { rows: n, columns, data: x };
}
