/**
 * Confidence interval of a mean by Student's t ("The probable error of a mean", 1908):
 *
 *     mean +- t(level, n - 1) s / sqrt(n)        s^2 = sum (x - mean)^2 / (n - 1)
 *
 * t is where P(|T| < t) = level. For n - 1 = v degrees of freedom, with cos^2 = v / (v + t^2), angle = atan(t / sqrt(v))
 * (Abramowitz & Stegun 1964, 26.7.3 and 26.7.4):
 *
 *     v even:  P = sin (1 + 1/2 cos^2 + (1 3)/(2 4) cos^4 + ... up to cos^(v-2))
 *     v odd:   P = 2/pi (angle + sin (cos + 2/3 cos^3 + (2 4)/(3 5) cos^5 + ... up to cos^(v-2)))
 */
import { ArgumentError } from "../../errors.js";

/** What {@link confidenceInterval} returns. */
export interface ConfidenceInterval {
  /** Of the values. */
  readonly mean: number;
  /** Lower end. */
  readonly low: number;
  /** Upper end. */
  readonly high: number;
  /** s / sqrt(n). */
  readonly standardError: number;
  /** n */
  readonly count: number;
}

/**
 * The mean of independent values and its two-sided confidence interval, for example of the differences of pairs.
 * @param values - two at least
 * @param options.level - probability that such an interval holds the mean of what was drawn from; default 0.95
 * @throws ArgumentError for fewer than two values, one that is not finite, or a level outside 0 to 1
 */
export function confidenceInterval(
  values: readonly number[],
  options: { readonly level?: number } = {},
): ConfidenceInterval {
  const where = "confidenceInterval";
  const { level = 0.95 } = options;
  if (!(level > 0 && level < 1)) throw new ArgumentError(where, "level", "between 0 and 1, neither included", level);
  const count = values.length;
  if (count < 2) throw new ArgumentError(where, "values", "two at least", count);
  const odd = values.find((value) => !Number.isFinite(value));
  if (odd !== undefined) throw new ArgumentError(where, "values", "finite numbers", odd);
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0);
  const standardError = Math.sqrt(squares / (count - 1) / count);
  const reach = studentQuantile(level, count - 1) * standardError;
  return { mean, low: mean - reach, high: mean + reach, standardError, count };
}

/** The t with P(|T| < t) = level, by bisection. */
function studentQuantile(level: number, freedom: number): number {
  let high = 1;
  while (studentWithin(high, freedom) < level && high < 1e300) high *= 2;
  let low = 0;
  for (let middle = high / 2; middle > low && middle < high; middle = (low + high) / 2) {
    if (studentWithin(middle, freedom) < level) low = middle;
    else high = middle;
  }
  return high;
}

/** P(|T| < t). */
function studentWithin(t: number, freedom: number): number {
  const tangent = t / Math.sqrt(freedom);
  const cos = 1 / Math.sqrt(1 + tangent * tangent);
  const sin = tangent * cos;
  const odd = freedom % 2;
  let term = odd === 1 ? cos : 1;
  let sum = 0;
  for (let power = odd; power <= freedom - 2; power += 2) {
    sum += term;
    term *= ((power + 1) / (power + 2)) * cos * cos;
  }
  return odd === 1 ? (arcTangent(tangent) + sin * sum) / (Math.PI / 2) : sin * sum;
}

/** Of x from 0: the angle is halved four times, and then small enough for eight terms of the series. */
function arcTangent(x: number): number {
  let tangent = x;
  for (let i = 0; i < 4; i++) tangent = tangent === Infinity ? 1 : tangent / (1 + Math.sqrt(1 + tangent * tangent));
  let sum = 0;
  for (let power = 15; power >= 1; power -= 2) sum = 1 / power - tangent * tangent * sum;
  return 16 * tangent * sum;
}
