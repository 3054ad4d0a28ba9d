//! Cross-entropy of logits, with PyTorch's meaning of every option.
//!
//! With p = softmax(x), class weights w (1 if absent), smoothing e and K classes, the loss of a row is
//!
//! * target class t: (1 - e) w[t] (-ln p[t]) + e / K sum over c of w[c] (-ln p[c]); row weight w[t]. A row whose target is
//!   `ignore_index` has loss and weight 0.
//! * target distribution q: sum over c of w[c] q'[c] (-ln p[c]), q' = (1 - e) q + e / K; row weight 1.
//!
//! The mean is the sum of losses over the sum of row weights. With the coefficients v[c] of -ln p[c] above,
//! dx[c] += d_loss (p[c] sum v - v[c]).

use super::softmax::{exponentials, largest, ln};
use super::{spans, sum_spans, Invalid, Span};
use crate::simd::{Lane, Real};

/// What is to be predicted in each row.
#[derive(Clone, Copy)]
pub enum Targets<E> {
    /// One class a row.
    Classes(*const i32),
    /// A distribution a row, `rows` by `classes`.
    Distributions(*const E),
}

/// Everything but the logits.
#[derive(Clone, Copy)]
pub struct Problem<E> {
    pub targets: Targets<E>,
    /// One a class, or null.
    pub weights: *const E,
    pub ignore_index: i32,
    pub smoothing: E,
    pub rows: usize,
    pub classes: usize,
}

impl<E: Real> Problem<E> {
    /// Every target is a class or ignored.
    unsafe fn validate(&self) -> Result<(), Invalid> {
        if let Targets::Classes(targets) = self.targets {
            for r in 0..self.rows {
                let target = *targets.add(r);
                if target != self.ignore_index && (target < 0 || target as usize >= self.classes) {
                    return Err(Invalid);
                }
            }
        }
        Ok(())
    }

    #[inline(always)]
    unsafe fn weight(&self, class: usize) -> E {
        if self.weights.is_null() {
            E::ONE
        } else {
            *self.weights.add(class)
        }
    }

    /// w[c] of a span.
    #[inline(always)]
    unsafe fn weights_at<L: Lane<Elem = E>>(&self, at: Span) -> L {
        if self.weights.is_null() {
            L::constant(1.0)
        } else {
            at.load::<L>(self.weights)
        }
    }

    /// The coefficients of one row.
    #[inline(always)]
    unsafe fn row(&self, r: usize) -> Row<E> {
        let uniform = self.smoothing / E::from_f64(self.classes as f64);
        let rest = E::ONE - self.smoothing;
        match self.targets {
            Targets::Classes(targets) => match *targets.add(r) {
                target if target == self.ignore_index => Row::Ignored,
                target => Row::Class { target: target as usize, weight: self.weight(target as usize), rest, uniform },
            },
            Targets::Distributions(q) => Row::Distribution { q: q.add(r * self.classes), rest, uniform },
        }
    }

    /// (1 - e) q w + e / K w of a span.
    #[inline(always)]
    unsafe fn coefficients<L: Lane<Elem = E>>(&self, at: Span, q: *const E, rest: E, uniform: E) -> L {
        (at.load::<L>(q) * L::splat(rest) + L::splat(uniform)) * self.weights_at::<L>(at)
    }
}

enum Row<E> {
    Ignored,
    Class { target: usize, weight: E, rest: E, uniform: E },
    Distribution { q: *const E, rest: E, uniform: E },
}

