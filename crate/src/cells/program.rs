//! Compiled cells: a machine that runs a step program over whole sequences, forward and through time backward.
//!
//! The SDK traces the equations of a cell once, derives their backward and lays out a [`Program`] for given sizes; here
//! it is only carried out. A step is matrix products (those of the inputs were done for all steps beforehand, as in the
//! hand-fused cells) and blocks of pointwise operations, which run over chunks of rows that stay in the first-level
//! cache. Rows, lengths, direction, tokens and states are those of [`crate::sequence`].

pub(crate) mod code;
pub(crate) mod pointwise;

use crate::gemm::kernel::PANEL;
use crate::gemm::pack::{pack_rows, pack_transposed, packed_len, pad, Gates};
use crate::gemm::{add_column_sums, add_row, fill_zero, gemm, int8, weight_gradients, Init, WeightGradient};
use crate::memory::{OutOfMemory, Scratch};
use crate::ops::Invalid;
use crate::sequence::input::{input_gradients, Feed, Input, InputGradients, Rows};
use crate::sequence::order::{
    add_outputs, add_states, clear_outputs, copy_row, final_states, gather_rows, initial_states, keep, scatter_rows,
    states_before, write_outputs, Order, Strided,
};
use crate::sequence::stream::{int8_product, Product};
use crate::simd::{F32x4, Lane, Real};
use code::{BufferEntry, Code, Kind, MatrixEntry, Program, BACKWARD_ONLY, BLOCK_HEAD, OPERATION, WITHIN_STEP};
use core::ptr::{null, null_mut};
use pointwise::Run;

/// One call: a program over T steps of B rows. Null means absent; gradients are added to.
#[repr(C)]
pub struct Call<E> {
    pub program: *const i32,
    /// Packed weights, of [`prepared_len`]: see [`prepare`].
    pub prepared: *mut E,
    pub steps: usize,
    pub batch: usize,
    pub reverse: u32,
    /// (B) in any order, each 0..=T.
    pub lengths: *const i32,
    /// Keep what backward needs.
    pub training: u32,
    pub x: *const E,
    pub x_time: usize,
    pub x_batch: usize,
    pub ids: *const i32,
    pub ids_time: usize,
    pub ids_batch: usize,
    /// (V, I); null with ids: one-hot of I.
    pub table: *const E,
    pub table_rows: usize,
    pub out: *mut E,
    pub out_time: usize,
    pub out_batch: usize,
    /// Gradients have the strides of their values.
    pub d_out: *const E,
    pub d_x: *mut E,
    pub d_table: *mut E,
    pub saved: Saved<E>,
    /// Addresses and strides: see [`Pointers`].
    pub pointers: *const usize,
    /// How many weights there are among them.
    pub weights: usize,
}

/// What a forward pass leaves in the arena for its backward pass.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Saved<E> {
    /// See [`Order`].
    pub order: *const u32,
    /// See [`Rows`].
    pub x: *const E,
    pub ids: *const i32,
    pub buffers: *mut Buffer<E>,
    pub matrices: *mut Matrix<E>,
    /// A chunk of the widest buffer.
    pub chunk: *mut E,
    pub reserved: usize,
}

#[cfg(target_arch = "wasm32")]
const _: () = assert!(core::mem::offset_of!(Call<f32>, pointers) == 28 * 4, "the SDK fills words by their number");

/// The table behind [`Call::pointers`], by the program's counts: weights and their gradients; biases and theirs; vectors
/// and theirs; of states the initial, the final, the gradients of the final and of the initial; of extra inputs the
/// addresses, the strides of time, of batch, and the gradients.
struct Pointers {
    table: *const usize,
    weights: usize,
    biases: usize,
    vectors: usize,
    states: usize,
    inputs: usize,
}

