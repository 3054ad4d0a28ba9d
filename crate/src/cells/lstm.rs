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

use super::{sigmoid_row, tanh_row, Cell, Step};
use crate::simd::{Lane, WIDTH};

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
            let (squashed, h) = (s.squashed.add(row * n), s.h.add(row * s.state_stride));
            for unit in (0..n).step_by(WIDTH) {
                let (i, f, g) = (L::load(a.add(unit)), L::load(a.add(n + unit)), L::load(a.add(2 * n + unit)));
                (f * L::load(c_prev.add(unit)) + i * g).store(c.add(unit));
            }
            tanh_row::<L>(c, squashed, n);
            for unit in (0..n).step_by(WIDTH) {
                (L::load(a.add(3 * n + unit)) * L::load(squashed.add(unit))).store(h.add(unit));
            }
        }
    }

    #[inline(never)]
    unsafe fn backward(s: &Step<L::Elem>) {
        let n = s.hidden;
        let one = L::constant(1.0);
        for row in 0..s.rows {
            let a = s.gates.add(row * s.gate_stride);
            let (c_prev, squashed) = (s.c_prev.add(row * n), s.squashed.add(row * n));
            let (dh, dc) = (s.dh.add(row * n), s.dc.add(row * n));
            for unit in (0..n).step_by(WIDTH) {
                let (at_i, at_f, at_g, at_o) = (a.add(unit), a.add(n + unit), a.add(2 * n + unit), a.add(3 * n + unit));
                let (i, f, g, o) = (L::load(at_i), L::load(at_f), L::load(at_g), L::load(at_o));
                let squashed = L::load(squashed.add(unit));
                let d_h = L::load(dh.add(unit));
                let d_c = L::load(dc.add(unit)) + d_h * o * (one - squashed * squashed);
                (d_c * g * i * (one - i)).store(at_i);
                (d_c * L::load(c_prev.add(unit)) * f * (one - f)).store(at_f);
                (d_c * i * (one - g * g)).store(at_g);
                (d_h * squashed * o * (one - o)).store(at_o);
                (d_c * f).store(dc.add(unit));
            }
        }
    }
}