/// `losses` and `row_weights` get one element a row; `probabilities`, rows by classes, is for the backward and may be
/// null.
///
/// # Safety
/// As in [`super`].
pub unsafe fn forward<L: Lane>(
    logits: *const L::Elem,
    problem: &Problem<L::Elem>,
    losses: *mut L::Elem,
    row_weights: *mut L::Elem,
    probabilities: *mut L::Elem,
) -> Result<(), Invalid> {
    problem.validate()?;
    let n = problem.classes;
    for r in 0..problem.rows {
        let x = logits.add(r * n);
        let p = if probabilities.is_null() { probabilities } else { probabilities.add(r * n) };
        let offset = largest::<L>(x, n);
        let sum = exponentials::<L>(x, p, n, L::Elem::ONE, offset);
        if !p.is_null() {
            spans(n, |at| at.store(at.load::<L>(p) / L::splat(sum), p));
        }
        // -ln p[c] = ln sum - (x[c] - max): no large numbers are subtracted but the logits themselves.
        let log_sum = ln::<L>(sum);
        let surprisal = |at: Span| L::splat(log_sum) - (at.load::<L>(x) - L::splat(offset));
        let (loss, weight) = match problem.row(r) {
            Row::Ignored => (L::Elem::ZERO, L::Elem::ZERO),
            Row::Class { target, weight, rest, uniform } => {
                let mut loss = rest * weight * (log_sum - (*x.add(target) - offset));
                if uniform != L::Elem::ZERO {
                    loss += uniform * sum_spans::<L>(n, |at| surprisal(at) * problem.weights_at::<L>(at));
                }
                (loss, weight)
            }
            Row::Distribution { q, rest, uniform } => {
                let term = |at: Span| surprisal(at) * problem.coefficients::<L>(at, q, rest, uniform);
                (sum_spans::<L>(n, term), L::Elem::ONE)
            }
        };
        *losses.add(r) = loss;
        *row_weights.add(r) = weight;
    }
    Ok(())
}

