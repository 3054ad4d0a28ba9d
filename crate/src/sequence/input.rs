//! The product of what comes in with its weights, for all time steps at once, forward and backward: dense rows or
//! tokens.
//!
//! Ids select rows of a table (an embedding) or of the identity (one-hot). A one-hot product is a row of W^T,
//! gathered; a table smaller than the number of rows is multiplied by W once and its products gathered, and likewise
//! backward: gate gradients are summed by token before they meet a matrix.

use super::order::{copy_row, gather_rows, keep, scatter_rows, Order, Strided};
use crate::gemm::kernel::PANEL;
use crate::gemm::pack::{transpose_add, Gates};
use crate::gemm::{add_row, fill_zero, gemm, weight_gradients, Init, WeightGradient};
use crate::memory::{OutOfMemory, Scratch};
use crate::simd::{Lane, Real, WIDTH};
use core::ops::Range;
use core::ptr::{null, null_mut};

/// How token inputs are worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// No ids: rows of x.
    Dense,
    OneHot,
    /// The whole table times W once.
    Folded,
    /// Rows of the table as dense inputs.
    Gathered,
}

/// What comes in, and where its product goes. I is the size of an input, V the number of tokens.
pub struct Input<E> {
    pub size: usize,
    pub x: Strided<*const E>,
    pub ids: Strided<*const i32>,
    /// (V, I); null with ids: one-hot of I.
    pub table: *const E,
    pub table_rows: usize,
    /// How the rows of W spread over the columns of the product.
    pub gates: Gates,
    /// Columns that are written: those of the gates, and padding after them.
    pub columns: usize,
    /// Between rows of the product.
    pub row: usize,
}

/// Inputs of live rows.
#[derive(Clone, Copy)]
pub struct Rows<E> {
    /// The caller's own memory when its layout allows; null for token inputs that were folded.
    pub x: *const E,
    /// Null for dense inputs.
    pub ids: *const i32,
}

/// Gradients, added to; null where not wanted.
pub struct InputGradients<E> {
    pub x: Strided<*mut E>,
    pub table: *mut E,
    pub weight: *mut E,
}

impl<E> Input<E> {
    fn tokens(&self, rows: usize) -> Tokens {
        if self.ids.data.is_null() {
            Tokens::Dense
        } else if self.table.is_null() {
            Tokens::OneHot
        } else if rows > self.table_rows {
            Tokens::Folded
        } else {
            Tokens::Gathered
        }
    }
}

/// What comes in, on its way into products of some steps at a time.
pub struct Feed<E> {
    tokens: Tokens,
    /// Of the steps under way, which are all of them for a pass that keeps them.
    x: *mut E,
    /// Where the caller's own memory serves as it lies: all steps.
    whole: *const E,
    ids: *mut i32,
    /// The table times W.
    folded: *const E,
}

impl<E: Real> Feed<E> {
    /// Room in the arena for the inputs of at most `rows` live rows at a time.
    ///
    /// # Safety
    /// As [`Feed::products`].
    pub unsafe fn new(input: &Input<E>, order: Order, rows: usize) -> Result<Self, OutOfMemory> {
        let tokens = input.tokens(order.total());
        let direct = tokens == Tokens::Dense && order.is_layout(input.x.time, input.x.batch, input.size);
        let gathers = tokens == Tokens::Gathered || (tokens == Tokens::Dense && !direct);
        Ok(Self {
            tokens,
            x: if gathers { keep(rows, input.size)? } else { null_mut() },
            whole: if direct { input.x.data } else { null() },
            ids: if tokens == Tokens::Dense { null_mut() } else { keep(rows, 1)? },
            folded: null(),
        })
    }

    /// Multiplies the table, if that is to be done once for all rows; the product lives in `scratch`.
    ///
    /// # Safety
    /// As [`Feed::products`].
    pub unsafe fn fold<L: Lane<Elem = E>>(
        &mut self,
        input: &Input<E>,
        weight: *const E,
        bias: *const E,
        scratch: &Scratch,
    ) -> Result<(), OutOfMemory> {
        if self.tokens == Tokens::Folded {
            let (count, columns, n) = (input.table_rows, input.columns, input.size);
            let products = scratch.take::<E>(count * columns).ok_or(OutOfMemory)?;
            gemm::<L>(count, columns, n, input.table, n, weight, Init::Row(bias), products, columns);
            self.folded = products;
        }
        Ok(())
    }

