/**
 * exp, ln, powers and cosines of doubles with the same bits in every runtime, which those of `Math` do not promise: for
 * learning rates and scores, a few at a time. The kernels have their own, in single precision.
 *
 * Each is a range reduction and the first terms of the power series, enough of them that what is left out is below a
 * rounding; errors stay below 4 units in the last place (`pow`: times the logarithm of the result).
 */

/** ln 2 in two pieces; the first has 32 significant bits, so that its product with an exponent is exact (fdlibm, e_exp.c). */
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;

const bits = new DataView(new ArrayBuffer(8));

/** 2^n of a whole n from -1022 to 1023. */
function powerOfTwo(n: number): number {
  bits.setUint32(0, (n + 1023) << 20);
  bits.setUint32(4, 0);
  return bits.getFloat64(0);
}

/** e^x: with x = n ln 2 + r, 2^n times the series of e^r, |r| <= (ln 2) / 2. */
export function exp(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (x > 709.79) return Infinity;
  if (x < -745.14) return 0;
  const n = Math.round(x / Math.LN2);
  const r = x - n * LN2_HIGH - n * LN2_LOW;
  let sum = 1;
  for (let k = 14; k > 0; k--) sum = 1 + (r / k) * sum;
  // In two steps, because 2^1024 and 2^-1074 are out of range where the result is not.
  const half = Math.trunc(n / 2);
  return sum * powerOfTwo(half) * powerOfTwo(n - half);
}

/** ln x: with x = 2^n m, n ln 2 + 2 artanh((m - 1) / (m + 1)), m from sqrt(1/2) to sqrt(2). */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return x;
  // Subnormal numbers have no exponent of their own.
  const lift = x < powerOfTwo(-1022) ? 54 : 0;
  bits.setFloat64(0, x * powerOfTwo(lift));
  const high = bits.getUint32(0);
  let n = (high >>> 20) - 1023 - lift;
  bits.setUint32(0, (high & 0xfffff) | (1023 << 20));
  let m = bits.getFloat64(0);
  if (m > Math.SQRT2) {
    m /= 2;
    n++;
  }
  const s = (m - 1) / (m + 1);
  const square = s * s;
  let sum = 0;
  for (let k = 23; k > 1; k -= 2) sum = square * (1 / k + sum);
  return n * LN2_HIGH + (2 * s + (2 * s * sum + n * LN2_LOW));
}

/** x^y of x >= 0: by squaring for a whole y from 0, else e^(y ln x). */
export function pow(x: number, y: number): number {
  if (!(Number.isSafeInteger(y) && y >= 0)) return y === 0 ? 1 : exp(y * log(x));
  let result = 1;
  let square = x;
  for (let rest = y; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result *= square;
    square *= square;
  }
  return result;
}

/** cos(pi x), exact at multiples of a half: by symmetry the series of the sine or cosine of at most a quarter of pi. */
export function cosPi(x: number): number {
  const turn = Math.abs(x) % 2;
  const half = turn > 1 ? 2 - turn : turn;
  if (half > 0.5) return -cosPi(1 - half);
  const useSine = half > 0.25;
  const angle = Math.PI * (useSine ? 0.5 - half : half);
  const square = angle * angle;
  const first = useSine ? 1 : 0;
  let sum = 1;
  for (let k = 18; k > 0; k -= 2) sum = 1 - (square / ((k + first) * (k + first - 1))) * sum;
  return useSine ? angle * sum : sum;
}

/** ln(e^a + e^b). */
export function logAddExp(a: number, b: number): number {
  const [low, high] = a < b ? [a, b] : [b, a];
  return low === -Infinity ? high : high + log(1 + exp(low - high));
}
