//! The simple recurrent net of Elman (1990), "Finding structure in time".
//!
//! ```text
//! h = phi(W_ih x + b_ih + W_hh h_prev + b_hh)
//! da = dh * phi'(a)        with phi' from h
//! ```

use super::{tanh_row, Cell, Step};
use crate::math::Constants;
use crate::ops::activation;
use crate::simd::{Lane, WIDTH};

pub struct Elman;

impl<L: Lane> Cell<L> for Elman {
    const GATES: usize = 1;
    const SEPARATE_RECURRENT: bool = false;
    const HAS_MEMORY: bool = false;
    const CARRIES_STATE: bool = false;

    #[inline(never)]
    unsafe fn forward(s: &Step<L::Elem>) {
        let k = Constants::read();
        for row in 0..s.rows {
            let (a, h) = (s.gates.add(row * s.gate_stride), s.h.add(row * s.state_stride));
            if s.activation == activation::TANH {
                tanh_row::<L>(a, h, s.hidden);
                continue;
            }
            for unit in (0..s.hidden).step_by(WIDTH) {
                activation::forward::<L>(s.activation, s.alpha, L::load(a.add(unit)), k).store(h.add(unit));
            }
        }
    }

    #[inline(never)]
    unsafe fn backward(s: &Step<L::Elem>) {
        let k = Constants::read();
        for row in 0..s.rows {
            let (a, h) = (s.gates.add(row * s.gate_stride), s.h.add(row * s.state_stride));
            let dh = s.dh.add(row * s.hidden);
            for unit in (0..s.hidden).step_by(WIDTH) {
                let slope = activation::derivative::<L>(s.activation, s.alpha, L::load(h.add(unit)), k);
                (L::load(dh.add(unit)) * slope).store(a.add(unit));
            }
        }
    }
}
