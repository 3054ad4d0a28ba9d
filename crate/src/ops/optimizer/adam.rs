//! Adam (Kingma & Ba, ICLR 2015), AMSGrad (Reddi, Kale & Kumar, ICLR 2018), AdamW (Loshchilov & Hutter, ICLR 2019).
//!
//!     p *= 1 - lr weight_decay when decoupled (AdamW), else g += weight_decay p
//!     m = beta1 m + (1 - beta1) g
//!     v = beta2 v + (1 - beta2) g^2
//!     w = max(w, v) with AMSGrad, else v
//!     PyTorch: p -= lr / c1 m / (sqrt(w) / sqrt(c2) + eps)
//!     Keras:   p -= lr sqrt(c2) / c1 m / (sqrt(w) + eps)
//!
//! with the bias corrections c1 = 1 - beta1^t and c2 = 1 - beta2^t.

use crate::ops::spans;
use crate::simd::Lane;

#[derive(Clone, Copy)]
pub struct Options {
    pub lr: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    pub weight_decay: f64,
    pub decoupled: bool,
    pub bias_correction1: f64,
    pub bias_correction2: f64,
    /// Keras adds eps to the uncorrected root.
    pub keras: bool,
}

/// `max_exp_avg_sq` is null unless AMSGrad.
///
/// # Safety
/// As in [`crate::ops`].
pub unsafe fn step<L: Lane>(
    n: usize,
    p: *mut L::Elem,
    g: *const L::Elem,
    exp_avg: *mut L::Elem,
    exp_avg_sq: *mut L::Elem,
    max_exp_avg_sq: *mut L::Elem,
    options: &Options,
) {
    let root2 = options.bias_correction2.sqrt();
    let (rate, root_scale) = if options.keras { (root2, 1.0) } else { (1.0, 1.0 / root2) };
    let rate = L::constant(options.lr * rate / options.bias_correction1);
    let (root_scale, eps) = (L::constant(root_scale), L::constant(options.eps));
    let (beta1, rest1) = (L::constant(options.beta1), L::constant(1.0 - options.beta1));
    let (beta2, rest2) = (L::constant(options.beta2), L::constant(1.0 - options.beta2));
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
        let mut v = beta2 * at.load::<L>(exp_avg_sq) + rest2 * (slope * slope);
        at.store(m, exp_avg);
        at.store(v, exp_avg_sq);
        if !max_exp_avg_sq.is_null() {
            v = v.max(at.load::<L>(max_exp_avg_sq));
            at.store(v, max_exp_avg_sq);
        }
        at.store(value - rate * m / (v.sqrt() * root_scale + eps), p);
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
            let (decoupled, amsgrad, keras) = (k & 1 != 0, k & 2 != 0, k & 4 != 0);
            let weight_decay = if k & 8 == 0 { 0.0 } else { 0.1 };
            let (mut first, mut second, mut largest) = ([0.0; 7], [0.0; 7], [0.0; 7]);
            let (mut m, mut v, mut w) = ([0f64; 7], [0f64; 7], [0f64; 7]);
            let corrections =
                |update: usize| (1.0 - 0.8f64.powi(update as i32 + 1), 1.0 - 0.9f64.powi(update as i32 + 1));
            check(
                |update, p, g| {
                    let (bias_correction1, bias_correction2) = corrections(update);
                    let options = Options {
                        lr: 0.1,
                        beta1: 0.8,
                        beta2: 0.9,
                        eps: 0.01,
                        weight_decay,
                        decoupled,
                        bias_correction1,
                        bias_correction2,
                        keras,
                    };
                    let largest = if amsgrad { largest.as_mut_ptr() } else { core::ptr::null_mut() };
                    let (first, second) = (first.as_mut_ptr(), second.as_mut_ptr());
                    unsafe { step::<F64x4>(7, p.as_mut_ptr(), g.as_ptr(), first, second, largest, &options) };
                },
                |update, i, p, g| {
                    let (c1, c2) = corrections(update);
                    let (p, g) = if decoupled { (p - 0.1 * weight_decay * p, g) } else { (p, g + weight_decay * p) };
                    m[i] = 0.8 * m[i] + 0.2 * g;
                    v[i] = 0.9 * v[i] + 0.1 * g * g;
                    w[i] = if amsgrad { w[i].max(v[i]) } else { v[i] };
                    if keras {
                        p - 0.1 * c2.sqrt() / c1 * m[i] / (w[i].sqrt() + 0.01)
                    } else {
                        p - 0.1 * (m[i] / c1) / ((w[i] / c2).sqrt() + 0.01)
                    }
                },
            );
        }
    }
}
