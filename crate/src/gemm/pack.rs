//! Packing: the right operand of a product as panels `[panel][k][16]`, zero beyond its last column.
//!
//! Weights of gated cells are laid out `[gate][hidden]` with `hidden` padded to whole lanes ([`Gates`]), so that the
//! pointwise passes have no tails; the padding rows are zero.

use super::add_column_sums;
use super::kernel::PANEL;
use crate::simd::{Lane, Real, WIDTH};
use core::ptr::null_mut;

/// How the rows of a weight matrix, `gates * hidden` of them, spread over padded positions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Gates {
    pub gates: usize,
    pub hidden: usize,
    /// `hidden` rounded up to whole lanes.
    pub padded: usize,
}

impl Gates {
    /// A plain matrix: no padding between rows.
    pub fn plain(rows: usize) -> Self {
        Self { gates: 1, hidden: rows, padded: rows }
    }

    pub fn of(gates: usize, hidden: usize) -> Self {
        Self { gates, hidden, padded: pad(hidden) }
    }

    /// Padded positions in all.
    pub fn positions(self) -> usize {
        self.gates * self.padded
    }

    /// The row at a padded position, if there is one.
    #[inline(always)]
    fn row(self, position: usize) -> Option<usize> {
        let (gate, unit) =
            if self.gates == 1 { (0, position) } else { (position / self.padded, position % self.padded) };
        (gate < self.gates && unit < self.hidden).then_some(gate * self.hidden + unit)
    }
}

/// Rounded up to whole lanes.
pub fn pad(n: usize) -> usize {
    n.div_ceil(WIDTH) * WIDTH
}

/// Elements of a packed operand of `columns` columns and `depth` rows.
pub fn packed_len(columns: usize, depth: usize) -> usize {
    columns.div_ceil(PANEL) * PANEL * depth
}

/// Packs `w` transposed: column j of the operand is the row of `w` at position j, k runs along that row (`depth` long).
///
/// # Safety
/// `w` has `gates * hidden` rows of `depth` at stride `stride`; `to` has `packed_len(positions, depth)` elements.
pub unsafe fn pack_transposed<L: Lane>(w: *const L::Elem, stride: usize, gates: Gates, depth: usize, to: *mut L::Elem) {
    for group in 0..gates.positions().div_ceil(PANEL) * PANEL / WIDTH {
        let position = group * WIDTH;
        let to = to.add((position / PANEL) * PANEL * depth + position % PANEL);
        let rows = [0, 1, 2, 3].map(|i| gates.row(position + i));
        if let [Some(a), Some(b), Some(c), Some(d)] = rows {
            pack_group::<L>([a, b, c, d].map(|row| w.add(row * stride)), depth, to);
        } else {
            for (i, row) in rows.iter().enumerate() {
                for k in 0..depth {
                    *to.add(k * PANEL + i) = row.map_or(L::Elem::ZERO, |row| *w.add(row * stride + k));
                }
            }
        }
    }
}

#[inline(never)]
unsafe fn pack_group<L: Lane>(rows: [*const L::Elem; WIDTH], depth: usize, to: *mut L::Elem) {
    let mut k = 0;
    while k + WIDTH <= depth {
        let block = L::transpose(rows.map(|row| L::load(row.add(k))));
        for (i, lane) in block.into_iter().enumerate() {
            lane.store(to.add((k + i) * PANEL));
        }
        k += WIDTH;
    }
    while k < depth {
        L::from_array(rows.map(|row| *row.add(k))).store(to.add(k * PANEL));
        k += 1;
    }
}

/// Packs `w` as it is: row k of the operand is the row of `w` at position k, of `columns` elements.
///
/// # Safety
/// `w` has `gates * hidden` rows of `columns` at stride `stride`; `to` has `packed_len(columns, positions)` elements.
pub unsafe fn pack_rows<L: Lane>(w: *const L::Elem, stride: usize, gates: Gates, columns: usize, to: *mut L::Elem) {
    let depth = gates.positions();
    // Panel by panel: written from end to end. Panels side by side would fall into the same lines of the cache.
    for column in (0..columns).step_by(PANEL) {
        let panel = to.add(column * depth);
        let width = (columns - column).min(PANEL);
        for gate in 0..gates.gates {
            let from = w.add(gate * gates.hidden * stride + column);
            let to = panel.add(gate * gates.padded * PANEL);
            if width == PANEL {
                copy_panel::<L, false>(from, stride, gates.hidden, to, null_mut());
            } else {
                for unit in 0..gates.hidden {
                    let (from, to) = (from.add(unit * stride), to.add(unit * PANEL));
                    for i in 0..PANEL {
                        *to.add(i) = if i < width { *from.add(i) } else { L::Elem::ZERO };
                    }
                }
            }
            for position in gates.hidden * PANEL..gates.padded * PANEL {
                *to.add(position) = L::Elem::ZERO;
            }
        }
    }
}

