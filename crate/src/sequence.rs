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
//! full lengths is used where it lies.
//!
//! # Summation order
//! A pre-activation is (bias + sum x W_ih) + sum h W_hh, k ascending: a sequence cut in two gives the same bits.
//!
//! # Token inputs
//! Ids select rows of a table (an embedding) or of the identity (one-hot). A one-hot product is a row of W_ih^T,
//! gathered; a table smaller than the number of rows is multiplied by W_ih once and its products gathered, and likewise
//! backward: gate gradients are summed by token before they meet a matrix.

use crate::cells::{Cell, Elman, Gru, Lstm, Step};
use crate::gemm::kernel::PANEL;
use crate::gemm::pack::{pack_rows, pack_transposed, packed_len, pad, transpose, Gates};
use crate::gemm::{add_column_sums, add_row, fill_zero, gemm, gemm_transposed, Init};
use crate::memory::{self, OutOfMemory, Scratch};
use crate::simd::{Lane, Real, WIDTH};
use core::ptr::{null, null_mut};

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

/// Rows of a (T, B, ...) tensor in any layout: element strides of time and batch; the last axis is contiguous.
#[derive(Clone, Copy)]
pub struct Strided<P> {
    pub data: P,
    pub time: usize,
    pub batch: usize,
}

impl<P> Strided<P> {
    #[inline(always)]
    fn at(&self, time: usize, row: usize) -> usize {
        time * self.time + row * self.batch
    }
}

/// What a forward pass leaves in the arena for its backward pass.
#[derive(Clone, Copy)]
pub struct Saved<E> {
    /// `batch` original row numbers by falling length, then `batch` lengths in that order, then `steps + 1` offsets.
    pub order: *const u32,
    /// Inputs of live rows; the caller's own memory when its layout allows; null for token inputs that were folded.
    pub x: *const E,
    /// Ids of live rows; null for dense inputs.
    pub ids: *const i32,
    pub gates: *mut E,
    pub recurrent: *mut E,
    /// States: `batch` initial rows, then live rows.
    pub h: *mut E,
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

/// The row order of a batch: see the module text.
#[derive(Clone, Copy)]
struct Order {
    batch: usize,
    steps: usize,
    reverse: bool,
    /// Every row lives through all steps: row order is the caller's.
    uniform: bool,
    data: *const u32,
}

impl Order {
    fn words(batch: usize, steps: usize) -> usize {
        2 * batch + steps + 1
    }

    fn of<E>(layer: &Layer<E>, data: *const u32) -> Self {
        let (batch, steps) = (layer.batch, layer.steps);
        Self { batch, steps, reverse: layer.reverse, uniform: layer.lengths.is_null(), data }
    }

    /// Counting sort by falling length.
    unsafe fn fill<E>(layer: &Layer<E>, data: *mut u32) -> Self {
        let (batch, steps) = (layer.batch, layer.steps);
        let offsets = data.add(2 * batch);
        let length = |row: usize| {
            if layer.lengths.is_null() {
                steps
            } else {
                ((*layer.lengths.add(row)).max(0) as usize).min(steps)
            }
        };
        let mut place = 0;
        if layer.lengths.is_null() {
            for row in 0..batch {
                *data.add(row) = row as u32;
                *data.add(batch + row) = steps as u32;
            }
        } else {
            // The offsets serve as the counters of the sort before they are filled: entry n counts rows of length n.
            for t in 0..=steps {
                *offsets.add(t) = 0;
            }
            for row in 0..batch {
                *offsets.add(length(row)) += 1;
            }
            for n in (0..=steps).rev() {
                let count = *offsets.add(n);
                *offsets.add(n) = place;
                place += count;
            }
            for row in 0..batch {
                let next = offsets.add(length(row));
                *data.add(*next as usize) = row as u32;
                *data.add(batch + *next as usize) = length(row) as u32;
                *next += 1;
            }
        }
        let (mut live, mut total) = (batch, 0);
        for t in 0..steps {
            *offsets.add(t) = total as u32;
            while live > 0 && (*data.add(batch + live - 1) as usize) <= t {
                live -= 1;
            }
            total += live;
        }
        *offsets.add(steps) = total as u32;
        Self::of(layer, data)
    }

