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

use super::{over_lanes, Cell, Step};
use crate::math::Constants;
use crate::simd::{load_lanes, store_lanes, Lane, WIDTH};
use core::array::from_fn;

pub struct Gru;

impl<L: Lane> Cell<L> for Gru {
    const GATES: usize = 3;
    const SEPARATE_RECURRENT: bool = true;
    const HAS_MEMORY: bool = false;
    const CARRIES_STATE: bool = true;

    #[inline(never)]
    unsafe fn forward(s: &Step<L::Elem>) {
        let n = s.hidden;
        for row in 0..s.rows {
            let (a, u) = (s.gates.add(row * s.gate_stride), s.recurrent.add(row * s.gate_stride));
            gates_row::<L>(2 * n, a, u);
            let (h_prev, h) = (s.h_prev.add(row * s.state_stride), s.h.add(row * s.state_stride));
            state_row::<L>(n, a, u.add(2 * n), h_prev, h);
        }
    }

    #[inline(never)]
    unsafe fn backward(s: &Step<L::Elem>) {
        let n = s.hidden;
        let one = Constants::read().number::<L>(1.0);
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

/// a = sigmoid(a + u): r and z of one row.
#[inline(never)]
unsafe fn gates_row<L: Lane>(count: usize, a: *mut L::Elem, u: *const L::Elem) {
    let k = Constants::read();
    over_lanes!(count, |at, N| {
        let (x, y) = (load_lanes::<L, N>(a.add(at)), load_lanes::<L, N>(u.add(at)));
        store_lanes::<L, N>(from_fn(|l| (x[l] + y[l]).sigmoid(k)), a.add(at));
    });
}

/// n = tanh(a_n + r u_n) and h of one row, from its gates `a` and u_n; `h` may be `h_prev`.
#[inline(never)]
unsafe fn state_row<L: Lane>(
    n: usize,
    a: *mut L::Elem,
    u_new: *const L::Elem,
    h_prev: *const L::Elem,
    h: *mut L::Elem,
) {
    let k = Constants::read();
    let one = k.number::<L>(1.0);
    over_lanes!(n, |at, N| {
        let [reset, update, a_new] = [0, 1, 2].map(|gate| load_lanes::<L, N>(a.add(gate * n + at)));
        let (u_new, h_prev) = (load_lanes::<L, N>(u_new.add(at)), load_lanes::<L, N>(h_prev.add(at)));
        let new: [L; N] = from_fn(|l| (a_new[l] + reset[l] * u_new[l]).tanh(k));
        store_lanes(new, a.add(2 * n + at));
        store_lanes::<L, N>(from_fn(|l| (one - update[l]) * new[l] + update[l] * h_prev[l]), h.add(at));
    });
}