impl Pointers {
    unsafe fn entry(&self, index: usize) -> usize {
        *self.table.add(index)
    }
    unsafe fn weight<E>(&self, i: usize) -> *const E {
        self.entry(i) as *const E
    }
    unsafe fn d_weight<E>(&self, i: usize) -> *mut E {
        self.entry(self.weights + i) as *mut E
    }
    unsafe fn bias<E>(&self, i: usize) -> *const E {
        self.entry(2 * self.weights + i) as *const E
    }
    unsafe fn d_bias<E>(&self, i: usize) -> *mut E {
        self.entry(2 * self.weights + self.biases + i) as *mut E
    }
    unsafe fn vector<E>(&self, i: usize) -> *const E {
        self.entry(2 * (self.weights + self.biases) + i) as *const E
    }
    unsafe fn d_vector<E>(&self, i: usize) -> *mut E {
        self.entry(2 * (self.weights + self.biases) + self.vectors + i) as *mut E
    }
    /// `which`: 0 the initial states, 1 the final, 2 the gradients of the final, 3 of the initial.
    unsafe fn state<E>(&self, which: usize, i: usize) -> *mut E {
        self.entry(2 * (self.weights + self.biases + self.vectors) + which * self.states + i) as *mut E
    }
    unsafe fn input_entry(&self, which: usize, i: usize) -> usize {
        let start = 2 * (self.weights + self.biases + self.vectors) + 4 * self.states;
        self.entry(start + which * self.inputs + i)
    }
    unsafe fn strided<P>(&self, i: usize, data: P) -> Strided<P> {
        Strided { data, time: self.input_entry(1, i), batch: self.input_entry(2, i) }
    }
    unsafe fn input<E>(&self, i: usize) -> Strided<*const E> {
        self.strided(i, self.input_entry(0, i) as *const E)
    }
    unsafe fn d_input<E>(&self, i: usize) -> Strided<*mut E> {
        self.strided(i, self.input_entry(3, i) as *mut E)
    }
}

impl<E> Call<E> {
    fn out(&self) -> Strided<*mut E> {
        Strided { data: self.out, time: self.out_time, batch: self.out_batch }
    }

    fn d_out(&self) -> Strided<*const E> {
        Strided { data: self.d_out, time: self.out_time, batch: self.out_batch }
    }

    fn d_x(&self) -> Strided<*mut E> {
        Strided { data: self.d_x, time: self.x_time, batch: self.x_batch }
    }

    fn pointers(&self, program: &Program) -> Pointers {
        Pointers {
            table: self.pointers,
            weights: self.weights,
            biases: program.biases,
            vectors: program.vectors,
            states: program.states,
            inputs: program.inputs,
        }
    }
}

/// A buffer in place.
#[derive(Clone, Copy)]
pub struct Buffer<E> {
    /// Its first row.
    start: *mut E,
    /// The first row of the step being worked on; after the sweep, the first of the rows of all steps.
    at: *mut E,
    /// Between rows, 0 when there is one for all.
    stride: usize,
    /// From `at` to the first row of a chunk, for each row before it.
    chunk: usize,
    place: Place,
}

/// Where in a buffer a step begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Step,
    State,
    Previous,
}

/// A matrix and its packed forms.
#[derive(Clone, Copy)]
pub struct Matrix<E> {
    entry: MatrixEntry,
    forward: *const E,
    backward: *const E,
}

/// Elements of a prepared block: biases, vectors, matrices forward, matrices backward.
///
/// # Safety
/// `program` is a program block.
pub unsafe fn prepared_len(program: *const i32) -> usize {
    let program = Program::at(program);
    let mut length = program.buffer(program.gates).stride;
    for i in 0..program.vectors {
        length += pad(program.vector(i).0);
    }
    for i in 0..program.matrices {
        let matrix = program.matrix(i);
        let positions = matrix.gates.positions();
        length += packed_len(positions, matrix.depth) + packed_len(matrix.depth, positions);
    }
    length
}

/// Checks the program and packs the weights into the prepared block: forward forms, and backward forms if asked for.
///
/// # Safety
/// `program` is a program block, `prepared` has [`prepared_len`] elements, the weights, biases and vectors among the
/// pointers have the shapes that the program gives them.
pub unsafe fn prepare<L: Lane>(call: &Call<L::Elem>, backward: bool) -> Result<(), Invalid> {
    let program = Program::at(call.program);
    program.check()?;
    let pointers = call.pointers(&program);
    let mut to = call.prepared;
    let columns = program.buffer(program.gates).stride;
    fill_zero::<L>(to, columns);
    for i in 0..program.biases {
        let entry = program.bias(i);
        let (bias, Gates { gates, hidden, padded }) = (pointers.bias::<L::Elem>(entry.number), entry.gates);
        if bias.is_null() {
            continue;
        }
        for gate in 0..gates {
            add_row::<L>(bias.add(gate * hidden), to.add(entry.column + gate * padded), hidden);
        }
    }
    to = to.add(columns);
    for i in 0..program.vectors {
        let (width, number) = program.vector(i);
        copy_row::<L>(pointers.vector(number), to, width);
        fill_zero::<L>(to.add(width), pad(width) - width);
        to = to.add(pad(width));
    }
    let backward_forms = [false, true];
    for form in backward_forms.into_iter().filter(|&form| backward || !form) {
        for i in 0..program.matrices {
            let matrix = program.matrix(i);
            let weight = pointers.weight::<L::Elem>(matrix.weight).add(matrix.first);
            let positions = matrix.gates.positions();
            if form {
                pack_rows::<L>(weight, matrix.stride, matrix.gates, matrix.depth, to);
                to = to.add(packed_len(matrix.depth, positions));
            } else {
                pack_transposed::<L>(weight, matrix.stride, matrix.gates, matrix.depth, to);
                to = to.add(packed_len(positions, matrix.depth));
            }
        }
    }
    Ok(())
}

