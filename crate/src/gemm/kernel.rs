//! Micro-kernels: one panel of sixteen columns times a few rows.
//!
//! Every output element is `init + a[0] b[0] + a[1] b[1] + ...`, k ascending, one multiplication and one addition at a
//! time (fused in the relaxed build), whatever the tile: the same bits in a tile of two rows, in one row, and across blocks of k.
//!
//! Sizes follow the engines: V8 has fifteen usable vector registers and hoists the loads of a basic block ahead of its
//! arithmetic, so accumulators, broadcasts and the panel row must fit together. Two rows of sixteen columns do
//! (8 + 2 + 4), and so does one row with k unrolled by two (4 + 2 + 8); wider tiles spill.

use crate::simd::{Lane, WIDTH};

/// Columns in a panel.
pub const PANEL: usize = 16;
const LANES: usize = PANEL / WIDTH;

#[inline(always)]
unsafe fn load_row<L: Lane>(from: *const L::Elem) -> [L; LANES] {
    [L::load(from), L::load(from.add(4)), L::load(from.add(8)), L::load(from.add(12))]
}

#[inline(always)]
unsafe fn store_row<L: Lane>(row: [L; LANES], to: *mut L::Elem) {
    row[0].store(to);
    row[1].store(to.add(4));
    row[2].store(to.add(8));
    row[3].store(to.add(12));
}

#[inline(always)]
fn multiply_add<L: Lane>(acc: [L; LANES], x: L, b: [L; LANES]) -> [L; LANES] {
    [x.mul_add(b[0], acc[0]), x.mul_add(b[1], acc[1]), x.mul_add(b[2], acc[2]), x.mul_add(b[3], acc[3])]
}

/// Two rows: `c[r][0..16] = init[r][0..16] + sum_k a[r][k] panel[k][0..16]`.
#[inline(always)]
unsafe fn tile_two<L: Lane>(
    depth: usize,
    a: *const L::Elem,
    lda: usize,
    panel: *const L::Elem,
    init: *const L::Elem,
    init_stride: usize,
    c: *mut L::Elem,
    ldc: usize,
) {
    let mut first = load_row::<L>(init);
    let mut second = load_row::<L>(init.add(init_stride));
    let (mut a0, mut a1, mut row) = (a, a.add(lda), panel);
    let end = panel.add(depth * PANEL);
    while row != end {
        let b = load_row::<L>(row);
        first = multiply_add(first, L::splat(*a0), b);
        second = multiply_add(second, L::splat(*a1), b);
        a0 = a0.add(1);
        a1 = a1.add(1);
        row = row.add(PANEL);
    }
    store_row(first, c);
    store_row(second, c.add(ldc));
}

/// One row.
#[inline(always)]
unsafe fn tile_one<L: Lane>(
    depth: usize,
    a: *const L::Elem,
    panel: *const L::Elem,
    init: *const L::Elem,
    c: *mut L::Elem,
) {
    let mut acc = load_row::<L>(init);
    let (mut x, mut row) = (a, panel);
    let end = panel.add((depth & !1) * PANEL);
    while row != end {
        let b0 = load_row::<L>(row);
        let b1 = load_row::<L>(row.add(PANEL));
        acc = multiply_add(acc, L::splat(*x), b0);
        acc = multiply_add(acc, L::splat(*x.add(1)), b1);
        x = x.add(2);
        row = row.add(2 * PANEL);
    }
    if depth & 1 == 1 {
        acc = multiply_add(acc, L::splat(*x), load_row::<L>(row));
    }
    store_row(acc, c);
}

/// `rows` rows against one whole panel. Not inlined: a caller with a loop over time would otherwise spend its whole
/// first call in the engine's baseline compiler.
///
/// # Safety
/// `a` has `rows` rows of `depth` at stride `lda`; `panel` has `depth` rows of 16; `init` and `c` have `rows` rows of
/// 16 at strides `init_stride` (0: one row for all) and `ldc`; `init` may be `c`.
#[inline(never)]
#[allow(clippy::too_many_arguments)] // the operands of a matrix product
pub unsafe fn panel_rows<L: Lane>(
    rows: usize,
    depth: usize,
    a: *const L::Elem,
    lda: usize,
    panel: *const L::Elem,
    init: *const L::Elem,
    init_stride: usize,
    c: *mut L::Elem,
    ldc: usize,
) {
    let mut r = 0;
    while r + 2 <= rows {
        tile_two::<L>(depth, a.add(r * lda), lda, panel, init.add(r * init_stride), init_stride, c.add(r * ldc), ldc);
        r += 2;
    }
    if r < rows {
        tile_one::<L>(depth, a.add(r * lda), panel, init.add(r * init_stride), c.add(r * ldc));
    }
}

/// As [`panel_rows`] for a panel of which only the first `columns` exist in `init` and `c`.
///
/// # Safety
/// As [`panel_rows`], with `columns` in place of 16 for `init` and `c`.
#[inline(never)]
#[allow(clippy::too_many_arguments)] // the operands of a matrix product
pub unsafe fn panel_rows_edge<L: Lane>(
    rows: usize,
    columns: usize,
    depth: usize,
    a: *const L::Elem,
    lda: usize,
    panel: *const L::Elem,
    init: *const L::Elem,
    init_stride: usize,
    c: *mut L::Elem,
    ldc: usize,
) {
    let mut tile = [L::zero(); LANES];
    let edge: *mut L::Elem = tile.as_mut_ptr().cast();
    for r in 0..rows {
        core::ptr::copy_nonoverlapping(init.add(r * init_stride), edge, columns);
        tile_one::<L>(depth, a.add(r * lda), panel, edge, edge);
        core::ptr::copy_nonoverlapping(edge, c.add(r * ldc), columns);
    }
}
