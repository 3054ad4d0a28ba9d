//! A recurrent layer in one direction over whole sequences, forward and through time backward, for every cell.
//!
//! What all cells share is here once: one product for the inputs of all time steps, one recurrent product a step,
//! lengths, direction, initial and final states, projection, and weight gradients as one product after the backward
//! sweep.
//!
//! # Rows
//! Work runs over rows sorted by length, longest first (stable), so that at time t the live rows are a prefix; buffers
//! hold live rows only, time by time (`offsets[t] + row`). A reversed direction reads every sequence from its own
//! end. Callers' tensors are addressed by strides and put in this order at the edges; a time-major forward input of
//! full lengths is used where it lies. Without a backward pass there is one row of states a sequence, replaced at every
//! step, and gates are those of a few steps ([`CHUNK_ROWS`]).
//!
//! # Summation order
//! A pre-activation is (bias + sum x W_ih) + sum h W_hh, k ascending: a sequence cut in two gives the same bits.
//!
//! # Parts
//! [`order`] is the order of rows, [`input`] the product of the inputs, which may be tokens; the sequences of compiled
//! cells are made of the same parts. [`stream`] is one step by itself.

pub(crate) mod input;
pub(crate) mod order;
pub mod stream;

use crate::cells::{Cell, Elman, Gru, Lstm, Step};
use crate::gemm::kernel::PANEL;
use crate::gemm::pack::{pack_rows, pack_transposed, packed_len, pad, Gates};
use crate::gemm::{add_row, fill_zero, gemm, weight_gradients, Init, WeightGradient};
use crate::memory::{OutOfMemory, Scratch};
use crate::simd::{Lane, Real};
use core::ptr::{null, null_mut};
use input::{input_gradients, Feed, Input, InputGradients, Rows};
use order::Order;
pub use order::Strided;
use order::{add_outputs, add_states, clear_outputs, copy_row, final_states, initial_states, keep};
use order::{states_before, write_outputs};

/// Without a backward pass inputs are multiplied for so many rows at once: enough for the product to be fast, and few
/// enough for their gates to stay in the second-level cache until their step.
const CHUNK_ROWS: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Elman,
    Lstm,
    Gru,
}

impl Kind {
    fn gates(self) -> usize {
        match self {
            Kind::Elman => 1,
            Kind::Lstm => 4,
            Kind::Gru => 3,
        }
    }
}

/// What a forward pass leaves in the arena for its backward pass.
#[derive(Clone, Copy)]
pub struct Saved<E> {
    /// `batch` original row numbers by falling length, then `batch` lengths in that order, then `steps + 1` offsets.
    pub order: *const u32,
    /// Inputs of live rows: see [`Rows`].
    pub x: *const E,
    pub ids: *const i32,
    pub gates: *mut E,
    pub recurrent: *mut E,
    /// States: `batch` initial rows, then live rows.
    pub h: *mut E,
    /// Likewise.
    pub c: *mut E,
    /// Cell outputs before the projection.
    pub unprojected: *mut E,
}

/// One layer in one direction. B batch, T steps, I input, H hidden, P projection (0: none), S = P or H: size of h.
/// Null means absent; gradients are added to.
pub struct Layer<E> {
    pub kind: Kind,
    pub activation: u32,
    pub alpha: E,
    pub steps: usize,
    pub batch: usize,
    pub input: usize,
    pub hidden: usize,
    pub projection: usize,
    pub reverse: bool,
    /// (B) in any order, each 0..=T.
    pub lengths: *const i32,
    /// Keep what backward needs.
    pub training: bool,
    pub x: Strided<*const E>,
    pub ids: Strided<*const i32>,
    /// (V, I); null with ids: one-hot of I.
    pub table: *const E,
    pub table_rows: usize,
    pub w_ih: *const E,
    pub w_hh: *const E,
    pub b_ih: *const E,
    pub b_hh: *const E,
    pub w_hr: *const E,
    /// Packed weights: see [`prepare`].
    pub prepared: *mut E,
    pub h0: *const E,
    pub c0: *const E,
    pub h_n: *mut E,
    pub c_n: *mut E,
    pub out: Strided<*mut E>,
    pub saved: Saved<E>,
    pub d_out: Strided<*const E>,
    pub d_h_n: *const E,
    pub d_c_n: *const E,
    pub d_x: Strided<*mut E>,
    pub d_table: *mut E,
    pub d_w_ih: *mut E,
    pub d_w_hh: *mut E,
    pub d_b_ih: *mut E,
    pub d_b_hh: *mut E,
    pub d_w_hr: *mut E,
    pub d_h0: *mut E,
    pub d_c0: *mut E,
}

