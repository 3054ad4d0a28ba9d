//! Long short-term memory with a forget gate: Hochreiter & Schmidhuber (1997), Gers, Schmidhuber & Cummins (2000).
//! Gate order i, f, g, o as in PyTorch.
//!
//! ```text
//! a = W_ih x + b_ih + W_hh h_prev + b_hh
//! i, f, o = sigmoid(a_i, a_f, a_o)    g = tanh(a_g)
//! c = f c_prev + i g                  h = o tanh(c)
//!
//! do = dh tanh(c)                     dc += dh o (1 - tanh(c)^2)
//! di = dc g    dg = dc i    df = dc c_prev    dc_prev = dc f
//! da = (di i (1-i), df f (1-f), dg (1-g^2), do o (1-o))
//! ```
//!
//! tanh(c) is not kept for backward: it is h / o.

use super::{over_lanes, sigmoid_row, tanh_row, Cell, Step};
use crate::math::Constants;
use crate::simd::{load_lanes, store_lanes, Lane, WIDTH};
use core::array::from_fn;

pub struct Lstm;

impl<L: Lane> Cell<L> for Lstm {
    const GATES: usize = 4;
    const SEPARATE_RECURRENT: bool = false;
    const HAS_MEMORY: bool = true;
    const CARRIES_STATE: bool = false;

    #[inline(never)]
    unsafe fn forward(s: &Step<L::Elem>) {
        let n = s.hidden;
        for row in 0..s.rows {
            let a = s.gates.add(row * s.gate_stride);
            sigmoid_row::<L>(a, a, 2 * n);
            tanh_row::<L>(a.add(2 * n), a.add(2 * n), n);
            sigmoid_row::<L>(a.add(3 * n), a.add(3 * n), n);
            let (c_prev, c) = (s.c_prev.add(row * n), s.c.add(row * n));
            memory_row::<L>(n, a, c_prev, c, s.h.add(row * s.state_stride));
        }
    }

    #[inline(never)]
    unsafe fn backward(s: &Step<L::Elem>) {
        let n = s.hidden;
        let k = Constants::read();
        let (one, smallest) = (k.number::<L>(1.0), k.number::<L>(f32::MIN_POSITIVE));
        for row in 0..s.rows {
            let a = s.gates.add(row * s.gate_stride);
            let (c_prev, h) = (s.c_prev.add(row * n), s.h.add(row * s.state_stride));
            let (dh, dc) = (s.dh.add(row * n), s.dc.add(row * n));
            for unit in (0..n).step_by(WIDTH) {
                let (at_i, at_f, at_g, at_o) = (a.add(unit), a.add(n + unit), a.add(2 * n + unit), a.add(3 * n + unit));
                let (i, f, g, o) = (L::load(at_i), L::load(at_f), L::load(at_g), L::load(at_o));
                let (h, d_h) = (L::load(h.add(unit)), L::load(dh.add(unit)));
                // tanh(c), of which nothing is left to know where o is 0.
                let tanh = h / o.at_least(smallest);
                let d_c = L::load(dc.add(unit)) + d_h * o * (one - tanh * tanh);
                (d_c * g * i * (one - i)).store(at_i);
                (d_c * L::load(c_prev.add(unit)) * f * (one - f)).store(at_f);
                (d_c * i * (one - g * g)).store(at_g);
                (d_h * h * (one - o)).store(at_o);
                (d_c * f).store(dc.add(unit));
            }
        }
    }
}

/// c = f c_prev + i g and h of one row, from its gates `a`; `c` may be `c_prev`.
#[inline(never)]
unsafe fn memory_row<L: Lane>(n: usize, a: *const L::Elem, c_prev: *const L::Elem, c: *mut L::Elem, h: *mut L::Elem) {
    let k = Constants::read();
    over_lanes!(n, |at, N| {
        let [i, f, g, o] = [0, 1, 2, 3].map(|gate| load_lanes::<L, N>(a.add(gate * n + at)));
        let c_prev = load_lanes::<L, N>(c_prev.add(at));
        let new: [L; N] = from_fn(|l| f[l] * c_prev[l] + i[l] * g[l]);
        store_lanes(new, c.add(at));
        store_lanes::<L, N>(from_fn(|l| o[l] * new[l].tanh(k)), h.add(at));
    });
}
