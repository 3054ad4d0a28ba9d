//! The one lane abstraction. Every kernel is written once, over [`Lane`], four elements at a time.
//!
//! * [`F32x4`] on wasm32 with `simd128` is one `v128`; elsewhere it is four scalars, so native tests run the very same
//!   kernels, blocks and tails.
//! * [`F64x4`] exists for tests only: the same kernels in double precision are what gradients are checked against.
//!
//! Multiplication and addition are never fused: the portable build gives the same bits in every runtime. The relaxed
//! build, a second one with the target feature `relaxed-simd`, fuses those of matrix products where the processor can
//! ([`Lane::mul_add`]); that is all the difference.

use crate::math::Constants;
use core::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// Elements in a lane.
pub const WIDTH: usize = 4;

/// The scalar under a lane.
pub trait Real:
    Copy
    + PartialOrd
    + Default
    + core::fmt::Debug
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    const ZERO: Self;
    const ONE: Self;
    fn from_f64(value: f64) -> Self;
    fn to_f64(self) -> f64;
    fn abs(self) -> Self;
    fn sqrt(self) -> Self;
}

macro_rules! real {
    ($type:ty) => {
        impl Real for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                <$type>::abs(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                <$type>::sqrt(self)
            }
        }
    };
}
real!(f32);
real!(f64);

/// Four elements that move together. Transcendental functions live in [`crate::math`].
pub trait Lane:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self> + 'static
{
    type Elem: Real;

    fn splat(value: Self::Elem) -> Self;

    /// # Safety
    /// `from` points at [`WIDTH`] readable elements; no alignment is asked for.
    unsafe fn load(from: *const Self::Elem) -> Self;

    /// # Safety
    /// `to` points at [`WIDTH`] writable elements; no alignment is asked for.
    unsafe fn store(self, to: *mut Self::Elem);

    /// The upper 24 bits of each word as a number, exactly.
    fn from_words(words: Words) -> Self;

    fn to_array(self) -> [Self::Elem; WIDTH];

    fn from_array(values: [Self::Elem; WIDTH]) -> Self;

    fn sqrt(self) -> Self;

    fn abs(self) -> Self;

    /// The larger of each pair; NaN in either operand gives NaN.
    fn max(self, other: Self) -> Self;

    /// The smaller of each pair; NaN in either operand gives NaN.
    fn min(self, other: Self) -> Self;

    /// At least `low`, which is a number; NaN in `self` stays NaN.
    fn at_least(self, low: Self) -> Self;

    /// At most `high`, likewise.
    fn at_most(self, high: Self) -> Self;

    /// Between `low` and `high`, likewise.
    #[inline(always)]
    fn clamp(self, low: Self, high: Self) -> Self {
        self.at_least(low).at_most(high)
    }

    /// `if self > other { yes } else { no }`, element by element; NaN compares false.
    fn select_gt(self, other: Self, yes: Self, no: Self) -> Self;

    /// self * factor + addend, rounded twice. The relaxed build may round once: whether it does is the engine's choice.
    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        self * factor + addend
    }

    /// The exponential, the natural logarithm, tanh and the logistic function: see [`crate::math`].
    fn exp(self, k: Constants) -> Self;
    fn exp_m1(self, k: Constants) -> Self;
    fn ln(self, k: Constants) -> Self;
    fn tanh(self, k: Constants) -> Self;
    fn sigmoid(self, k: Constants) -> Self;
    /// Sine and cosine.
    fn sin_cos(self, k: Constants) -> (Self, Self);

    #[inline(always)]
    fn zero() -> Self {
        Self::splat(Self::Elem::ZERO)
    }

    #[inline(always)]
    fn constant(value: f64) -> Self {
        Self::splat(Self::Elem::from_f64(value))
    }

    /// ((a + b) + c) + d: one fixed order.
    #[inline(always)]
    fn sum(self) -> Self::Elem {
        let [a, b, c, d] = self.to_array();
        ((a + b) + c) + d
    }

    /// # Safety
    /// `from` points at `count` (at most [`WIDTH`]) readable elements; the rest of the lane is zero.
    #[inline(always)]
    unsafe fn load_part(from: *const Self::Elem, count: usize) -> Self {
        let mut values = [Self::Elem::ZERO; WIDTH];
        for (i, value) in values.iter_mut().enumerate().take(count) {
            *value = *from.add(i);
        }
        Self::from_array(values)
    }

    /// # Safety
    /// `to` points at `count` (at most [`WIDTH`]) writable elements.
    #[inline(always)]
    unsafe fn store_part(self, to: *mut Self::Elem, count: usize) {
        let values = self.to_array();
        for (i, value) in values.iter().enumerate().take(count) {
            *to.add(i) = *value;
        }
    }

    /// The 4x4 transpose of four lanes.
    #[inline(always)]
    fn transpose(rows: [Self; WIDTH]) -> [Self; WIDTH] {
        let [a, b, c, d] = rows.map(Self::to_array);
        [
            Self::from_array([a[0], b[0], c[0], d[0]]),
            Self::from_array([a[1], b[1], c[1], d[1]]),
            Self::from_array([a[2], b[2], c[2], d[2]]),
            Self::from_array([a[3], b[3], c[3], d[3]]),
        ]
    }
}

