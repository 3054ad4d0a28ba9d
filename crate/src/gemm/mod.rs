//! Matrix products in the forms that recurrent nets need.
//!
//! | form | is | used for |
//! |---|---|---|
//! | [`gemm`] | C = init + A B, B packed once | x W^T, h W^T forward; dy W backward |
//! | [`weight_gradients`] | dW += dY^T X | one product for all time steps, for several X of one dY |
//! | [`int8`] | one row times 8-bit weights | streams, when asked for |
//! | [`matmul`] | batched, either operand transposed | attention and everything else |
//!
//! One row of A takes the one-row kernel, which is the GEMV of streaming. All share the summation order of
//! [`kernel`], so a result does not depend on how many rows are computed together.

pub mod int8;
pub mod kernel;
pub mod pack;

use crate::memory::{OutOfMemory, Scratch};
use crate::simd::{Lane, Real, WIDTH};
use core::ptr::null_mut;
use kernel::{panel_rows, panel_rows_edge, row_panels, PANEL};
use pack::{pack_and_sum_rows, pack_rows, pack_transposed, packed_len, transpose, transpose_add, Gates};

/// k is worked in blocks of this size, so that a panel stays in the first-level cache,
const DEPTH_BLOCK: usize = 512;
/// and rows in blocks of this size, so that those of A and C stay in the second.
const HEIGHT_BLOCK: usize = 128;
/// Weight gradients, whose k runs over all rows of a batch, go in blocks that stay in the second-level cache.
const ROW_BLOCK: usize = 256;
const WIDTH_BLOCK: usize = 512;

/// What a product is added to.
pub enum Init<E> {
    Zero,
    /// One row for every row of C (a bias), as long as C has columns.
    Row(*const E),
    /// C itself.
    Current,
}

impl<E> Init<E> {
    /// A bias, or null for none.
    pub fn bias(row: *const E) -> Self {
        if row.is_null() {
            Init::Zero
        } else {
            Init::Row(row)
        }
    }
}

/// C = init + A B with B packed.
///
/// # Safety
/// `a` has `rows` rows of `depth` at stride `lda`; `packed` comes from [`pack`] with `columns` and `depth`; `c` has
/// `rows` rows of `columns` at stride `ldc` and does not overlap the operands.
#[allow(clippy::too_many_arguments)] // the operands of a matrix product
pub unsafe fn gemm<L: Lane>(
    rows: usize,
    columns: usize,
    depth: usize,
    a: *const L::Elem,
    lda: usize,
    packed: *const L::Elem,
    init: Init<L::Elem>,
    c: *mut L::Elem,
    ldc: usize,
) {
    let zeros = [L::zero(); PANEL / WIDTH];
    let mut k = 0;
    loop {
        let block = (depth - k).min(DEPTH_BLOCK);
        for row in (0..rows).step_by(HEIGHT_BLOCK) {
            let height = (rows - row).min(HEIGHT_BLOCK);
            let a = a.add(row * lda + k);
            let mut first = 0;
            if height == 1 {
                let c = c.add(row * ldc);
                first = columns / PANEL * PANEL;
                let from: *const L::Elem = match init {
                    Init::Row(row) if k == 0 => row,
                    Init::Zero if k == 0 => {
                        fill_zero::<L>(c, first);
                        c
                    }
                    _ => c,
                };
                row_panels::<L>(columns / PANEL, block, a, packed.add(k * PANEL), depth * PANEL, from, c);
            }
            for column in (first..columns).step_by(PANEL) {
                let c = c.add(row * ldc + column);
                let (from, stride): (*const L::Elem, usize) = match init {
                    _ if k > 0 => (c, ldc),
                    Init::Current => (c, ldc),
                    Init::Row(row) => (row.add(column), 0),
                    Init::Zero => (zeros.as_ptr().cast(), 0),
                };
                let panel = packed.add(column * depth + k * PANEL);
                let width = columns - column;
                if width >= PANEL {
                    panel_rows::<L>(height, block, a, lda, panel, from, stride, c, ldc);
                } else {
                    panel_rows_edge::<L>(height, width, block, a, lda, panel, from, stride, c, ldc);
                }
            }
        }
        k += block;
        if k >= depth {
            break;
        }
    }
}

