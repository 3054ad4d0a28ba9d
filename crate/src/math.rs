//! exp, ln, tanh, the logistic function, sine and cosine, four at a time.
//!
//! Every function is a range reduction and a polynomial, in one fixed order of additions and multiplications, so that
//! results have the same bits in every runtime. The polynomials are minimax fits (Remez exchange in 30 digits, weighted
//! so that the error named beside each is what is equalised), rounded to f32. The tests below hold every
//! 193rd float against f64.
//!
//! | function | bound |
//! |---|---|
//! | exp | 9e-8 relative where the result is normal, one step of the smallest number where it is subnormal |
//! | exp_m1 (x <= 88) | 1.3e-7 relative |
//! | ln | 9e-8 relative |
//! | ln_1p | 1.4e-7 relative |
//! | tanh | 1.1e-7 absolute, 3.1e-7 relative |
//! | sigmoid | 1e-7 absolute |
//! | sine and cosine of a turn | 1.1e-7 absolute |
//! | sin, cos (absolute x <= 8192) | 1.2e-7 absolute |
//!
//! NaN gives NaN; infinities give the limits.

use crate::simd::{F32x4, Lane};

/// Where the functions of this module have their constants from: made before a loop, outside it.
///
/// A constant that V8 knows it writes anew at every use, four instructions each since its version 13 (Node 24), which took
/// more time than the arithmetic. These it cannot know, as all depend on a word of memory; so they stay in registers.
#[derive(Clone, Copy, Debug)]
pub struct Constants {
    zero: u32,
}

impl Constants {
    #[inline(always)]
    pub fn read() -> Self {
        static ZERO: u32 = 0;
        // Sound: a reference, and volatile, so that the compiler does not know it either.
        Self { zero: unsafe { core::ptr::read_volatile(&ZERO) } }
    }

    /// A number for kernels outside this module.
    #[inline(always)]
    pub fn number<L: Lane>(self, value: f32) -> L {
        L::constant(f64::from(f32::from_bits(value.to_bits() ^ self.zero)))
    }

    #[inline(always)]
    fn lane(self, value: f32) -> F32x4 {
        F32x4::splat(f32::from_bits(value.to_bits() ^ self.zero))
    }
}

/// ln(1 + t) for t >= 0 and finite, also where 1 + t rounds to 1: ln(u) + (t - (u - 1)) / u with u = 1 + t (Kahan).
#[inline(always)]
pub fn ln_1p<L: Lane>(t: L, k: Constants) -> L {
    let one = L::constant(1.0);
    let u = one + t;
    u.ln(k) + (t - (u - one)) / u
}

/// Single precision.
// Coefficients are written with the digits that name one f32; that one of them is near ln 2 is no accident, but they
// are fits, not constants. A polynomial indexes its own array.
#[allow(clippy::excessive_precision, clippy::approx_constant, clippy::indexing_slicing)]
pub mod single {
    use super::Constants;
    use crate::simd::{F32x4, Lane};

    /// 1.5 * 2^23: adding it rounds to the nearest whole number (ties to even) and leaves that number in the low bits.
    const MAGIC: f32 = 12_582_912.0;
    /// The same, and the low bits are those of an exponent: 127 more.
    const EXPONENT_MAGIC: f32 = 12_583_039.0;
    const LOG2_E: f32 = core::f32::consts::LOG2_E;
    /// ln 2 in two pieces; the first has 9 significant bits, so its product with an exponent is exact.
    const LN_2_HIGH: f32 = 355.0 / 512.0;
    const LN_2_LOW: f32 = -2.121_944_4e-4;

    /// c[0] + x (c[1] + x (c[2] + ...)).
    #[inline(always)]
    fn polynomial<const N: usize>(x: F32x4, coefficients: [f32; N], k: Constants) -> F32x4 {
        let mut sum = k.lane(coefficients[N - 1]);
        for i in (0..N - 1).rev() {
            sum = sum * x + k.lane(coefficients[i]);
        }
        sum
    }

    /// 2^n of a number to which [`EXPONENT_MAGIC`] was added; n = -127 gives 0 and n = 128 infinity.
    #[inline(always)]
    fn power_of_two(magic: F32x4) -> F32x4 {
        magic.bits_shl23()
    }