    /// gates = bias + x W^T for the live rows of `steps`; `weight` is packed by
    /// [`crate::gemm::pack::pack_transposed`].
    ///
    /// # Safety
    /// The pointers of `input` are null where they may be, or have the shapes of their fields; `bias` has `columns`,
    /// `gates` those rows, which are no more than this was made for; it was folded.
    pub unsafe fn products<L: Lane<Elem = E>>(
        &self,
        input: &Input<E>,
        order: Order,
        steps: Range<usize>,
        weight: *const E,
        bias: *const E,
        gates: *mut E,
    ) {
        let (first, n) = (order.offset(steps.start), input.size);
        let rows = order.offset(steps.end) - first;
        if self.tokens != Tokens::Dense {
            gather_ids(input, order, steps.clone(), self.ids);
        }
        match self.tokens {
            Tokens::Dense | Tokens::Gathered => {
                let mut x = self.x.cast_const();
                if self.tokens == Tokens::Gathered {
                    for row in 0..rows {
                        copy_row::<L>(input.table.add(*self.ids.add(row) as usize * n), self.x.add(row * n), n);
                    }
                } else if self.whole.is_null() {
                    gather_rows::<L>(input.x, order, steps, n, n, self.x);
                } else {
                    x = self.whole.add(first * n);
                }
                gemm::<L>(rows, input.columns, n, x, n, weight, Init::Row(bias), gates, input.row);
            }
            Tokens::OneHot => {
                for row in 0..rows {
                    one_hot_row::<L>(input, weight, *self.ids.add(row) as usize, bias, gates.add(row * input.row));
                }
            }
            Tokens::Folded => {
                for row in 0..rows {
                    let from = self.folded.add(*self.ids.add(row) as usize * input.columns);
                    copy_row::<L>(from, gates.add(row * input.row), input.columns);
                }
            }
        }
    }

    /// What a backward pass needs, after products of all steps at once.
    pub fn rows(&self) -> Rows<E> {
        Rows { x: if self.whole.is_null() { self.x } else { self.whole }, ids: self.ids }
    }
}

/// bias + the column of W for one token, from the packed panels: the same bits as the product with a one-hot row.
///
/// # Safety
/// As [`Feed::products`]; `id` is one of `input.size`, `to` has `input.columns`.
#[inline(never)]
pub unsafe fn one_hot_row<L: Lane>(
    input: &Input<L::Elem>,
    weight: *const L::Elem,
    id: usize,
    bias: *const L::Elem,
    to: *mut L::Elem,
) {
    for column in (0..input.columns).step_by(WIDTH) {
        let from = weight.add((column / PANEL) * PANEL * input.size + id * PANEL + column % PANEL);
        (L::load(bias.add(column)) + L::load(from)).store(to.add(column));
    }
}

unsafe fn gather_ids<E>(input: &Input<E>, order: Order, steps: Range<usize>, mut to: *mut i32) {
    for t in steps {
        for row in 0..order.live(t) {
            *to = *input.ids.data.add(input.ids.at(order.time(t, row), order.original(row)));
            to = to.add(1);
        }
    }
}