/// Visits each matrix that has a form in 8 bits, with its place among these, in bytes. With ids there is none of the
/// matrix of x, whose product is a row of the packed one.
unsafe fn int8_forms(program: &Program, ids: bool, mut visit: impl FnMut(usize, usize)) {
    let mut end = 0;
    for i in (0..program.matrices).filter(|&i| !ids || program.x_matrix != Some(i)) {
        let matrix = program.matrix(i);
        visit(i, end);
        end += int8::bytes(matrix.gates.positions(), matrix.depth);
    }
}

/// Visits the prepared matrices of a call that have a form in 8 bits, in its order: panels, columns, depth.
///
/// # Safety
/// The weights are prepared.
pub unsafe fn matrices(call: &Call<f32>, mut visit: impl FnMut(*const f32, usize, usize)) {
    let program = Program::at(call.program);
    int8_forms(&program, !call.ids.is_null(), |i, _| {
        let MatrixEntry { gates, depth, .. } = program.matrix(i);
        visit(packed_form(&program, call.prepared, i), gates.positions(), depth);
    });
}

/// Where the forward form of a matrix is in a prepared block.
unsafe fn packed_form<E>(program: &Program, prepared: *const E, matrix: usize) -> *const E {
    let mut start = program.buffer(program.gates).stride + vector_start(program, program.vectors);
    for i in 0..matrix {
        let entry = program.matrix(i);
        start += packed_len(entry.gates.positions(), entry.depth);
    }
    prepared.add(start)
}

/// Where a vector begins among the prepared ones.
unsafe fn vector_start(program: &Program, vector: usize) -> usize {
    (0..vector).map(|i| pad(program.vector(i).0)).sum()
}

/// What carries out the instructions of a call.
struct Machine<E> {
    program: Program,
    /// What multiplies the one row there is, where the weights are in 8 bits.
    rounded: Option<Product<E>>,
    order: Order,
    /// Live rows of all steps.
    rows: usize,
    buffers: *mut Buffer<E>,
    matrices: *mut Matrix<E>,
    /// A chunk of the widest buffer, for operations that add to what is there.
    chunk: *mut E,
    /// Columns of G that products write.
    used: usize,
}

impl<E: Real> Machine<E> {
    unsafe fn matrix(&self, i: usize) -> &Matrix<E> {
        &*self.matrices.add(i)
    }

    unsafe fn buffer(&self, i: usize) -> &Buffer<E> {
        &*self.buffers.add(i)
    }

    /// The buffer's memory of this pass; kinds that have none of their own are null. What lives within a step starts as
    /// zeros, so that padding that no product writes stays finite.
    unsafe fn allocate<L: Lane<Elem = E>>(
        &self,
        entry: &BufferEntry,
        within_step: bool,
    ) -> Result<*mut E, OutOfMemory> {
        let rows = match entry.kind {
            Kind::Step if within_step => self.order.batch,
            Kind::Step | Kind::Input | Kind::InputGradient => self.rows,
            Kind::State => self.order.batch + self.rows,
            Kind::Carry | Kind::Batch => self.order.batch,
            Kind::Chunk => self.program.chunk.min(self.order.batch),
            Kind::VectorGradient => 1,
            Kind::Previous | Kind::Vector => return Ok(null_mut()),
        };
        let start = keep(rows, entry.stride)?;
        if matches!(entry.kind, Kind::Batch | Kind::Chunk) {
            fill_zero::<L>(start, rows * entry.stride);
        }
        Ok(start)
    }

