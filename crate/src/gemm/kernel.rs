//! Micro-kernels: one panel of sixteen columns times a few rows.
//!
//! Every output element is `init + a[0] b[0] + a[1] b[1] + ...`, k ascending, one multiplication and one addition at a
//! time (fused in the relaxed build), whatever the tile: the same bits in a tile of two rows, in one row, and across blocks of k.
//!
//! Sizes follow the engines: V8 has fifteen usable vector registers and hoists the loads of a basic block ahead of its
//! arithmetic, so accumulators, broadcasts and the panel row must fit together. Two rows of sixteen columns do
//! (8 + 2 + 4), and so does one row with k unrolled by two (4 + 2 + 8); wider tiles spill. Fused additions, which take
//! longer, want more sums at once: one row takes two panels then.
//!
//! Where the engine joins pairs of 128-bit instructions (V8's `--experimental-wasm-revectorize`) all that takes half the
//! registers, and half as many sums are under way: [`wide_tiles`] takes more rows, or panels, at once, in the relaxed
//! build, which alone is worth the bytes. For the engine to find the pairs their loads have one base and constant
//! offsets, which `-disable-lsr` in .cargo/config.toml keeps, and the stores of a row follow one another, which here
//! takes writing the last row first (the engine's `--trace-wasm-revectorize` tells).

use crate::simd::{load_lanes, store_lanes, Lane, WIDTH};
use core::array::from_fn;
use core::sync::atomic::{AtomicBool, Ordering};

/// Columns in a panel.
pub const PANEL: usize = 16;
const LANES: usize = PANEL / WIDTH;

/// Whether fused additions are compiled in.
const FUSED: bool = cfg!(target_feature = "relaxed-simd");

static WIDE: AtomicBool = AtomicBool::new(false);

/// Takes the tiles for registers of 256 bits from now on, or those for 128, if fused; the bits stay.
pub fn wide_tiles(on: bool) {
    WIDE.store(on, Ordering::Relaxed);
}

fn wide() -> bool {
    WIDE.load(Ordering::Relaxed)
}

#[inline(always)]
fn multiply_add<L: Lane, const N: usize>(acc: [L; N], x: L, b: [L; N]) -> [L; N] {
    from_fn(|lane| x.mul_add(b[lane], acc[lane]))
}

/// `R` rows of the first `N` lanes: `c[r][..] = init[r][..] + sum_k a[r][k] panel[k][..]`.
#[inline(always)]
unsafe fn tile<L: Lane, const R: usize, const N: usize>(
    depth: usize,
    a: *const L::Elem,
    lda: usize,
    panel: *const L::Elem,
    init: *const L::Elem,
    init_stride: usize,
    c: *mut L::Elem,
    ldc: usize,
) {
    let mut acc: [[L; N]; R] = from_fn(|r| load_lanes(init.add(r * init_stride)));
    let mut a: [*const L::Elem; R] = from_fn(|r| a.add(r * lda));
    let mut row = panel;
    let end = panel.add(depth * PANEL);
    while row != end {
        let b = load_lanes(row);
        for r in 0..R {
            acc[r] = multiply_add(acc[r], L::splat(*a[r]), b);
            a[r] = a[r].add(1);
        }
        row = row.add(PANEL);
    }
    let mut to = c.add(R * ldc);
    for acc in acc.into_iter().rev() {
        to = to.sub(ldc);
        store_lanes(acc, to);
    }
}

/// One row against `P` panels `stride` apart: `c[0..16 P] = init[0..16 P] + sum_k a[k] panels[k][0..16 P]`.
#[inline(always)]
unsafe fn tile_row<L: Lane, const P: usize>(
    depth: usize,
    a: *const L::Elem,
    panels: *const L::Elem,
    stride: usize,
    init: *const L::Elem,
    c: *mut L::Elem,
) {
    let mut acc: [[L; LANES]; P] = from_fn(|p| load_lanes(init.add(p * PANEL)));
    // One panel alone: two steps at once.
    let unroll = if P == 1 { 2 } else { 1 };
    let (mut x, mut row) = (a, panels);
    let end = panels.add(depth / unroll * unroll * PANEL);
    while row != end {
        for (p, acc) in acc.iter_mut().enumerate() {
            let row = row.add(p * stride);
            *acc = multiply_add(*acc, L::splat(*x), load_lanes(row));
            if unroll == 2 {
                *acc = multiply_add(*acc, L::splat(*x.add(1)), load_lanes(row.add(PANEL)));
            }
        }
        x = x.add(unroll);
        row = row.add(unroll * PANEL);
    }
    if depth % unroll == 1 {
        for (p, acc) in acc.iter_mut().enumerate() {
            *acc = multiply_add(*acc, L::splat(*x), load_lanes(row.add(p * stride)));
        }
    }
    let mut to = c;
    for acc in acc {
        store_lanes(acc, to);
        to = to.add(PANEL);
    }
}