/// Where each packed form lies in a prepared block, in elements.
struct Prepared {
    bias: usize,
    recurrent_bias: usize,
    w_ih: usize,
    w_hh: usize,
    w_hr: usize,
    w_ih_back: usize,
    w_hh_back: usize,
    w_hr_back: usize,
    end: usize,
}

/// Sizes that follow from a layer's configuration.
#[derive(Clone, Copy)]
struct Sizes {
    input: usize,
    hidden: usize,
    /// Hidden units padded to whole lanes.
    padded: usize,
    gates: Gates,
    /// A row of gates, whole panels.
    row: usize,
    /// Size of h, and padded.
    state: usize,
    state_padded: usize,
    projected: bool,
}

impl Sizes {
    fn new(kind: Kind, input: usize, hidden: usize, projection: usize) -> Self {
        let gates = Gates::of(kind.gates(), hidden);
        let state = if projection > 0 { projection } else { hidden };
        Self {
            input,
            hidden,
            padded: pad(hidden),
            gates,
            row: gates.positions().div_ceil(PANEL) * PANEL,
            state,
            state_padded: pad(state),
            projected: projection > 0,
        }
    }

    fn prepared(self) -> Prepared {
        let recurrent_bias = self.row;
        let w_ih = 2 * self.row;
        let w_hh = w_ih + self.row * self.input;
        let w_hr = w_hh + self.row * self.state;
        let projection = if self.projected { packed_len(self.state, self.hidden) } else { 0 };
        let w_ih_back = w_hr + projection;
        let w_hh_back = w_ih_back + packed_len(self.input, self.gates.positions());
        let w_hr_back = w_hh_back + packed_len(self.state, self.gates.positions());
        let projection_back = if self.projected { packed_len(self.hidden, self.state) } else { 0 };
        Prepared {
            bias: 0,
            recurrent_bias,
            w_ih,
            w_hh,
            w_hr,
            w_ih_back,
            w_hh_back,
            w_hr_back,
            end: w_hr_back + projection_back,
        }
    }
}

impl<E: Real> Layer<E> {
    fn sizes(&self) -> Sizes {
        Sizes::new(self.kind, self.input, self.hidden, self.projection)
    }

    fn inputs(&self, s: Sizes) -> Input<E> {
        Input {
            size: self.input,
            x: self.x,
            ids: self.ids,
            table: self.table,
            table_rows: self.table_rows,
            gates: s.gates,
            columns: s.row,
            row: s.row,
        }
    }
}

/// Elements of a prepared block.
pub fn prepared_len(kind: Kind, input: usize, hidden: usize, projection: usize) -> usize {
    Sizes::new(kind, input, hidden, projection).prepared().end
}

/// Packs the weights of a layer into its prepared block: forward forms, and backward forms if asked for.
///
/// # Safety
/// The layer's weights have the shapes of its sizes, `prepared` has [`prepared_len`] elements.
pub unsafe fn prepare<L: Lane>(layer: &Layer<L::Elem>, backward: bool) {
    let s = layer.sizes();
    let (p, to) = (s.prepared(), layer.prepared);
    let zero = L::Elem::ZERO;
    for position in 0..s.row {
        *to.add(p.bias + position) = zero;
        *to.add(p.recurrent_bias + position) = zero;
    }
    for gate in 0..s.gates.gates {
        for unit in 0..s.hidden {
            let (from, at) = (gate * s.hidden + unit, gate * s.padded + unit);
            let b_ih = if layer.b_ih.is_null() { zero } else { *layer.b_ih.add(from) };
            let b_hh = if layer.b_hh.is_null() { zero } else { *layer.b_hh.add(from) };
            if layer.kind == Kind::Gru {
                *to.add(p.bias + at) = b_ih;
                *to.add(p.recurrent_bias + at) = b_hh;
            } else {
                *to.add(p.bias + at) = b_ih + b_hh;
            }
        }
    }
    pack_transposed::<L>(layer.w_ih, s.input, s.gates, s.input, to.add(p.w_ih));
    pack_transposed::<L>(layer.w_hh, s.state, s.gates, s.state, to.add(p.w_hh));
    if s.projected {
        pack_transposed::<L>(layer.w_hr, s.hidden, Gates::plain(s.state), s.hidden, to.add(p.w_hr));
    }
    if backward {
        pack_rows::<L>(layer.w_ih, s.input, s.gates, s.input, to.add(p.w_ih_back));
        pack_rows::<L>(layer.w_hh, s.state, s.gates, s.state, to.add(p.w_hh_back));
        if s.projected {
            pack_rows::<L>(layer.w_hr, s.hidden, Gates::plain(s.state), s.hidden, to.add(p.w_hr_back));
        }
    }
}