/// `N` lanes, one after the other.
///
/// # Safety
/// `from` points at as many readable elements.
#[inline(always)]
pub unsafe fn load_lanes<L: Lane, const N: usize>(from: *const L::Elem) -> [L; N] {
    core::array::from_fn(|lane| L::load(from.add(lane * WIDTH)))
}

/// Likewise. Written out, up to four, for the stores to have one base and constant offsets, without which an engine
/// cannot join them.
///
/// # Safety
/// `to` points at as many writable elements.
#[inline(always)]
pub unsafe fn store_lanes<L: Lane, const N: usize>(lanes: [L; N], to: *mut L::Elem) {
    const { assert!(N <= 4) };
    let mut lanes = lanes.into_iter();
    if let Some(lane) = lanes.next() {
        lane.store(to);
    }
    if let Some(lane) = lanes.next() {
        lane.store(to.add(WIDTH));
    }
    if let Some(lane) = lanes.next() {
        lane.store(to.add(2 * WIDTH));
    }
    if let Some(lane) = lanes.next() {
        lane.store(to.add(3 * WIDTH));
    }
}

/// Four elements as an array: the portable implementation.
#[cfg(any(test, not(all(target_arch = "wasm32", target_feature = "simd128"))))]
macro_rules! array_lane {
    ($name:ident, $elem:ty, $math:path) => {
        #[derive(Clone, Copy, Debug)]
        pub struct $name([$elem; WIDTH]);

        array_lane!(@op $name, Add, add, +);
        array_lane!(@op $name, Sub, sub, -);
        array_lane!(@op $name, Mul, mul, *);
        array_lane!(@op $name, Div, div, /);

        impl Neg for $name {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                Self(self.0.map(|x| -x))
            }
        }

        impl $name {
            #[inline(always)]
            fn zip(self, other: Self, f: impl Fn($elem, $elem) -> $elem) -> Self {
                let mut out = self.0;
                for (x, y) in out.iter_mut().zip(other.0) {
                    *x = f(*x, y);
                }
                Self(out)
            }
        }

        impl Lane for $name {
            type Elem = $elem;
            #[inline(always)]
            fn splat(value: $elem) -> Self {
                Self([value; WIDTH])
            }
            #[inline(always)]
            unsafe fn load(from: *const $elem) -> Self {
                Self(core::ptr::read_unaligned(from.cast()))
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $elem) {
                core::ptr::write_unaligned(to.cast(), self.0);
            }
            #[inline(always)]
            fn from_words(words: Words) -> Self {
                Self(words.to_array().map(|word| (word >> 8) as $elem))
            }
            #[inline(always)]
            fn to_array(self) -> [$elem; WIDTH] {
                self.0
            }
            #[inline(always)]
            fn from_array(values: [$elem; WIDTH]) -> Self {
                Self(values)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                Self(self.0.map(<$elem>::sqrt))
            }
            #[inline(always)]
            fn abs(self) -> Self {
                Self(self.0.map(<$elem>::abs))
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                self.zip(other, |a, b| if a.is_nan() || b.is_nan() { <$elem>::NAN } else if a > b || (a == b && b.is_sign_negative()) { a } else { b })
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                -(-self).max(-other)
            }
            #[inline(always)]
            fn at_least(self, low: Self) -> Self {
                self.zip(low, |x, low| if x < low { low } else { x })
            }
            #[inline(always)]
            fn at_most(self, high: Self) -> Self {
                self.zip(high, |x, high| if high < x { high } else { x })
            }
            #[inline(always)]
            fn select_gt(self, other: Self, yes: Self, no: Self) -> Self {
                let mut out = no.0;
                for i in 0..WIDTH {
                    if self.0[i] > other.0[i] {
                        out[i] = yes.0[i];
                    }
                }
                Self(out)
            }
            #[inline(always)]
            fn exp(self, k: Constants) -> Self {
                use $math as math;
                math::exp(self, k)
            }
            #[inline(always)]
            fn exp_m1(self, k: Constants) -> Self {
                use $math as math;
                math::exp_m1(self, k)
            }
            #[inline(always)]
            fn ln(self, k: Constants) -> Self {
                use $math as math;
                math::ln(self, k)
            }
            #[inline(always)]
            fn tanh(self, k: Constants) -> Self {
                use $math as math;
                math::tanh(self, k)
            }
            #[inline(always)]
            fn sigmoid(self, k: Constants) -> Self {
                use $math as math;
                math::sigmoid(self, k)
            }
            #[inline(always)]
            fn sin_cos(self, k: Constants) -> (Self, Self) {
                use $math as math;
                math::sin_cos(self, k)
            }
        }
    };
    (@op $name:ident, $trait:ident, $method:ident, $op:tt) => {
        impl $trait for $name {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                self.zip(other, |a, b| a $op b)
            }
        }
    };
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
array_lane!(F32x4, f32, crate::math::single);
#[cfg(test)]
array_lane!(F64x4, f64, crate::math::double);