    /// The caller's row.
    #[inline(always)]
    unsafe fn original(&self, row: usize) -> usize {
        *self.data.add(row) as usize
    }

    #[inline(always)]
    unsafe fn length(&self, row: usize) -> usize {
        *self.data.add(self.batch + row) as usize
    }

    /// The number of live rows before time t.
    #[inline(always)]
    unsafe fn offset(&self, t: usize) -> usize {
        *self.data.add(2 * self.batch + t) as usize
    }

    #[inline(always)]
    unsafe fn live(&self, t: usize) -> usize {
        self.offset(t + 1) - self.offset(t)
    }

    unsafe fn total(&self) -> usize {
        self.offset(self.steps)
    }

    /// The caller's time for step t of a row.
    #[inline(always)]
    unsafe fn time(&self, t: usize, row: usize) -> usize {
        if self.reverse {
            self.length(row) - 1 - t
        } else {
            t
        }
    }

    /// Where the state before step t begins in a state buffer: `batch` initial rows, then live rows.
    #[inline(always)]
    unsafe fn before(&self, t: usize) -> usize {
        if t == 0 {
            0
        } else {
            self.batch + self.offset(t - 1)
        }
    }

    /// The state row after the last step of a row.
    #[inline(always)]
    unsafe fn last(&self, row: usize) -> usize {
        match self.length(row) {
            0 => row,
            n => self.batch + self.offset(n - 1) + row,
        }
    }
}

#[inline(never)]
unsafe fn copy_row<L: Lane>(from: *const L::Elem, to: *mut L::Elem, count: usize) {
    let mut i = 0;
    while i + WIDTH <= count {
        L::load(from.add(i)).store(to.add(i));
        i += WIDTH;
    }
    while i < count {
        *to.add(i) = *from.add(i);
        i += 1;
    }
}

/// Arena memory that outlives the call.
fn keep<E>(count: usize) -> Result<*mut E, OutOfMemory> {
    memory::arena_elements(count).ok_or(OutOfMemory)
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
    let words = keep::<u32>(Order::words(layer.batch, layer.steps))?;
    let order = Order::fill(layer, words);
    let rows = order.total();
    let states = layer.batch + rows;
    let mut saved = Saved {
        order: words,
        x: null(),
        ids: null(),
        gates: keep(rows * s.row)?,
        recurrent: null_mut(),
        h: keep(states * s.state_padded)?,
        c: if C::HAS_MEMORY { keep(states * s.padded)? } else { null_mut() },
        unprojected: if s.projected { keep(rows * s.padded)? } else { null_mut() },
    };
    if C::SEPARATE_RECURRENT {
        saved.recurrent = keep(rows * s.row)?;
    }
    input_products::<L>(layer, s, order, rows, &mut saved)?;
    initial_states::<L>(layer.h0, order, s.state, s.state_padded, saved.h);
    if C::HAS_MEMORY {
        initial_states::<L>(layer.c0, order, s.hidden, s.padded, saved.c);
    }
    for t in 0..layer.steps {
        if order.live(t) == 0 {
            break;
        }
        forward_step::<L, C>(layer, s, order, &saved, t);
    }
    write_outputs::<L>(layer, s, order, &saved);
    if layer.training {
        layer.saved = saved;
        // What was saved stays in the arena until its scope ends.
        core::mem::forget(scratch);
    }
    Ok(())
}

unsafe fn step_at<L: Lane, C: Cell<L>>(
    layer: &Layer<L::Elem>,
    s: Sizes,
    order: Order,
    saved: &Saved<L::Elem>,
    t: usize,
) -> Step<L::Elem> {
    let (at, before) = (order.offset(t), order.before(t));
    let after = order.batch + at;
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
    if C::SEPARATE_RECURRENT {
        let bias = Init::Row(prepared.add(p.recurrent_bias).cast_const());
        gemm::<L>(step.rows, s.row, s.state, step.h_prev, s.state_padded, w_hh, bias, step.recurrent, s.row);
    } else {
        gemm::<L>(step.rows, s.row, s.state, step.h_prev, s.state_padded, w_hh, Init::Current, step.gates, s.row);
    }
    C::forward(&step);
    if s.projected {
        let h = saved.h.add((order.batch + order.offset(t)) * s.state_padded);
        gemm::<L>(step.rows, s.state, s.hidden, step.h, s.padded, prepared.add(p.w_hr), Init::Zero, h, s.state_padded);
    }
}

/// How token inputs are worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tokens {
    /// No ids: rows of x.
    Dense,
    OneHot,
    /// The whole table times W_ih once.
    Folded,
    /// Rows of the table as dense inputs.
    Gathered,
}

