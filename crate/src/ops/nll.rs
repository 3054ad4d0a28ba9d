//! Negative log-likelihood: what is left of [`super::cross_entropy`] when the logarithms of the probabilities are
//! given.
//!
//! loss[r] = -w[t] y[r, t], row weight w[t], both 0 where t is `ignore_index`; dy[r, t] -= w[t] d_loss[r].

use super::Invalid;
use crate::simd::Real;

/// The weight of the target of row `r`, and the place of its logarithm; `None` where it is ignored.
unsafe fn target<E: Real>(
    targets: *const i32,
    weights: *const E,
    ignore_index: i32,
    r: usize,
    classes: usize,
) -> Result<Option<(E, usize)>, Invalid> {
    let target = *targets.add(r);
    if target == ignore_index {
        return Ok(None);
    }
    if target < 0 || target as usize >= classes {
        return Err(Invalid);
    }
    let weight = if weights.is_null() { E::ONE } else { *weights.add(target as usize) };
    Ok(Some((weight, r * classes + target as usize)))
}

/// `weights` has one element a class, or is null. A target out of range stops at its row.
///
/// # Safety
/// As in [`super`].
pub unsafe fn forward<E: Real>(
    log_probabilities: *const E,
    targets: *const i32,
    weights: *const E,
    ignore_index: i32,
    rows: usize,
    classes: usize,
    losses: *mut E,
    row_weights: *mut E,
) -> Result<(), Invalid> {
    for r in 0..rows {
        let target = target(targets, weights, ignore_index, r, classes)?;
        *losses.add(r) = target.map_or(E::ZERO, |(weight, at)| -(weight * *log_probabilities.add(at)));
        *row_weights.add(r) = target.map_or(E::ZERO, |(weight, _)| weight);
    }
    Ok(())
}

/// # Safety
/// As in [`super`].
pub unsafe fn backward<E: Real>(
    targets: *const i32,
    weights: *const E,
    ignore_index: i32,
    rows: usize,
    classes: usize,
    d_losses: *const E,
    d_log_probabilities: *mut E,
) -> Result<(), Invalid> {
    for r in 0..rows {
        if let Some((weight, at)) = target(targets, weights, ignore_index, r, classes)? {
            *d_log_probabilities.add(at) += -(weight * *d_losses.add(r));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_gradient, dot, random};
    use super::*;

    fn forward64(y: &[f64], targets: &[i32], w: *const f64) -> Result<(Vec<f64>, Vec<f64>), Invalid> {
        let (mut losses, mut weights) = (vec![9.0; targets.len()], vec![9.0; targets.len()]);
        let (to, to_weights, t) = (losses.as_mut_ptr(), weights.as_mut_ptr(), targets.as_ptr());
        unsafe { forward(y.as_ptr(), t, w, -100, targets.len(), 3, to, to_weights) }.map(|()| (losses, weights))
    }

    #[test]
    fn is_its_definition_and_so_is_its_gradient() {
        let (y, w, targets) = (random(12, 1), [0.5, 2.0, 3.0], [2, -100, 0, 1]);
        let (losses, weights) = forward64(&y, &targets, w.as_ptr()).unwrap();
        assert_eq!(losses, [-3.0 * y[2], 0.0, -0.5 * y[6], -2.0 * y[10]]);
        assert_eq!(weights, [3.0, 0.0, 0.5, 2.0]);
        assert_eq!(forward64(&y, &targets, core::ptr::null()).unwrap().1, [1.0, 0.0, 1.0, 1.0]);
        assert_eq!(forward64(&y, &[3], w.as_ptr()), Err(Invalid));
        let (d, mut dy) = (random(4, 2), vec![0.0; 12]);
        unsafe { backward(targets.as_ptr(), w.as_ptr(), -100, 4, 3, d.as_ptr(), dy.as_mut_ptr()) }.unwrap();
        check_gradient(&y, &dy, |y| dot(&forward64(y, &targets, w.as_ptr()).unwrap().0, &d));
    }
}