    /// x = n ln 2 + r with |r| <= (ln 2) / 2: (n, r).
    #[inline(always)]
    fn reduce(x: F32x4, k: Constants) -> (F32x4, F32x4) {
        let n = (x * k.lane(LOG2_E) + k.lane(MAGIC)) - k.lane(MAGIC);
        (n, (x - n * k.lane(LN_2_HIGH)) - n * k.lane(LN_2_LOW))
    }

    /// e^r - 1 = r + r^2 P(r); P fits (e^r - 1 - r) / r^2 to 3.8e-9 of e^r and 1.7e-8 of e^r - 1.
    #[inline(always)]
    fn exp_m1_reduced(r: F32x4, k: Constants) -> F32x4 {
        let p = polynomial(r, [0.499_999_97, 0.166_665_435, 0.041_667_2, 0.008_366_514, 0.001_388_253], k);
        r + (r * r) * p
    }

    /// e^x. Two factors of 2^(n/2) reach the subnormal numbers; 89 and -104 are past both ends.
    #[inline(always)]
    pub fn exp(x: F32x4, k: Constants) -> F32x4 {
        let (n, r) = reduce(x.clamp(k.lane(-104.0), k.lane(89.0)), k);
        let half = n * k.lane(0.5) + k.lane(EXPONENT_MAGIC);
        let rest = n - (half - k.lane(EXPONENT_MAGIC)) + k.lane(EXPONENT_MAGIC);
        (k.lane(1.0) + exp_m1_reduced(r, k)) * power_of_two(half) * power_of_two(rest)
    }

    /// e^x - 1 without cancellation near 0; x above 88 gives e^88 - 1.
    #[inline(always)]
    pub fn exp_m1(x: F32x4, k: Constants) -> F32x4 {
        let (n, r) = reduce(x.clamp(k.lane(-30.0), k.lane(88.0)), k);
        let scale = power_of_two(n + k.lane(EXPONENT_MAGIC));
        scale * exp_m1_reduced(r, k) + (scale - k.lane(1.0))
    }

    /// ln x = power ln 2 + ln(1 + f) with 1 + f in [sqrt(1/2), sqrt(2)); ln(1 + f) = f - f^2 / 2 + f^3 P(f), where P fits
    /// to 6.4e-9 of ln(1 + f). Below 0 it is NaN, at 0 minus infinity.
    #[inline(always)]
    pub fn ln(x: F32x4, k: Constants) -> F32x4 {
        // Subnormal numbers are scaled by 2^23 first.
        let smallest = k.lane(f32::MIN_POSITIVE);
        let scaled = smallest.select_gt(x, x * k.lane(8_388_608.0), x);
        let shift = smallest.select_gt(x, k.lane(-23.0), k.lane(0.0));
        let sqrt_half = f32::from_bits(0x3f35_04f3);
        let exponent = scaled.bits_sub(k.lane(sqrt_half)).bits_sar23();
        let f = scaled.bits_sub(exponent.bits_shl23()) - k.lane(1.0);
        let power = exponent.bits_to_float() + shift;
        let p = polynomial(
            f,
            [
                0.333_333_313,
                -0.250_008_196,
                0.200_012_252,
                -0.166_233_584,
                0.142_017_901,
                -0.131_602_004,
                0.127_613_664,
                -0.076_341_838,
            ],
            k,
        );
        let square = f * f;
        let tail = (f * square) * p + power * k.lane(LN_2_LOW) - k.lane(0.5) * square;
        let result = (f + tail) + power * k.lane(LN_2_HIGH);
        let positive = k.lane(f32::INFINITY).select_gt(x, result, x);
        let other = k.lane(0.0).select_gt(x, k.lane(f32::NAN), x - k.lane(f32::INFINITY));
        x.select_gt(k.lane(0.0), positive, other)
    }

    /// y = n + f with |f| <= 1/2 and n from -127 to 128: 2^n, and E and O of 2^f = (E + O) / (E - O), E even in f and O odd.
    /// The fit is 4e-10 of 2^f, and O / E 1.1e-9 of tanh(f ln 2 / 2). What divides anyway gets the power for half the
    /// operations of a polynomial.
    #[inline(always)]
    fn power_as_ratio(y: F32x4, k: Constants) -> (F32x4, F32x4, F32x4) {
        let magic = y + k.lane(EXPONENT_MAGIC);
        let f = y - (magic - k.lane(EXPONENT_MAGIC));
        let square = f * f;
        let odd = f * (k.lane(7.215_028_8) + k.lane(0.057_700_373) * square);
        (power_of_two(magic), k.lane(20.818_172) + square, odd)
    }

