//! NAdam (Dozat, "Incorporating Nesterov momentum into Adam", 2016).
//!
//!     p *= 1 - lr weight_decay when decoupled, else g += weight_decay p
//!     m = beta1 m + (1 - beta1) g
//!     v = beta2 v + (1 - beta2) g^2
//!     p -= (gradient_rate g + momentum_rate m) / (sqrt(v / (1 - beta2^t)) + eps)
//!
//! with, for the momentum mu_t = beta1 (1 - 0.96^(t decay) / 2) and the product M_t of all up to it,
//! gradient_rate = lr (1 - mu_t) / (1 - M_t) and momentum_rate = lr mu_{t+1} / (1 - M_t mu_{t+1}).

use crate::ops::spans;
use crate::simd::Lane;

#[derive(Clone, Copy)]
pub struct Options {
    pub lr: f64,
    pub gradient_rate: f64,
    pub momentum_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    pub weight_decay: f64,
    pub decoupled: bool,
    pub bias_correction2: f64,
}

/// # Safety
/// As in [`crate::ops`].
pub unsafe fn step<L: Lane>(
    n: usize,
    p: *mut L::Elem,
    g: *const L::Elem,
    exp_avg: *mut L::Elem,
    exp_avg_sq: *mut L::Elem,
    options: &Options,
) {
    let (gradient_rate, momentum_rate) = (L::constant(options.gradient_rate), L::constant(options.momentum_rate));
    let (beta1, rest1) = (L::constant(options.beta1), L::constant(1.0 - options.beta1));
    let (beta2, rest2) = (L::constant(options.beta2), L::constant(1.0 - options.beta2));
    let (root_scale, eps) = (L::constant(1.0 / options.bias_correction2.sqrt()), L::constant(options.eps));
    let decay = L::constant(options.weight_decay);
    let shrink = L::constant(1.0 - options.lr * options.weight_decay);
    spans(n, |at| {
        let mut value = at.load::<L>(p);
        let mut slope = at.load::<L>(g);
        if options.decoupled {
            value = value * shrink;
        } else if options.weight_decay != 0.0 {
            slope = slope + decay * value;
        }
        let m = beta1 * at.load::<L>(exp_avg) + rest1 * slope;
        let v = beta2 * at.load::<L>(exp_avg_sq) + rest2 * (slope * slope);
        at.store(m, exp_avg);
        at.store(v, exp_avg_sq);
        at.store(value - (gradient_rate * slope + momentum_rate * m) / (v.sqrt() * root_scale + eps), p);
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::*;
    use crate::simd::F64x4;

    #[test]
    fn is_its_equations() {
        for k in 0..4 {
            let (decoupled, weight_decay) = (k & 1 != 0, if k & 2 == 0 { 0.0 } else { 0.1 });
            let (mut first, mut second) = ([0.0; 7], [0.0; 7]);
            let (mut m, mut v) = ([0f64; 7], [0f64; 7]);
            check(
                |update, p, g| {
                    let options = Options {
                        lr: 0.1,
                        gradient_rate: 0.03,
                        momentum_rate: 0.05,
                        beta1: 0.8,
                        beta2: 0.9,
                        eps: 0.01,
                        weight_decay,
                        decoupled,
                        bias_correction2: 1.0 - 0.9f64.powi(update as i32 + 1),
                    };
                    let (first, second) = (first.as_mut_ptr(), second.as_mut_ptr());
                    unsafe { step::<F64x4>(7, p.as_mut_ptr(), g.as_ptr(), first, second, &options) };
                },
                |update, i, p, g| {
                    let (p, g) = if decoupled { (p - 0.1 * weight_decay * p, g) } else { (p, g + weight_decay * p) };
                    m[i] = 0.8 * m[i] + 0.2 * g;
                    v[i] = 0.9 * v[i] + 0.1 * g * g;
                    let root = (v[i] / (1.0 - 0.9f64.powi(update as i32 + 1))).sqrt() + 0.01;
                    p - 0.03 * g / root - 0.05 * m[i] / root
                },
            );
        }
    }
}
