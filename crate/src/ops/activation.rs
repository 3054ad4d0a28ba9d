//! The activations of a state or a gate: y = f(x), and f'(x) written in y alone, which is all a sequence keeps.
//!
//! | kind | y | dy/dx |
//! |---|---|---|
//! | identity | x | 1 |
//! | tanh | tanh x | 1 - y^2 |
//! | sigmoid | 1 / (1 + e^-x) | y (1 - y) |
//! | relu | max(x, 0) | 1 where y > 0 |
//! | leaky relu | x where x > 0, else alpha x (alpha >= 0) | 1 where y > 0, else alpha |
//! | elu | x where x > 0, else alpha (e^x - 1) (alpha >= 0) | 1 where y > 0, else y + alpha |
//! | softplus | ln(1 + e^x) | 1 - e^-y |
//! | softsign | x / (1 + abs x) | (1 - abs y)^2 |
//! | hard sigmoid | x / 6 + 1/2 in [0, 1] (PyTorch) | 1/6 inside |
//! | hard sigmoid of ONNX | 0.2 x + 0.5 in [0, 1] (also Keras 2) | 0.2 inside |
//! | hard tanh | x in [-1, 1] | 1 inside |

use crate::math::{ln_1p, Constants};
use crate::simd::Lane;

pub const IDENTITY: u32 = 0;
pub const TANH: u32 = 1;
pub const SIGMOID: u32 = 2;
pub const RELU: u32 = 3;
pub const LEAKY_RELU: u32 = 4;
pub const ELU: u32 = 5;
pub const SOFTPLUS: u32 = 6;
pub const SOFTSIGN: u32 = 7;
pub const HARD_SIGMOID: u32 = 8;
pub const HARD_SIGMOID_ONNX: u32 = 9;
pub const HARD_TANH: u32 = 10;
/// One past the last kind.
pub const COUNT: u32 = 11;

/// y = f(x); an unknown kind is the identity. NaN stays NaN.
#[inline(always)]
pub fn forward<L: Lane>(kind: u32, alpha: L::Elem, x: L, k: Constants) -> L {
    let (zero, one, alpha) = (L::zero(), L::constant(1.0), L::splat(alpha));
    match kind {
        TANH => x.tanh(k),
        SIGMOID => x.sigmoid(k),
        RELU => x.max(zero),
        LEAKY_RELU => x.select_gt(zero, x, alpha * x),
        ELU => x.select_gt(zero, x, alpha * x.min(zero).exp_m1(k)),
        SOFTPLUS => x.max(zero) + ln_1p((-x.abs()).exp(k), k),
        SOFTSIGN => x / (one + x.abs()),
        HARD_SIGMOID => (x + L::constant(3.0)).clamp(zero, L::constant(6.0)) / L::constant(6.0),
        HARD_SIGMOID_ONNX => (L::constant(0.2) * x + L::constant(0.5)).clamp(zero, one),
        HARD_TANH => x.clamp(-one, one),
        _ => x,
    }
}

/// f'(x) from y = f(x).
#[inline(always)]
pub fn derivative<L: Lane>(kind: u32, alpha: L::Elem, y: L, k: Constants) -> L {
    let (zero, one, alpha) = (L::zero(), L::constant(1.0), L::splat(alpha));
    let inside = |low: L, high: L, slope: L| y.select_gt(low, high.select_gt(y, slope, zero), zero);
    match kind {
        TANH => one - y * y,
        SIGMOID => y * (one - y),
        RELU => y.select_gt(zero, one, zero),
        LEAKY_RELU => y.select_gt(zero, one, alpha),
        ELU => y.select_gt(zero, one, y + alpha),
        SOFTPLUS => -(-y).exp_m1(k),
        SOFTSIGN => {
            let rest = one - y.abs();
            rest * rest
        }
        HARD_SIGMOID => inside(zero, one, L::constant(1.0 / 6.0)),
        HARD_SIGMOID_ONNX => inside(zero, one, L::constant(0.2)),
        HARD_TANH => inside(-one, one, one),
        _ => one,
    }
}
