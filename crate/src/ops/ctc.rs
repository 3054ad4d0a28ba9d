//! Connectionist temporal classification (Graves, Fernandez, Gomez & Schmidhuber, ICML 2006): the loss of a labelling l
//! of U labels, given the logarithms y[t, k] of the probabilities of K labels, one of them the blank, at T steps.
//!
//! With l' = blank l1 blank l2 ... blank of S = 2 U + 1 places, and places s - 2 and s joined unless l'[s] is blank or
//! l'[s - 2]:
//!
//! * alpha[0, s] = y[0, l'[s]] for s < 2; alpha[t, s] = y[t, l'[s]] + lse(alpha[t - 1, s], alpha[t - 1, s - 1], joined: alpha[t - 1, s - 2])
//! * loss = -lse(alpha[T - 1, S - 1], alpha[T - 1, S - 2]), infinite where no path is long enough
//! * beta[T - 1, s] = 0 for s >= S - 2; beta[t, s] = the same lse over s, s + 1, s + 2 of beta[t + 1, .] + y[t + 1, l'[.]]
//! * dy[t, k] -= d_loss sum over l'[s] = k of e^(alpha[t, s] + beta[t, s] - lse over s of the same)
//!
//! lse is the logarithm of the sum of exponentials. The largest element of every row of alpha and beta is taken out
//! (and, for the loss, added up in double precision), so that a long sequence costs no digits.

use super::softmax::{largest, ln};
use super::{large_spans, spans, sum_large_spans};
use crate::math::Constants;
use crate::memory::{OutOfMemory, Scratch};
use crate::simd::{Lane, Real};

/// Places around a row that stand for "impossible".
const MARGIN: usize = 2;

/// One sequence.
#[derive(Clone, Copy)]
pub struct Sequence<E> {
    /// y, steps by classes.
    pub log_probabilities: *const E,
    pub steps: usize,
    pub classes: usize,
    /// `count` labels, none of them the blank.
    pub labels: *const i32,
    pub count: usize,
    pub blank: usize,
}

/// Elements of a row of alpha.
pub const fn row_len(count: usize) -> usize {
    MARGIN + 2 * count + 1
}

impl<E: Real> Sequence<E> {
    const fn places(&self) -> usize {
        2 * self.count + 1
    }

    /// l'[s].
    unsafe fn label(&self, s: usize) -> usize {
        if s & 1 == 0 {
            self.blank
        } else {
            *self.labels.add(s / 2) as usize
        }
    }

    /// y[t, l'[s]].
    unsafe fn emission(&self, t: usize, s: usize) -> E {
        *self.log_probabilities.add(t * self.classes + self.label(s))
    }

    /// 0 where places s - 2 and s are joined, minus infinity elsewhere.
    unsafe fn joints(&self, to: *mut E) {
        for s in 0..self.places() {
            let joined = s & 1 == 1 && s >= 3 && self.label(s) != self.label(s - 2);
            let first = s == 1; // Its other end is outside, which is impossible anyway.
            *to.add(s) = if joined || first { E::ZERO } else { E::from_f64(f64::NEG_INFINITY) };
        }
    }
}

unsafe fn fill<L: Lane>(x: *mut L::Elem, n: usize) {
    spans(n, |at| at.store(L::constant(f64::NEG_INFINITY), x));
}

/// to[s] = lse(a[s], b[s], c[s] + joint[s]) for `n` places.
unsafe fn merge<L: Lane>(
    n: usize,
    a: *const L::Elem,
    b: *const L::Elem,
    c: *const L::Elem,
    joint: *const L::Elem,
    to: *mut L::Elem,
) {
    // Of three impossible terms the largest is taken to be this: their exponentials are then 0 and not NaN.
    let (lowest, k) = (L::constant(-1e30), Constants::read());
    large_spans(n, |at| {
        let (a, b, c) = (at.load::<L>(a), at.load::<L>(b), at.load::<L>(c) + at.load::<L>(joint));
        let top = a.max(b).max(c).max(lowest);
        at.store(top + ((a - top).exp(k) + (b - top).exp(k) + (c - top).exp(k)).ln(k), to);
    });
}

/// Takes the largest of `n` elements out of them; gives it, minus infinity when all are impossible.
#[inline(never)] // Small beside what is done with each row.
pub(super) unsafe fn normalize<L: Lane>(x: *mut L::Elem, n: usize) -> f64 {
    let top = largest::<L>(x, n);
    if top.to_f64() != f64::NEG_INFINITY {
        spans(n, |at| at.store(at.load::<L>(x) - L::splat(top), x));
    }
    top.to_f64()
}