    /// Places all buffers, and gives memory to those that the forward pass fills.
    unsafe fn lay_out<L: Lane<Elem = E>>(&self, prepared: *mut E, training: bool) -> Result<(), OutOfMemory> {
        for i in 0..self.program.buffers {
            let entry = self.program.buffer(i);
            let within_step = entry.flags & WITHIN_STEP != 0 && !training;
            let start = if is_of_backward(&entry) { null_mut() } else { self.allocate::<L>(&entry, within_step)? };
            let place = match entry.kind {
                Kind::Step if !within_step => Place::Step,
                Kind::Input | Kind::InputGradient => Place::Step,
                Kind::State => Place::State,
                Kind::Previous => Place::Previous,
                _ => Place::Start,
            };
            let stride = if entry.kind.is_one_row() { 0 } else { entry.stride };
            let chunk = if entry.kind == Kind::Chunk { 0 } else { stride };
            *self.buffers.add(i) = Buffer { start, at: start, stride, chunk, place };
        }
        let vectors = prepared.add(self.program.buffer(self.program.gates).stride);
        for i in 0..self.program.buffers {
            let entry = self.program.buffer(i);
            let start = &mut (*self.buffers.add(i)).start;
            match entry.kind {
                Kind::Previous => *start = self.buffer(self.program.state(entry.of).buffer).start,
                Kind::Vector => *start = vectors.add(vector_start(&self.program, entry.of)),
                _ => {}
            }
        }
        let mut to = packed_form(&self.program, prepared.cast_const(), 0);
        for backward in [false, true] {
            for i in 0..self.program.matrices {
                let entry = self.program.matrix(i);
                let positions = entry.gates.positions();
                let matrix = self.matrices.add(i);
                if backward {
                    (*matrix).backward = to;
                    to = to.add(packed_len(entry.depth, positions));
                } else {
                    *matrix = Matrix { entry, forward: to, backward: null() };
                    to = to.add(packed_len(positions, entry.depth));
                }
            }
        }
        Ok(())
    }

    /// Points every buffer at its rows of step t.
    unsafe fn place(&self, t: usize) {
        let (offset, before) = (self.order.offset(t), self.order.before(t));
        for i in 0..self.program.buffers {
            let buffer = &mut *self.buffers.add(i);
            let row = match buffer.place {
                Place::Start => 0,
                Place::Step => offset,
                Place::State => self.order.batch + offset,
                Place::Previous => before,
            };
            // Wrapping, since memory of the other pass is null.
            buffer.at = buffer.start.wrapping_add(row * buffer.stride);
        }
    }

    /// Columns that a product writes: whole panels where padding follows in G.
    unsafe fn columns(&self, matrix: &Matrix<E>, buffer: usize, column: usize) -> usize {
        let positions = matrix.entry.gates.positions();
        if buffer == self.program.gates && column + positions >= self.used {
            (positions.div_ceil(PANEL) * PANEL).min(self.buffer(buffer).stride - column)
        } else {
            positions
        }
    }

    /// c = init + x W^T for the first rows at these strides.
    #[allow(clippy::too_many_arguments)] // the operands and their shapes
    unsafe fn multiply<L: Lane<Elem = E>>(
        &self,
        rows: usize,
        matrix: &Matrix<E>,
        columns: usize,
        (x, x_stride): (*const E, usize),
        init: Init<E>,
        (c, c_stride): (*mut E, usize),
    ) -> Result<(), OutOfMemory> {
        let depth = matrix.entry.depth;
        match self.rounded {
            Some(product) => return product(columns, depth, x, matrix.forward, init, c),
            None => gemm::<L>(rows, columns, depth, x, x_stride, matrix.forward, init, c, c_stride),
        }
        Ok(())
    }

    /// The product of the inputs; `None` when nothing takes x.
    unsafe fn inputs(&self, call: &Call<E>) -> Option<(Input<E>, &Matrix<E>)> {
        let matrix = self.matrix(self.program.x_matrix?);
        let input = Input {
            size: self.program.input_size,
            x: Strided { data: call.x, time: call.x_time, batch: call.x_batch },
            ids: Strided { data: call.ids, time: call.ids_time, batch: call.ids_batch },
            table: call.table,
            table_rows: call.table_rows,
            gates: matrix.entry.gates,
            columns: self.columns(matrix, self.program.gates, self.program.x_column),
            row: self.buffer(self.program.gates).stride,
        };
        Some((input, matrix))
    }
}

fn is_of_backward(entry: &BufferEntry) -> bool {
    matches!(entry.kind, Kind::Carry | Kind::VectorGradient | Kind::InputGradient) || entry.flags & BACKWARD_ONLY != 0
}

/// One past the last column of G that a product writes.
unsafe fn columns_of_products(program: &Program) -> usize {
    let mut used = program.x_matrix.map_or(0, |matrix| program.x_column + program.matrix(matrix).gates.positions());
    let mut at = program.forward.start;
    while at < program.forward.end {
        if *at == code::PRODUCT && *at.add(5) as usize == program.gates {
            used = used.max(*at.add(6) as usize + program.matrix(*at.add(4) as usize).gates.positions());
        }
        at = at.add(*at.add(1) as usize);
    }
    used
}

/// Runs the program over its sequences: writes the outputs and the final states, and `saved` when training.
///
/// # Safety
/// Every pointer of the call is null where it may be, or has the shape that its name and the program give it; ids lie
/// in their table; the program has passed [`prepare`], and the weights are prepared.
pub unsafe fn forward<L: Lane>(call: &mut Call<L::Elem>) -> Result<(), OutOfMemory> {
    run::<L>(call, None)
}