    /// Of |x| first, d / (d + 2) with d = e^(2 |x|) - 1. Over the same denominator E - O as the power d is
    /// (2^n - 1) E + (2^n + 1) O, which does not cancel near 0.
    #[inline(always)]
    pub fn tanh(x: F32x4, k: Constants) -> F32x4 {
        let sign = x.bits_and(k.lane(-0.0));
        let y = (x.bits_xor(sign) * k.lane(2.0 * LOG2_E)).at_most(k.lane(30.0));
        let (scale, even, odd) = power_as_ratio(y, k);
        let difference = (scale - k.lane(1.0)) * even + (scale + k.lane(1.0)) * odd;
        let below = even - odd;
        (difference / (difference + (below + below))).bits_xor(sign)
    }

    /// e / (e + 1) with e = e^x = 2^n (E + O) / (E - O). From 2^64 on it is 1; 2^-127 counts as 0.
    #[inline(always)]
    pub fn sigmoid(x: F32x4, k: Constants) -> F32x4 {
        let y = (x * k.lane(LOG2_E)).clamp(k.lane(-127.0), k.lane(64.0));
        let (scale, even, odd) = power_as_ratio(y, k);
        let above = scale * (even + odd);
        above / (above + (even - odd))
    }

    /// The sine and cosine of 2 pi u, u in [0, 1]: a quarter turn is taken off exactly, and what is left, at most
    /// pi / 4, goes through a + a^3 P(a^2) (5.5e-9) and 1 - a^2 / 2 + a^4 Q(a^2) (5.1e-10).
    #[inline(always)]
    pub fn sin_cos_turn(u: F32x4, k: Constants) -> (F32x4, F32x4) {
        let quarters = u * k.lane(4.0);
        let quadrant = (quarters + k.lane(MAGIC)) - k.lane(MAGIC);
        sin_cos_of_quadrant((quarters - quadrant) * k.lane(core::f32::consts::FRAC_PI_2), quadrant, k)
    }

    /// (sin x, cos x). n quarter turns are taken off with pi / 2 in three pieces (Cody & Waite), of which the first two
    /// have so few bits that their products with n are exact up to an x of 8192; past that precision fades.
    #[inline(always)]
    pub fn sin_cos(x: F32x4, k: Constants) -> (F32x4, F32x4) {
        let n = (x * k.lane(core::f32::consts::FRAC_2_PI) + k.lane(MAGIC)) - k.lane(MAGIC);
        let a = ((x - n * k.lane(1.570_312_5)) - n * k.lane(4.837_513e-4)) - n * k.lane(7.549_79e-8);
        let quadrant = n - ((n * k.lane(0.25) + k.lane(MAGIC)) - k.lane(MAGIC)) * k.lane(4.0);
        sin_cos_of_quadrant(a, k.lane(0.0).select_gt(quadrant, quadrant + k.lane(4.0), quadrant), k)
    }

    /// The sine and cosine of a + quadrant pi / 2, |a| at most pi / 4 and quadrant 0, 1, 2, 3 or 4.
    #[inline(always)]
    fn sin_cos_of_quadrant(a: F32x4, quadrant: F32x4, k: Constants) -> (F32x4, F32x4) {
        let square = a * a;
        let sine = a + (a * square) * polynomial(square, [-0.166_666_55, 0.008_332_178, -0.000_195_172_99], k);
        let q = polynomial(square, [0.041_666_646, -0.001_388_736_8, 2.443_845_2e-5], k);
        let cosine = k.lane(1.0) - k.lane(0.5) * square + (square * square) * q;
        // Quadrants 0..4: (s, c), (c, -s), (-s, -c), (-c, s), (s, c).
        let (half, one, d) = (k.lane(0.5), k.lane(1.0), quadrant - k.lane(2.0));
        let odd = half.select_gt((d.abs() - one).abs(), one, k.lane(0.0));
        let (first, second) = (odd.select_gt(half, cosine, sine), odd.select_gt(half, sine, cosine));
        (one.select_gt((d - half).abs(), -first, first), one.select_gt((d + half).abs(), -second, second))
    }
}

