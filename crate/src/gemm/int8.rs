//! Matrix-vector products with 8-bit weights, for streams: a fourth of the memory, sums of integers, the same bits
//! everywhere.
//!
//! ```text
//! s_j = max_k |W_jk| / 127    q_jk = round(W_jk / s_j)      once, a scale for each row of W
//! s_x = max_k |x_k| / 127     r_k = round(x_k / s_x)        at each product, one scale for all of x
//! y_j = init_j + (s_j s_x) sum_k q_jk r_k
//! ```
//!
//! Each weight is off by at most s_j / 2 and each input by at most s_x / 2, so that y_j is off by at most
//! sum_k (|x_k| s_j + |W_jk| s_x) / 2 + K s_j s_x / 4. What is not finite gives NaN.
//!
//! Weights lie as panels `[panel][k / 2][16][2]`, depth padded by zeros; after all of them come the scales.

use super::kernel::PANEL;
use super::Init;
use crate::memory::{OutOfMemory, Scratch};
use crate::simd::{F32x4, Lane, Shorts, Sums, WIDTH};

/// The depth is padded to whole steps of the kernel.
const STEP: usize = 4;
/// The largest integer.
const LIMIT: f32 = 127.0;

/// The depth up to which a sum cannot leave 32 bits.
pub const MAX_DEPTH: usize = 1 << 17;

/// Bytes of a matrix of `columns` columns and `depth` rows.
pub fn bytes(columns: usize, depth: usize) -> usize {
    let columns = columns.div_ceil(PANEL) * PANEL;
    columns * depth.next_multiple_of(STEP) + columns * size_of::<f32>()
}

/// What integers count in whose values are at most this large, and what multiplies values into integers: 0 for those
/// that are too small or not finite.
fn scale(largest: f32) -> (f32, f32) {
    let factor = if largest >= LIMIT * f32::MIN_POSITIVE { LIMIT / largest } else { 0.0 };
    (largest / LIMIT, factor)
}

#[inline(always)]
unsafe fn load(from: *const f32, count: usize) -> F32x4 {
    if count >= WIDTH {
        F32x4::load(from)
    } else {
        F32x4::load_part(from, count)
    }
}

/// The largest magnitude; NaN if there is one.
unsafe fn largest(x: *const f32, count: usize) -> f32 {
    let mut lane = F32x4::zero();
    for i in (0..count).step_by(WIDTH) {
        lane = lane.max(load(x.add(i), count - i).abs());
    }
    let [a, b, c, d] = lane.to_array().map(F32x4::splat);
    let [result, ..] = a.max(b).max(c.max(d)).to_array();
    result
}

/// Turns panels of f32, as [`super::pack`] lays them out, into `to`, of [`bytes`].
///
/// # Safety
/// `packed` has the panels of `columns` columns and `depth` rows.
pub unsafe fn quantise(packed: *const f32, columns: usize, depth: usize, to: *mut i8) {
    let columns = columns.div_ceil(PANEL) * PANEL;
    let padded = depth.next_multiple_of(STEP);
    let scales: *mut f32 = to.add(columns * padded).cast();
    for column in (0..columns).step_by(WIDTH) {
        let (panel, inside) = (column - column % PANEL, column % PANEL);
        let from = packed.add(panel * depth + inside);
        let to = to.add(panel * padded + 2 * inside);
        let mut most = F32x4::zero();
        for k in 0..depth {
            most = most.max(F32x4::load(from.add(k * PANEL)).abs());
        }
        let scaled = most.to_array().map(scale);
        F32x4::from_array(scaled.map(|(scale, _)| scale)).store(scales.add(column));
        let factors = F32x4::from_array(scaled.map(|(_, factor)| factor));
        for k in 0..padded {
            let mut integers = [0_i16; WIDTH];
            if k < depth {
                (F32x4::load(from.add(k * PANEL)) * factors).store_rounded(integers.as_mut_ptr());
            }
            for (i, integer) in integers.into_iter().enumerate() {
                *to.add((k - k % 2) * PANEL + 2 * i + k % 2) = integer as i8;
            }
        }
    }
}

/// One row times a matrix of [`quantise`]: c = init + x B.
///
/// # Safety
/// `x` has `depth` elements, at most [`MAX_DEPTH`], `c` has `columns`; `init` as in [`super::gemm`].
pub unsafe fn product(
    columns: usize,
    depth: usize,
    x: *const f32,
    weights: *const i8,
    init: Init<f32>,
    c: *mut f32,
) -> Result<(), OutOfMemory> {
    let scratch = Scratch::new();
    let padded = depth.next_multiple_of(STEP);
    let integers = scratch.take::<i16>(padded).ok_or(OutOfMemory)?;
    let (input_scale, factor) = scale(largest(x, depth));
    let factor = F32x4::splat(factor);
    for k in (0..padded).step_by(WIDTH) {
        (load(x.add(k), depth - k) * factor).store_rounded(integers.add(k));
    }
    let scales: *const f32 = weights.add(columns.div_ceil(PANEL) * PANEL * padded).cast();
    let input_scale = F32x4::splat(input_scale);
    for column in (0..columns).step_by(PANEL) {
        let sums = panel_sums(padded, integers, weights.add(column * padded));
        for (lane, sum) in sums.into_iter().enumerate() {
            let at = column + lane * WIDTH;
            if at >= columns {
                break;
            }
            let count = columns - at;
            let from = match init {
                Init::Zero => F32x4::zero(),
                Init::Row(row) => load(row.add(at), count),
                Init::Current => load(c.add(at), count),
            };
            let y = from + F32x4::load(scales.add(at)) * input_scale * F32x4::from_sums(sum);
            if count >= WIDTH {
                y.store(c.add(at));
            } else {
                y.store_part(c.add(at), count);
            }
        }
    }
    Ok(())
}