/// As [`pack_rows`] for a plain matrix of `rows` rows, adding its column sums to `sums`, rows ascending.
///
/// # Safety
/// As [`pack_rows`]; `sums` has `columns` elements.
pub unsafe fn pack_and_sum_rows<L: Lane>(
    x: *const L::Elem,
    stride: usize,
    rows: usize,
    columns: usize,
    to: *mut L::Elem,
    sums: *mut L::Elem,
) {
    for column in (0..columns).step_by(PANEL) {
        let (from, panel, sums) = (x.add(column), to.add(column * rows), sums.add(column));
        let width = (columns - column).min(PANEL);
        if width == PANEL {
            copy_panel::<L, true>(from, stride, rows, panel, sums);
        } else {
            pack_rows::<L>(from, stride, Gates::plain(rows), width, panel);
            add_column_sums::<L>(from, stride, rows, width, sums);
        }
    }
}

#[inline(never)]
unsafe fn copy_panel<L: Lane, const SUM: bool>(
    from: *const L::Elem,
    stride: usize,
    rows: usize,
    to: *mut L::Elem,
    sums: *mut L::Elem,
) {
    let mut totals = [L::zero(); PANEL / WIDTH];
    if SUM {
        for (lane, total) in totals.iter_mut().enumerate() {
            *total = L::load(sums.add(lane * WIDTH));
        }
    }
    for row in 0..rows {
        let (from, to) = (from.add(row * stride), to.add(row * PANEL));
        for (lane, total) in totals.iter_mut().enumerate() {
            let values = L::load(from.add(lane * WIDTH));
            if SUM {
                *total = *total + values;
            }
            values.store(to.add(lane * WIDTH));
        }
    }
    if SUM {
        for (lane, total) in totals.iter().enumerate() {
            total.store(sums.add(lane * WIDTH));
        }
    }
}

/// The transpose as plain rows: `to[m][k] = from[k][m]`.
///
/// # Safety
/// `from` has `depth` rows of `rows` elements at stride `stride`; `to` has `rows` rows at stride `to_stride >= depth`.
pub unsafe fn transpose<L: Lane>(
    from: *const L::Elem,
    stride: usize,
    depth: usize,
    rows: usize,
    to: *mut L::Elem,
    to_stride: usize,
) {
    transpose_tiles::<L, false>(from, stride, depth, rows, to, to_stride);
}

/// As [`transpose`], added: `to[m][k] += from[k][m]`.
///
/// # Safety
/// As [`transpose`].
pub unsafe fn transpose_add<L: Lane>(
    from: *const L::Elem,
    stride: usize,
    depth: usize,
    rows: usize,
    to: *mut L::Elem,
    to_stride: usize,
) {
    transpose_tiles::<L, true>(from, stride, depth, rows, to, to_stride);
}

/// Tile by tile, a cache line wide both ways: rows a power of two apart share few lines of the cache, which would be
/// gone before they are full.
#[inline(always)]
unsafe fn transpose_tiles<L: Lane, const ADD: bool>(
    from: *const L::Elem,
    stride: usize,
    depth: usize,
    rows: usize,
    to: *mut L::Elem,
    to_stride: usize,
) {
    for k in (0..depth).step_by(PANEL) {
        for m in (0..rows).step_by(PANEL) {
            let (from, to) = (from.add(k * stride + m), to.add(m * to_stride + k));
            transpose_tile::<L, ADD>(from, stride, (depth - k).min(PANEL), (rows - m).min(PANEL), to, to_stride);
        }
    }
}

#[inline(never)]
unsafe fn transpose_tile<L: Lane, const ADD: bool>(
    from: *const L::Elem,
    stride: usize,
    depth: usize,
    rows: usize,
    to: *mut L::Elem,
    to_stride: usize,
) {
    for k in (0..depth).step_by(WIDTH) {
        transpose_strip::<L, ADD>(from.add(k * stride), stride, (depth - k).min(WIDTH), rows, to.add(k), to_stride);
    }
}

#[inline(always)]
unsafe fn transpose_strip<L: Lane, const ADD: bool>(
    from: *const L::Elem,
    stride: usize,
    count: usize,
    rows: usize,
    to: *mut L::Elem,
    to_stride: usize,
) {
    let mut m = 0;
    if count == WIDTH {
        while m + WIDTH <= rows {
            let block = L::transpose([0, 1, 2, 3].map(|i| L::load(from.add(i * stride + m))));
            for (i, lane) in block.into_iter().enumerate() {
                let to = to.add((m + i) * to_stride);
                if ADD {
                    (L::load(to) + lane).store(to);
                } else {
                    lane.store(to);
                }
            }
            m += WIDTH;
        }
    }
    while m < rows {
        for i in 0..count {
            let (from, to) = (from.add(i * stride + m), to.add(m * to_stride + i));
            *to = if ADD { *to + *from } else { *from };
        }
        m += 1;
    }
}