/// Runs the layer over its sequences: writes `out`, `h_n`, `c_n`, and `saved` when training.
///
/// # Safety
/// Every pointer of the layer is null where it may be, or has the shape its field names; ids lie in their table; the
/// weights are prepared.
pub unsafe fn forward<L: Lane>(layer: &mut Layer<L::Elem>) -> Result<(), OutOfMemory> {
    match layer.kind {
        Kind::Elman => forward_cell::<L, Elman>(layer),
        Kind::Lstm => forward_cell::<L, Lstm>(layer),
        Kind::Gru => forward_cell::<L, Gru>(layer),
    }
}

/// Back through time over what [`forward`] saved (which is spent afterwards): adds to every gradient that is not null.
///
/// # Safety
/// As [`forward`], after it, with the backward forms prepared; gradients have the shapes of their values.
pub unsafe fn backward<L: Lane>(layer: &Layer<L::Elem>) -> Result<(), OutOfMemory> {
    match layer.kind {
        Kind::Elman => backward_cell::<L, Elman>(layer),
        Kind::Lstm => backward_cell::<L, Lstm>(layer),
        Kind::Gru => backward_cell::<L, Gru>(layer),
    }
}

unsafe fn forward_cell<L: Lane, C: Cell<L>>(layer: &mut Layer<L::Elem>) -> Result<(), OutOfMemory> {
    let scratch = Scratch::new();
    let s = layer.sizes();
    let words = keep::<u32>(1, Order::words(layer.batch, layer.steps))?;
    let order = Order::fill(layer.batch, layer.steps, layer.reverse, layer.lengths, words);
    // Rows of gates at a time, and rows of states past the initial ones.
    let chunk = chunk_steps(layer);
    let (rows, later) = if layer.training { (order.total(), order.total()) } else { (chunk * layer.batch, 0) };
    let states = layer.batch + later;
    let input = layer.inputs(s);
    let mut feed = Feed::new(&input, order, rows)?;
    let saved = Saved {
        order: words,
        x: feed.rows().x,
        ids: feed.rows().ids,
        gates: keep(rows, s.row)?,
        recurrent: if C::SEPARATE_RECURRENT { keep(rows, s.row)? } else { null_mut() },
        h: keep(states, s.state_padded)?,
        c: if C::HAS_MEMORY { keep(states, s.padded)? } else { null_mut() },
        unprojected: if s.projected { keep(rows, s.padded)? } else { null_mut() },
    };
    let during = Scratch::new();
    let (p, prepared) = (s.prepared(), layer.prepared.cast_const());
    let (w_ih, bias) = (prepared.add(p.w_ih), prepared.add(p.bias));
    feed.fold::<L>(&input, w_ih, bias, &during)?;
    initial_states::<L>(layer.h0, order, s.state, s.state_padded, saved.h);
    if C::HAS_MEMORY {
        initial_states::<L>(layer.c0, order, s.hidden, s.padded, saved.c);
    }
    clear_outputs::<L>(order, s.state, layer.out);
    for t in 0..layer.steps {
        if order.live(t) == 0 {
            break;
        }
        if t % chunk == 0 {
            let steps = t..(t + chunk).min(layer.steps);
            feed.products::<L>(&input, order, steps, w_ih, bias, saved.gates);
        }
        forward_step::<L, C>(layer, s, order, &saved, t);
    }
    drop(during);
    let in_place = !layer.training;
    final_states::<L>(saved.h, order, in_place, s.state, s.state_padded, layer.h_n);
    if C::HAS_MEMORY {
        final_states::<L>(saved.c, order, in_place, s.hidden, s.padded, layer.c_n);
    }
    if layer.training {
        layer.saved = saved;
        // What was saved stays in the arena until its scope ends.
        core::mem::forget(scratch);
    }
    Ok(())
}

/// How many steps the inputs are multiplied for at once: all, when their gates are kept for a backward pass.
fn chunk_steps<E>(layer: &Layer<E>) -> usize {
    if layer.training {
        layer.steps.max(1)
    } else {
        CHUNK_ROWS.div_ceil(layer.batch.max(1)).min(layer.steps.max(1))
    }
}

/// Where the rows of step t begin: those of gates, of the states before it and of those after it.
unsafe fn rows_of_step<E>(layer: &Layer<E>, order: Order, t: usize) -> (usize, usize, usize) {
    let at = order.offset(t);
    if layer.training {
        (at, order.before(t), order.batch + at)
    } else {
        // Gates are those of a chunk, and states are replaced where they lie.
        (at - order.offset(t - t % chunk_steps(layer)), 0, 0)
    }
}