/// Four 32-bit words that move together.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[derive(Clone, Copy, Debug)]
pub struct Words([u32; WIDTH]);

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
impl Words {
    pub fn from_array(words: [u32; WIDTH]) -> Self {
        Self(words)
    }
    pub fn to_array(self) -> [u32; WIDTH] {
        self.0
    }
    pub fn splat(word: u32) -> Self {
        Self([word; WIDTH])
    }
    pub fn xor(self, other: Self) -> Self {
        let [a, b, c, d] = other.0;
        let [e, f, g, h] = self.0;
        Self([a ^ e, b ^ f, c ^ g, d ^ h])
    }
    /// The upper and the lower words of the products with `factor`.
    pub fn mul_wide(self, factor: u32) -> (Self, Self) {
        let product = self.0.map(|word| u64::from(word) * u64::from(factor));
        (Self(product.map(|product| (product >> 32) as u32)), Self(product.map(|product| product as u32)))
    }
}

/// Eight 16-bit integers: see [`Sums`].
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[derive(Clone, Copy)]
pub struct Shorts([i16; 8]);

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
impl Shorts {
    /// Eight 8-bit integers, widened.
    ///
    /// # Safety
    /// `from` points at eight of them.
    pub unsafe fn load_bytes(from: *const i8) -> Self {
        Self(core::ptr::read_unaligned(from.cast::<[i8; 8]>()).map(i16::from))
    }
    /// The same two integers four times.
    ///
    /// # Safety
    /// `from` points at two of them.
    pub unsafe fn splat_pair(from: *const i16) -> Self {
        let [a, b] = core::ptr::read_unaligned(from.cast::<[i16; 2]>());
        Self([a, b, a, b, a, b, a, b])
    }
}