/// As [`forward`] for one step of one row, with 8-bit weights.
///
/// # Safety
/// As [`forward`]; `weights` are those of [`matrices`], one after the other; ids select rows of no table.
pub unsafe fn step_int8(call: &mut Call<f32>, weights: *const i8) -> Result<(), OutOfMemory> {
    run::<F32x4>(call, Some((int8_product, weights)))
}

unsafe fn run<L: Lane>(
    call: &mut Call<L::Elem>,
    int8: Option<(Product<L::Elem>, *const i8)>,
) -> Result<(), OutOfMemory> {
    let scratch = Scratch::new();
    let program = Program::at(call.program);
    let pointers = call.pointers(&program);
    let training = call.training != 0;
    let words = keep::<u32>(1, Order::words(call.batch, call.steps))?;
    let order = Order::fill(call.batch, call.steps, call.reverse != 0, call.lengths, words);
    let mut widest = 0;
    for i in 0..program.buffers {
        widest = widest.max(program.buffer(i).stride);
    }
    let mut machine = Machine {
        program,
        rounded: int8.map(|(product, _)| product),
        order,
        rows: order.total(),
        buffers: keep(program.buffers, 1)?,
        matrices: keep(program.matrices, 1)?,
        chunk: null_mut(),
        used: columns_of_products(&program),
    };
    machine.lay_out::<L>(call.prepared, training)?;
    machine.chunk = keep(program.chunk.min(call.batch), widest)?;
    if let Some((_, weights)) = int8 {
        int8_forms(&program, !call.ids.is_null(), |i, at| {
            (*machine.matrices.add(i)).forward = weights.add(at).cast();
        });
    }
    let mut kept = Rows { x: null(), ids: null() };
    if let Some((input, matrix)) = machine.inputs(call) {
        let bias = call.prepared.add(program.x_column);
        let gates = machine.buffer(program.gates).start.add(program.x_column);
        if int8.is_some() && call.ids.is_null() {
            machine.multiply::<L>(1, matrix, input.columns, (call.x, 0), Init::Row(bias), (gates, 0))?;
        } else {
            let mut feed = Feed::new(&input, order, order.total())?;
            let during = Scratch::new();
            feed.fold::<L>(&input, matrix.forward, bias, &during)?;
            feed.products::<L>(&input, order, 0..call.steps, matrix.forward, bias, gates);
            kept = feed.rows();
        }
    }
    for i in 0..program.inputs {
        let input = program.input(i);
        let to = machine.buffer(input.buffer);
        gather_rows::<L>(pointers.input(i), order, 0..call.steps, input.width, to.stride, to.start);
    }
    for i in 0..program.states {
        let state = program.state(i);
        let to = machine.buffer(state.buffer);
        initial_states::<L>(pointers.state(0, i), order, state.width, to.stride, to.start);
    }
    let output = program.state(program.output);
    let states = machine.buffer(output.buffer);
    clear_outputs::<L>(order, output.width, call.out());
    for t in 0..call.steps {
        if order.live(t) == 0 {
            break;
        }
        step::<L>(&machine, call.prepared, t, program.forward)?;
        let from = states.start.add((order.batch + order.offset(t)) * states.stride);
        write_outputs::<L>(from, order, t, output.width, states.stride, call.out());
    }
    for i in 0..program.states {
        let state = program.state(i);
        let from = machine.buffer(state.buffer);
        final_states::<L>(from.start, order, false, state.width, from.stride, pointers.state(1, i));
    }
    if training {
        let Machine { buffers, matrices, chunk, .. } = machine;
        call.saved = Saved { order: words, x: kept.x, ids: kept.ids, buffers, matrices, chunk, reserved: 0 };
        // What was saved stays in the arena until its scope ends.
        core::mem::forget(scratch);
    }
    Ok(())
}