/// A weight gradient that is wanted of some dY: d_w (gates * hidden, columns) += dY^T X; a null one is not wanted.
#[derive(Clone, Copy)]
pub struct WeightGradient<E> {
    /// X: (depth, columns) at stride `stride`.
    pub x: *const E,
    pub stride: usize,
    pub columns: usize,
    pub d_w: *mut E,
}

/// The wanted gradients from dY (depth, gates), without the padding of gates, and, unless `sums` is null, sums (gate
/// positions) += column sums of dY.
///
/// The smaller operand is the one that gets transposed, since a copy in rows costs less: a weight gradient dY^T X is
/// summed as X^T dY and turned at the end. So dY is packed once for all products, and summed on that occasion.
///
/// # Safety
/// dY and each X have `depth` rows at their strides; the gradients have the sizes named and overlap nothing.
pub unsafe fn weight_gradients<L: Lane, const N: usize>(
    gates: Gates,
    depth: usize,
    d_y: *const L::Elem,
    stride: usize,
    wanted: [WeightGradient<L::Elem>; N],
    sums: *mut L::Elem,
) -> Result<(), OutOfMemory> {
    let m = gates.positions();
    let scratch = Scratch::new();
    let mut turned = wanted;
    for product in turned.iter_mut().filter(|product| !product.d_w.is_null()) {
        let WeightGradient { x, stride: ldx, columns, d_w } = *product;
        if m <= columns && gates.padded == gates.hidden {
            let upright = WeightGradient { x: d_y, stride, columns: m, d_w };
            sum_over_rows::<L>(&[upright], columns, depth, x, ldx, null_mut())?;
            product.d_w = null_mut();
        } else {
            product.d_w = scratch.take(m * columns).ok_or(OutOfMemory)?;
            fill_zero::<L>(product.d_w, m * columns);
        }
    }
    if turned.iter().all(|product| product.d_w.is_null()) {
        if !sums.is_null() {
            add_column_sums::<L>(d_y, stride, depth, m, sums);
        }
        return Ok(());
    }
    sum_over_rows::<L>(&turned, m, depth, d_y, stride, sums)?;
    for (product, WeightGradient { columns, d_w, .. }) in turned.iter().zip(wanted) {
        if !product.d_w.is_null() {
            for gate in 0..gates.gates {
                let (from, to) = (product.d_w.add(gate * gates.padded), d_w.add(gate * gates.hidden * columns));
                transpose_add::<L>(from, m, columns, gates.hidden, to, columns);
            }
        }
    }
    Ok(())
}

/// d_w (columns, n) += X^T B for each product that is wanted: `b` is (depth, n); X is transposed block by block. Unless
/// `sums` is null, sums (n) += column sums of B.
unsafe fn sum_over_rows<L: Lane>(
    products: &[WeightGradient<L::Elem>],
    n: usize,
    depth: usize,
    b: *const L::Elem,
    ldb: usize,
    sums: *mut L::Elem,
) -> Result<(), OutOfMemory> {
    let (block, width) = (depth.min(ROW_BLOCK), n.min(WIDTH_BLOCK));
    let scratch = Scratch::new();
    let right = scratch.take::<L::Elem>(packed_len(width, block)).ok_or(OutOfMemory)?;
    let left = scratch.take::<L::Elem>(HEIGHT_BLOCK * block).ok_or(OutOfMemory)?;
    for k in (0..depth).step_by(block.max(1)) {
        let count = (depth - k).min(block);
        for column in (0..n).step_by(width.max(1)) {
            let columns = (n - column).min(width);
            let from = b.add(k * ldb + column);
            if sums.is_null() {
                pack_rows::<L>(from, ldb, Gates::plain(count), columns, right);
            } else {
                pack_and_sum_rows::<L>(from, ldb, count, columns, right, sums.add(column));
            }
            for product in products.iter().filter(|product| !product.d_w.is_null()) {
                for row in (0..product.columns).step_by(HEIGHT_BLOCK) {
                    let rows = (product.columns - row).min(HEIGHT_BLOCK);
                    let x = product.x.add(k * product.stride + row);
                    transpose::<L>(x, product.stride, count, rows, left, count);
                    let to = product.d_w.add(row * n + column);
                    gemm::<L>(rows, columns, count, left, count, right, Init::Current, to, n);
                }
            }
        }
    }
    Ok(())
}

