//! What this machine's registers of 128 bits can do at best, natively: `test/bench/roof.mjs` compares the core with it.
//! Prints a line of JSON, GFLOP/s: multiplication and addition as two instructions, and as one where there is such.
//!
//! Each is the best of two programs: sums that wait for nothing but themselves, as many as have registers; and a product
//! of 2 rows and 16 columns from the first-level cache, which has more that is independent of other sums.

use std::hint::black_box;
use std::time::Instant;

/// Sums at once.
const SUMS: usize = 14;
const STEPS: usize = 100_000;
const DEPTH: usize = 256;
const TILES: usize = 1000;

/// Four numbers of a register.
trait Register: Copy {
    fn splat(value: f32) -> Self;
    fn load(from: &[f32; 4]) -> Self;
    /// self * factor + addend.
    fn multiply_add(self, factor: Self, addend: Self) -> Self;
    fn first(self) -> f32;
}

#[cfg(target_arch = "x86_64")]
mod machine {
    use super::Register;
    use core::arch::x86_64::*;

    /// A fused one only where that was found.
    #[derive(Clone, Copy)]
    pub struct Sse<const FUSED: bool>(__m128);

    // SAFETY, here and below: SSE is part of x86-64.
    impl<const FUSED: bool> Register for Sse<FUSED> {
        #[inline(always)]
        fn splat(value: f32) -> Self {
            Self(unsafe { _mm_set1_ps(value) })
        }
        #[inline(always)]
        fn load(from: &[f32; 4]) -> Self {
            Self(unsafe { _mm_loadu_ps(from.as_ptr()) })
        }
        #[inline(always)]
        fn multiply_add(self, factor: Self, addend: Self) -> Self {
            Self(unsafe {
                if FUSED {
                    _mm_fmadd_ps(self.0, factor.0, addend.0)
                } else {
                    _mm_add_ps(_mm_mul_ps(self.0, factor.0), addend.0)
                }
            })
        }
        #[inline(always)]
        fn first(self) -> f32 {
            unsafe { _mm_cvtss_f32(self.0) }
        }
    }

    // Instructions of three operands, which engines use too.
    #[target_feature(enable = "avx")]
    unsafe fn separate_of_three() -> f64 {
        super::peak::<Sse<false>>()
    }

    pub fn separate() -> f64 {
        if is_x86_feature_detected!("avx") {
            // SAFETY: found.
            unsafe { separate_of_three() }
        } else {
            super::peak::<Sse<false>>()
        }
    }

    #[target_feature(enable = "fma")]
    unsafe fn fused_found() -> f64 {
        super::peak::<Sse<true>>()
    }

    pub fn fused() -> f64 {
        if is_x86_feature_detected!("fma") {
            // SAFETY: found.
            unsafe { fused_found() }
        } else {
            0.0
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod machine {
    use super::Register;
    use core::arch::aarch64::*;

    #[derive(Clone, Copy)]
    pub struct Neon<const FUSED: bool>(float32x4_t);

    // SAFETY, here and below: NEON is part of AArch64.
    impl<const FUSED: bool> Register for Neon<FUSED> {
        #[inline(always)]
        fn splat(value: f32) -> Self {
            Self(unsafe { vdupq_n_f32(value) })
        }
        #[inline(always)]
        fn load(from: &[f32; 4]) -> Self {
            Self(unsafe { vld1q_f32(from.as_ptr()) })
        }
        #[inline(always)]
        fn multiply_add(self, factor: Self, addend: Self) -> Self {
            Self(unsafe {
                if FUSED {
                    vfmaq_f32(addend.0, self.0, factor.0)
                } else {
                    vaddq_f32(vmulq_f32(self.0, factor.0), addend.0)
                }
            })
        }
        #[inline(always)]
        fn first(self) -> f32 {
            unsafe { vgetq_lane_f32::<0>(self.0) }
        }
    }

    pub fn separate() -> f64 {
        super::peak::<Neon<false>>()
    }

    pub fn fused() -> f64 {
        super::peak::<Neon<true>>()
    }
}

#[inline(always)]
fn peak<R: Register>() -> f64 {
    let operations = |multiplications: usize| (2 * 4 * multiplications) as f64;
    let sums = best(operations(SUMS * STEPS), || sums::<R>(black_box(0.999), black_box(1e-3)));
    let (rows, panel) = (vec![[0.01f32; 2]; DEPTH], vec![[[0.01f32; 4]; 4]; DEPTH]);
    let tiles = best(operations(2 * 4 * DEPTH * TILES), || {
        (0..TILES).map(|_| tile::<R>(black_box(&rows), black_box(&panel))).sum()
    });
    sums.max(tiles)
}

/// x = x a + b.
#[inline(always)]
fn sums<R: Register>(a: f32, b: f32) -> f32 {
    let (a, b) = (R::splat(a), R::splat(b));
    let mut x = [b; SUMS];
    for _ in 0..STEPS {
        for x in &mut x {
            *x = x.multiply_add(a, b);
        }
    }
    x.iter().map(|x| x.first()).sum()
}

/// The product of two columns and sixteen.
#[inline(always)]
fn tile<R: Register>(rows: &[[f32; 2]], panel: &[[[f32; 4]; 4]]) -> f32 {
    let mut sums = [[R::splat(0.0); 4]; 2];
    for (a, b) in rows.iter().zip(panel) {
        let b = [R::load(&b[0]), R::load(&b[1]), R::load(&b[2]), R::load(&b[3])];
        for (sums, a) in sums.iter_mut().zip(a) {
            let a = R::splat(*a);
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum = a.multiply_add(b, *sum);
            }
        }
    }
    sums.as_flattened().iter().map(|sum| sum.first()).sum()
}

/// The most of many runs, GFLOP/s.
#[inline(always)]
fn best(operations: f64, run: impl Fn() -> f32) -> f64 {
    let mut best = 0f64;
    for _ in 0..40 {
        let begin = Instant::now();
        black_box(run());
        best = best.max(operations / begin.elapsed().as_secs_f64() / 1e9);
    }
    best
}

fn main() {
    println!("{{\"multiply_add\":{:.1},\"fused\":{:.1}}}", machine::separate(), machine::fused());
}