fn tokens<E>(layer: &Layer<E>, rows: usize) -> Tokens {
    if layer.ids.data.is_null() {
        Tokens::Dense
    } else if layer.table.is_null() {
        Tokens::OneHot
    } else if rows > layer.table_rows {
        Tokens::Folded
    } else {
        Tokens::Gathered
    }
}

/// gates = bias + x W_ih for all live rows of all time steps.
unsafe fn input_products<L: Lane>(
    layer: &Layer<L::Elem>,
    s: Sizes,
    order: Order,
    rows: usize,
    saved: &mut Saved<L::Elem>,
) -> Result<(), OutOfMemory> {
    let (p, prepared) = (s.prepared(), layer.prepared.cast_const());
    let (w_ih, bias) = (prepared.add(p.w_ih), prepared.add(p.bias));
    let mode = tokens(layer, rows);
    if mode == Tokens::Dense {
        saved.x = input_rows::<L>(layer, order, rows)?;
    } else {
        saved.ids = id_rows(layer, order, rows)?;
    }
    if mode == Tokens::Gathered {
        let x = keep::<L::Elem>(rows * s.input)?;
        for row in 0..rows {
            let id = *saved.ids.add(row) as usize;
            copy_row::<L>(layer.table.add(id * s.input), x.add(row * s.input), s.input);
        }
        saved.x = x;
    }
    match mode {
        Tokens::Dense | Tokens::Gathered => {
            gemm::<L>(rows, s.row, s.input, saved.x, s.input, w_ih, Init::Row(bias), saved.gates, s.row);
        }
        Tokens::OneHot => {
            for row in 0..rows {
                one_hot_row::<L>(s, w_ih, *saved.ids.add(row) as usize, bias, saved.gates.add(row * s.row));
            }
        }
        Tokens::Folded => {
            let scratch = Scratch::new();
            let products = scratch.take::<L::Elem>(layer.table_rows * s.row).ok_or(OutOfMemory)?;
            let init = Init::Row(bias);
            gemm::<L>(layer.table_rows, s.row, s.input, layer.table, s.input, w_ih, init, products, s.row);
            for row in 0..rows {
                let id = *saved.ids.add(row) as usize;
                copy_row::<L>(products.add(id * s.row), saved.gates.add(row * s.row), s.row);
            }
        }
    }
    Ok(())
}

/// bias + the column of W_ih for one token, from the packed panels: the same bits as the product with a one-hot row.
#[inline(never)]
unsafe fn one_hot_row<L: Lane>(s: Sizes, w_ih: *const L::Elem, id: usize, bias: *const L::Elem, to: *mut L::Elem) {
    for column in (0..s.row).step_by(WIDTH) {
        let from = w_ih.add((column / PANEL) * PANEL * s.input + id * PANEL + column % PANEL);
        (L::load(bias.add(column)) + L::load(from)).store(to.add(column));
    }
}

/// The inputs of live rows in working order: the caller's memory itself if it is in that order.
unsafe fn input_rows<L: Lane>(
    layer: &Layer<L::Elem>,
    order: Order,
    rows: usize,
) -> Result<*const L::Elem, OutOfMemory> {
    let (x, n) = (layer.x, layer.input);
    if in_working_order(layer, order, x.time, x.batch) {
        return Ok(x.data);
    }
    let to = keep::<L::Elem>(rows * n)?;
    for t in 0..order.steps {
        for row in 0..order.live(t) {
            let from = x.at(order.time(t, row), order.original(row));
            copy_row::<L>(x.data.add(from), to.add((order.offset(t) + row) * n), n);
        }
    }
    Ok(to)
}

fn in_working_order<E>(layer: &Layer<E>, order: Order, time: usize, batch: usize) -> bool {
    let n = layer.input;
    let strides = (order.batch == 1 || batch == n) && (order.steps == 1 || time == order.batch * n);
    order.uniform && !order.reverse && strides
}