/// `d_losses` has one element a row. `d_logits` may be `probabilities`, which it then replaces.
///
/// # Safety
/// As in [`super`]; `probabilities` comes from [`forward`] of the same problem.
pub unsafe fn backward<L: Lane>(
    probabilities: *const L::Elem,
    problem: &Problem<L::Elem>,
    d_losses: *const L::Elem,
    d_logits: *mut L::Elem,
) -> Result<(), Invalid> {
    problem.validate()?;
    let n = problem.classes;
    let all_weights = sum_spans::<L>(n, |at| problem.weights_at::<L>(at));
    let in_place = probabilities == d_logits.cast_const();
    for r in 0..problem.rows {
        let (p, dx, d_loss) = (probabilities.add(r * n), d_logits.add(r * n), *d_losses.add(r));
        let add = |at: Span, slope: L| if in_place { at.store(slope, dx) } else { at.add(slope, dx) };
        match problem.row(r) {
            Row::Ignored if in_place => spans(n, |at| at.store(L::zero(), dx)),
            Row::Ignored => {}
            Row::Class { target, weight, rest, uniform } => {
                let of_target = d_loss * rest * weight;
                let total = L::splat(of_target + d_loss * uniform * all_weights);
                if uniform == L::Elem::ZERO {
                    spans(n, |at| add(at, total * at.load::<L>(p)));
                } else {
                    let scale = L::splat(d_loss * uniform);
                    spans(n, |at| add(at, total * at.load::<L>(p) - scale * problem.weights_at::<L>(at)));
                }
                *dx.add(target) += -of_target;
            }
            Row::Distribution { q, rest, uniform } => {
                let total = L::splat(sum_spans::<L>(n, |at| problem.coefficients::<L>(at, q, rest, uniform)));
                spans(n, |at| {
                    let slope = total * at.load::<L>(p) - problem.coefficients::<L>(at, q, rest, uniform);
                    add(at, L::splat(d_loss) * slope);
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check_gradient, dot, random};
    use super::*;
    use crate::simd::{F32x4, F64x4};
    use core::ptr::null;

    const ROWS: usize = 5;

    fn forward64(x: &[f64], problem: &Problem<f64>) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let (mut losses, mut weights, mut p) = (vec![9.0; ROWS], vec![9.0; ROWS], vec![9.0; x.len()]);
        let (to, to_weights) = (losses.as_mut_ptr(), weights.as_mut_ptr());
        unsafe { forward::<F64x4>(x.as_ptr(), problem, to, to_weights, p.as_mut_ptr()) }.unwrap();
        (losses, weights, p)
    }

    #[test]
    fn is_its_definition_and_so_is_its_gradient() {
        for classes in 1..10 {
            let x = random(ROWS * classes, 1);
            let w: Vec<f64> = random(classes, 2).iter().map(|w| w.abs() + 0.1).collect();
            let q: Vec<f64> = random(ROWS * classes, 3).iter().map(|q| q.abs()).collect();
            let classes_of: Vec<i32> = (0..ROWS).map(|r| if r == 2 { -7 } else { (3 * r % classes) as i32 }).collect();
            for (smoothing, weighted, soft) in
                (0..8).map(|k| (if k & 1 == 0 { 0.0 } else { 0.2 }, k & 2 != 0, k & 4 != 0))
            {
                let problem = Problem {
                    targets: if soft {
                        Targets::Distributions(q.as_ptr())
                    } else {
                        Targets::Classes(classes_of.as_ptr())
                    },
                    weights: if weighted { w.as_ptr() } else { null() },
                    ignore_index: -7,
                    smoothing,
                    rows: ROWS,
                    classes,
                };
                let (losses, row_weights, p) = forward64(&x, &problem);
                for r in 0..ROWS {
                    let row = &x[r * classes..][..classes];
                    let log_sum = row.iter().map(|x| x.exp()).sum::<f64>().ln();
                    let weight = |c: usize| if weighted { w[c] } else { 1.0 };
                    let target = |c: usize| {
                        let q = if soft { q[r * classes + c] } else { f64::from(u8::from(classes_of[r] == c as i32)) };
                        (1.0 - smoothing) * q
                    };
                    let ignored = !soft && classes_of[r] == -7;
                    // For a target class PyTorch smooths with each class's own weight: the same formula.
                    let term = |c: usize| weight(c) * (target(c) + smoothing / classes as f64) * (log_sum - row[c]);
                    let expected = if ignored { 0.0 } else { (0..classes).map(term).sum() };
                    assert_close(losses[r], expected, 1e-12, "loss");
                    let expected = match (ignored, soft) {
                        (true, _) => 0.0,
                        (_, true) => 1.0,
                        _ => weight(classes_of[r] as usize),
                    };
                    assert_eq!(row_weights[r], expected);
                }
                let d_losses = random(ROWS, 4);
                let mut dx = vec![0.0; x.len()];
                unsafe { backward::<F64x4>(p.as_ptr(), &problem, d_losses.as_ptr(), dx.as_mut_ptr()) }.unwrap();
                check_gradient(&x, &dx, |x| dot(&forward64(x, &problem).0, &d_losses));
                let mut in_place = p;
                let p = in_place.as_mut_ptr();
                unsafe { backward::<F64x4>(p, &problem, d_losses.as_ptr(), p) }.unwrap();
                assert_eq!(in_place, dx);
            }
        }
    }

    #[test]
    fn extreme_logits_stay_finite_and_bad_targets_are_refused() {
        let x = [1e4f32, -1e4, 0.0, 3e38, 3e38, -3e38];
        let mut targets = [1, 1];
        let (mut losses, mut weights) = ([0f32; 2], [0f32; 2]);
        let run = |targets: &[i32; 2], losses: &mut [f32; 2], weights: &mut [f32; 2]| {
            let problem = Problem {
                targets: Targets::Classes(targets.as_ptr()),
                weights: null(),
                ignore_index: -100,
                smoothing: 0.0,
                rows: 2,
                classes: 3,
            };
            let none = core::ptr::null_mut();
            unsafe { forward::<F32x4>(x.as_ptr(), &problem, losses.as_mut_ptr(), weights.as_mut_ptr(), none) }
        };
        assert_eq!(run(&targets, &mut losses, &mut weights), Ok(()));
        assert_eq!(losses[0], 2e4);
        assert!((losses[1] - core::f32::consts::LN_2).abs() < 1e-7);
        for bad in [-1, 3, i32::MAX, i32::MIN] {
            targets[1] = bad;
            losses = [9.0; 2];
            assert_eq!(run(&targets, &mut losses, &mut weights), Err(Invalid));
            assert_eq!(losses, [9.0; 2]);
        }
    }
}
