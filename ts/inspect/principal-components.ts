/** Principal components: the directions in which points differ most. Pearson 1901; Hotelling 1933. In float64. */
import { ArgumentError, ShapeError } from "../errors.js";

/** Points seen along their principal components. */
export interface PrincipalComponents {
  /** Row-major (N, count): where each point lies along each component, from the mean of all. */
  readonly points: Float64Array;
  /** Part of the variance along each component, largest first; zeros when all points are the same. */
  readonly explained: readonly number[];
}

/** The error falls with the ratio of neighbouring eigenvalues at each sweep; beyond this, they are the same. */
const SWEEPS = 1000;

/**
 * The principal components of points, by orthogonal iteration on their covariance (Golub & Van Loan 2013, "Matrix
 * computations", 8.2). The sign of a component is such that its largest weight is above 0.
 *
 * @param data - (N, D), finite, row-major
 * @param count - components, at most D; default 2
 * @throws ShapeError, ArgumentError
 */
export function principalComponents(data: ArrayLike<number>, size: number, count = 2): PrincipalComponents {
  const where = "principalComponents";
  if (!(Number.isSafeInteger(size) && size >= 1 && data.length % size === 0)) {
    throw new ShapeError(where, `data of ${data.length} values`, ["N", size], [data.length]);
  }
  if (!(Number.isSafeInteger(count) && count >= 1 && count <= size)) {
    throw new ArgumentError(where, "count", `a whole number from 1 to ${size}`, count);
  }
  const rows = data.length / size;
  const centred = centre(data, rows, size);
  const covariance = Array.from({ length: size }, () => new Float64Array(size));
  let total = 0;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let row = 0; row < rows; row++) {
        sum += (centred[row * size + i] as number) * (centred[row * size + j] as number);
      }
      (covariance[i] as Float64Array)[j] = (covariance[j] as Float64Array)[i] = sum;
    }
    total += (covariance[i] as Float64Array)[i] as number;
  }
  if (!Number.isFinite(total)) throw new ArgumentError(where, "data", "finite", total);
  const components = leadingEigenvectors(covariance, count);
  const points = new Float64Array(rows * count);
  for (let row = 0; row < rows; row++) {
    components.forEach((component, k) => {
      points[row * count + k] = dot(component, centred.subarray(row * size, (row + 1) * size));
    });
  }
  const explained = components.map((component) => {
    const image = Float64Array.from(covariance, (row) => dot(row, component));
    return total > 0 ? dot(component, image) / total : 0;
  });
  return { points, explained };
}

function centre(data: ArrayLike<number>, rows: number, size: number): Float64Array {
  const means = new Float64Array(size);
  for (let i = 0; i < data.length; i++) means[i % size] = (means[i % size] as number) + (data[i] as number) / rows;
  return Float64Array.from(data, (value, i) => value - (means[i % size] as number));
}

/** Those of the largest eigenvalues of a symmetric matrix without negative ones. */
function leadingEigenvectors(matrix: readonly Float64Array[], count: number): Float64Array[] {
  const size = matrix.length;
  // Without structure, so that it is at right angles to no eigenvector.
  let state = 1;
  let basis: Float64Array[] = Array.from({ length: count }, () =>
    Float64Array.from({ length: size }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 0x100000000 - 0.5;
    }),
  );
  basis = orthonormal(basis);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const images = basis.map((vector) => Float64Array.from(matrix, (row) => dot(row, vector)));
    if (images.some((image) => dot(image, image) === 0)) break;
    const next = orthonormal(images);
    const turned = next.reduce((most, vector, k) => Math.max(most, 1 - dot(vector, basis[k] as Float64Array)), 0);
    basis = next;
    if (turned < 1e-15) break;
  }
  return basis.map((vector) => {
    const largest = vector.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
    return largest < 0 ? vector.map((value) => -value) : vector;
  });
}

/** Gram and Schmidt's process, twice: once leaves rounding errors as large as what remains. */
function orthonormal(vectors: readonly Float64Array[]): Float64Array[] {
  const basis: Float64Array[] = [];
  for (const vector of vectors) {
    let rest: Float64Array = vector;
    for (let pass = 0; pass < 2; pass++) {
      for (const other of basis) {
        const along = dot(rest, other);
        rest = rest.map((value, i) => value - along * (other[i] as number));
      }
    }
    const length = Math.sqrt(dot(rest, rest));
    basis.push(length > 0 ? rest.map((value) => value / length) : rest);
  }
  return basis;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
