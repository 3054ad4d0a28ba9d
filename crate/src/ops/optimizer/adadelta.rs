//! Adadelta (Zeiler, "ADADELTA: an adaptive learning rate method", 2012).
//!
//!     g += weight_decay p
//!     v = rho v + (1 - rho) g^2
//!     d = sqrt(u + eps) / sqrt(v + eps) g
//!     u = rho u + (1 - rho) d^2
//!     p -= lr d

use crate::ops::spans;
use crate::simd::Lane;

#[derive(Clone, Copy)]
pub struct Options {
    pub lr: f64,
    pub rho: f64,
    pub eps: f64,
    pub weight_decay: f64,
}

/// `square_average` is v, `delta_average` u.
///
/// # Safety
/// As in [`crate::ops`].
pub unsafe fn step<L: Lane>(
    n: usize,
    p: *mut L::Elem,
    g: *const L::Elem,
    square_average: *mut L::Elem,
    delta_average: *mut L::Elem,
    options: &Options,
) {
    let (lr, eps, decay) = (L::constant(options.lr), L::constant(options.eps), L::constant(options.weight_decay));
    let (rho, rest) = (L::constant(options.rho), L::constant(1.0 - options.rho));
    spans(n, |at| {
        let value = at.load::<L>(p);
        let mut slope = at.load::<L>(g);
        if options.weight_decay != 0.0 {
            slope = slope + decay * value;
        }
        let v = rho * at.load::<L>(square_average) + rest * (slope * slope);
        let u = at.load::<L>(delta_average);
        let delta = (u + eps).sqrt() / (v + eps).sqrt() * slope;
        at.store(v, square_average);
        at.store(rho * u + rest * (delta * delta), delta_average);
        at.store(value - lr * delta, p);
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::*;
    use crate::simd::F64x4;

    #[test]
    fn is_its_equations() {
        for weight_decay in [0.0, 0.1] {
            let (mut squares, mut deltas) = ([0.0; 7], [0.0; 7]);
            let (mut v, mut u) = ([0f64; 7], [0f64; 7]);
            check(
                |_, p, g| {
                    let options = Options { lr: 0.5, rho: 0.9, eps: 0.01, weight_decay };
                    let (squares, deltas) = (squares.as_mut_ptr(), deltas.as_mut_ptr());
                    unsafe { step::<F64x4>(7, p.as_mut_ptr(), g.as_ptr(), squares, deltas, &options) };
                },
                |_, i, p, g| {
                    let g = g + weight_decay * p;
                    v[i] = 0.9 * v[i] + 0.1 * g * g;
                    let d = ((u[i] + 0.01) / (v[i] + 0.01)).sqrt() * g;
                    u[i] = 0.9 * u[i] + 0.1 * d * d;
                    p - 0.5 * d
                },
            );
        }
    }
}