/// Back through time over what [`forward`] saved (which is spent afterwards): adds to every gradient that is not null.
///
/// # Safety
/// As [`forward`], after it, with the backward forms prepared; gradients have the shapes of their values.
pub unsafe fn backward<L: Lane>(call: &Call<L::Elem>) -> Result<(), OutOfMemory> {
    // Gives back what the pass keeps.
    let _scratch = Scratch::new();
    let program = Program::at(call.program);
    let (pointers, saved) = (call.pointers(&program), &call.saved);
    let order = Order::of(call.batch, call.steps, call.reverse != 0, call.lengths, saved.order);
    let machine = Machine {
        program,
        rounded: None,
        order,
        rows: order.total(),
        buffers: saved.buffers,
        matrices: saved.matrices,
        chunk: saved.chunk,
        used: columns_of_products(&program),
    };
    for i in 0..program.buffers {
        let entry = program.buffer(i);
        if is_of_backward(&entry) {
            (*machine.buffers.add(i)).start = machine.allocate::<L>(&entry, false)?;
        }
    }
    start_gradients::<L>(&machine, &pointers);
    let output = program.state(program.output);
    for t in (0..call.steps).rev() {
        if order.live(t) == 0 {
            continue;
        }
        if let Some(carry) = output.gradient {
            let to = machine.buffer(carry);
            add_outputs::<L>(call.d_out(), order, t, output.width, to.stride, to.start);
        }
        step::<L>(&machine, call.prepared, t, program.backward)?;
    }
    finish_gradients::<L>(&machine, &pointers);
    if machine.rows == 0 {
        return Ok(());
    }
    let inputs = machine.inputs(call);
    let mut x = None;
    let mut d = InputGradients { x: call.d_x(), table: call.d_table, weight: null_mut() };
    if let Some((input, matrix)) = &inputs {
        let d_w = slice_of(pointers.d_weight(matrix.entry.weight), matrix.entry.first);
        if saved.x.is_null() {
            d.weight = d_w;
        } else if !d_w.is_null() {
            x = Some(WeightGradient { x: saved.x, stride: input.size, columns: input.size, d_w });
        }
    }
    all_weight_gradients::<L>(&machine, &pointers, x)?;
    let Some((input, matrix)) = inputs else {
        return Ok(());
    };
    let d_gates = machine.buffer(program.d_gates).start.add(program.x_column);
    let kept = Rows { x: saved.x, ids: saved.ids };
    input_gradients::<L>(&input, order, kept, matrix.backward, d_gates, &d)
}

/// Gradients of final states to where they are carried, zeros to where sums begin.
unsafe fn start_gradients<L: Lane>(machine: &Machine<L::Elem>, pointers: &Pointers) {
    let program = &machine.program;
    for i in 0..program.states {
        let state = program.state(i);
        if let Some(carry) = state.gradient {
            let to = machine.buffer(carry);
            initial_states::<L>(pointers.state(2, i), machine.order, state.width, to.stride, to.start);
        }
    }
    for i in 0..program.buffers {
        let entry = program.buffer(i);
        let rows = match entry.kind {
            Kind::VectorGradient => 1,
            Kind::InputGradient => machine.rows,
            _ => continue,
        };
        fill_zero::<L>(machine.buffer(i).start, rows * entry.stride);
    }
}

/// Carried and summed gradients to the caller's.
unsafe fn finish_gradients<L: Lane>(machine: &Machine<L::Elem>, pointers: &Pointers) {
    let program = &machine.program;
    for i in 0..program.states {
        let state = program.state(i);
        if let Some(carry) = state.gradient {
            let from = machine.buffer(carry);
            add_states::<L>(from.start, machine.order, state.width, from.stride, pointers.state(3, i));
        }
    }
    for i in 0..program.inputs {
        let (input, d_input) = (program.input(i), pointers.d_input::<L::Elem>(i));
        if let (Some(from), false) = (input.gradient, d_input.data.is_null()) {
            let from = machine.buffer(from);
            scatter_rows::<L>(from.start, machine.order, input.width, from.stride, d_input);
        }
    }
    for i in 0..program.buffers {
        let entry = program.buffer(i);
        if entry.kind == Kind::VectorGradient {
            let (width, number) = program.vector(entry.of);
            let d_vector = pointers.d_vector::<L::Elem>(number);
            if !d_vector.is_null() {
                add_row::<L>(machine.buffer(i).start, d_vector, width);
            }
        }
    }
}

/// A part of a gradient, or null for that of a gradient that is not wanted.
unsafe fn slice_of<E>(gradient: *mut E, first: usize) -> *mut E {
    if gradient.is_null() {
        gradient
    } else {
        gradient.add(first)
    }
}

