//! The hand-fused cells, and the machine for all others ([`program`]). Of the hand-fused: pointwise mathematics of one time step, forward and backward. Matrix products, masks, states
//! and weight gradients are the business of [`crate::sequence`], once for all cells.
//!
//! Gate buffers hold rows of `GATES * hidden` values, hidden units padded to whole lanes: padding computes harmless
//! numbers that nobody reads.

mod elman;
mod gru;
mod lstm;
pub mod program;

pub use elman::Elman;
pub use gru::Gru;
pub use lstm::Lstm;

use crate::math::Constants;
use crate::simd::{load_lanes, store_lanes, Lane, WIDTH};

/// One time step, `rows` rows of `hidden` (padded) units, everything in place.
pub struct Step<E> {
    pub rows: usize,
    pub hidden: usize,
    /// Pre-activations; forward leaves in them what backward needs; backward leaves their gradients.
    pub gates: *mut E,
    /// The recurrent product, for cells that keep it apart; likewise.
    pub recurrent: *mut E,
    /// Between rows of `gates` and of `recurrent`.
    pub gate_stride: usize,
    pub h_prev: *const E,
    pub h: *mut E,
    /// Between rows of `h_prev` and `h`.
    pub state_stride: usize,
    /// Memory cells, at stride `hidden`; null for cells without.
    pub c_prev: *const E,
    pub c: *mut E,
    /// Gradient with respect to h, at stride `hidden`. Backward replaces it by the part that reaches h_prev without a
    /// matrix, if [`Cell::CARRIES_STATE`]; otherwise it is spent.
    pub dh: *mut E,
    /// Gradient with respect to c; backward replaces it by that of c_prev.
    pub dc: *mut E,
    /// The state activation of an Elman cell and its parameter: see [`crate::ops::activation`].
    pub activation: u32,
    pub alpha: E,
}

pub trait Cell<L: Lane> {
    /// Gates in a row of pre-activations.
    const GATES: usize;
    /// The recurrent product is needed apart from the input product.
    const SEPARATE_RECURRENT: bool;
    /// There is a memory cell c beside h.
    const HAS_MEMORY: bool;
    /// Part of dh reaches h_prev directly.
    const CARRIES_STATE: bool;

    /// # Safety
    /// The pointers of `step` hold `rows` rows at their strides.
    unsafe fn forward(step: &Step<L::Elem>);

    /// # Safety
    /// As `forward`, whose results are still in place.
    unsafe fn backward(step: &Step<L::Elem>);
}

/// Runs a block over `count` values in whole lanes, two at once while there are two: `N` is how many, `at` the first
/// value. Lanes that are read before they are written, side by side, an engine can join: see [`crate::gemm::kernel`].
macro_rules! over_lanes {
    ($count:expr, |$at:ident, $n:ident| $block:block) => {
        let (count, mut $at) = ($count, 0);
        while $at + 2 * WIDTH <= count {
            const $n: usize = 2;
            $block
            $at += 2 * WIDTH;
        }
        while $at < count {
            const $n: usize = 1;
            $block
            $at += WIDTH;
        }
    };
}
use over_lanes;

/// The logistic function, whole lanes; `to` may be `x`. One function a loop: its constants then stay in registers.
#[inline(never)]
unsafe fn sigmoid_row<L: Lane>(x: *const L::Elem, to: *mut L::Elem, count: usize) {
    let k = Constants::read();
    over_lanes!(count, |at, N| {
        store_lanes(load_lanes::<L, N>(x.add(at)).map(|x| x.sigmoid(k)), to.add(at));
    });
}

/// As [`sigmoid_row`].
#[inline(never)]
unsafe fn tanh_row<L: Lane>(x: *const L::Elem, to: *mut L::Elem, count: usize) {
    let k = Constants::read();
    over_lanes!(count, |at, N| {
        store_lanes(load_lanes::<L, N>(x.add(at)).map(|x| x.tanh(k)), to.add(at));
    });
}