/// The loss. `alphas` gets steps rows of [`row_len`], which begin with the margin.
///
/// # Safety
/// As in [`super`].
pub unsafe fn forward<L: Lane>(sequence: &Sequence<L::Elem>, alphas: *mut L::Elem) -> Result<f64, OutOfMemory> {
    let (places, width) = (sequence.places(), row_len(sequence.count));
    if sequence.steps == 0 {
        return Ok(if sequence.count == 0 { 0.0 } else { f64::INFINITY });
    }
    let scratch = Scratch::new();
    let joint = scratch.take::<L::Elem>(places).ok_or(OutOfMemory)?;
    sequence.joints(joint);
    let mut offset = 0.0;
    for t in 0..sequence.steps {
        let row = alphas.add(t * width);
        fill::<L>(row, if t == 0 { width } else { MARGIN });
        let alpha = row.add(MARGIN);
        if t == 0 {
            (0..places.min(2)).for_each(|s| *alpha.add(s) = sequence.emission(0, s));
        } else {
            let before = row.sub(width);
            merge::<L>(places, before.add(2), before.add(1), before, joint, alpha);
            (0..places).for_each(|s| *alpha.add(s) = *alpha.add(s) + sequence.emission(t, s));
        }
        offset += normalize::<L>(alpha, places);
    }
    let last = alphas.add((sequence.steps - 1) * width + MARGIN);
    let ends = places.min(2);
    let k = Constants::read();
    let sum = sum_large_spans::<L>(ends, |at| at.load::<L>(last.add(places - ends)).exp(k));
    Ok(-(offset + ln::<L>(sum).to_f64()))
}