/// dW and db over the rows of all steps. `x` is the gradient of the matrix of x where there are rows of x: it comes with
/// that of a matrix of the same gates, if there is one, since their gradients are then packed once.
unsafe fn all_weight_gradients<L: Lane>(
    machine: &Machine<L::Elem>,
    pointers: &Pointers,
    mut x: Option<WeightGradient<L::Elem>>,
) -> Result<(), OutOfMemory> {
    let program = &machine.program;
    let scratch = Scratch::new();
    let d_gates = machine.buffer(program.d_gates);
    let sums = column_sums::<L>(machine, pointers, &scratch)?;
    for i in 0..program.buffers {
        // Not yet known: see `rows_of`.
        (*machine.buffers.add(i)).at = null_mut();
    }
    let of_x = program.x_matrix.map(|matrix| (program.x_column, program.matrix(matrix).gates));
    let mut at = program.gradients.start;
    while at < program.gradients.end {
        let word = |i: usize| *at.add(i) as usize;
        if *at == code::WEIGHT_GRADIENT {
            let (entry, column) = (program.matrix(word(2)), word(5));
            let d_w = slice_of(pointers.d_weight::<L::Elem>(entry.weight), entry.first);
            if !d_w.is_null() {
                let source = rows_of::<L>(machine, word(3), &scratch)?.add(word(4));
                let stride = machine.buffer(word(3)).stride;
                let own = WeightGradient { x: source, stride, columns: entry.depth, d_w };
                let with = if of_x == Some((column, entry.gates)) { x.take() } else { None };
                let from = d_gates.start.add(column);
                strided_gradients::<L>(machine.rows, &entry, from, d_gates.stride, own, with)?;
            }
        } else if !sums.is_null() {
            let bias = program.bias(word(2));
            let (d_bias, Gates { gates, hidden, padded }) = (pointers.d_bias::<L::Elem>(bias.number), bias.gates);
            for gate in (0..gates).filter(|_| !d_bias.is_null()) {
                add_row::<L>(sums.add(bias.column + gate * padded), d_bias.add(gate * hidden), hidden);
            }
        }
        at = at.add(word(1));
    }
    if let (Some(x), Some((column, gates))) = (x, of_x) {
        let from = d_gates.start.add(column);
        weight_gradients::<L, 1>(gates, machine.rows, from, d_gates.stride, [x], null_mut())?;
    }
    Ok(())
}

/// The sums of the columns of G's gradient, null when no bias wants them.
unsafe fn column_sums<L: Lane>(
    machine: &Machine<L::Elem>,
    pointers: &Pointers,
    scratch: &Scratch,
) -> Result<*const L::Elem, OutOfMemory> {
    let program = &machine.program;
    let mut columns = 0;
    for i in 0..program.biases {
        let bias = program.bias(i);
        if !pointers.d_bias::<L::Elem>(bias.number).is_null() {
            columns = columns.max(bias.column + bias.gates.positions());
        }
    }
    if columns == 0 {
        return Ok(null());
    }
    let sums = scratch.take::<L::Elem>(columns).ok_or(OutOfMemory)?;
    fill_zero::<L>(sums, columns);
    let d_gates = machine.buffer(program.d_gates);
    add_column_sums::<L>(d_gates.start, d_gates.stride, machine.rows, columns, sums);
    Ok(sums.cast_const())
}

/// The gradient of a matrix, which may be some columns of a weight, and another of the same gates.
unsafe fn strided_gradients<L: Lane>(
    rows: usize,
    entry: &MatrixEntry,
    d_gates: *const L::Elem,
    stride: usize,
    own: WeightGradient<L::Elem>,
    with: Option<WeightGradient<L::Elem>>,
) -> Result<(), OutOfMemory> {
    let scratch = Scratch::new();
    let (height, depth) = (entry.gates.gates * entry.gates.hidden, entry.depth);
    let mut whole = own;
    if entry.stride != depth {
        whole.d_w = scratch.take::<L::Elem>(height * depth).ok_or(OutOfMemory)?;
        fill_zero::<L>(whole.d_w, height * depth);
    }
    match with {
        Some(with) => weight_gradients::<L, 2>(entry.gates, rows, d_gates, stride, [with, whole], null_mut())?,
        None => weight_gradients::<L, 1>(entry.gates, rows, d_gates, stride, [whole], null_mut())?,
    }
    if entry.stride != depth {
        for row in 0..height {
            add_row::<L>(whole.d_w.add(row * depth), own.d_w.add(row * entry.stride), depth);
        }
    }
    Ok(())
}

/// The first of the rows of all steps, one after the other. States before ragged rows are put together once.
unsafe fn rows_of<L: Lane>(
    machine: &Machine<L::Elem>,
    i: usize,
    scratch: &Scratch,
) -> Result<*const L::Elem, OutOfMemory> {
    let buffer = &mut *machine.buffers.add(i);
    if buffer.at.is_null() {
        buffer.at = match buffer.place {
            Place::Previous => states_before::<L>(scratch, buffer.start, machine.order, buffer.stride)?.cast_mut(),
            Place::State => buffer.start.add(machine.order.batch * buffer.stride),
            _ => buffer.start,
        };
    }
    Ok(buffer.at.cast_const())
}

/// Carries out the code for one step. A function of its own, so that the engine optimises it while the sequence runs.
#[inline(never)]
unsafe fn step<L: Lane>(
    machine: &Machine<L::Elem>,
    bias: *const L::Elem,
    t: usize,
    code: Code,
) -> Result<(), OutOfMemory> {
    machine.place(t);
    let rows = machine.order.live(t);
    let mut at = code.start;
    while at < code.end {
        match *at {
            code::PRODUCT => product::<L>(machine, bias, at, rows)?,
            code::PRODUCT_BACK => product_back::<L>(machine, at, rows),
            _ => block::<L>(machine, at, rows),
        }
        at = at.add(*at.add(1) as usize);
    }
    Ok(())
}

