//! The row order of a batch, and what moves rows between the caller's tensors and working order: see
//! [`crate::sequence`].

use crate::gemm::{add_row, fill_zero};
use crate::memory::{self, OutOfMemory, Scratch};
use crate::simd::{Lane, WIDTH};
use core::ops::Range;

/// Rows of a (T, B, ...) tensor in any layout: element strides of time and batch; the last axis is contiguous.
#[derive(Clone, Copy)]
pub struct Strided<P> {
    pub data: P,
    pub time: usize,
    pub batch: usize,
}

impl<P> Strided<P> {
    #[inline(always)]
    pub fn at(&self, time: usize, row: usize) -> usize {
        time * self.time + row * self.batch
    }
}

/// Rows sorted by length, longest first, and where the live rows of each step begin.
#[derive(Clone, Copy)]
pub struct Order {
    pub batch: usize,
    pub steps: usize,
    reverse: bool,
    /// Every row lives through all steps: row order is the caller's.
    pub uniform: bool,
    data: *const u32,
}

impl Order {
    pub fn words(batch: usize, steps: usize) -> usize {
        2 * batch + steps + 1
    }

    /// The order that [`Order::fill`] left in `data`, for the same arguments.
    pub fn of(batch: usize, steps: usize, reverse: bool, lengths: *const i32, data: *const u32) -> Self {
        Self { batch, steps, reverse, uniform: lengths.is_null(), data }
    }