/// to[i] += from[i].
///
/// # Safety
/// Both have `count` elements.
#[inline(never)]
pub unsafe fn add_row<L: Lane>(from: *const L::Elem, to: *mut L::Elem, count: usize) {
    let mut i = 0;
    while i + WIDTH <= count {
        (L::load(to.add(i)) + L::load(from.add(i))).store(to.add(i));
        i += WIDTH;
    }
    while i < count {
        *to.add(i) += *from.add(i);
        i += 1;
    }
}

/// # Safety
/// `to` has `count` elements.
#[inline(never)]
pub unsafe fn fill_zero<L: Lane>(to: *mut L::Elem, count: usize) {
    let mut i = 0;
    while i + WIDTH <= count {
        L::zero().store(to.add(i));
        i += WIDTH;
    }
    while i < count {
        *to.add(i) = L::Elem::ZERO;
        i += 1;
    }
}

/// out[j] += sum over rows of x[row][j], rows ascending.
///
/// # Safety
/// `x` has `rows` rows of `columns` at stride `stride`; `out` has `columns` elements.
pub unsafe fn add_column_sums<L: Lane>(
    x: *const L::Elem,
    stride: usize,
    rows: usize,
    columns: usize,
    out: *mut L::Elem,
) {
    // Strips as wide as the registers allow: a row is visited once a strip, in whole cache lines.
    const STRIP: usize = 8;
    let mut column = 0;
    while column + STRIP * WIDTH <= columns {
        column_strip::<L, STRIP>(x.add(column), stride, rows, out.add(column));
        column += STRIP * WIDTH;
    }
    while column + WIDTH <= columns {
        column_strip::<L, 1>(x.add(column), stride, rows, out.add(column));
        column += WIDTH;
    }
    for i in column..columns {
        let mut sum = *out.add(i);
        for row in 0..rows {
            sum += *x.add(row * stride + i);
        }
        *out.add(i) = sum;
    }
}

#[inline(never)]
unsafe fn column_strip<L: Lane, const LANES: usize>(x: *const L::Elem, stride: usize, rows: usize, out: *mut L::Elem) {
    let mut sums = [L::zero(); LANES];
    for (i, sum) in sums.iter_mut().enumerate() {
        *sum = L::load(out.add(i * WIDTH));
    }
    for row in 0..rows {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = *sum + L::load(x.add(row * stride + i * WIDTH));
        }
    }
    for (i, sum) in sums.iter().enumerate() {
        sum.store(out.add(i * WIDTH));
    }
}

/// y = x W^T + b over `rows` rows; `packed` is W packed by [`pack_transposed`].
///
/// # Safety
/// `x` is (rows, input), `y` is (rows, output), `bias` null or (output), all contiguous.
pub unsafe fn linear_forward<L: Lane>(
    rows: usize,
    input: usize,
    output: usize,
    x: *const L::Elem,
    packed: *const L::Elem,
    bias: *const L::Elem,
    y: *mut L::Elem,
) {
    gemm::<L>(rows, output, input, x, input, packed, Init::bias(bias), y, output);
}

/// dx += dy W, dW += dy^T x, db += column sums of dy; a null gradient is not wanted. `packed` is W packed by
/// [`pack_rows`].
///
/// # Safety
/// Shapes as in [`linear_forward`]; gradients as their values.
#[allow(clippy::too_many_arguments)] // the operands and their gradients
pub unsafe fn linear_backward<L: Lane>(
    rows: usize,
    input: usize,
    output: usize,
    x: *const L::Elem,
    packed: *const L::Elem,
    dy: *const L::Elem,
    dx: *mut L::Elem,
    dw: *mut L::Elem,
    db: *mut L::Elem,
) -> Result<(), OutOfMemory> {
    if !dx.is_null() {
        gemm::<L>(rows, input, output, dy, output, packed, Init::Current, dx, input);
    }
    let weights = WeightGradient { x, stride: input, columns: input, d_w: dw };
    weight_gradients::<L, 1>(Gates::plain(output), rows, dy, output, [weights], db)
}

