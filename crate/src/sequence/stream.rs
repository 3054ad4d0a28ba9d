//! One step of one sequence, for streams: the same products and the same bits as a whole sequence, without its order,
//! its strides and what it keeps. The state is changed where it lies. With 8-bit weights ([`int8`]) products are of integers;
//! everything else is the same.

use super::input::one_hot_row;
use super::order::copy_row;
use super::{Kind, Layer, Sizes};
use crate::cells::{Cell, Elman, Gru, Lstm, Step};
use crate::gemm::{fill_zero, gemm, int8, Init};
use crate::memory::{OutOfMemory, Scratch};
use crate::simd::{F32x4, Lane};

/// c = init + x W^T for one row: (columns, depth, x, W, init, c).
pub type Product<E> = unsafe fn(usize, usize, *const E, *const E, Init<E>, *mut E) -> Result<(), OutOfMemory>;

/// The weights of a layer as a stream multiplies them.
struct Weights<E> {
    product: Product<E>,
    w_ih: *const E,
    w_hh: *const E,
    w_hr: *const E,
}

unsafe fn packed_product<L: Lane>(
    columns: usize,
    depth: usize,
    x: *const L::Elem,
    packed: *const L::Elem,
    init: Init<L::Elem>,
    c: *mut L::Elem,
) -> Result<(), OutOfMemory> {
    gemm::<L>(1, columns, depth, x, depth, packed, init, c, columns);
    Ok(())
}

/// A [`Product`] of 8-bit weights.
///
/// # Safety
/// As [`int8::product`], whose weights these are.
pub unsafe fn int8_product(
    columns: usize,
    depth: usize,
    x: *const f32,
    weights: *const f32,
    init: Init<f32>,
    c: *mut f32,
) -> Result<(), OutOfMemory> {
    int8::product(columns, depth, x, weights.cast(), init, c)
}

/// One step of a layer: reads `x.data` (I), or one id at `ids.data` for a one-hot input, and replaces the state at `h_n`
/// (S) and `c_n` (H).
///
/// # Safety
/// These pointers of the layer have the shapes of its sizes, its weights are prepared, and an id is one of I.
pub unsafe fn step<L: Lane>(layer: &Layer<L::Elem>) -> Result<(), OutOfMemory> {
    let (p, prepared) = (layer.sizes().prepared(), layer.prepared.cast_const());
    let product = packed_product::<L>;
    let [w_ih, w_hh, w_hr] = [p.w_ih, p.w_hh, p.w_hr].map(|at| prepared.add(at));
    step_with::<L>(layer, &Weights { product, w_ih, w_hh, w_hr })
}

/// Where 8-bit weights of a layer lie in a block, in bytes: W_ih (none with ids, whose product is a row of the packed
/// one), W_hh, W_hr.
fn int8_places(s: Sizes, ids: bool) -> [usize; 3] {
    let w_hh = if ids { 0 } else { int8::bytes(s.row, s.input) };
    [0, w_hh, w_hh + int8::bytes(s.row, s.state)]
}

/// Visits the prepared matrices of a layer that have a form in 8 bits, in its order: panels, columns, depth.
///
/// # Safety
/// The weights are prepared.
pub unsafe fn matrices(layer: &Layer<f32>, mut visit: impl FnMut(*const f32, usize, usize)) {
    let (s, prepared) = (layer.sizes(), layer.prepared.cast_const());
    let p = s.prepared();
    if layer.ids.data.is_null() {
        visit(prepared.add(p.w_ih), s.row, s.input);
    }
    visit(prepared.add(p.w_hh), s.row, s.state);
    if s.projected {
        visit(prepared.add(p.w_hr), s.state, s.hidden);
    }
}

/// As [`step`], with 8-bit weights.
///
/// # Safety
/// As [`step`]; `weights` are those of [`matrices`], one after the other.
pub unsafe fn step_int8(layer: &Layer<f32>, weights: *const i8) -> Result<(), OutOfMemory> {
    let [w_ih, w_hh, w_hr] = int8_places(layer.sizes(), !layer.ids.data.is_null());
    let [w_ih, w_hh, w_hr] = [w_ih, w_hh, w_hr].map(|at| weights.add(at).cast());
    step_with::<F32x4>(layer, &Weights { product: int8_product, w_ih, w_hh, w_hr })
}

unsafe fn step_with<L: Lane>(layer: &Layer<L::Elem>, weights: &Weights<L::Elem>) -> Result<(), OutOfMemory> {
    match layer.kind {
        Kind::Elman => step_cell::<L, Elman>(layer, weights),
        Kind::Lstm => step_cell::<L, Lstm>(layer, weights),
        Kind::Gru => step_cell::<L, Gru>(layer, weights),
    }
}

unsafe fn step_cell<L: Lane, C: Cell<L>>(
    layer: &Layer<L::Elem>,
    weights: &Weights<L::Elem>,
) -> Result<(), OutOfMemory> {
    let scratch = Scratch::new();
    let (s, prepared) = (layer.sizes(), layer.prepared.cast_const());
    let p = s.prepared();
    let gates = scratch.take::<L::Elem>(2 * s.row + 2 * s.padded).ok_or(OutOfMemory)?;
    let recurrent = gates.add(s.row);
    let [h, c] = [0, 1].map(|i| recurrent.add(s.row + i * s.padded));
    let bias = prepared.add(p.bias);
    if layer.ids.data.is_null() {
        (weights.product)(s.row, s.input, layer.x.data, weights.w_ih, Init::Row(bias), gates)?;
    } else {
        one_hot_row::<L>(&layer.inputs(s), prepared.add(p.w_ih), *layer.ids.data as usize, bias, gates);
    }
    let (into, init) = if C::SEPARATE_RECURRENT {
        (recurrent, Init::Row(prepared.add(p.recurrent_bias)))
    } else {
        (gates, Init::Current)
    };
    (weights.product)(s.row, s.state, layer.h_n, weights.w_hh, init, into)?;
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
        dh: core::ptr::null_mut(),
        dc: core::ptr::null_mut(),
        activation: layer.activation,
        alpha: layer.alpha,
    });
    if c != layer.c_n {
        copy_row::<L>(c, layer.c_n, s.hidden);
    }
    if s.projected {
        (weights.product)(s.state, s.hidden, h, weights.w_hr, Init::Zero, layer.h_n)?;
    } else if h != layer.h_n {
        copy_row::<L>(h, layer.h_n, s.hidden);
    }
    Ok(())
}

unsafe fn copy_padded<L: Lane>(from: *const L::Elem, s: Sizes, to: *mut L::Elem) {
    copy_row::<L>(from, to, s.hidden);
    fill_zero::<L>(to.add(s.hidden), s.padded - s.hidden);
}