/// Four sums of products of integers.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[derive(Clone, Copy)]
pub struct Sums([i32; WIDTH]);

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
impl Sums {
    pub fn zero() -> Self {
        Self([0; WIDTH])
    }
    /// Adds a[0] b[0] + a[1] b[1] to the first, a[2] b[2] + a[3] b[3] to the second and so on, wrapping.
    pub fn add_products(mut self, a: Shorts, b: Shorts) -> Self {
        for (i, sum) in self.0.iter_mut().enumerate() {
            let product = |at: usize| i32::from(a.0[at]) * i32::from(b.0[at]);
            *sum = sum.wrapping_add(product(2 * i).wrapping_add(product(2 * i + 1)));
        }
        self
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
impl F32x4 {
    /// Applies `f` to the bits of each element as a signed integer.
    #[inline(always)]
    fn map_bits(self, f: impl Fn(i32) -> i32) -> Self {
        Self(self.0.map(|x| f32::from_bits(f(x.to_bits() as i32) as u32)))
    }
    /// The bits that are set in both.
    #[inline(always)]
    pub(crate) fn bits_and(self, other: Self) -> Self {
        self.zip(other, |a, b| f32::from_bits(a.to_bits() & b.to_bits()))
    }
    /// The bits that are set in one.
    #[inline(always)]
    pub(crate) fn bits_xor(self, other: Self) -> Self {
        self.zip(other, |a, b| f32::from_bits(a.to_bits() ^ b.to_bits()))
    }
    /// The bits of `self` minus those of `other`, wrapping.
    #[inline(always)]
    pub(crate) fn bits_sub(self, other: Self) -> Self {
        self.zip(other, |a, b| f32::from_bits(a.to_bits().wrapping_sub(b.to_bits())))
    }
    /// The bits shifted left by 23, the width of the mantissa.
    #[inline(always)]
    pub(crate) fn bits_shl23(self) -> Self {
        self.map_bits(|bits| bits << 23)
    }
    /// The bits as signed integers, shifted right by 23.
    #[inline(always)]
    pub(crate) fn bits_sar23(self) -> Self {
        self.map_bits(|bits| bits >> 23)
    }
    /// The bits as signed integers, converted to f32.
    #[inline(always)]
    pub(crate) fn bits_to_float(self) -> Self {
        Self(self.0.map(|x| (x.to_bits() as i32) as f32))
    }
    pub(crate) fn from_sums(sums: Sums) -> Self {
        Self(sums.0.map(|sum| sum as f32))
    }
    /// Rounds to the nearest integers, ties to even; NaN gives 0.
    ///
    /// # Safety
    /// `to` has room for four.
    pub(crate) unsafe fn store_rounded(self, to: *mut i16) {
        core::ptr::write_unaligned(to.cast(), self.0.map(|x| x.round_ties_even() as i16));
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use wasm::{F32x4, Shorts, Sums, Words};

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm {
    use super::*;
    use crate::math::single as math;
    use core::arch::wasm32::*;

    /// Four f32 in one `v128`.
    #[derive(Clone, Copy, Debug)]
    pub struct F32x4(pub v128);

    /// Four 32-bit words in one `v128`.
    #[derive(Clone, Copy, Debug)]
    pub struct Words(v128);

    impl Words {
        #[inline(always)]
        pub fn from_array([a, b, c, d]: [u32; WIDTH]) -> Self {
            Self(u32x4(a, b, c, d))
        }
        #[inline(always)]
        pub fn to_array(self) -> [u32; WIDTH] {
            [
                u32x4_extract_lane::<0>(self.0),
                u32x4_extract_lane::<1>(self.0),
                u32x4_extract_lane::<2>(self.0),
                u32x4_extract_lane::<3>(self.0),
            ]
        }
        #[inline(always)]
        pub fn splat(word: u32) -> Self {
            Self(u32x4_splat(word))
        }
        #[inline(always)]
        pub fn xor(self, other: Self) -> Self {
            Self(v128_xor(self.0, other.0))
        }
        /// The upper and the lower words of the products with `factor`.
        #[inline(always)]
        pub fn mul_wide(self, factor: u32) -> (Self, Self) {
            // Hidden, or the compiler widens the constant ahead of the loop and turns one multiplication into three.
            let factor = core::hint::black_box(u32x4_splat(factor));
            let first = u64x2_extmul_low_u32x4(self.0, factor);
            let last = u64x2_extmul_high_u32x4(self.0, factor);
            (Self(u32x4_shuffle::<1, 3, 5, 7>(first, last)), Self(u32x4_shuffle::<0, 2, 4, 6>(first, last)))
        }
    }

    /// Eight 16-bit integers: see [`Sums`].
    #[derive(Clone, Copy)]
    pub struct Shorts(v128);

    impl Shorts {
        /// Eight 8-bit integers, widened.
        ///
        /// # Safety
        /// `from` points at eight of them.
        #[inline(always)]
        pub unsafe fn load_bytes(from: *const i8) -> Self {
            Self(i16x8_load_extend_i8x8(from))
        }
        /// The same two integers four times.
        ///
        /// # Safety
        /// `from` points at two of them.
        #[inline(always)]
        pub unsafe fn splat_pair(from: *const i16) -> Self {
            Self(v128_load32_splat(from.cast()))
        }
    }

    /// Four sums of products of integers.
    #[derive(Clone, Copy)]
    pub struct Sums(v128);

    impl Sums {
        #[inline(always)]
        pub fn zero() -> Self {
            Self(i32x4_splat(0))
        }
        /// Adds a[0] b[0] + a[1] b[1] to the first, a[2] b[2] + a[3] b[3] to the second and so on, wrapping.
        #[inline(always)]
        pub fn add_products(self, a: Shorts, b: Shorts) -> Self {
            Self(i32x4_add(self.0, i32x4_dot_i16x8(a.0, b.0)))
        }
    }

    macro_rules! op {
        ($trait:ident, $method:ident, $intrinsic:ident) => {
            impl $trait for F32x4 {
                type Output = Self;
                #[inline(always)]
                fn $method(self, other: Self) -> Self {
                    Self($intrinsic(self.0, other.0))
                }
            }
        };
    }
    op!(Add, add, f32x4_add);
    op!(Sub, sub, f32x4_sub);
    op!(Mul, mul, f32x4_mul);
    op!(Div, div, f32x4_div);

    impl Neg for F32x4 {
        type Output = Self;
        #[inline(always)]
        fn neg(self) -> Self {
            Self(f32x4_neg(self.0))
        }
    }

    impl Lane for F32x4 {
        type Elem = f32;
        #[inline(always)]
        fn splat(value: f32) -> Self {
            Self(f32x4_splat(value))
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            Self(v128_load(from.cast()))
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            v128_store(to.cast(), self.0);
        }
        #[inline(always)]
        fn from_words(words: Words) -> Self {
            Self(f32x4_convert_i32x4(u32x4_shr(words.0, 8)))
        }
        #[inline(always)]
        fn to_array(self) -> [f32; WIDTH] {
            [
                f32x4_extract_lane::<0>(self.0),
                f32x4_extract_lane::<1>(self.0),
                f32x4_extract_lane::<2>(self.0),
                f32x4_extract_lane::<3>(self.0),
            ]
        }
        #[inline(always)]
        fn from_array([a, b, c, d]: [f32; WIDTH]) -> Self {
            Self(f32x4(a, b, c, d))
        }
        #[inline(always)]
        fn sqrt(self) -> Self {
            Self(f32x4_sqrt(self.0))
        }
        #[inline(always)]
        fn abs(self) -> Self {
            Self(f32x4_abs(self.0))
        }
        #[inline(always)]
        fn max(self, other: Self) -> Self {
            Self(f32x4_max(self.0, other.0))
        }
        #[inline(always)]
        fn min(self, other: Self) -> Self {
            Self(f32x4_min(self.0, other.0))
        }
        // pmax(a, b) is `a < b ? b : a` and pmin(a, b) is `b < a ? b : a`: NaN in the first operand stays. Of both the
        // compiler of the relaxed build makes relaxed_max and relaxed_min, which lose NaN.
        #[inline(always)]
        fn at_least(self, low: Self) -> Self {
            #[cfg(not(target_feature = "relaxed-simd"))]
            return Self(f32x4_pmax(self.0, low.0));
            #[cfg(target_feature = "relaxed-simd")]
            Self(v128_bitselect(low.0, self.0, f32x4_lt(self.0, low.0)))
        }
        #[inline(always)]
        fn at_most(self, high: Self) -> Self {
            #[cfg(not(target_feature = "relaxed-simd"))]
            return Self(f32x4_pmin(self.0, high.0));
            #[cfg(target_feature = "relaxed-simd")]
            Self(v128_bitselect(high.0, self.0, f32x4_gt(self.0, high.0)))
        }
        #[inline(always)]
        fn select_gt(self, other: Self, yes: Self, no: Self) -> Self {
            Self(v128_bitselect(yes.0, no.0, f32x4_gt(self.0, other.0)))
        }
        #[cfg(target_feature = "relaxed-simd")]
        #[inline(always)]
        fn mul_add(self, factor: Self, addend: Self) -> Self {
            Self(f32x4_relaxed_madd(self.0, factor.0, addend.0))
        }
        #[inline(always)]
        fn exp(self, k: Constants) -> Self {
            math::exp(self, k)
        }
        #[inline(always)]
        fn exp_m1(self, k: Constants) -> Self {
            math::exp_m1(self, k)
        }
        #[inline(always)]
        fn ln(self, k: Constants) -> Self {
            math::ln(self, k)
        }
        #[inline(always)]
        fn tanh(self, k: Constants) -> Self {
            math::tanh(self, k)
        }
        #[inline(always)]
        fn sigmoid(self, k: Constants) -> Self {
            math::sigmoid(self, k)
        }
        #[inline(always)]
        fn sin_cos(self, k: Constants) -> (Self, Self) {
            math::sin_cos(self, k)
        }
        #[inline(always)]
        fn transpose([a, b, c, d]: [Self; WIDTH]) -> [Self; WIDTH] {
            let low_ab = i32x4_shuffle::<0, 4, 1, 5>(a.0, b.0);
            let high_ab = i32x4_shuffle::<2, 6, 3, 7>(a.0, b.0);
            let low_cd = i32x4_shuffle::<0, 4, 1, 5>(c.0, d.0);
            let high_cd = i32x4_shuffle::<2, 6, 3, 7>(c.0, d.0);
            [
                Self(i32x4_shuffle::<0, 1, 4, 5>(low_ab, low_cd)),
                Self(i32x4_shuffle::<2, 3, 6, 7>(low_ab, low_cd)),
                Self(i32x4_shuffle::<0, 1, 4, 5>(high_ab, high_cd)),
                Self(i32x4_shuffle::<2, 3, 6, 7>(high_ab, high_cd)),
            ]
        }
    }

    impl F32x4 {
        /// The bits that are set in both.
        #[inline(always)]
        pub(crate) fn bits_and(self, other: Self) -> Self {
            Self(v128_and(self.0, other.0))
        }
        /// The bits that are set in one.
        #[inline(always)]
        pub(crate) fn bits_xor(self, other: Self) -> Self {
            Self(v128_xor(self.0, other.0))
        }
        /// The bits of `self` minus those of `other`, wrapping.
        #[inline(always)]
        pub(crate) fn bits_sub(self, other: Self) -> Self {
            Self(i32x4_sub(self.0, other.0))
        }
        /// The bits shifted left by 23, the width of the mantissa.
        #[inline(always)]
        pub(crate) fn bits_shl23(self) -> Self {
            Self(i32x4_shl(self.0, 23))
        }
        /// The bits as signed integers, shifted right by 23.
        #[inline(always)]
        pub(crate) fn bits_sar23(self) -> Self {
            Self(i32x4_shr(self.0, 23))
        }
        /// The bits as signed integers, converted to f32.
        #[inline(always)]
        pub(crate) fn bits_to_float(self) -> Self {
            Self(f32x4_convert_i32x4(self.0))
        }
        #[inline(always)]
        pub(crate) fn from_sums(sums: Sums) -> Self {
            Self(f32x4_convert_i32x4(sums.0))
        }
        /// Rounds to the nearest integers, ties to even; NaN gives 0.
        ///
        /// # Safety
        /// `to` has room for four.
        #[inline(always)]
        pub(crate) unsafe fn store_rounded(self, to: *mut i16) {
            let words = i32x4_trunc_sat_f32x4(f32x4_nearest(self.0));
            v128_store64_lane::<0>(i16x8_narrow_i32x4(words, words), to.cast());
        }
    }
}