unsafe fn step_at<L: Lane, C: Cell<L>>(
    layer: &Layer<L::Elem>,
    s: Sizes,
    order: Order,
    saved: &Saved<L::Elem>,
    t: usize,
) -> Step<L::Elem> {
    let (at, before, after) = rows_of_step(layer, order, t);
    Step {
        rows: order.live(t),
        hidden: s.padded,
        gates: saved.gates.add(at * s.row),
        recurrent: if C::SEPARATE_RECURRENT { saved.recurrent.add(at * s.row) } else { null_mut() },
        gate_stride: s.row,
        h_prev: saved.h.add(before * s.state_padded),
        h: if s.projected { saved.unprojected.add(at * s.padded) } else { saved.h.add(after * s.state_padded) },
        // The one cell with a projection does not read h_prev: the stride is that of what it writes.
        state_stride: s.padded,
        c_prev: if C::HAS_MEMORY { saved.c.add(before * s.padded) } else { null() },
        c: if C::HAS_MEMORY { saved.c.add(after * s.padded) } else { null_mut() },
        dh: null_mut(),
        dc: null_mut(),
        activation: layer.activation,
        alpha: layer.alpha,
    }
}

unsafe fn forward_step<L: Lane, C: Cell<L>>(
    layer: &Layer<L::Elem>,
    s: Sizes,
    order: Order,
    saved: &Saved<L::Elem>,
    t: usize,
) {
    let (p, prepared) = (s.prepared(), layer.prepared);
    let step = step_at::<L, C>(layer, s, order, saved, t);
    let w_hh = prepared.add(p.w_hh);
    // A product with no state is zero.
    let depth = if t == 0 && layer.h0.is_null() { 0 } else { s.state };
    if C::SEPARATE_RECURRENT {
        let bias = Init::Row(prepared.add(p.recurrent_bias).cast_const());
        gemm::<L>(step.rows, s.row, depth, step.h_prev, s.state_padded, w_hh, bias, step.recurrent, s.row);
    } else {
        gemm::<L>(step.rows, s.row, depth, step.h_prev, s.state_padded, w_hh, Init::Current, step.gates, s.row);
    }
    C::forward(&step);
    let (_, _, after) = rows_of_step(layer, order, t);
    let h = saved.h.add(after * s.state_padded);
    if s.projected {
        gemm::<L>(step.rows, s.state, s.hidden, step.h, s.padded, prepared.add(p.w_hr), Init::Zero, h, s.state_padded);
    }
    write_outputs::<L>(h, order, t, s.state, s.state_padded, layer.out);
}

unsafe fn backward_cell<L: Lane, C: Cell<L>>(layer: &Layer<L::Elem>) -> Result<(), OutOfMemory> {
    let scratch = Scratch::new();
    let (s, saved) = (layer.sizes(), &layer.saved);
    let order = Order::of(layer.batch, layer.steps, layer.reverse, layer.lengths, saved.order);
    let rows = order.total();
    let dh = scratch.take::<L::Elem>(order.batch * s.state_padded).ok_or(OutOfMemory)?;
    initial_states::<L>(layer.d_h_n, order, s.state, s.state_padded, dh);
    let mut dc = null_mut();
    if C::HAS_MEMORY {
        dc = scratch.take::<L::Elem>(order.batch * s.padded).ok_or(OutOfMemory)?;
        initial_states::<L>(layer.d_c_n, order, s.hidden, s.padded, dc);
    }
    // With a projection: the gradients of h of all steps, and of the cell output of one.
    let (mut d_projected, mut d_cell) = (null_mut(), dh);
    if s.projected {
        d_projected = scratch.take::<L::Elem>(rows * s.state_padded).ok_or(OutOfMemory)?;
        d_cell = scratch.take::<L::Elem>(order.batch * s.padded).ok_or(OutOfMemory)?;
        fill_zero::<L>(d_cell, order.batch * s.padded);
    }
    for t in (0..layer.steps).rev() {
        if order.live(t) > 0 {
            backward_step::<L, C>(layer, s, order, t, dh, dc, d_cell, d_projected);
        }
    }
    add_states::<L>(dh, order, s.state, s.state_padded, layer.d_h0);
    if C::HAS_MEMORY {
        add_states::<L>(dc, order, s.hidden, s.padded, layer.d_c0);
    }
    if rows == 0 {
        return Ok(());
    }
    if s.projected {
        let x = saved.unprojected.cast_const();
        let weights = WeightGradient { x, stride: s.padded, columns: s.hidden, d_w: layer.d_w_hr };
        let gates = Gates::plain(s.state);
        weight_gradients::<L, 1>(gates, rows, d_projected, s.state_padded, [weights], null_mut())?;
    }
    gate_gradients::<L, C>(layer, s, order, rows)?;
    // With rows of x its gradient came with the others.
    let weight = if saved.x.is_null() { layer.d_w_ih } else { null_mut() };
    let d = InputGradients { x: layer.d_x, table: layer.d_table, weight };
    let w_ih = layer.prepared.cast_const().add(s.prepared().w_ih_back);
    input_gradients::<L>(&layer.inputs(s), order, Rows { x: saved.x, ids: saved.ids }, w_ih, saved.gates, &d)
}

