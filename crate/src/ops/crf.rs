//! The linear-chain conditional random field (Lafferty, McCallum & Pereira, ICML 2001; over the outputs of a network:
//! Collobert et al., JMLR 2011; Lample et al., NAACL 2016). A sequence of T steps has emissions x[t, j] for each of K
//! tags; A[i, j] is the score of tag j after tag i, a[j] that of beginning with j, b[j] that of ending with it.
//!
//! * score(y) = a[y1] + sum over t of x[t, y_t] + sum over t > 1 of A[y_(t - 1), y_t] + b[y_T]
//! * p(y) = e^score(y) / Z, Z summing over all K^T sequences of tags; loss = ln Z - score(y), and ln Z without a y
//! * alpha[1, j] = a[j] + x[1, j]; alpha[t, j] = x[t, j] + lse over i of alpha[t - 1, i] + A[i, j]; ln Z = lse(alpha[T, .] + b)
//! * beta[T, i] = b[i]; beta[t, i] = lse over j of A[i, j] + x[t + 1, j] + beta[t + 1, j]
//! * p(y_t = i) = e^(alpha[t, i] + beta[t, i]) / Z, which is the gradient of ln Z by x[t, i]
//! * p(y_t = i, y_(t + 1) = j) = e^(alpha[t, i] + A[i, j] + x[t + 1, j] + beta[t + 1, j]) / Z, that by A[i, j] at t
//!
//! lse is the logarithm of the sum of exponentials. The largest element of every row of alpha and beta is taken out
//! (and, for ln Z, added up in double precision), so that a long sequence costs no digits.

use super::ctc::normalize;
use super::softmax::{largest, ln};
use super::{large_spans, spans, sum_large_spans};
use crate::math::Constants;
use crate::memory::{OutOfMemory, Scratch};
use crate::simd::{Lane, Real};

/// One sequence and the scores it is judged by.
#[derive(Clone, Copy)]
pub struct Chain<E> {
    /// x, steps by `tags`.
    pub emissions: *const E,
    pub steps: usize,
    /// K.
    pub tags: usize,
    /// A, K by K.
    pub transitions: *const E,
    pub start: *const E,
    pub end: *const E,
    /// y, a tag for each step; null: the loss is ln Z alone.
    pub path: *const i32,
}

/// Where gradients are added, in the shapes of [`Chain`].
#[derive(Clone, Copy)]
pub struct Slopes<E> {
    pub emissions: *mut E,
    pub transitions: *mut E,
    pub start: *mut E,
    pub end: *mut E,
}

impl<E: Real> Chain<E> {
    unsafe fn tag(&self, t: usize) -> usize {
        *self.path.add(t) as usize
    }

    /// score(y); 0 without a y.
    unsafe fn score(&self) -> f64 {
        if self.path.is_null() {
            return 0.0;
        }
        let mut score = (*self.start.add(self.tag(0))).to_f64() + (*self.end.add(self.tag(self.steps - 1))).to_f64();
        for t in 0..self.steps {
            score += (*self.emissions.add(t * self.tags + self.tag(t))).to_f64();
            if t > 0 {
                score += (*self.transitions.add(self.tag(t - 1) * self.tags + self.tag(t))).to_f64();
            }
        }
        score
    }
}

// The helpers are not inlined: each is called several times, and the core is a part of every page.

/// to = a + b.
#[inline(never)]
unsafe fn sum<L: Lane>(n: usize, a: *const L::Elem, b: *const L::Elem, to: *mut L::Elem) {
    spans(n, |at| at.store(at.load::<L>(a) + at.load::<L>(b), to));
}

#[inline(never)]
unsafe fn log_sum_exp<L: Lane>(x: *const L::Elem, n: usize) -> L::Elem {
    let top = largest::<L>(x, n);
    if top.to_f64() == f64::NEG_INFINITY {
        return top;
    }
    let k = Constants::read();
    top + ln::<L>(sum_large_spans::<L>(n, |at| (at.load::<L>(x) - L::splat(top)).exp(k)))
}

/// to += factor e^(x + shift).
#[inline(never)]
unsafe fn add_exp<L: Lane>(n: usize, x: *const L::Elem, shift: L::Elem, factor: L::Elem, to: *mut L::Elem) {
    let (shift, factor, k) = (L::splat(shift), L::splat(factor), Constants::read());
    large_spans(n, |at| at.add((at.load::<L>(x) + shift).exp(k) * factor, to));
}

/// to[j] = lse over i of from[i] + A[i, j].
unsafe fn step<L: Lane>(chain: &Chain<L::Elem>, from: *const L::Elem, to: *mut L::Elem) {
    let (tags, k) = (chain.tags, Constants::read());
    large_spans(tags, |at| {
        let term = |i: usize| L::splat(*from.add(i)) + at.load::<L>(chain.transitions.add(i * tags));
        // Of terms that are all impossible the largest is taken to be this: their exponentials are then 0 and not NaN.
        let top = (0..tags).fold(L::constant(-1e30), |top, i| top.max(term(i)));
        let sum = (0..tags).fold(L::zero(), |sum, i| sum + (term(i) - top).exp(k));
        at.store(top + sum.ln(k), to);
    });
}

