//! Adagrad (Duchi, Hazan & Singer, JMLR 2011).
//!
//!     g += weight_decay p
//!     s += g^2
//!     p -= lr g / (sqrt(s) + eps), or lr g / sqrt(s + eps) with eps inside

use crate::ops::spans;
use crate::simd::Lane;

#[derive(Clone, Copy)]
pub struct Options {
    /// After its decay: lr / (1 + (t - 1) lr_decay).
    pub lr: f64,
    pub weight_decay: f64,
    pub eps: f64,
    pub eps_inside: bool,
}

/// # Safety
/// As in [`crate::ops`].
pub unsafe fn step<L: Lane>(n: usize, p: *mut L::Elem, g: *const L::Elem, sum: *mut L::Elem, options: &Options) {
    let (lr, eps, decay) = (L::constant(options.lr), L::constant(options.eps), L::constant(options.weight_decay));
    spans(n, |at| {
        let value = at.load::<L>(p);
        let mut slope = at.load::<L>(g);
        if options.weight_decay != 0.0 {
            slope = slope + decay * value;
        }
        let s = at.load::<L>(sum) + slope * slope;
        at.store(s, sum);
        let root = if options.eps_inside { (s + eps).sqrt() } else { s.sqrt() + eps };
        at.store(value - lr * slope / root, p);
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::*;
    use crate::simd::F64x4;

    #[test]
    fn is_its_equations() {
        for (weight_decay, eps_inside) in [(0.0, false), (0.1, false), (0.0, true), (0.1, true)] {
            let (mut sum, mut s) = ([0.2; 7], [0.2; 7]);
            check(
                |_, p, g| {
                    let options = Options { lr: 0.1, weight_decay, eps: 0.01, eps_inside };
                    unsafe { step::<F64x4>(7, p.as_mut_ptr(), g.as_ptr(), sum.as_mut_ptr(), &options) };
                },
                |_, i, p, g| {
                    let g = g + weight_decay * p;
                    s[i] += g * g;
                    p - 0.1 * g / if eps_inside { (s[i] + 0.01f64).sqrt() } else { s[i].sqrt() + 0.01 }
                },
            );
        }
    }
}
