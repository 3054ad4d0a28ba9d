//! Stochastic gradient descent with momentum (Polyak 1964; Nesterov 1983 in the form of Sutskever et al. 2013).
//!
//!     g = +-g + weight_decay p                          minus when maximizing
//!     b = g at the first update, then momentum b + (1 - dampening) g
//!     p -= lr b, or lr (g + momentum b) with Nesterov, or lr g without momentum
//!
//! Keras has the learning rate inside b, which differs once it changes: there g *= lr before the second line, and lr is
//! 1 in the third.

use crate::ops::spans;
use crate::simd::Lane;

#[derive(Clone, Copy)]
pub struct Options {
    pub lr: f64,
    pub momentum: f64,
    pub dampening: f64,
    pub weight_decay: f64,
    pub nesterov: bool,
    pub maximize: bool,
    /// The buffer holds nothing yet.
    pub first: bool,
    /// The buffer holds lr g, as in Keras.
    pub lr_in_buffer: bool,
}

/// `buffer` is null when there is no momentum.
///
/// # Safety
/// As in [`crate::ops`].
pub unsafe fn step<L: Lane>(n: usize, p: *mut L::Elem, g: *const L::Elem, buffer: *mut L::Elem, options: &Options) {
    let lr = L::constant(if options.lr_in_buffer { -1.0 } else { -options.lr });
    let scale = L::constant(if options.lr_in_buffer { options.lr } else { 1.0 });
    let sign = L::constant(if options.maximize { -1.0 } else { 1.0 });
    let decay = L::constant(options.weight_decay);
    let momentum = L::constant(options.momentum);
    let share = L::constant(1.0 - options.dampening);
    spans(n, |at| {
        let value = at.load::<L>(p);
        let mut slope = sign * at.load::<L>(g);
        if options.weight_decay != 0.0 {
            slope = slope + decay * value;
        }
        if options.lr_in_buffer {
            slope = slope * scale;
        }
        if !buffer.is_null() {
            let b = if options.first { slope } else { momentum * at.load::<L>(buffer) + share * slope };
            at.store(b, buffer);
            slope = if options.nesterov { slope + momentum * b } else { b };
        }
        at.store(value + lr * slope, p);
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::*;
    use crate::simd::F64x4;

    #[test]
    fn is_its_equations() {
        for k in 0..32 {
            let lr_in_buffer = k & 16 != 0;
            let (momentum, nesterov) = (if k & 1 == 0 { 0.0 } else { 0.9 }, k & 3 == 3);
            let (weight_decay, maximize) = (if k & 4 == 0 { 0.0 } else { 0.1 }, k & 8 != 0);
            let dampening = if nesterov { 0.0 } else { 0.3 };
            let (mut buffer, mut b) = ([9.0; 7], [9.0; 7]);
            check(
                |update, p, g| {
                    let first = update == 0;
                    let lr = if update < 3 { 0.1 } else { 0.05 };
                    let options =
                        Options { lr, momentum, dampening, weight_decay, nesterov, maximize, first, lr_in_buffer };
                    let buffer = if momentum == 0.0 { core::ptr::null_mut() } else { buffer.as_mut_ptr() };
                    unsafe { step::<F64x4>(7, p.as_mut_ptr(), g.as_ptr(), buffer, &options) };
                },
                |update, i, p, g| {
                    let lr = if update < 3 { 0.1 } else { 0.05 };
                    let (lr, inner) = if lr_in_buffer { (1.0, lr) } else { (lr, 1.0) };
                    let g = inner * (if maximize { -g } else { g } + weight_decay * p);
                    if momentum == 0.0 {
                        return p - lr * g;
                    }
                    b[i] = if update == 0 { g } else { momentum * b[i] + (1.0 - dampening) * g };
                    p - lr * if nesterov { g + momentum * b[i] } else { b[i] }
                },
            );
        }
    }
}