    /// Counting sort by falling length; no lengths: all are `steps`.
    ///
    /// # Safety
    /// `lengths` is null or has `batch` elements; `data` has [`Order::words`].
    pub unsafe fn fill(batch: usize, steps: usize, reverse: bool, lengths: *const i32, data: *mut u32) -> Self {
        let offsets = data.add(2 * batch);
        let length = |row: usize| {
            if lengths.is_null() {
                steps
            } else {
                ((*lengths.add(row)).max(0) as usize).min(steps)
            }
        };
        let mut place = 0;
        if lengths.is_null() {
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
        Self::of(batch, steps, reverse, lengths, data)
    }

    /// The caller's row.
    #[inline(always)]
    pub unsafe fn original(&self, row: usize) -> usize {
        *self.data.add(row) as usize
    }

    #[inline(always)]
    pub unsafe fn length(&self, row: usize) -> usize {
        *self.data.add(self.batch + row) as usize
    }

    /// The number of live rows before time t.
    #[inline(always)]
    pub unsafe fn offset(&self, t: usize) -> usize {
        *self.data.add(2 * self.batch + t) as usize
    }

    #[inline(always)]
    pub unsafe fn live(&self, t: usize) -> usize {
        self.offset(t + 1) - self.offset(t)
    }

    pub unsafe fn total(&self) -> usize {
        self.offset(self.steps)
    }

    /// The caller's time for step t of a row.
    #[inline(always)]
    pub unsafe fn time(&self, t: usize, row: usize) -> usize {
        if self.reverse {
            self.length(row) - 1 - t
        } else {
            t
        }
    }

    /// Where the state before step t begins in a state buffer: `batch` initial rows, then live rows.
    #[inline(always)]
    pub unsafe fn before(&self, t: usize) -> usize {
        if t == 0 {
            0
        } else {
            self.batch + self.offset(t - 1)
        }
    }

    /// The state row after the last step of a row.
    #[inline(always)]
    pub unsafe fn last(&self, row: usize) -> usize {
        match self.length(row) {
            0 => row,
            n => self.batch + self.offset(n - 1) + row,
        }
    }

    /// The caller's rows of `size` at these strides are the live rows in order, one after the other.
    pub fn is_layout(&self, time: usize, batch: usize, size: usize) -> bool {
        let strides = (self.batch == 1 || batch == size) && (self.steps == 1 || time == self.batch * size);
        self.uniform && !self.reverse && strides
    }
}

/// Arena memory of `rows` rows that outlives the call.
pub fn keep<E>(rows: usize, columns: usize) -> Result<*mut E, OutOfMemory> {
    rows.checked_mul(columns).and_then(memory::arena_elements).ok_or(OutOfMemory)
}

/// # Safety
/// Both have `count` elements.
#[inline(never)]
pub unsafe fn copy_row<L: Lane>(from: *const L::Elem, to: *mut L::Elem, count: usize) {
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

/// The first `batch` rows of a state buffer, in working order, padded; zeros when `from` is null.
///
/// # Safety
/// `from` has rows of `size`, `to` of `padded`.
pub unsafe fn initial_states<L: Lane>(
    from: *const L::Elem,
    order: Order,
    size: usize,
    padded: usize,
    to: *mut L::Elem,
) {
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

/// The state after the last step of each row of a state buffer, in the caller's order; `to` may be null.
///
/// # Safety
/// `from` holds `batch` initial rows and the live rows, or, `in_place`, the `batch` rows that every step replaces, of
/// `padded`; `to` has rows of `size`.
pub unsafe fn final_states<L: Lane>(
    from: *const L::Elem,
    order: Order,
    in_place: bool,
    size: usize,
    padded: usize,
    to: *mut L::Elem,
) {
    if to.is_null() {
        return;
    }
    for row in 0..order.batch {
        let last = if in_place { row } else { order.last(row) };
        copy_row::<L>(from.add(last * padded), to.add(order.original(row) * size), size);
    }
}

/// The gradients of initial states, back in the caller's order; `to` may be null.
///
/// # Safety
/// `from` has rows of `padded`, `to` of `size`.
pub unsafe fn add_states<L: Lane>(from: *const L::Elem, order: Order, size: usize, padded: usize, to: *mut L::Elem) {
    if to.is_null() {
        return;
    }
    for row in 0..order.batch {
        add_row::<L>(from.add(row * padded), to.add(order.original(row) * size), size);
    }
}

/// Zeros after each row's end in the caller's outputs; `to` may be null.
///
/// # Safety
/// `to` is (T, B, size).
pub unsafe fn clear_outputs<L: Lane>(order: Order, size: usize, to: Strided<*mut L::Elem>) {
    if to.data.is_null() || order.uniform {
        return;
    }
    for row in 0..order.batch {
        for t in order.length(row)..order.steps {
            fill_zero::<L>(to.data.add(to.at(t, order.original(row))), size);
        }
    }
}

/// The states of live rows after step t to the caller's outputs; `to` may be null.
///
/// # Safety
/// `from` has the step's live rows, of `padded`; `to` is (T, B, size).
pub unsafe fn write_outputs<L: Lane>(
    from: *const L::Elem,
    order: Order,
    t: usize,
    size: usize,
    padded: usize,
    to: Strided<*mut L::Elem>,
) {
    if to.data.is_null() {
        return;
    }
    for row in 0..order.live(t) {
        let at = to.at(order.time(t, row), order.original(row));
        copy_row::<L>(from.add(row * padded), to.data.add(at), size);
    }
}

/// The gradient of the outputs of step t, added to that of the state, in working order; `from` may be null.
///
/// # Safety
/// `from` is (T, B, size); `to` has the step's live rows, of `padded`.
pub unsafe fn add_outputs<L: Lane>(
    from: Strided<*const L::Elem>,
    order: Order,
    t: usize,
    size: usize,
    padded: usize,
    to: *mut L::Elem,
) {
    if from.data.is_null() {
        return;
    }
    for row in 0..order.live(t) {
        let at = from.at(order.time(t, row), order.original(row));
        add_row::<L>(from.data.add(at), to.add(row * padded), size);
    }
}

/// The caller's rows of `steps` in working order, each of `size` and zeros up to `padded`.
///
/// # Safety
/// `from` is (T, B, size); `to` has these live rows, of `padded`.
pub unsafe fn gather_rows<L: Lane>(
    from: Strided<*const L::Elem>,
    order: Order,
    steps: Range<usize>,
    size: usize,
    padded: usize,
    to: *mut L::Elem,
) {
    let first = order.offset(steps.start);
    for t in steps {
        for row in 0..order.live(t) {
            let at = from.at(order.time(t, row), order.original(row));
            let to = to.add((order.offset(t) - first + row) * padded);
            copy_row::<L>(from.data.add(at), to, size);
            if padded > size {
                fill_zero::<L>(to.add(size), padded - size);
            }
        }
    }
}

/// Adds rows in working order to the caller's.
///
/// # Safety
/// As [`gather_rows`] of all steps, with `from` and `to` exchanged.
pub unsafe fn scatter_rows<L: Lane>(
    from: *const L::Elem,
    order: Order,
    size: usize,
    padded: usize,
    to: Strided<*mut L::Elem>,
) {
    for t in 0..order.steps {
        for row in 0..order.live(t) {
            let at = to.at(order.time(t, row), order.original(row));
            add_row::<L>(from.add((order.offset(t) + row) * padded), to.data.add(at), size);
        }
    }
}

/// The states before live rows, one after the other: the state buffer itself, or, since rows that end leave gaps in it,
/// a copy.
///
/// # Safety
/// `states` holds `batch` initial rows and the live rows, of `padded`.
pub unsafe fn states_before<L: Lane>(
    scratch: &Scratch,
    states: *const L::Elem,
    order: Order,
    padded: usize,
) -> Result<*const L::Elem, OutOfMemory> {
    if order.uniform {
        return Ok(states);
    }
    let compact = scratch.take::<L::Elem>(order.total() * padded).ok_or(OutOfMemory)?;
    for t in 0..order.steps {
        let from = states.add(order.before(t) * padded);
        copy_row::<L>(from, compact.add(order.offset(t) * padded), order.live(t) * padded);
    }
    Ok(compact.cast_const())
}
