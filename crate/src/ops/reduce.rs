//! Sums and maxima over the middle dimension of (outer, n, inner), all row-major.
//!
//! * sum: y[o, i] = scale sum over k of x[o, k, i]; dx[o, k, i] += scale dy[o, i]
//! * max: y[o, i] = max over k of x[o, k, i], the first one of several, NaN if there is one; dx at that place += dy

use super::{spans, sum_spans, Invalid};
use crate::simd::{Lane, Real};

/// A long sum is one of f32 blocks of this many elements, added in f64.
const BLOCK: usize = 1024;

/// # Safety
/// As in [`super`].
pub unsafe fn sum<L: Lane>(x: *const L::Elem, y: *mut L::Elem, outer: usize, n: usize, inner: usize, scale: L::Elem) {
    for o in 0..outer {
        let (x, y) = (x.add(o * n * inner), y.add(o * inner));
        if inner == 1 {
            let mut total = 0.0;
            for start in (0..n).step_by(BLOCK) {
                let x = x.add(start);
                total += sum_spans::<L>(BLOCK.min(n - start), |at| at.load(x)).to_f64();
            }
            *y = L::Elem::from_f64(total) * scale;
            continue;
        }
        spans(inner, |at| at.store(L::zero(), y));
        for k in 0..n {
            let x = x.add(k * inner);
            spans(inner, |at| at.add::<L>(at.load(x), y));
        }
        spans(inner, |at| at.store(L::splat(scale) * at.load::<L>(y), y));
    }
}

/// # Safety
/// As in [`super`].
pub unsafe fn sum_backward<L: Lane>(
    dy: *const L::Elem,
    dx: *mut L::Elem,
    outer: usize,
    n: usize,
    inner: usize,
    scale: L::Elem,
) {
    for o in 0..outer {
        let (dy, dx) = (dy.add(o * inner), dx.add(o * n * inner));
        if inner == 1 {
            let value = L::splat(*dy * scale);
            spans(n, |at| at.add(value, dx));
            continue;
        }
        for k in 0..n {
            let dx = dx.add(k * inner);
            spans(inner, |at| at.add(L::splat(scale) * at.load::<L>(dy), dx));
        }
    }
}

/// `index` gets the chosen k; `n` = 0 is invalid unless there is nothing to give.
///
/// # Safety
/// As in [`super`].
pub unsafe fn max<E: Real>(
    x: *const E,
    y: *mut E,
    index: *mut i32,
    outer: usize,
    n: usize,
    inner: usize,
) -> Result<(), Invalid> {
    if n == 0 && outer * inner > 0 {
        return Err(Invalid);
    }
    for o in 0..outer {
        for i in 0..inner {
            let x = x.add(o * n * inner + i);
            let (mut best, mut at) = (*x, 0);
            for k in 1..n {
                let value = *x.add(k * inner);
                let is_nan = |x: E| x.partial_cmp(&x).is_none();
                if value > best || (is_nan(value) && !is_nan(best)) {
                    (best, at) = (value, k);
                }
            }
            *y.add(o * inner + i) = best;
            *index.add(o * inner + i) = at as i32;
        }
    }
    Ok(())
}

/// # Safety
/// As in [`super`]; `index` comes from [`max`].
pub unsafe fn max_backward<E: Real>(dy: *const E, index: *const i32, dx: *mut E, outer: usize, n: usize, inner: usize) {
    for o in 0..outer {
        for i in 0..inner {
            let at = o * inner + i;
            *dx.add((o * n + *index.add(at) as usize) * inner + i) += *dy.add(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check_gradient, dot, random};
    use super::*;
    use crate::simd::{F32x4, F64x4};

    const SHAPES: [(usize, usize, usize); 6] = [(3, 5, 1), (1, 2053, 1), (2, 3, 7), (1, 1, 1), (2, 0, 3), (0, 2, 2)];

    fn sum64(x: &[f64], (outer, n, inner): (usize, usize, usize)) -> Vec<f64> {
        let mut y = vec![9.0; outer * inner];
        unsafe { sum::<F64x4>(x.as_ptr(), y.as_mut_ptr(), outer, n, inner, 0.25) };
        y
    }

    fn max64(x: &[f64], (outer, n, inner): (usize, usize, usize)) -> (Vec<f64>, Vec<i32>) {
        let (mut y, mut index) = (vec![9.0; outer * inner], vec![-1; outer * inner]);
        unsafe { max(x.as_ptr(), y.as_mut_ptr(), index.as_mut_ptr(), outer, n, inner) }.unwrap();
        (y, index)
    }

    #[test]
    fn sums_and_their_gradients() {
        for shape @ (outer, n, inner) in SHAPES {
            let x = random(outer * n * inner, 1);
            let y = sum64(&x, shape);
            for (at, y) in y.iter().enumerate() {
                let (o, i) = (at / inner, at % inner);
                let expected: f64 = (0..n).map(|k| x[(o * n + k) * inner + i]).sum();
                assert_close(*y, 0.25 * expected, 1e-13, "sum");
            }
            let dy = random(y.len(), 2);
            let mut dx = vec![0.0; x.len()];
            unsafe { sum_backward::<F64x4>(dy.as_ptr(), dx.as_mut_ptr(), outer, n, inner, 0.25) };
            if n < 100 {
                check_gradient(&x, &dx, |x| dot(&sum64(x, shape), &dy));
            } else {
                assert!(dx.iter().all(|dx| *dx == 0.25 * dy[0]));
            }
        }
    }

    #[test]
    fn long_sums_keep_their_precision() {
        let n = 4_000_003;
        let x = vec![0.1f32; n];
        let mut y = [0f32];
        unsafe { sum::<F32x4>(x.as_ptr(), y.as_mut_ptr(), 1, n, 1, 1.0 / n as f32) };
        assert!((y[0] - 0.1).abs() < 1e-6);
    }

    #[test]
    fn maxima_and_their_gradients() {
        for shape @ (outer, n, inner) in SHAPES.into_iter().filter(|shape| shape.1 > 0 && shape.1 < 100) {
            let x = random(outer * n * inner, 3);
            let (y, index) = max64(&x, shape);
            for (at, y) in y.iter().enumerate() {
                let column = (0..n).map(|k| x[(at / inner * n + k) * inner + at % inner]);
                assert_eq!(*y, column.fold(f64::NEG_INFINITY, f64::max));
            }
            let dy = random(y.len(), 4);
            let mut dx = vec![0.0; x.len()];
            unsafe { max_backward(dy.as_ptr(), index.as_ptr(), dx.as_mut_ptr(), outer, n, inner) };
            check_gradient(&x, &dx, |x| dot(&max64(x, shape).0, &dy));
        }
        assert_eq!(max64(&[1.0, 3.0, 3.0], (1, 3, 1)), (vec![3.0], vec![1]));
        let (y, index) = max64(&[1.0, f64::NAN, 3.0, f64::NAN], (1, 4, 1));
        assert!(y[0].is_nan() && index == [1]);
        let (mut y, mut index) = ([0.0], [0]);
        assert_eq!(unsafe { max(y.as_ptr(), y.as_mut_ptr(), index.as_mut_ptr(), 1, 0, 1) }, Err(Invalid));
    }
}