/// The loss; 0 of no steps. `alphas` gets steps + 1 rows of K, of which [`backward`] reads all but the last.
///
/// # Safety
/// As in [`super`].
pub unsafe fn forward<L: Lane>(chain: &Chain<L::Elem>, alphas: *mut L::Elem) -> f64 {
    let Chain { emissions, steps, tags, .. } = *chain;
    if steps == 0 {
        return 0.0;
    }
    let mut offset = 0.0;
    for t in 0..steps {
        let alpha = alphas.add(t * tags);
        if t > 0 {
            step::<L>(chain, alpha.sub(tags), alpha);
        }
        sum::<L>(tags, if t > 0 { alpha } else { chain.start }, emissions.add(t * tags), alpha);
        offset += normalize::<L>(alpha, tags);
    }
    let last = alphas.add(steps * tags);
    sum::<L>(tags, last.sub(tags), chain.end, last);
    offset + log_sum_exp::<L>(last, tags).to_f64() - chain.score()
}

/// `alphas` as [`forward`] left them.
///
/// # Safety
/// As in [`super`].
pub unsafe fn backward<L: Lane>(
    chain: &Chain<L::Elem>,
    alphas: *const L::Elem,
    d_loss: L::Elem,
    slopes: &Slopes<L::Elem>,
) -> Result<(), OutOfMemory> {
    let Chain { emissions, steps, tags, .. } = *chain;
    let scratch = Scratch::new();
    let take = || scratch.take::<L::Elem>(tags).ok_or(OutOfMemory);
    let (beta, next, both) = (take()?, take()?, take()?);
    for t in (0..steps).rev() {
        let alpha = alphas.add(t * tags);
        if t + 1 == steps {
            spans(tags, |at| at.store(at.load::<L>(chain.end), beta));
        } else {
            sum::<L>(tags, beta, emissions.add((t + 1) * tags), next);
            for i in 0..tags {
                sum::<L>(tags, chain.transitions.add(i * tags), next, both);
                *beta.add(i) = log_sum_exp::<L>(both, tags);
            }
        }
        sum::<L>(tags, alpha, beta, both);
        let total = log_sum_exp::<L>(both, tags);
        let add_shares = |shift: L::Elem, to: *mut L::Elem| add_exp::<L>(tags, both, shift, d_loss, to);
        add_shares(-total, slopes.emissions.add(t * tags));
        if t == 0 {
            add_shares(-total, slopes.start);
        }
        if t + 1 == steps {
            add_shares(-total, slopes.end);
        } else {
            for i in 0..tags {
                sum::<L>(tags, chain.transitions.add(i * tags), next, both);
                add_shares(*alpha.add(i) - total, slopes.transitions.add(i * tags));
            }
        }
        normalize::<L>(beta, tags);
    }
    if steps > 0 && !chain.path.is_null() {
        let lower = |at: *mut L::Elem| *at = *at - d_loss;
        lower(slopes.start.add(chain.tag(0)));
        lower(slopes.end.add(chain.tag(steps - 1)));
        for t in 0..steps {
            lower(slopes.emissions.add(t * tags + chain.tag(t)));
            if t > 0 {
                lower(slopes.transitions.add(chain.tag(t - 1) * tags + chain.tag(t)));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check_gradient, random, to_f32};
    use super::*;
    use crate::simd::{F32x4, F64x4};

    const STEPS: usize = 4;
    const TAGS: usize = 5;
    const PATH: [i32; STEPS] = [3, 0, 4, 4];
    /// Emissions, transitions, start and end, one after the other.
    const PARTS: [usize; 4] = [STEPS * TAGS, TAGS * TAGS, TAGS, TAGS];

    /// Where each of the parts begins.
    fn places() -> [usize; 4] {
        let [a, b, c, _] = PARTS;
        [0, a, a + b, a + b + c]
    }

    fn chain<E>(x: &[E], steps: usize, path: Option<&[i32]>) -> Chain<E> {
        let [emissions, transitions, start, end] = places().map(|place| x[place..].as_ptr());
        let path = path.map_or(core::ptr::null(), <[i32]>::as_ptr);
        Chain { emissions, steps, tags: TAGS, transitions, start, end, path }
    }

    fn forward64(x: &[f64], steps: usize, path: Option<&[i32]>) -> (f64, Vec<f64>) {
        let mut alphas = vec![9.0; (steps + 1) * TAGS];
        (unsafe { forward::<F64x4>(&chain(x, steps, path), alphas.as_mut_ptr()) }, alphas)
    }

    fn score(x: &[f64], path: &[usize]) -> f64 {
        let [emissions, transitions, start, end] = places().map(|place| &x[place..]);
        let steps: f64 = path.iter().enumerate().map(|(t, tag)| emissions[t * TAGS + tag]).sum();
        let pairs: f64 = path.windows(2).map(|pair| transitions[pair[0] * TAGS + pair[1]]).sum();
        start[path[0]] + steps + pairs + end[path[path.len() - 1]]
    }

    /// ln of the sum over all sequences of tags.
    fn by_enumeration(x: &[f64], steps: usize) -> f64 {
        let paths = 0..TAGS.pow(steps as u32);
        let tags = |path: usize| (0..steps).map(|t| path / TAGS.pow(t as u32) % TAGS).collect::<Vec<_>>();
        paths.map(|path| score(x, &tags(path)).exp()).sum::<f64>().ln()
    }

    #[test]
    fn is_the_sum_over_all_sequences() {
        let x = random(PARTS.iter().sum(), 1);
        for steps in 1..=STEPS {
            let all = by_enumeration(&x, steps);
            assert_close(forward64(&x, steps, None).0, all, 1e-12, "ln Z");
            let path: Vec<usize> = PATH[..steps].iter().map(|tag| *tag as usize).collect();
            assert_close(forward64(&x, steps, Some(&PATH)).0, all - score(&x, &path), 1e-12, "loss");
            let mut alphas = vec![9f32; (steps + 1) * TAGS];
            let single = unsafe { forward::<F32x4>(&chain(&to_f32(&x), steps, Some(&PATH)), alphas.as_mut_ptr()) };
            assert_close(single, all - score(&x, &path), 1e-5, "single precision");
        }
        assert_eq!(forward64(&x, 0, None).0, 0.0);
    }

    #[test]
    fn gradient() {
        let x = random(PARTS.iter().sum(), 2);
        for path in [None, Some(&PATH[..])] {
            let (_, alphas) = forward64(&x, STEPS, path);
            let mut dx = vec![0.0; x.len()];
            let [emissions, transitions, start, end] = places().map(|place| dx[place..].as_mut_ptr());
            let slopes = Slopes { emissions, transitions, start, end };
            unsafe { backward::<F64x4>(&chain(&x, STEPS, path), alphas.as_ptr(), 1.5, &slopes) }.unwrap();
            check_gradient(&x, &dx, |x| 1.5 * forward64(x, STEPS, path).0);
        }
    }

    #[test]
    fn a_forbidden_tag_has_no_share() {
        let mut x = random(PARTS.iter().sum(), 3);
        let [_, transitions, start, _] = places();
        x[start + 2] = f64::NEG_INFINITY;
        (0..TAGS).for_each(|i| x[transitions + i * TAGS + 2] = f64::NEG_INFINITY);
        let (total, alphas) = forward64(&x, STEPS, None);
        assert_close(total, by_enumeration(&x, STEPS), 1e-12, "ln Z");
        let mut dx = vec![0.0; x.len()];
        let [emissions, transitions, start, end] = places().map(|place| dx[place..].as_mut_ptr());
        let slopes = Slopes { emissions, transitions, start, end };
        unsafe { backward::<F64x4>(&chain(&x, STEPS, None), alphas.as_ptr(), 1.0, &slopes) }.unwrap();
        for t in 0..STEPS {
            let shares = &dx[t * TAGS..(t + 1) * TAGS];
            assert_eq!(shares[2], 0.0);
            assert_close(shares.iter().sum(), 1.0, 1e-12, "shares");
        }
    }

    #[test]
    fn scores_far_apart_and_long_sequences_cost_no_digits() {
        let steps = 2000;
        let mut x: Vec<f64> = random(steps * TAGS, 4).iter().map(|x| f64::from((300.0 * x) as f32)).collect();
        let first = x.len();
        x.extend(random(TAGS * TAGS + 2 * TAGS, 5).iter().map(|x| f64::from((200.0 * x) as f32)));
        fn chain<E>(x: &[E], first: usize, steps: usize) -> Chain<E> {
            let at = |place: usize| x[first + place..].as_ptr();
            let (transitions, start, end) = (at(0), at(TAGS * TAGS), at(TAGS * TAGS + TAGS));
            Chain { emissions: x.as_ptr(), steps, tags: TAGS, transitions, start, end, path: core::ptr::null() }
        }
        let mut alphas = vec![0f64; (steps + 1) * TAGS];
        let double = unsafe { forward::<F64x4>(&chain(&x, first, steps), alphas.as_mut_ptr()) };
        let mut alphas = vec![0f32; (steps + 1) * TAGS];
        let single = unsafe { forward::<F32x4>(&chain(&to_f32(&x), first, steps), alphas.as_mut_ptr()) };
        assert_close(single, double, 1e-6, "ln Z");
    }
}