unsafe fn product<L: Lane>(
    machine: &Machine<L::Elem>,
    bias: *const L::Elem,
    at: *const i32,
    rows: usize,
) -> Result<(), OutOfMemory> {
    let word = |i: usize| *at.add(i) as usize;
    let (from, to, matrix) = (machine.buffer(word(2)), machine.buffer(word(5)), machine.matrix(word(4)));
    let columns = machine.columns(matrix, word(5), word(6));
    let init = match word(7) {
        0 => Init::Zero,
        1 => Init::Current,
        _ => Init::Row(bias.add(word(6))),
    };
    let (source, target) = (from.at.add(word(3)), to.at.add(word(6)));
    machine.multiply::<L>(rows, matrix, columns, (source, from.stride), init, (target, to.stride))
}

unsafe fn product_back<L: Lane>(machine: &Machine<L::Elem>, at: *const i32, rows: usize) {
    let word = |i: usize| *at.add(i) as usize;
    let (from, to, matrix) = (machine.buffer(word(2)), machine.buffer(word(5)), machine.matrix(word(4)));
    let init = if word(7) == 0 { Init::Zero } else { Init::Current };
    let (source, target) = (from.at.add(word(3)), to.at.add(word(6)));
    let positions = matrix.entry.gates.positions();
    gemm::<L>(rows, matrix.entry.depth, positions, source, from.stride, matrix.backward, init, target, to.stride);
}

/// All operations of a block over a chunk of rows, then over the next.
unsafe fn block<L: Lane>(machine: &Machine<L::Elem>, at: *const i32, rows: usize) {
    let operations = (*at.add(1) as usize - BLOCK_HEAD) / OPERATION;
    let mut start = 0;
    while start < rows {
        let count = machine.program.chunk.min(rows - start);
        for i in 0..operations {
            operation::<L>(machine, at.add(BLOCK_HEAD + i * OPERATION), start, count);
        }
        start += count;
    }
}

/// One operation over the rows from `start` of this step.
#[inline(never)]
unsafe fn operation<L: Lane>(machine: &Machine<L::Elem>, at: *const i32, start: usize, rows: usize) {
    let width = *at.add(1) as usize;
    let lanes = pad(width);
    let operand = |word: usize| {
        let (id, column) = (*at.add(word), *at.add(word + 1) as usize);
        if id < 0 {
            return (null_mut(), lanes);
        }
        let buffer = machine.buffer(id as usize);
        (buffer.at.add(start * buffer.chunk + column), buffer.stride)
    };
    let ((out, out_stride), (a, a_stride), (b, b_stride), (c, c_stride)) =
        (operand(4), operand(6), operand(8), operand(10));
    let code = *at as u32;
    let immediate = L::Elem::from_f64(f64::from(f32::from_bits(*at.add(2) as u32)));
    let strides = [out_stride, a_stride, b_stride, c_stride];
    let r = Run { rows, width, lanes, immediate, out, a, b, c, strides };
    let accumulate = *at.add(3) & 1 != 0;
    let in_chunk = Run { out: machine.chunk, strides: [lanes, a_stride, b_stride, c_stride], ..r };
    match code {
        pointwise::COLUMN_SUM | pointwise::ZERO_PAD => pointwise::run::<L>(code, &r),
        _ if pointwise::adds(code) == accumulate => pointwise::run::<L>(code, &r),
        _ if !accumulate => {
            fill_zero::<L>(machine.chunk, rows * lanes);
            pointwise::run::<L>(code, &in_chunk);
            let strides = [out_stride, lanes, lanes, lanes];
            pointwise::run::<L>(pointwise::COPY, &Run { a: machine.chunk, strides, ..r });
        }
        pointwise::COPY => {
            let strides = [out_stride, out_stride, a_stride, lanes];
            pointwise::run::<L>(pointwise::ADD, &Run { a: out, b: a, strides, ..r });
        }
        pointwise::MUL => {
            let strides = [out_stride, a_stride, b_stride, out_stride];
            pointwise::run::<L>(pointwise::MULTIPLY_ADD, &Run { c: out, strides, ..r });
        }
        _ => {
            pointwise::run::<L>(code, &in_chunk);
            for row in 0..rows {
                let count = pointwise::written(code, &r);
                add_row::<L>(machine.chunk.add(row * lanes), out.add(row * out_stride), count);
            }
        }
    }
}

#[cfg(test)]
mod tests;
