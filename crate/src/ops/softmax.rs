//! y = softmax(x / temperature) over the last dimension, or its logarithm.
//!
//! * softmax: y = e^(s (x - max x)) / sum, s = 1 / temperature; dx += s y (dy - sum dy y)
//! * log softmax: y = s (x - max x) - ln sum; dx += s (dy - e^y sum dy)

use super::{large_spans, spans, sum_large_spans, sum_spans, Span};
use crate::math::Constants;
use crate::simd::{Lane, WIDTH};

// What is called once a row is not inlined: each has many callers.

/// The largest of `n` elements, minus infinity when there are none. NaN is passed over: it reaches the sum of
/// exponentials.
#[inline(never)]
pub(super) unsafe fn largest<L: Lane>(x: *const L::Elem, n: usize) -> L::Elem {
    let mut best = L::constant(f64::NEG_INFINITY);
    let mut raise = |value: L| best = value.select_gt(best, value, best);
    spans(n, |at| {
        if at.count == WIDTH {
            raise(at.load(x));
        } else {
            (at.start..n).for_each(|i| raise(L::splat(*x.add(i))));
        }
    });
    let [a, b, c, d] = best.to_array().map(L::splat);
    a.max(b).max(c.max(d)).to_array()[0]
}

/// y = e^(s (x - offset)), unless `y` is null; their sum.
#[inline(never)]
pub(super) unsafe fn exponentials<L: Lane>(
    x: *const L::Elem,
    y: *mut L::Elem,
    n: usize,
    s: L::Elem,
    offset: L::Elem,
) -> L::Elem {
    let k = Constants::read();
    sum_large_spans::<L>(n, |at| {
        let value = ((at.load::<L>(x) - L::splat(offset)) * L::splat(s)).exp(k);
        if !y.is_null() {
            at.store(value, y);
        }
        value
    })
}

/// ln x of one element.
#[inline(never)]
pub(super) fn ln<L: Lane>(x: L::Elem) -> L::Elem {
    L::splat(x).ln(Constants::read()).to_array()[0]
}

/// Over `rows` rows of `columns`; `y` may be `x`.
///
/// # Safety
/// As in [`super`].
pub unsafe fn forward<L: Lane>(
    x: *const L::Elem,
    y: *mut L::Elem,
    rows: usize,
    columns: usize,
    inverse_temperature: L::Elem,
    log: bool,
) {
    let s = L::splat(inverse_temperature);
    for r in 0..rows {
        let (x, y) = (x.add(r * columns), y.add(r * columns));
        let offset = largest::<L>(x, columns);
        if log {
            let sum = exponentials::<L>(x, core::ptr::null_mut(), columns, inverse_temperature, offset);
            let log_sum = L::splat(ln::<L>(sum));
            spans(columns, |at| at.store((at.load::<L>(x) - L::splat(offset)) * s - log_sum, y));
        } else {
            let sum = L::splat(exponentials::<L>(x, y, columns, inverse_temperature, offset));
            spans(columns, |at| at.store(at.load::<L>(y) / sum, y));
        }
    }
}

/// # Safety
/// As in [`super`].
pub unsafe fn backward<L: Lane>(
    y: *const L::Elem,
    dy: *const L::Elem,
    dx: *mut L::Elem,
    rows: usize,
    columns: usize,
    inverse_temperature: L::Elem,
    log: bool,
) {
    let (s, k) = (L::splat(inverse_temperature), Constants::read());
    for r in 0..rows {
        let (y, dy, dx) = (y.add(r * columns), dy.add(r * columns), dx.add(r * columns));
        let term = |at: Span| if log { at.load::<L>(dy) } else { at.load::<L>(dy) * at.load::<L>(y) };
        let sum = L::splat(sum_spans::<L>(columns, term));
        large_spans(columns, |at| {
            let (y, dy) = (at.load::<L>(y), at.load::<L>(dy));
            at.add(s * if log { dy - y.exp(k) * sum } else { y * (dy - sum) }, dx);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check_gradient, dot, random, to_f32};
    use super::*;
    use crate::simd::{F32x4, F64x4};

    fn forward64(x: &[f64], rows: usize, s: f64, log: bool) -> Vec<f64> {
        let mut y = vec![0.0; x.len()];
        unsafe { forward::<F64x4>(x.as_ptr(), y.as_mut_ptr(), rows, x.len() / rows.max(1), s, log) };
        y
    }

    #[test]
    fn is_its_definition_and_so_is_its_gradient() {
        for (columns, log) in (1..10).flat_map(|n| [(n, false), (n, true)]) {
            let (rows, s) = (3, 1.0 / 0.7);
            let x = random(rows * columns, 1);
            let y = forward64(&x, rows, s, log);
            for (i, y) in y.iter().enumerate() {
                let row = &x[i / columns * columns..][..columns];
                let p = (s * x[i]).exp() / row.iter().map(|x| (s * x).exp()).sum::<f64>();
                assert_close(*y, if log { p.ln() } else { p }, 1e-13, "softmax");
            }
            let dy = random(x.len(), 2);
            let mut dx = vec![0.0; x.len()];
            unsafe { backward::<F64x4>(y.as_ptr(), dy.as_ptr(), dx.as_mut_ptr(), rows, columns, s, log) };
            check_gradient(&x, &dx, |x| dot(&forward64(x, rows, s, log), &dy));

            let (single, mut y32) = (to_f32(&x), vec![0f32; x.len()]);
            unsafe { forward::<F32x4>(single.as_ptr(), y32.as_mut_ptr(), rows, columns, s as f32, log) };
            y.iter().zip(&y32).for_each(|(a, b)| assert_close(f64::from(*b), *a, 1e-6, "single precision"));
        }
    }

    #[test]
    fn extreme_logits_and_nan() {
        let x = [1e30f32, -1e30, 0.0, -1000.0, -1000.0, -1000.0, f32::NEG_INFINITY, 3.0, 3.0, 1.0, f32::NAN, 1.0];
        let mut y = [0f32; 12];
        unsafe { forward::<F32x4>(x.as_ptr(), y.as_mut_ptr(), 4, 3, 1.0, false) };
        assert_eq!(y[..3], [1.0, 0.0, 0.0]);
        assert!(y[3..6].iter().all(|y| (y - 1.0 / 3.0).abs() < 1e-7));
        assert_eq!(y[6..9], [0.0, 0.5, 0.5]);
        assert!(y[9..].iter().all(|y| y.is_nan()));
        unsafe { forward::<F32x4>(x.as_ptr(), y.as_mut_ptr(), 1, 3, 1.0, true) };
        assert_eq!(y[..3], [0.0, -2e30, -1e30]);
        unsafe { forward::<F32x4>(x.as_ptr(), y.as_mut_ptr(), 3, 0, 1.0, true) };
    }
}