#[allow(clippy::too_many_arguments)] // one step of the sweep: where it is and what it carries
unsafe fn backward_step<L: Lane, C: Cell<L>>(
    layer: &Layer<L::Elem>,
    s: Sizes,
    order: Order,
    t: usize,
    dh: *mut L::Elem,
    dc: *mut L::Elem,
    d_cell: *mut L::Elem,
    d_projected: *mut L::Elem,
) {
    let (p, prepared) = (s.prepared(), layer.prepared.cast_const());
    let mut step = step_at::<L, C>(layer, s, order, &layer.saved, t);
    add_outputs::<L>(layer.d_out, order, t, s.state, s.state_padded, dh);
    if s.projected {
        let kept = d_projected.add(order.offset(t) * s.state_padded);
        copy_row::<L>(dh, kept, step.rows * s.state_padded);
        let w_hr = prepared.add(p.w_hr_back);
        gemm::<L>(step.rows, s.hidden, s.state, dh, s.state_padded, w_hr, Init::Zero, d_cell, s.padded);
    }
    step.dh = d_cell;
    step.dc = dc;
    C::backward(&step);
    if t == 0 && layer.d_h0.is_null() {
        return;
    }
    let d_gates = if C::SEPARATE_RECURRENT { step.recurrent } else { step.gates };
    let init = if C::CARRIES_STATE { Init::Current } else { Init::Zero };
    let w_hh = prepared.add(p.w_hh_back);
    gemm::<L>(step.rows, s.state, s.gates.positions(), d_gates, s.row, w_hh, init, dh, s.state_padded);
}

/// dW_hh += dG^T H_prev, the bias gradients, and dW_ih += dG^T X where there are rows of x.
unsafe fn gate_gradients<L: Lane, C: Cell<L>>(
    layer: &Layer<L::Elem>,
    s: Sizes,
    order: Order,
    rows: usize,
) -> Result<(), OutOfMemory> {
    let saved = &layer.saved;
    let scratch = Scratch::new();
    let d_w_ih = if saved.x.is_null() { null_mut() } else { layer.d_w_ih };
    let input = WeightGradient { x: saved.x, stride: s.input, columns: s.input, d_w: d_w_ih };
    let h_prev = states_before::<L>(&scratch, saved.h, order, s.state_padded)?;
    let recurrent = WeightGradient { x: h_prev, stride: s.state_padded, columns: s.state, d_w: layer.d_w_hh };
    if C::SEPARATE_RECURRENT {
        with_bias_gradients::<L, 1>(s, rows, saved.gates, [input], [layer.d_b_ih, null_mut()])?;
        with_bias_gradients::<L, 1>(s, rows, saved.recurrent, [recurrent], [layer.d_b_hh, null_mut()])
    } else {
        with_bias_gradients::<L, 2>(s, rows, saved.gates, [input, recurrent], [layer.d_b_ih, layer.d_b_hh])
    }
}

/// Weight gradients, and the column sums of gate gradients to each of the biases that share them.
unsafe fn with_bias_gradients<L: Lane, const N: usize>(
    s: Sizes,
    rows: usize,
    d_gates: *const L::Elem,
    weights: [WeightGradient<L::Elem>; N],
    biases: [*mut L::Elem; 2],
) -> Result<(), OutOfMemory> {
    let scratch = Scratch::new();
    let mut sums = null_mut();
    if biases.iter().any(|bias| !bias.is_null()) {
        sums = scratch.take::<L::Elem>(s.row).ok_or(OutOfMemory)?;
        fill_zero::<L>(sums, s.row);
    }
    weight_gradients::<L, N>(s.gates, rows, d_gates, s.row, weights, sums)?;
    for bias in biases.into_iter().filter(|bias| !bias.is_null()) {
        for gate in 0..s.gates.gates {
            add_row::<L>(sums.add(gate * s.padded), bias.add(gate * s.hidden), s.hidden);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
