//! y = x m, where m is 0 with probability p and 1 / (1 - p) otherwise; dx += dy m, with the same draws.
//!
//! Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov, "Dropout", JMLR 2014 (in its inverted form).

use super::Span;
use crate::rng::Draws;
use crate::simd::{Lane, Words};

/// Which elements are dropped: a function of their global index, `first` that of element 0.
#[derive(Clone, Copy)]
pub struct Mask {
    pub draws: Draws,
    pub probability: f64,
    pub first: u64,
}

impl Mask {
    /// Calls `body` with the places of all elements in order, and their factors.
    #[inline(always)]
    fn each<L: Lane>(&self, n: usize, body: impl FnMut(Span, L)) {
        let probability = L::constant(self.probability * 16_777_216.0);
        let keep = L::constant(if self.probability < 1.0 { 1.0 / (1.0 - self.probability) } else { 0.0 });
        let factors =
            |words: [Words; 4]| words.map(|words| probability.select_gt(L::from_words(words), L::zero(), keep));
        self.draws.each(self.first, n, factors, body);
    }
}

/// `y` may be `x`.
///
/// # Safety
/// As in [`super`].
pub unsafe fn forward<L: Lane>(mask: &Mask, x: *const L::Elem, y: *mut L::Elem, n: usize) {
    mask.each::<L>(n, |at, factors| at.store(at.load::<L>(x) * factors, y));
}

/// # Safety
/// As in [`super`].
pub unsafe fn backward<L: Lane>(mask: &Mask, dy: *const L::Elem, dx: *mut L::Elem, n: usize) {
    mask.each::<L>(n, |at, factors| at.add(at.load::<L>(dy) * factors, dx));
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_gradient, dot, random};
    use super::*;
    use crate::simd::F64x4;

    fn mask(probability: f64, first: u64) -> Mask {
        Mask { draws: Draws { seed: 1, stream: 2, update: 3, call: 4 }, probability, first }
    }

    fn forward64(mask: &Mask, x: &[f64]) -> Vec<f64> {
        let mut y = vec![9.0; x.len()];
        unsafe { forward::<F64x4>(mask, x.as_ptr(), y.as_mut_ptr(), x.len()) };
        y
    }

    #[test]
    fn drops_the_asked_share_and_keeps_the_mean() {
        let x = vec![1.0; 100_001];
        for p in [0.0, 0.1, 0.5, 0.9, 1.0] {
            let y = forward64(&mask(p, 0), &x);
            let dropped = y.iter().filter(|y| **y == 0.0).count() as f64 / y.len() as f64;
            assert!((dropped - p).abs() < 0.006, "{p}: {dropped}");
            assert!(y.iter().all(|y| *y == 0.0 || *y == 1.0 / (1.0 - p)));
        }
    }

    #[test]
    fn an_element_is_dropped_by_its_global_index() {
        let x = random(23, 1);
        let whole = forward64(&mask(0.5, 0), &x);
        for cut in 0..23 {
            let mut parts = forward64(&mask(0.5, 0), &x[..cut]);
            parts.extend(forward64(&mask(0.5, cut as u64), &x[cut..]));
            assert_eq!(parts, whole);
        }
    }

    #[test]
    fn the_gradient_uses_the_same_mask() {
        let (x, dy, mut dx) = (random(13, 1), random(13, 2), vec![0.0; 13]);
        let mask = mask(0.4, 6);
        unsafe { backward::<F64x4>(&mask, dy.as_ptr(), dx.as_mut_ptr(), 13) };
        check_gradient(&x, &dx, |x| dot(&forward64(&mask, x), &dy));
    }
}