/// dW and the gradient of what came in; `weight` is packed by [`crate::gemm::pack::pack_rows`].
///
/// # Safety
/// As [`Feed::products`], after it for all steps, with its `kept` rows; `d_gates` is laid out as its product, gradients
/// as their values.
pub unsafe fn input_gradients<L: Lane>(
    input: &Input<L::Elem>,
    order: Order,
    kept: Rows<L::Elem>,
    weight: *const L::Elem,
    d_gates: *const L::Elem,
    d: &InputGradients<L::Elem>,
) -> Result<(), OutOfMemory> {
    let (rows, n, row, gates) = (order.total(), input.size, input.row, input.gates);
    let depth = gates.positions();
    match input.tokens(rows) {
        Tokens::Dense => {
            let weights = WeightGradient { x: kept.x, stride: n, columns: n, d_w: d.weight };
            weight_gradients::<L, 1>(gates, rows, d_gates, row, [weights], null_mut())?;
            if d.x.data.is_null() {
                return Ok(());
            }
            if order.is_layout(d.x.time, d.x.batch, n) {
                gemm::<L>(rows, n, depth, d_gates, row, weight, Init::Current, d.x.data, n);
                return Ok(());
            }
            let scratch = Scratch::new();
            let part = scratch.take::<L::Elem>(rows * n).ok_or(OutOfMemory)?;
            gemm::<L>(rows, n, depth, d_gates, row, weight, Init::Zero, part, n);
            scatter_rows::<L>(part, order, n, n, d.x);
        }
        Tokens::Gathered => {
            let weights = WeightGradient { x: kept.x, stride: n, columns: n, d_w: d.weight };
            weight_gradients::<L, 1>(gates, rows, d_gates, row, [weights], null_mut())?;
            if !d.table.is_null() {
                let scratch = Scratch::new();
                let part = scratch.take::<L::Elem>(rows * n).ok_or(OutOfMemory)?;
                gemm::<L>(rows, n, depth, d_gates, row, weight, Init::Zero, part, n);
                for row in 0..rows {
                    let id = *kept.ids.add(row) as usize;
                    add_row::<L>(part.add(row * n), d.table.add(id * n), n);
                }
            }
        }
        Tokens::OneHot => {
            if !d.weight.is_null() {
                one_hot_gradient::<L>(input, rows, d_gates, kept.ids, d.weight)?;
            }
        }
        Tokens::Folded => {
            let scratch = Scratch::new();
            let (count, columns) = (input.table_rows, input.columns);
            let sums = sums_by_token::<L>(&scratch, input, rows, d_gates, kept.ids, count)?;
            let weights = WeightGradient { x: input.table, stride: n, columns: n, d_w: d.weight };
            weight_gradients::<L, 1>(gates, count, sums, columns, [weights], null_mut())?;
            if !d.table.is_null() {
                gemm::<L>(count, n, depth, sums, columns, weight, Init::Current, d.table, n);
            }
        }
    }
    Ok(())
}

/// Gate gradients summed by token: (tokens, columns).
unsafe fn sums_by_token<L: Lane>(
    scratch: &Scratch,
    input: &Input<L::Elem>,
    rows: usize,
    d_gates: *const L::Elem,
    ids: *const i32,
    count: usize,
) -> Result<*const L::Elem, OutOfMemory> {
    let columns = input.columns;
    let sums = scratch.take::<L::Elem>(count * columns).ok_or(OutOfMemory)?;
    fill_zero::<L>(sums, count * columns);
    for row in 0..rows {
        let id = *ids.add(row) as usize;
        add_row::<L>(d_gates.add(row * input.row), sums.add(id * columns), columns);
    }
    Ok(sums.cast_const())
}

/// dW for one-hot inputs: column `id` gets the gate gradients of that token.
unsafe fn one_hot_gradient<L: Lane>(
    input: &Input<L::Elem>,
    rows: usize,
    d_gates: *const L::Elem,
    ids: *const i32,
    d_weight: *mut L::Elem,
) -> Result<(), OutOfMemory> {
    let Input { size, gates, columns, .. } = *input;
    // Few rows and a large vocabulary: straight into the columns, without a pass over the whole matrix.
    if rows * 8 < size {
        for row in 0..rows {
            let id = *ids.add(row) as usize;
            add_to_column::<L>(gates, size, d_gates.add(row * input.row), d_weight.add(id));
        }
        return Ok(());
    }
    let scratch = Scratch::new();
    let sums = sums_by_token::<L>(&scratch, input, rows, d_gates, ids, size)?;
    for gate in 0..gates.gates {
        let to = d_weight.add(gate * gates.hidden * size);
        transpose_add::<L>(sums.add(gate * gates.padded), columns, size, gates.hidden, to, size);
    }
    Ok(())
}

#[inline(never)]
unsafe fn add_to_column<L: Lane>(gates: Gates, stride: usize, from: *const L::Elem, to: *mut L::Elem) {
    for gate in 0..gates.gates {
        for unit in 0..gates.hidden {
            *to.add((gate * gates.hidden + unit) * stride) += *from.add(gate * gates.padded + unit);
        }
    }
}
