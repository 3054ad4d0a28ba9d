//! RMSprop (Tieleman & Hinton, lecture 6.5 of "Neural networks for machine learning", 2012; centered: Graves,
//! "Generating sequences with recurrent neural networks", 2013).
//!
//!     g += weight_decay p
//!     s = alpha s + (1 - alpha) g^2
//!     a = alpha a + (1 - alpha) g, v = s - a^2          centered, else v = s
//!     r = sqrt(v) + eps, or sqrt(v + eps) with eps inside
//!     p -= lr g / r, or with momentum b = momentum b + g / r, p -= lr b

use crate::ops::spans;
use crate::simd::Lane;

#[derive(Clone, Copy)]
pub struct Options {
    pub lr: f64,
    pub alpha: f64,
    pub eps: f64,
    pub weight_decay: f64,
    pub momentum: f64,
    pub eps_inside: bool,
}

/// `gradient_average` is null unless centered, `buffer` when there is no momentum.
///
/// # Safety
/// As in [`crate::ops`].
pub unsafe fn step<L: Lane>(
    n: usize,
    p: *mut L::Elem,
    g: *const L::Elem,
    square_average: *mut L::Elem,
    gradient_average: *mut L::Elem,
    buffer: *mut L::Elem,
    options: &Options,
) {
    let (lr, eps, decay) = (L::constant(options.lr), L::constant(options.eps), L::constant(options.weight_decay));
    let (alpha, rest) = (L::constant(options.alpha), L::constant(1.0 - options.alpha));
    let momentum = L::constant(options.momentum);
    spans(n, |at| {
        let value = at.load::<L>(p);
        let mut slope = at.load::<L>(g);
        if options.weight_decay != 0.0 {
            slope = slope + decay * value;
        }
        let mut v = alpha * at.load::<L>(square_average) + rest * (slope * slope);
        at.store(v, square_average);
        if !gradient_average.is_null() {
            let a = alpha * at.load::<L>(gradient_average) + rest * slope;
            at.store(a, gradient_average);
            v = v - a * a;
        }
        let root = if options.eps_inside { (v + eps).sqrt() } else { v.sqrt() + eps };
        if buffer.is_null() {
            at.store(value - lr * slope / root, p);
        } else {
            let b = momentum * at.load::<L>(buffer) + slope / root;
            at.store(b, buffer);
            at.store(value - lr * b, p);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::*;
    use crate::simd::F64x4;

    #[test]
    fn is_its_equations() {
        for k in 0..16 {
            let (centered, momentum) = (k & 1 != 0, if k & 2 == 0 { 0.0 } else { 0.9 });
            let (weight_decay, eps_inside) = (if k & 4 == 0 { 0.0 } else { 0.1 }, k & 8 != 0);
            let (mut squares, mut averages, mut buffer) = ([0.0; 7], [0.0; 7], [0.0; 7]);
            let (mut s, mut a, mut b) = ([0f64; 7], [0f64; 7], [0f64; 7]);
            check(
                |_, p, g| {
                    let options = Options { lr: 0.1, alpha: 0.95, eps: 0.01, weight_decay, momentum, eps_inside };
                    let or_null = |wanted: bool, x: &mut [f64; 7]| {
                        if wanted {
                            x.as_mut_ptr()
                        } else {
                            core::ptr::null_mut()
                        }
                    };
                    let average = or_null(centered, &mut averages);
                    let buffer = or_null(momentum != 0.0, &mut buffer);
                    let squares = squares.as_mut_ptr();
                    unsafe { step::<F64x4>(7, p.as_mut_ptr(), g.as_ptr(), squares, average, buffer, &options) };
                },
                |_, i, p, g| {
                    let g = g + weight_decay * p;
                    s[i] = 0.95 * s[i] + 0.05 * g * g;
                    a[i] = 0.95 * a[i] + 0.05 * g;
                    let v = if centered { s[i] - a[i] * a[i] } else { s[i] };
                    b[i] = momentum * b[i] + g / if eps_inside { (v + 0.01).sqrt() } else { v.sqrt() + 0.01 };
                    p - 0.1 * b[i]
                },
            );
        }
    }
}