unsafe fn id_rows<E>(layer: &Layer<E>, order: Order, rows: usize) -> Result<*const i32, OutOfMemory> {
    let to = keep::<i32>(rows)?;
    for t in 0..order.steps {
        for row in 0..order.live(t) {
            let from = layer.ids.at(order.time(t, row), order.original(row));
            *to.add(order.offset(t) + row) = *layer.ids.data.add(from);
        }
    }
    Ok(to)
}

/// The first `batch` rows of a state buffer, in working order, padded.
unsafe fn initial_states<L: Lane>(from: *const L::Elem, order: Order, size: usize, padded: usize, to: *mut L::Elem) {
    for row in 0..order.batch {
        let to = to.add(row * padded);
        if from.is_null() {
            fill_zero::<L>(to, padded);
        } else {
            copy_row::<L>(from.add(order.original(row) * size), to, size);
            fill_zero::<L>(to.add(size), padded - size);
        }
    }
}

unsafe fn write_outputs<L: Lane>(layer: &Layer<L::Elem>, s: Sizes, order: Order, saved: &Saved<L::Elem>) {
    for row in 0..order.batch {
        let (original, length, last) = (order.original(row), order.length(row), order.last(row));
        if !layer.h_n.is_null() {
            copy_row::<L>(saved.h.add(last * s.state_padded), layer.h_n.add(original * s.state), s.state);
        }
        if !layer.c_n.is_null() && !saved.c.is_null() {
            copy_row::<L>(saved.c.add(last * s.padded), layer.c_n.add(original * s.hidden), s.hidden);
        }
        if !layer.out.data.is_null() {
            for t in length..order.steps {
                fill_zero::<L>(layer.out.data.add(layer.out.at(t, original)), s.state);
            }
        }
    }
    if layer.out.data.is_null() {
        return;
    }
    for t in 0..order.steps {
        for row in 0..order.live(t) {
            let from = saved.h.add((order.batch + order.offset(t) + row) * s.state_padded);
            let to = layer.out.at(order.time(t, row), order.original(row));
            copy_row::<L>(from, layer.out.data.add(to), s.state);
        }
    }
}

unsafe fn backward_cell<L: Lane, C: Cell<L>>(layer: &Layer<L::Elem>) -> Result<(), OutOfMemory> {
    let scratch = Scratch::new();
    let (s, saved) = (layer.sizes(), &layer.saved);
    let order = Order::of(layer, saved.order);
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
    let gates = saved.gates.cast_const();
    let recurrent = if C::SEPARATE_RECURRENT { saved.recurrent.cast_const() } else { gates };
    if C::SEPARATE_RECURRENT {
        bias_gradients::<L>(s, rows, gates, [layer.d_b_ih, null_mut()])?;
        bias_gradients::<L>(s, rows, recurrent, [null_mut(), layer.d_b_hh])?;
    } else {
        bias_gradients::<L>(s, rows, gates, [layer.d_b_ih, layer.d_b_hh])?;
    }
    recurrent_gradients::<L>(layer, s, order, rows, recurrent)?;
    if s.projected && !layer.d_w_hr.is_null() {
        gemm_transposed::<L>(
            Gates::plain(s.state),
            s.hidden,
            rows,
            d_projected,
            s.state_padded,
            saved.unprojected,
            s.padded,
            layer.d_w_hr,
            s.hidden,
        )?;
    }
    input_gradients::<L>(layer, s, order, rows)
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
    if !layer.d_out.data.is_null() {
        for row in 0..step.rows {
            let from = layer.d_out.at(order.time(t, row), order.original(row));
            add_row::<L>(layer.d_out.data.add(from), dh.add(row * s.state_padded), s.state);
        }
    }
    if s.projected {
        let kept = d_projected.add(order.offset(t) * s.state_padded);
        copy_row::<L>(dh, kept, step.rows * s.state_padded);
        let w_hr = prepared.add(p.w_hr_back);
        gemm::<L>(step.rows, s.hidden, s.state, dh, s.state_padded, w_hr, Init::Zero, d_cell, s.padded);
    }
    step.dh = d_cell;
    step.dc = dc;
    C::backward(&step);
    let d_gates = if C::SEPARATE_RECURRENT { step.recurrent } else { step.gates };
    let init = if C::CARRIES_STATE { Init::Current } else { Init::Zero };
    let w_hh = prepared.add(p.w_hh_back);
    gemm::<L>(step.rows, s.state, s.gates.positions(), d_gates, s.row, w_hh, init, dh, s.state_padded);
}