/// One row against `count` whole panels `stride` apart.
///
/// # Safety
/// `a` has `depth` elements; each panel has `depth` rows of 16; `init` and `c`, which may be the same, have 16 elements a
/// panel, one after the other.
#[inline(never)]
pub unsafe fn row_panels<L: Lane>(
    count: usize,
    depth: usize,
    a: *const L::Elem,
    panels: *const L::Elem,
    stride: usize,
    init: *const L::Elem,
    c: *mut L::Elem,
) {
    let mut p = 0;
    while FUSED && wide() && p + 4 <= count {
        tile_row::<L, 4>(depth, a, panels.add(p * stride), stride, init.add(p * PANEL), c.add(p * PANEL));
        p += 4;
    }
    while FUSED && p + 2 <= count {
        tile_row::<L, 2>(depth, a, panels.add(p * stride), stride, init.add(p * PANEL), c.add(p * PANEL));
        p += 2;
    }
    while p < count {
        tile_row::<L, 1>(depth, a, panels.add(p * stride), stride, init.add(p * PANEL), c.add(p * PANEL));
        p += 1;
    }
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
    // Addresses that move on, not ones made of a row's number: they are what every tile waits for first.
    let (mut left, mut a, mut init, mut c) = (rows, a, init, c);
    macro_rules! tiles {
        ($height:literal) => {
            tile::<L, $height, LANES>(depth, a, lda, panel, init, init_stride, c, ldc);
            left -= $height;
            a = a.add($height * lda);
            init = init.add($height * init_stride);
            c = c.add($height * ldc);
        };
    }
    if FUSED && wide() {
        // Six rows once, where two would be left over.
        if left % 4 == 2 && left > 2 {
            tiles!(6);
        }
        while left >= 4 {
            tiles!(4);
        }
    }
    while left >= 2 {
        tiles!(2);
    }
    if left > 0 {
        tile_row::<L, 1>(depth, a, panel, 0, init, c);
    }
}

/// As [`panel_rows`] for a panel of which only the first `columns` exist in `init` and `c`.
///
/// # Safety
/// As [`panel_rows`], with `columns`, which is less, in place of 16 for `init` and `c`.
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
    let edge_rows = match columns.div_ceil(WIDTH) {
        1 => edge_rows::<L, 4, 1>,
        2 => edge_rows::<L, 4, 2>,
        3 => edge_rows::<L, 2, 3>,
        _ => edge_rows::<L, 2, 4>,
    };
    edge_rows(rows, columns, depth, a, lda, panel, init, init_stride, c, ldc);
}

/// `columns` in `N` lanes, `R` rows at a time.
#[inline(never)]
#[allow(clippy::too_many_arguments)] // the operands of a matrix product
unsafe fn edge_rows<L: Lane, const R: usize, const N: usize>(
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
    let width = N * WIDTH;
    let mut tiles = [[L::zero(); N]; R];
    let buffer: *mut L::Elem = tiles.as_mut_ptr().cast();
    let mut r = 0;
    while r < rows {
        let count = if r + R <= rows { R } else { 1 };
        let (a, c) = (a.add(r * lda), c.add(r * ldc));
        // What is not whole lanes goes through a buffer that is.
        let (mut from, mut from_stride, mut to, mut to_stride) = (init.add(r * init_stride), init_stride, c, ldc);
        if columns < width {
            for i in 0..count {
                core::ptr::copy_nonoverlapping(from.add(i * from_stride), buffer.add(i * width), columns);
            }
            (from, from_stride, to, to_stride) = (buffer, width, buffer, width);
        }
        if count == R {
            tile::<L, R, N>(depth, a, lda, panel, from, from_stride, to, to_stride);
        } else {
            tile::<L, 1, N>(depth, a, lda, panel, from, from_stride, to, to_stride);
        }
        if columns < width {
            for i in 0..count {
                core::ptr::copy_nonoverlapping(buffer.add(i * width), c.add(i * ldc), columns);
            }
        }
        r += count;
    }
}
