//! Lion (Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023, algorithm 2).
//!
//!     p *= 1 - lr weight_decay
//!     p -= lr sign(beta1 m + (1 - beta1) g)              the sign of 0 and of NaN is 0
//!     m = beta2 m + (1 - beta2) g

use crate::ops::spans;
use crate::simd::Lane;

#[derive(Clone, Copy)]
pub struct Options {
    pub lr: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub weight_decay: f64,
}

/// # Safety
/// As in [`crate::ops`].
pub unsafe fn step<L: Lane>(n: usize, p: *mut L::Elem, g: *const L::Elem, exp_avg: *mut L::Elem, options: &Options) {
    let (lr, zero) = (L::constant(options.lr), L::zero());
    let shrink = L::constant(1.0 - options.lr * options.weight_decay);
    let (beta1, rest1) = (L::constant(options.beta1), L::constant(1.0 - options.beta1));
    let (beta2, rest2) = (L::constant(options.beta2), L::constant(1.0 - options.beta2));
    spans(n, |at| {
        let (slope, m) = (at.load::<L>(g), at.load::<L>(exp_avg));
        let direction = beta1 * m + rest1 * slope;
        let down = direction.select_gt(zero, lr, zero.select_gt(direction, -lr, zero));
        at.store(beta2 * m + rest2 * slope, exp_avg);
        at.store(at.load::<L>(p) * shrink - down, p);
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::*;
    use crate::simd::F64x4;

    #[test]
    fn is_its_equations() {
        let (mut average, mut m) = ([0.0; 7], [0f64; 7]);
        check(
            |_, p, g| {
                let options = Options { lr: 0.1, beta1: 0.8, beta2: 0.9, weight_decay: 0.2 };
                unsafe { step::<F64x4>(7, p.as_mut_ptr(), g.as_ptr(), average.as_mut_ptr(), &options) };
            },
            |_, i, p, g| {
                let direction = (0.8 * m[i] + 0.2 * g).signum();
                m[i] = 0.9 * m[i] + 0.1 * g;
                p - 0.1 * (direction + 0.2 * p)
            },
        );
    }

    #[test]
    fn stands_still_without_a_direction() {
        let (mut p, mut m) = ([1.0, -2.0, 3.0], [0.0; 3]);
        let options = Options { lr: 0.1, beta1: 0.9, beta2: 0.99, weight_decay: 0.0 };
        unsafe { step::<F64x4>(3, p.as_mut_ptr(), [0.0; 3].as_ptr(), m.as_mut_ptr(), &options) };
        assert_eq!(p, [1.0, -2.0, 3.0]);
    }
}