/// The gradients of initial states, back in the caller's order.
unsafe fn add_states<L: Lane>(from: *const L::Elem, order: Order, size: usize, padded: usize, to: *mut L::Elem) {
    if to.is_null() {
        return;
    }
    for row in 0..order.batch {
        add_row::<L>(from.add(row * padded), to.add(order.original(row) * size), size);
    }
}

/// Bias gradients: the column sums of gate gradients, to each of the biases that share them.
unsafe fn bias_gradients<L: Lane>(
    s: Sizes,
    rows: usize,
    d_gates: *const L::Elem,
    biases: [*mut L::Elem; 2],
) -> Result<(), OutOfMemory> {
    if biases.iter().all(|bias| bias.is_null()) {
        return Ok(());
    }
    let scratch = Scratch::new();
    let sums = scratch.take::<L::Elem>(s.row).ok_or(OutOfMemory)?;
    fill_zero::<L>(sums, s.row);
    add_column_sums::<L>(d_gates, s.row, rows, s.gates.positions(), sums);
    for bias in biases.into_iter().filter(|bias| !bias.is_null()) {
        for gate in 0..s.gates.gates {
            add_row::<L>(sums.add(gate * s.padded), bias.add(gate * s.hidden), s.hidden);
        }
    }
    Ok(())
}

/// dW_hh += dG^T H_prev.
unsafe fn recurrent_gradients<L: Lane>(
    layer: &Layer<L::Elem>,
    s: Sizes,
    order: Order,
    rows: usize,
    d_gates: *const L::Elem,
) -> Result<(), OutOfMemory> {
    if layer.d_w_hh.is_null() {
        return Ok(());
    }
    let scratch = Scratch::new();
    let mut h_prev = layer.saved.h.cast_const();
    if !order.uniform {
        // States before live rows: rows that end leave gaps in the state buffer.
        let compact = scratch.take::<L::Elem>(rows * s.state_padded).ok_or(OutOfMemory)?;
        for t in 0..order.steps {
            let from = h_prev.add(order.before(t) * s.state_padded);
            copy_row::<L>(from, compact.add(order.offset(t) * s.state_padded), order.live(t) * s.state_padded);
        }
        h_prev = compact;
    }
    gemm_transposed::<L>(s.gates, s.state, rows, d_gates, s.row, h_prev, s.state_padded, layer.d_w_hh, s.state)
}

