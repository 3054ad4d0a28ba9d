//! Running averages of parameters: the mean of the last n (Polyak & Juditsky 1992) with weight 1 / n, a moving average
//! with a constant weight.
//!
//!     a += weight (p - a), which is p itself for weight 1

use crate::ops::spans;
use crate::simd::Lane;

/// # Safety
/// As in [`crate::ops`].
pub unsafe fn step<L: Lane>(n: usize, a: *mut L::Elem, p: *const L::Elem, weight: f64) {
    if weight == 1.0 {
        return core::ptr::copy_nonoverlapping(p, a, n);
    }
    let weight = L::constant(weight);
    spans(n, |at| {
        let average = at.load::<L>(a);
        at.store(average + weight * (at.load::<L>(p) - average), a);
    });
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{assert_close, random};
    use super::*;
    use crate::simd::F64x4;

    #[test]
    fn is_the_mean() {
        let mut a = random(7, 0);
        let values: Vec<Vec<f64>> = (1..6).map(|stream| random(7, stream)).collect();
        for (k, p) in values.iter().enumerate() {
            unsafe { step::<F64x4>(7, a.as_mut_ptr(), p.as_ptr(), 1.0 / (k + 1) as f64) };
        }
        for i in 0..7 {
            assert_close(a[i], values.iter().map(|p| p[i]).sum::<f64>() / 5.0, 1e-14, "mean");
        }
    }
}
