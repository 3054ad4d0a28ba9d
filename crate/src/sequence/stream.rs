//! One step of one sequence, for streams: the same products and the same bits as a whole sequence, without its order,
//! its strides and what it keeps. The state is changed where it lies.

use super::input::one_hot_row;
use super::order::copy_row;
use super::{Kind, Layer, Sizes};
use crate::cells::{Cell, Elman, Gru, Lstm, Step};
use crate::gemm::{fill_zero, gemm, Init};
use crate::memory::{OutOfMemory, Scratch};
use crate::simd::Lane;

/// One step of a layer: reads `x.data` (I), or one id at `ids.data` for a one-hot input, and replaces the state at `h_n`
/// (S) and `c_n` (H).
///
/// # Safety
/// These pointers of the layer have the shapes of its sizes, its weights are prepared, and an id is one of I.
pub unsafe fn step<L: Lane>(layer: &Layer<L::Elem>) -> Result<(), OutOfMemory> {
    match layer.kind {
        Kind::Elman => step_cell::<L, Elman>(layer),
        Kind::Lstm => step_cell::<L, Lstm>(layer),
        Kind::Gru => step_cell::<L, Gru>(layer),
    }
}

unsafe fn step_cell<L: Lane, C: Cell<L>>(layer: &Layer<L::Elem>) -> Result<(), OutOfMemory> {
    let scratch = Scratch::new();
    let (s, prepared) = (layer.sizes(), layer.prepared.cast_const());
    let p = s.prepared();
    let gates = scratch.take::<L::Elem>(2 * s.row + 3 * s.padded).ok_or(OutOfMemory)?;
    let recurrent = gates.add(s.row);
    let [squashed, h, c] = [0, 1, 2].map(|i| recurrent.add(s.row + i * s.padded));
    let bias = prepared.add(p.bias);
    let w_ih = prepared.add(p.w_ih);
    if layer.ids.data.is_null() {
        gemm::<L>(1, s.row, s.input, layer.x.data, s.input, w_ih, Init::Row(bias), gates, s.row);
    } else {
        one_hot_row::<L>(&layer.inputs(s), w_ih, *layer.ids.data as usize, bias, gates);
    }
    let (into, init) = if C::SEPARATE_RECURRENT {
        (recurrent, Init::Row(prepared.add(p.recurrent_bias)))
    } else {
        (gates, Init::Current)
    };
    gemm::<L>(1, s.row, s.state, layer.h_n, s.state, prepared.add(p.w_hh), init, into, s.row);
    // Cells work on whole lanes; a state of whole lanes is where they work.
    let whole = s.padded == s.hidden;
    let h = if whole && !s.projected { layer.h_n } else { h };
    let c = if whole || !C::HAS_MEMORY { layer.c_n } else { c };
    if C::CARRIES_STATE && h != layer.h_n {
        copy_padded::<L>(layer.h_n, s, h);
    }
    if c != layer.c_n {
        copy_padded::<L>(layer.c_n, s, c);
    }
    C::forward(&Step {
        rows: 1,
        hidden: s.padded,
        gates,
        recurrent,
        gate_stride: s.row,
        h_prev: h,
        h,
        state_stride: s.padded,
        c_prev: c,
        c,
        squashed,
        dh: core::ptr::null_mut(),
        dc: core::ptr::null_mut(),
        activation: layer.activation,
        alpha: layer.alpha,
    });
    if c != layer.c_n {
        copy_row::<L>(c, layer.c_n, s.hidden);
    }
    if s.projected {
        gemm::<L>(1, s.state, s.hidden, h, s.padded, prepared.add(p.w_hr), Init::Zero, layer.h_n, s.state);
    } else if h != layer.h_n {
        copy_row::<L>(h, layer.h_n, s.hidden);
    }
    Ok(())
}

unsafe fn copy_padded<L: Lane>(from: *const L::Elem, s: Sizes, to: *mut L::Elem) {
    copy_row::<L>(from, to, s.hidden);
    fill_zero::<L>(to.add(s.hidden), s.padded - s.hidden);
}