/// dW_ih and the gradient of what came in.
unsafe fn input_gradients<L: Lane>(
    layer: &Layer<L::Elem>,
    s: Sizes,
    order: Order,
    rows: usize,
) -> Result<(), OutOfMemory> {
    let saved = &layer.saved;
    let d_gates = saved.gates.cast_const();
    let w_ih = layer.prepared.cast_const().add(s.prepared().w_ih_back);
    match tokens(layer, rows) {
        Tokens::Dense => {
            if !layer.d_w_ih.is_null() {
                gemm_transposed::<L>(s.gates, s.input, rows, d_gates, s.row, saved.x, s.input, layer.d_w_ih, s.input)?;
            }
            if layer.d_x.data.is_null() {
                return Ok(());
            }
            let (d_x, depth) = (layer.d_x, s.gates.positions());
            if in_working_order(layer, order, d_x.time, d_x.batch) {
                gemm::<L>(rows, s.input, depth, d_gates, s.row, w_ih, Init::Current, d_x.data, s.input);
                return Ok(());
            }
            let scratch = Scratch::new();
            let part = scratch.take::<L::Elem>(rows * s.input).ok_or(OutOfMemory)?;
            gemm::<L>(rows, s.input, depth, d_gates, s.row, w_ih, Init::Zero, part, s.input);
            for t in 0..order.steps {
                for row in 0..order.live(t) {
                    let to = d_x.at(order.time(t, row), order.original(row));
                    let from = part.add((order.offset(t) + row) * s.input);
                    add_row::<L>(from, d_x.data.add(to), s.input);
                }
            }
        }
        Tokens::Gathered => {
            if !layer.d_w_ih.is_null() {
                gemm_transposed::<L>(s.gates, s.input, rows, d_gates, s.row, saved.x, s.input, layer.d_w_ih, s.input)?;
            }
            if !layer.d_table.is_null() {
                let scratch = Scratch::new();
                let part = scratch.take::<L::Elem>(rows * s.input).ok_or(OutOfMemory)?;
                let depth = s.gates.positions();
                gemm::<L>(rows, s.input, depth, d_gates, s.row, w_ih, Init::Zero, part, s.input);
                for row in 0..rows {
                    let id = *saved.ids.add(row) as usize;
                    add_row::<L>(part.add(row * s.input), layer.d_table.add(id * s.input), s.input);
                }
            }
        }
        Tokens::OneHot => {
            if !layer.d_w_ih.is_null() {
                one_hot_gradient::<L>(s, rows, d_gates, saved.ids, layer.d_w_ih)?;
            }
        }
        Tokens::Folded => {
            let scratch = Scratch::new();
            let sums = sums_by_token::<L>(&scratch, s, rows, d_gates, saved.ids, layer.table_rows)?;
            if !layer.d_w_ih.is_null() {
                gemm_transposed::<L>(
                    s.gates,
                    s.input,
                    layer.table_rows,
                    sums,
                    s.row,
                    layer.table,
                    s.input,
                    layer.d_w_ih,
                    s.input,
                )?;
            }
            if !layer.d_table.is_null() {
                let depth = s.gates.positions();
                let to = layer.d_table;
                gemm::<L>(layer.table_rows, s.input, depth, sums, s.row, w_ih, Init::Current, to, s.input);
            }
        }
    }
    Ok(())
}

/// Gate gradients summed by token: (tokens, row).
unsafe fn sums_by_token<L: Lane>(
    scratch: &Scratch,
    s: Sizes,
    rows: usize,
    d_gates: *const L::Elem,
    ids: *const i32,
    count: usize,
) -> Result<*const L::Elem, OutOfMemory> {
    let sums = scratch.take::<L::Elem>(count * s.row).ok_or(OutOfMemory)?;
    fill_zero::<L>(sums, count * s.row);
    for row in 0..rows {
        let id = *ids.add(row) as usize;
        add_row::<L>(d_gates.add(row * s.row), sums.add(id * s.row), s.row);
    }
    Ok(sums.cast_const())
}

/// dW_ih for one-hot inputs: column `id` gets the gate gradients of that token.
unsafe fn one_hot_gradient<L: Lane>(
    s: Sizes,
    rows: usize,
    d_gates: *const L::Elem,
    ids: *const i32,
    d_w_ih: *mut L::Elem,
) -> Result<(), OutOfMemory> {
    // Few rows and a large vocabulary: straight into the columns, without a pass over the whole matrix.
    if rows * 8 < s.input {
        for row in 0..rows {
            add_to_column::<L>(s, d_gates.add(row * s.row), d_w_ih.add(*ids.add(row) as usize));
        }
        return Ok(());
    }
    let scratch = Scratch::new();
    let sums = sums_by_token::<L>(&scratch, s, rows, d_gates, ids, s.input)?;
    let gate_rows = scratch.take::<L::Elem>(s.hidden * s.input).ok_or(OutOfMemory)?;
    for gate in 0..s.gates.gates {
        transpose::<L>(sums.add(gate * s.padded), s.row, s.input, s.hidden, gate_rows, s.input);
        add_row::<L>(gate_rows, d_w_ih.add(gate * s.hidden * s.input), s.hidden * s.input);
    }
    Ok(())
}

#[inline(never)]
unsafe fn add_to_column<L: Lane>(s: Sizes, from: *const L::Elem, to: *mut L::Elem) {
    for gate in 0..s.gates.gates {
        for unit in 0..s.hidden {
            *to.add((gate * s.hidden + unit) * s.input) += *from.add(gate * s.padded + unit);
        }
    }
}

#[cfg(test)]
mod tests;
