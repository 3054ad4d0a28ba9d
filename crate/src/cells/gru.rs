//! Gated recurrent unit, Cho et al. (2014), in the form of cuDNN and PyTorch: the reset gate acts after the recurrent
//! product. Gate order r, z, n.
//!
//! ```text
//! a = W_ih x + b_ih        u = W_hh h_prev + b_hh
//! r = sigmoid(a_r + u_r)   z = sigmoid(a_z + u_z)   n = tanh(a_n + r u_n)
//! h = (1 - z) n + z h_prev
//!
//! dn = dh (1 - z) (1 - n^2)            dz = dh (h_prev - n) z (1 - z)      dr = dn u_n r (1 - r)
//! da = (dr, dz, dn)    du = (dr, dz, dn r)    dh_prev = dh z + W_hh^T du
//! ```

use super::{sigmoid_row, tanh_row, Cell, Step};
use crate::gemm::add_row;
use crate::simd::{Lane, WIDTH};

pub struct Gru;

impl<L: Lane> Cell<L> for Gru {
    const GATES: usize = 3;
    const SEPARATE_RECURRENT: bool = true;
    const HAS_MEMORY: bool = false;
    const CARRIES_STATE: bool = true;

    #[inline(never)]
    unsafe fn forward(s: &Step<L::Elem>) {
        let n = s.hidden;
        let one = L::constant(1.0);
        for row in 0..s.rows {
            let (a, u) = (s.gates.add(row * s.gate_stride), s.recurrent.add(row * s.gate_stride));
            let (h_prev, h) = (s.h_prev.add(row * s.state_stride), s.h.add(row * s.state_stride));
            add_row::<L>(u, a, 2 * n);
            sigmoid_row::<L>(a, a, 2 * n);
            let new = a.add(2 * n);
            for unit in (0..n).step_by(WIDTH) {
                let reset = L::load(a.add(unit));
                (L::load(new.add(unit)) + reset * L::load(u.add(2 * n + unit))).store(new.add(unit));
            }
            tanh_row::<L>(new, new, n);
            for unit in (0..n).step_by(WIDTH) {
                let update = L::load(a.add(n + unit));
                let kept = update * L::load(h_prev.add(unit));
                ((one - update) * L::load(new.add(unit)) + kept).store(h.add(unit));
            }
        }
    }

    #[inline(never)]
    unsafe fn backward(s: &Step<L::Elem>) {
        let n = s.hidden;
        let one = L::constant(1.0);
        for row in 0..s.rows {
            let (a, u) = (s.gates.add(row * s.gate_stride), s.recurrent.add(row * s.gate_stride));
            let (h_prev, dh) = (s.h_prev.add(row * s.state_stride), s.dh.add(row * n));
            for unit in (0..n).step_by(WIDTH) {
                let (at_r, at_z, at_n) = (a.add(unit), a.add(n + unit), a.add(2 * n + unit));
                let (reset, update, new) = (L::load(at_r), L::load(at_z), L::load(at_n));
                let d_h = L::load(dh.add(unit));
                let d_new = d_h * (one - update) * (one - new * new);
                let d_update = d_h * (L::load(h_prev.add(unit)) - new) * update * (one - update);
                let d_reset = d_new * L::load(u.add(2 * n + unit)) * reset * (one - reset);
                d_reset.store(at_r);
                d_update.store(at_z);
                d_new.store(at_n);
                d_reset.store(u.add(unit));
                d_update.store(u.add(n + unit));
                (d_new * reset).store(u.add(2 * n + unit));
                (d_h * update).store(dh.add(unit));
            }
        }
    }
}
