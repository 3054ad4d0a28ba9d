//! Layer normalisation (Ba, Kiros & Hinton 2016) of rows of n elements, with the biased variance and eps under the
//! root, as PyTorch has it.
//!
//! * m = mean of x, r = 1 / sqrt(mean of (x - m)^2 + eps), z = r (x - m), y = z w + b; w is 1 and b is 0 where absent
//! * with e = dy w: dx += r (e - mean of e - z mean of e z); dw += dy z, db += dy

use super::{spans, sum_spans};
use crate::simd::{Lane, Real};

/// Everything but the rows.
#[derive(Clone, Copy)]
pub struct Norm<E> {
    pub rows: usize,
    pub n: usize,
    /// n elements, or null.
    pub weight: *const E,
}

impl<E: Real> Norm<E> {
    fn mean(&self, sum: E) -> E {
        sum / E::from_f64(self.n as f64)
    }
}

/// `means` and `scales` get m and r of each row, for the backward; `bias` may be null.
///
/// # Safety
/// As in [`super`].
pub unsafe fn forward<L: Lane>(
    norm: &Norm<L::Elem>,
    x: *const L::Elem,
    bias: *const L::Elem,
    eps: f64,
    y: *mut L::Elem,
    means: *mut L::Elem,
    scales: *mut L::Elem,
) {
    let Norm { rows, n, weight } = *norm;
    for row in 0..rows {
        let (x, y) = (x.add(row * n), y.add(row * n));
        let mean = norm.mean(sum_spans::<L>(n, |at| at.load(x)));
        let centered = |at: super::Span| at.load::<L>(x) - L::splat(mean);
        let squares = |at: super::Span| {
            let distance = centered(at);
            distance * distance
        };
        let variance = norm.mean(sum_spans::<L>(n, squares));
        let scale = L::Elem::ONE / (variance + L::Elem::from_f64(eps)).sqrt();
        (*means.add(row), *scales.add(row)) = (mean, scale);
        spans(n, |at| {
            let mut value = centered(at) * L::splat(scale);
            if !weight.is_null() {
                value = value * at.load::<L>(weight);
            }
            if !bias.is_null() {
                value = value + at.load::<L>(bias);
            }
            at.store(value, y);
        });
    }
}

/// `dx`, `dw` and `db` may be null.
///
/// # Safety
/// As in [`super`].
pub unsafe fn backward<L: Lane>(
    norm: &Norm<L::Elem>,
    x: *const L::Elem,
    means: *const L::Elem,
    scales: *const L::Elem,
    dy: *const L::Elem,
    dx: *mut L::Elem,
    dw: *mut L::Elem,
    db: *mut L::Elem,
) {
    let Norm { rows, n, weight } = *norm;
    for row in 0..rows {
        let (x, dy) = (x.add(row * n), dy.add(row * n));
        let (mean, scale) = (L::splat(*means.add(row)), L::splat(*scales.add(row)));
        let z = |at: super::Span| (at.load::<L>(x) - mean) * scale;
        let e = |at: super::Span| {
            let slope = at.load::<L>(dy);
            if weight.is_null() {
                slope
            } else {
                slope * at.load::<L>(weight)
            }
        };
        if !dx.is_null() {
            let dx = dx.add(row * n);
            let shift = L::splat(norm.mean(sum_spans::<L>(n, e)));
            let tilt = L::splat(norm.mean(sum_spans::<L>(n, |at| e(at) * z(at))));
            spans(n, |at| at.add(scale * (e(at) - shift - z(at) * tilt), dx));
        }
        if !dw.is_null() {
            spans(n, |at| at.add(at.load::<L>(dy) * z(at), dw));
        }
        if !db.is_null() {
            spans(n, |at| at.add(at.load::<L>(dy), db));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check_gradient, dot, random, to_f32};
    use super::*;
    use crate::simd::{F32x4, F64x4};

    const EPS: f64 = 0.01;

    struct Result64 {
        y: Vec<f64>,
        means: Vec<f64>,
        scales: Vec<f64>,
    }

    fn forward64(x: &[f64], n: usize, weight: &[f64], bias: &[f64]) -> Result64 {
        let rows = x.len() / n;
        let (mut y, mut means, mut scales) = (vec![9.0; x.len()], vec![9.0; rows], vec![9.0; rows]);
        let norm = Norm { rows, n, weight: weight.as_ptr() };
        let (to, m, r) = (y.as_mut_ptr(), means.as_mut_ptr(), scales.as_mut_ptr());
        unsafe { forward::<F64x4>(&norm, x.as_ptr(), bias.as_ptr(), EPS, to, m, r) };
        Result64 { y, means, scales }
    }

    #[test]
    fn is_its_definition_and_so_are_its_gradients() {
        for n in 1..10 {
            let (x, weight, bias, dy) = (random(3 * n, 1), random(n, 2), random(n, 3), random(3 * n, 4));
            let Result64 { y, means, scales } = forward64(&x, n, &weight, &bias);
            for (i, y) in y.iter().enumerate() {
                let row = &x[i / n * n..][..n];
                let mean = row.iter().sum::<f64>() / n as f64;
                let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n as f64;
                let expected = (x[i] - mean) / (variance + EPS).sqrt() * weight[i % n] + bias[i % n];
                assert_close(*y, expected, 1e-12, "layer norm");
            }
            let (mut dx, mut dw, mut db) = (vec![0.0; 3 * n], vec![0.0; n], vec![0.0; n]);
            let norm = Norm { rows: 3, n, weight: weight.as_ptr() };
            let (m, r) = (means.as_ptr(), scales.as_ptr());
            let to = (dx.as_mut_ptr(), dw.as_mut_ptr(), db.as_mut_ptr());
            unsafe { backward::<F64x4>(&norm, x.as_ptr(), m, r, dy.as_ptr(), to.0, to.1, to.2) };
            check_gradient(&x, &dx, |x| dot(&forward64(x, n, &weight, &bias).y, &dy));
            check_gradient(&weight, &dw, |weight| dot(&forward64(&x, n, weight, &bias).y, &dy));
            check_gradient(&bias, &db, |bias| dot(&forward64(&x, n, &weight, bias).y, &dy));
        }
    }

    #[test]
    fn without_weights_in_single_precision_and_empty() {
        let x = to_f32(&random(14, 5));
        let norm = Norm { rows: 2, n: 7, weight: core::ptr::null() };
        let (mut y, mut means, mut scales) = ([0f32; 14], [0f32; 2], [0f32; 2]);
        let (to, m, r) = (y.as_mut_ptr(), means.as_mut_ptr(), scales.as_mut_ptr());
        unsafe { forward::<F32x4>(&norm, x.as_ptr(), core::ptr::null(), 0.0, to, m, r) };
        for row in y.chunks(7) {
            assert!(row.iter().sum::<f32>().abs() < 1e-5);
            assert!((row.iter().map(|y| y * y).sum::<f32>() / 7.0 - 1.0).abs() < 1e-5);
        }
        let nothing = Norm { rows: 0, n: 0, weight: core::ptr::null() };
        unsafe { forward::<F32x4>(&nothing, x.as_ptr(), core::ptr::null(), 0.0, to, m, r) };
    }
}
