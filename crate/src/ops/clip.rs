//! What clipping gradients needs: sums of squares and largest values to measure them, limits to cut them.

use super::spans;
use crate::simd::{Lane, Real};

/// The sum of squares, in f64: exact enough for any length, and no f32 overflows.
///
/// # Safety
/// As in [`super`].
pub unsafe fn sum_squares<E: Real>(x: *const E, n: usize) -> f64 {
    let mut sums = [0.0; 4];
    let whole = n & !3;
    let mut i = 0;
    while i < whole {
        for (k, sum) in sums.iter_mut().enumerate() {
            let value = (*x.add(i + k)).to_f64();
            *sum += value * value;
        }
        i += 4;
    }
    let [a, b, c, d] = sums;
    let mut total = a + b + c + d;
    while i < n {
        let value = (*x.add(i)).to_f64();
        total += value * value;
        i += 1;
    }
    total
}

/// The largest absolute value, 0 when there are none, NaN if there is one.
///
/// # Safety
/// As in [`super`].
pub unsafe fn max_abs<L: Lane>(x: *const L::Elem, n: usize) -> f64 {
    let mut best = L::zero();
    spans(n, |at| best = best.max(at.load::<L>(x).abs()));
    let [a, b, c, d] = best.to_array().map(L::splat);
    a.max(b).max(c.max(d)).to_array()[0].to_f64()
}

/// x between -limit and limit; NaN stays.
///
/// # Safety
/// As in [`super`].
pub unsafe fn clamp<L: Lane>(x: *mut L::Elem, n: usize, limit: L::Elem) {
    let limit = L::splat(limit);
    spans(n, |at| at.store(at.load::<L>(x).clamp(-limit, limit), x));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::F32x4;

    #[test]
    fn measures_and_cuts_at_every_tail() {
        for n in 0..11 {
            let x: Vec<f32> = (0..n).map(|i| if i % 2 == 0 { i as f32 } else { -(i as f32) }).collect();
            let expected: usize = (0..n).map(|i| i * i).sum();
            unsafe {
                assert_eq!(sum_squares(x.as_ptr(), n), expected as f64);
                assert_eq!(max_abs::<F32x4>(x.as_ptr(), n), n.saturating_sub(1) as f64);
                let mut y = x.clone();
                clamp::<F32x4>(y.as_mut_ptr(), n, 3.5);
                assert!(y.iter().zip(&x).all(|(y, x)| *y == x.clamp(-3.5, 3.5)));
            }
        }
    }

    #[test]
    fn large_numbers_and_nan() {
        let mut x = [1e30f32, 1e30, 0.0, 0.0, f32::NAN];
        unsafe {
            assert!((sum_squares(x.as_ptr(), 4) / 2e60 - 1.0).abs() < 1e-7);
            assert!(sum_squares(x.as_ptr(), 5).is_nan());
            assert!(max_abs::<F32x4>(x.as_ptr(), 5).is_nan());
            assert!(max_abs::<F32x4>(x[1..].as_ptr(), 4).is_nan());
            clamp::<F32x4>(x.as_mut_ptr(), 5, 1.0);
        }
        assert!(x[4].is_nan() && x[..4] == [1.0, 1.0, 0.0, 0.0]);
    }
}