/// Four lanes of sums over a panel: four accumulators, two pairs of k a turn.
#[inline(never)]
unsafe fn panel_sums(depth: usize, x: *const i16, panel: *const i8) -> [Sums; PANEL / WIDTH] {
    let mut sums = [Sums::zero(); PANEL / WIDTH];
    let (mut x, mut row) = (x, panel);
    let end = panel.add(depth * PANEL);
    while row != end {
        let (first, second) = (Shorts::splat_pair(x), Shorts::splat_pair(x.add(2)));
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = sum.add_products(first, Shorts::load_bytes(row.add(8 * i)));
        }
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = sum.add_products(second, Shorts::load_bytes(row.add(2 * PANEL + 8 * i)));
        }
        x = x.add(STEP);
        row = row.add(STEP * PANEL);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::super::pack::{pack_transposed, packed_len, Gates};
    use super::*;

    /// y = x W^T + bias with 8-bit weights.
    fn y(w: &[f32], x: &[f32], bias: &[f32]) -> Vec<f32> {
        let (rows, depth) = (bias.len(), x.len());
        let mut packed = vec![0.0; packed_len(rows, depth)];
        let mut integers = vec![0_i8; bytes(rows, depth)];
        let mut y = vec![0.0; rows];
        // SAFETY: the vectors have the sizes that the functions name.
        unsafe {
            pack_transposed::<F32x4>(w.as_ptr(), depth, Gates::plain(rows), depth, packed.as_mut_ptr());
            quantise(packed.as_ptr(), rows, depth, integers.as_mut_ptr());
            let init = Init::Row(bias.as_ptr());
            assert_eq!(product(rows, depth, x.as_ptr(), integers.as_ptr(), init, y.as_mut_ptr()), Ok(()));
        }
        y
    }

    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn products_stay_within_the_stated_error() {
        for (rows, depth) in [(1, 1), (4, 3), (16, 4), (19, 5), (33, 130), (7, 0)] {
            let (w, x, bias) = (numbers(rows * depth, 1), numbers(depth, 2), numbers(rows, 3));
            let largest = |values: &[f32]| values.iter().fold(0.0_f64, |most, v| most.max(f64::from(v.abs())));
            let s_x = largest(&x) / 127.0;
            for (j, y) in y(&w, &x, &bias).into_iter().enumerate() {
                let row = &w[j * depth..(j + 1) * depth];
                let s_w = largest(row) / 127.0;
                let mut exact = f64::from(bias[j]);
                let mut bound = depth as f64 * s_w * s_x / 4.0;
                for (w, x) in row.iter().zip(&x).map(|(w, x)| (f64::from(*w), f64::from(*x))) {
                    exact += w * x;
                    bound += (x.abs() * s_w + w.abs() * s_x) / 2.0;
                }
                let error = (f64::from(y) - exact).abs();
                assert!(error <= bound + 1e-5, "({rows}, {depth}) row {j}: {error} of {bound}");
            }
        }
    }

    #[test]
    fn values_that_are_integers_of_their_scale_are_exact() {
        let w: Vec<f32> = (0..20 * 9).map(|i| if i % 9 == 0 { 127.0 } else { (i * 31 % 255) as f32 - 127.0 }).collect();
        let x: Vec<f32> = (0..9).map(|k| if k == 4 { -127.0 } else { (k * 57 % 200) as f32 - 100.0 }).collect();
        let bias: Vec<f32> = (0..20).map(|j| j as f32).collect();
        let exact: Vec<f32> =
            (0..20).map(|j| bias[j] + w[j * 9..][..9].iter().zip(&x).map(|(w, x)| w * x).sum::<f32>()).collect();
        assert_eq!(y(&w, &x, &bias), exact);
    }

    #[test]
    fn zeros_give_the_bias_and_what_is_not_finite_gives_nan() {
        let (w, bias) = (numbers(6 * 5, 4), numbers(6, 5));
        assert_eq!(y(&w, &[0.0; 5], &bias), bias);
        assert_eq!(y(&[0.0; 30], &numbers(5, 6), &bias), bias);
        assert_eq!(y(&w, &[1e-40, 0.0, -1e-41, 0.0, 0.0], &bias), bias);
        for odd in [f32::NAN, f32::INFINITY] {
            let mut x = numbers(5, 6);
            x[3] = odd;
            assert!(y(&w, &x, &bias).iter().all(|y| y.is_nan()), "{odd}");
            let mut w = w.clone();
            w[7] = odd;
            let y = y(&w, &numbers(5, 6), &bias);
            assert!(y.iter().enumerate().all(|(j, y)| y.is_nan() == (j == 1)), "{odd}: {y:?}");
        }
    }

    #[test]
    fn the_deepest_product_stays_within_32_bits() {
        let ones = vec![1.0; MAX_DEPTH];
        let bias = [0.0];
        let y = y(&ones, &ones, &bias);
        assert!((y[0] - MAX_DEPTH as f32).abs() < 0.1, "{y:?}");
    }
}
