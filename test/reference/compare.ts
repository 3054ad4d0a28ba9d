/** How computed values are held against references. */

/** The largest difference, relative to the largest magnitude of what is expected. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity;
  let difference = 0;
  let magnitude = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs((actual[i] as number) - (expected[i] as number));
    // Written so that NaN counts.
    if (!(error <= difference)) difference = Number.isNaN(error) ? Infinity : error;
    magnitude = Math.max(magnitude, Math.abs(expected[i] as number));
  }
  return difference === 0 ? 0 : difference / magnitude;
}

/** Half the distance between neighbouring float32 values, relative to them. */
export const F32_ROUNDING = 2 ** -24;

/**
 * The largest error of updated values in units of what float32 arithmetic may lose: one rounding of the value, and of
 * each of the `operations` that its change went through. At most 1 when all is well.
 */
export function updateError(
  actual: ArrayLike<number>,
  before: ArrayLike<number>,
  expected: ArrayLike<number>,
  operations: number,
): number {
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const [a, b, e] = [actual[i] as number, before[i] as number, expected[i] as number];
    const allowed = F32_ROUNDING * (Math.abs(e) + operations * Math.abs(e - b));
    const error = a === e ? 0 : Math.abs(a - e) / allowed;
    if (!(error <= worst)) worst = Number.isNaN(error) ? Infinity : error;
  }
  return worst;
}