/// Double precision through the standard library: what kernels are checked against.
#[cfg(test)]
pub mod double {
    use super::Constants;
    use crate::simd::{F64x4, Lane};

    pub fn exp(x: F64x4, _: Constants) -> F64x4 {
        F64x4::from_array(x.to_array().map(f64::exp))
    }
    pub fn exp_m1(x: F64x4, _: Constants) -> F64x4 {
        F64x4::from_array(x.to_array().map(f64::exp_m1))
    }
    pub fn ln(x: F64x4, _: Constants) -> F64x4 {
        F64x4::from_array(x.to_array().map(f64::ln))
    }
    pub fn tanh(x: F64x4, _: Constants) -> F64x4 {
        F64x4::from_array(x.to_array().map(f64::tanh))
    }
    pub fn sigmoid(x: F64x4, _: Constants) -> F64x4 {
        F64x4::from_array(x.to_array().map(|x| 1.0 / (1.0 + (-x).exp())))
    }
    pub fn sin_cos(x: F64x4, _: Constants) -> (F64x4, F64x4) {
        (F64x4::from_array(x.to_array().map(f64::sin)), F64x4::from_array(x.to_array().map(f64::cos)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exp(x: F32x4) -> F32x4 {
        x.exp(Constants::read())
    }
    fn exp_m1(x: F32x4) -> F32x4 {
        x.exp_m1(Constants::read())
    }
    fn ln(x: F32x4) -> F32x4 {
        x.ln(Constants::read())
    }
    fn tanh(x: F32x4) -> F32x4 {
        x.tanh(Constants::read())
    }
    fn sigmoid(x: F32x4) -> F32x4 {
        x.sigmoid(Constants::read())
    }

    /// Every 193rd float, all exponents and both signs, infinities and NaN among them: `check(x, f(x))`.
    fn sweep(f: impl Fn(F32x4) -> F32x4, mut check: impl FnMut(f32, f32)) {
        let mut bits = (0..=u32::MAX).step_by(193);
        loop {
            let mut x = [f32::NAN; 4];
            let mut count = 0;
            for (slot, bits) in x.iter_mut().zip(&mut bits) {
                *slot = f32::from_bits(bits);
                count += 1;
            }
            let y = f(F32x4::from_array(x)).to_array();
            x.into_iter().zip(y).take(count).for_each(|(x, y)| check(x, y));
            if count < 4 {
                break;
            }
        }
    }

    fn at(f: impl Fn(F32x4) -> F32x4, x: f32) -> f32 {
        f(F32x4::splat(x)).to_array()[0]
    }

    /// Raises `worst` to `error`; NaN counts as infinite.
    fn raise(worst: &mut f64, error: f64) {
        *worst = worst.max(if error.is_nan() { f64::INFINITY } else { error });
    }

    /// (largest absolute, largest relative where the exact result is a normal number) error over finite numbers in
    /// `low..=high`; below the normal numbers the absolute error is bounded here.
    fn errors(f: impl Fn(F32x4) -> F32x4, exact: impl Fn(f64) -> f64, low: f32, high: f32) -> (f64, f64) {
        let (mut absolute, mut relative) = (0.0, 0.0);
        sweep(&f, |x, y| {
            if x.is_nan() {
                assert!(y.is_nan(), "NaN became {y}");
            } else if low <= x && x <= high {
                let expected = exact(f64::from(x));
                let error = (f64::from(y) - expected).abs();
                raise(&mut absolute, error);
                if expected.abs() >= f64::from(f32::MIN_POSITIVE) && expected.abs() <= f64::from(f32::MAX) {
                    raise(&mut relative, error / expected.abs());
                } else if expected.abs() < f64::from(f32::MIN_POSITIVE) {
                    assert!(error <= 1.5e-45, "{x:e} gave {y:e}, not {expected:e}");
                }
            }
        });
        (absolute, relative)
    }

    #[test]
    fn exp_is_within_its_bound() {
        let (_, relative) = errors(exp, f64::exp, -200.0, 88.722);
        assert!(relative <= 9e-8);
        assert_eq!(at(exp, 0.0), 1.0);
        assert_eq!(at(exp, 88.8), f32::INFINITY);
        assert_eq!(at(exp, f32::INFINITY), f32::INFINITY);
        assert_eq!(at(exp, f32::NEG_INFINITY), 0.0);
        assert!(at(exp, 88.72) < f32::INFINITY);
        assert!(at(exp, -103.0) > 0.0);
    }

    #[test]
    fn exp_m1_is_within_its_bound() {
        let (_, relative) = errors(exp_m1, f64::exp_m1, f32::NEG_INFINITY, 88.0);
        assert!(relative <= 1.3e-7);
        assert_eq!(at(exp_m1, f32::NEG_INFINITY), -1.0);
    }

    #[test]
    fn ln_is_within_its_bound() {
        let (_, relative) = errors(ln, f64::ln, f32::from_bits(1), f32::MAX);
        assert!(relative <= 9e-8);
        assert_eq!(at(ln, 0.0), f32::NEG_INFINITY);
        assert_eq!(at(ln, -0.0), f32::NEG_INFINITY);
        assert_eq!(at(ln, f32::INFINITY), f32::INFINITY);
        assert!(at(ln, -1.0).is_nan() && at(ln, f32::NEG_INFINITY).is_nan());
    }

    #[test]
    fn ln_1p_is_within_its_bound() {
        let (_, relative) = errors(|t| ln_1p(t, Constants::read()), f64::ln_1p, 0.0, f32::MAX);
        assert!(relative <= 1.4e-7);
    }

    #[test]
    fn tanh_is_within_its_bound() {
        let (absolute, relative) = errors(tanh, f64::tanh, f32::NEG_INFINITY, f32::INFINITY);
        assert!(absolute <= 1.1e-7 && relative <= 3.1e-7, "{absolute:e} {relative:e}");
        assert_eq!(at(tanh, f32::INFINITY), 1.0);
        assert_eq!(at(tanh, f32::NEG_INFINITY), -1.0);
    }

    #[test]
    fn sigmoid_is_within_its_bound() {
        let mut worst = 0.0;
        sweep(sigmoid, |x, y| {
            if x.is_nan() {
                assert!(y.is_nan());
            } else {
                raise(&mut worst, (f64::from(y) - 1.0 / (1.0 + (-f64::from(x)).exp())).abs());
            }
        });
        assert!(worst <= 1e-7);
        assert_eq!(at(sigmoid, 0.0), 0.5);
        assert_eq!(at(sigmoid, f32::INFINITY), 1.0);
        assert_eq!(at(sigmoid, f32::NEG_INFINITY), 0.0);
    }

    #[test]
    fn sine_and_cosine_are_within_their_bound() {
        let mut worst = 0.0;
        let mut check = |x: f32| {
            let (sine, cosine) = single::sin_cos(F32x4::splat(x), Constants::read());
            let angle = f64::from(x);
            raise(&mut worst, (f64::from(sine.to_array()[0]) - angle.sin()).abs());
            raise(&mut worst, (f64::from(cosine.to_array()[0]) - angle.cos()).abs());
        };
        // Around every multiple of pi / 4, and everywhere else.
        for n in 0..10_000 {
            let x = (f64::from(n) * core::f64::consts::FRAC_PI_4) as f32;
            for x in [x, x * 1.000_001, x + 0.1, x + 0.3, x + 0.7] {
                check(x);
                check(-x);
            }
        }
        for bits in (0..8192f32.to_bits()).step_by(1931) {
            check(f32::from_bits(bits));
        }
        assert!(worst <= 1.2e-7, "{worst:e}");
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let (sine, cosine) = single::sin_cos(F32x4::splat(x), Constants::read());
            assert!(sine.to_array()[0].is_nan() && cosine.to_array()[0].is_nan());
        }
    }

    #[test]
    fn sine_and_cosine_of_a_turn_are_within_their_bound() {
        let mut worst = 0.0;
        for k in 0..=1 << 20 {
            let u = k as f32 / (1 << 20) as f32;
            let (sine, cosine) = single::sin_cos_turn(F32x4::splat(u), Constants::read());
            let angle = f64::from(u) * core::f64::consts::TAU;
            raise(&mut worst, (f64::from(sine.to_array()[0]) - angle.sin()).abs());
            raise(&mut worst, (f64::from(cosine.to_array()[0]) - angle.cos()).abs());
        }
        assert!(worst <= 1.1e-7);
    }
}