/// `alphas` as [`forward`] left them, of a sequence whose loss is finite.
///
/// # Safety
/// As in [`super`].
pub unsafe fn backward<L: Lane>(
    sequence: &Sequence<L::Elem>,
    alphas: *const L::Elem,
    d_loss: L::Elem,
    d_log_probabilities: *mut L::Elem,
) -> Result<(), OutOfMemory> {
    let (places, width) = (sequence.places(), row_len(sequence.count));
    let scratch = Scratch::new();
    let take = |n| scratch.take::<L::Elem>(n).ok_or(OutOfMemory);
    let k = Constants::read();
    let (joint, beta, next, path) = (take(width)?, take(places)?, take(width)?, take(places)?);
    fill::<L>(joint, width);
    sequence.joints(joint);
    fill::<L>(next, width);
    fill::<L>(beta, places);
    (places.saturating_sub(2)..places).for_each(|s| *beta.add(s) = L::Elem::ZERO);
    for t in (0..sequence.steps).rev() {
        let alpha = alphas.add(t * width + MARGIN);
        spans(places, |at| at.store(at.load::<L>(alpha) + at.load::<L>(beta), path));
        let top = L::splat(largest::<L>(path, places));
        let sum = sum_large_spans::<L>(places, |at| {
            let share = (at.load::<L>(path) - top).exp(k);
            at.store(share, path);
            share
        });
        let factor = d_loss / sum;
        let slopes = d_log_probabilities.add(t * sequence.classes);
        for s in 0..places {
            let slope = slopes.add(sequence.label(s));
            *slope = *slope - factor * *path.add(s);
        }
        (0..places).for_each(|s| *next.add(s) = *beta.add(s) + sequence.emission(t, s));
        merge::<L>(places, next, next.add(1), next.add(2), joint.add(2), beta);
        normalize::<L>(beta, places);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check_gradient, random, to_f32};
    use super::*;
    use crate::simd::{F32x4, F64x4};

    const CLASSES: usize = 4;

    fn sequence<'a, E>(y: &'a [E], labels: &'a [i32], blank: usize) -> Sequence<E> {
        let steps = y.len() / CLASSES;
        let (log_probabilities, count) = (y.as_ptr(), labels.len());
        Sequence { log_probabilities, steps, classes: CLASSES, labels: labels.as_ptr(), count, blank }
    }

    fn forward64(y: &[f64], labels: &[i32], blank: usize) -> (f64, Vec<f64>) {
        let sequence = sequence(y, labels, blank);
        let mut alphas = vec![9.0; sequence.steps * row_len(labels.len())];
        let loss = unsafe { forward::<F64x4>(&sequence, alphas.as_mut_ptr()) }.unwrap();
        (loss, alphas)
    }

    /// -ln of the sum over all paths that collapse to the labels.
    fn by_enumeration(y: &[f64], labels: &[i32], blank: usize) -> f64 {
        let steps = y.len() / CLASSES;
        let mut total = 0.0;
        for path in 0..CLASSES.pow(steps as u32) {
            let symbols: Vec<usize> = (0..steps).map(|t| path / CLASSES.pow(t as u32) % CLASSES).collect();
            let mut collapsed = symbols.clone();
            collapsed.dedup();
            collapsed.retain(|symbol| *symbol != blank);
            if collapsed.iter().map(|symbol| *symbol as i32).eq(labels.iter().copied()) {
                total += symbols.iter().enumerate().map(|(t, k)| y[t * CLASSES + k]).sum::<f64>().exp();
            }
        }
        -total.ln()
    }

    const LABELLINGS: [(usize, &[i32], usize); 8] = [
        (1, &[1], 0),
        (4, &[], 0),
        (5, &[1, 2], 0),
        (5, &[2, 2], 0),
        (6, &[1, 1, 3], 0),
        (5, &[0, 2, 0], 3),
        (4, &[1, 2, 2], 0),
        (6, &[3, 1, 2], 0),
    ];

    #[test]
    fn is_the_sum_over_all_paths() {
        for (steps, labels, blank) in LABELLINGS {
            let y = random(steps * CLASSES, 1);
            assert_close(forward64(&y, labels, blank).0, by_enumeration(&y, labels, blank), 1e-12, "ctc");
            let single = to_f32(&y);
            let mut alphas = vec![9f32; steps * row_len(labels.len())];
            let loss = unsafe { forward::<F32x4>(&sequence(&single, labels, blank), alphas.as_mut_ptr()) }.unwrap();
            assert_close(loss, forward64(&y, labels, blank).0, 1e-6, "single precision");
        }
    }

    #[test]
    fn gradient() {
        for (steps, labels, blank) in LABELLINGS {
            let y = random(steps * CLASSES, 2);
            let (_, alphas) = forward64(&y, labels, blank);
            let mut dy = vec![0.0; y.len()];
            let sequence = sequence(&y, labels, blank);
            unsafe { backward::<F64x4>(&sequence, alphas.as_ptr(), 1.5, dy.as_mut_ptr()) }.unwrap();
            check_gradient(&y, &dy, |y| 1.5 * forward64(y, labels, blank).0);
        }
    }

    #[test]
    fn impossible_and_empty() {
        assert_eq!(forward64(&random(2 * CLASSES, 1), &[1, 1], 0).0, f64::INFINITY);
        assert_eq!(forward64(&random(2 * CLASSES, 1), &[1, 2, 3], 0).0, f64::INFINITY);
        assert_eq!(forward64(&[], &[1], 0).0, f64::INFINITY);
        assert_eq!(forward64(&[], &[], 0).0, 0.0);
    }

    #[test]
    fn a_long_sequence_costs_no_digits() {
        let steps = 3000;
        let y: Vec<f64> = random(steps * CLASSES, 3).iter().map(|x| f64::from((3.0 * x - 7.0) as f32)).collect();
        let labels: Vec<i32> = (0..400).map(|i| 1 + i % 3).collect();
        let expected = forward64(&y, &labels, 0);
        let mut alphas = vec![0f32; steps * row_len(labels.len())];
        let single = to_f32(&y);
        let sequence32 = sequence(&single, &labels, 0);
        let loss = unsafe { forward::<F32x4>(&sequence32, alphas.as_mut_ptr()) }.unwrap();
        assert_close(loss, expected.0, 1e-6, "loss");
        let (mut dy, mut dy32) = (vec![0.0; y.len()], vec![0f32; y.len()]);
        unsafe { backward::<F64x4>(&sequence(&y, &labels, 0), expected.1.as_ptr(), 1.0, dy.as_mut_ptr()) }.unwrap();
        unsafe { backward::<F32x4>(&sequence32, alphas.as_ptr(), 1.0, dy32.as_mut_ptr()) }.unwrap();
        dy.iter().zip(&dy32).for_each(|(a, b)| assert_close(f64::from(*b), *a, 2e-4, "gradient"));
    }
}