/// One operand of [`matmul`]: the matrices of a batch `stride` elements apart (0: one for all).
#[derive(Clone, Copy)]
pub struct Operand<E> {
    pub data: *const E,
    pub stride: usize,
    pub transposed: bool,
}

/// c[i] = (c[i] +) a[i] b[i] for each matrix of the batch: (m, k) times (k, n).
///
/// # Safety
/// Each matrix of `a` holds m*k elements, of `b` k*n, of `c` m*n, contiguous; `c` overlaps neither operand.
#[allow(clippy::too_many_arguments)] // the operands of a matrix product
pub unsafe fn matmul<L: Lane>(
    batch: usize,
    m: usize,
    k: usize,
    n: usize,
    a: Operand<L::Elem>,
    b: Operand<L::Elem>,
    c: *mut L::Elem,
    accumulate: bool,
) -> Result<(), OutOfMemory> {
    let scratch = Scratch::new();
    let right = scratch.take::<L::Elem>(packed_len(n, k)).ok_or(OutOfMemory)?;
    let left = scratch.take::<L::Elem>(if a.transposed { m * k } else { 0 }).ok_or(OutOfMemory)?;
    for i in 0..batch {
        if i == 0 || b.stride != 0 {
            let b_data = b.data.add(i * b.stride);
            if b.transposed {
                pack_transposed::<L>(b_data, k, Gates::plain(n), k, right);
            } else {
                pack_rows::<L>(b_data, n, Gates::plain(k), n, right);
            }
        }
        let mut a_data = a.data.add(i * a.stride);
        if a.transposed {
            transpose::<L>(a_data, m, k, m, left, k);
            a_data = left;
        }
        let init = if accumulate { Init::Current } else { Init::Zero };
        gemm::<L>(m, n, k, a_data, k, right, init, c.add(i * m * n), n);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{F32x4, F64x4};

    /// Numbers in [-1, 1) from a small congruential generator.
    fn numbers(count: usize, seed: u32) -> Vec<f64> {
        let mut state = seed;
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f64::from(state >> 8) / 8_388_608.0 - 1.0
            })
            .collect()
    }

    fn naive(
        m: usize,
        k: usize,
        n: usize,
        a: impl Fn(usize, usize) -> f64,
        b: impl Fn(usize, usize) -> f64,
    ) -> Vec<f64> {
        let mut c = vec![0.0; m * n];
        for i in 0..m {
            for j in 0..n {
                c[i * n + j] = (0..k).map(|l| a(i, l) * b(l, j)).sum();
            }
        }
        c
    }

    fn close(actual: &[f64], expected: &[f64]) {
        assert_eq!(actual.len(), expected.len());
        for (i, (x, y)) in actual.iter().zip(expected).enumerate() {
            assert!((x - y).abs() <= 1e-12 * (1.0 + y.abs()), "element {i}: {x} expected {y}");
        }
    }

    #[test]
    fn every_form_equals_the_naive_product() {
        for (m, k, n) in
            [(1, 1, 1), (1, 7, 33), (2, 5, 16), (3, 4, 5), (5, 0, 3), (7, 521, 18), (65, 9, 47), (4, 1030, 31)]
        {
            let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
            let expected = naive(m, k, n, |i, l| a[i * k + l], |l, j| b[l * n + j]);
            let a_t: Vec<f64> = (0..k * m).map(|i| a[(i % m) * k + i / m]).collect();
            let b_t: Vec<f64> = (0..k * n).map(|i| b[(i % k) * n + i / k]).collect();
            for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
                let mut c = vec![0.0; m * n];
                let left = Operand { data: if ta { a_t.as_ptr() } else { a.as_ptr() }, stride: 0, transposed: ta };
                let right = Operand { data: if tb { b_t.as_ptr() } else { b.as_ptr() }, stride: 0, transposed: tb };
                // SAFETY: the vectors have the sizes named.
                let done = unsafe { matmul::<F64x4>(1, m, k, n, left, right, c.as_mut_ptr(), true) };
                assert_eq!(done, Ok(()));
                close(&c, &expected);
            }
        }
    }

    #[test]
    fn weight_gradients_add_up_over_row_blocks() {
        for (gates, hidden, depth) in [(1, 3, 1), (1, 6, 256), (3, 100, 515), (4, 9, 1000), (1, 4, 0)] {
            let layout = Gates::of(gates, hidden);
            let (m, [narrow, wide]) = (layout.positions(), [5, 640]);
            let (d_y, x, y) = (numbers(depth * m, 3), numbers(depth * narrow, 4), numbers(depth * wide, 5));
            let (mut d_x, mut d_w) = (numbers(gates * hidden * narrow, 6), numbers(gates * hidden * wide, 7));
            let (mut sums, start) = (numbers(m, 8), [numbers(m, 8), d_x.clone(), d_w.clone()]);
            let done = unsafe {
                let wanted = [
                    WeightGradient { x: x.as_ptr(), stride: narrow, columns: narrow, d_w: d_x.as_mut_ptr() },
                    WeightGradient { x: null_mut(), stride: 0, columns: 7, d_w: null_mut() },
                    WeightGradient { x: y.as_ptr(), stride: wide, columns: wide, d_w: d_w.as_mut_ptr() },
                ];
                // SAFETY: the vectors have the sizes named.
                weight_gradients::<F64x4, 3>(layout, depth, d_y.as_ptr(), m, wanted, sums.as_mut_ptr())
            };
            assert_eq!(done, Ok(()));
            let position = |row: usize| row / hidden * layout.padded + row % hidden;
            for (got, start, x, n) in [(&d_x, &start[1], &x, narrow), (&d_w, &start[2], &y, wide)] {
                let product = |i: usize, l: usize| d_y[l * m + position(i)];
                let mut expected = naive(gates * hidden, depth, n, product, |l, j| x[l * n + j]);
                expected.iter_mut().zip(start).for_each(|(x, y)| *x += y);
                close(got, &expected);
            }
            let expected: Vec<f64> =
                (0..m).map(|j| start[0][j] + (0..depth).map(|l| d_y[l * m + j]).sum::<f64>()).collect();
            close(&sums, &expected);
        }
    }

    #[test]
    fn a_row_has_the_same_bits_alone_and_among_others() {
        let (rows, depth, columns) = (7, 523, 101);
        let a: Vec<f32> = numbers(rows * depth, 6).iter().map(|&x| x as f32).collect();
        let w: Vec<f32> = numbers(columns * depth, 7).iter().map(|&x| x as f32).collect();
        let bias: Vec<f32> = numbers(columns, 8).iter().map(|&x| x as f32).collect();
        let mut packed = vec![0.0f32; packed_len(columns, depth)];
        let mut all = vec![0.0f32; rows * columns];
        // SAFETY: the vectors have the sizes named.
        unsafe {
            pack_transposed::<F32x4>(w.as_ptr(), depth, Gates::plain(columns), depth, packed.as_mut_ptr());
        }
        for (row, wide) in (0..rows).flat_map(|row| [(row, false), (row, true)]) {
            kernel::wide_tiles(wide);
            all.fill(f32::NAN);
            // SAFETY: as above.
            unsafe {
                linear_forward::<F32x4>(
                    rows,
                    depth,
                    columns,
                    a.as_ptr(),
                    packed.as_ptr(),
                    bias.as_ptr(),
                    all.as_mut_ptr(),
                );
            }
            let mut one = vec![0.0f32; columns];
            // SAFETY: as above, one row.
            unsafe {
                let x = a.as_ptr().add(row * depth);
                linear_forward::<F32x4>(1, depth, columns, x, packed.as_ptr(), bias.as_ptr(), one.as_mut_ptr());
            }
            let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&one), bits(&all[row * columns..(row + 1) * columns]));
            // The plain loop, k ascending from the bias: the order that the documentation promises.
            let plain: Vec<f32> = (0..columns)
                .map(|j| (0..depth).fold(bias[j], |sum, k| sum + a[row * depth + k] * w[j * depth + k]))
                .collect();
            assert_eq!(bits(&one), bits(&plain));
        }
        kernel::wide_tiles(false);
    }
}
