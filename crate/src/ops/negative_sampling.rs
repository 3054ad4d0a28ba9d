//! word2vec: one step of stochastic gradient descent after another, a row each, on the loss of negative sampling.
//!
//! Mikolov et al. 2013, "Distributed representations of words and phrases and their compositionality". A row has n input
//! words w (one for skip-gram, those around for CBOW) and the words o_k, the right one first, then those drawn:
//!
//!     h = sum of u_w / n
//!     loss = softplus(-h . v_o0) + sum over k > 0 of softplus(h . v_ok)
//!     s_k = d loss / d(h . v_ok) = -sigmoid(-h . v_o0) for k = 0, sigmoid(h . v_ok) for others
//!     v_ok -= lr s_k h        u_w -= lr sum of s_k v_ok / n, with the v_ok before this row
//!
//! word2vec.c leaves out that last n; this is the gradient (Irsoy, Benton & Stratos 2021, "Corrected CBOW performs as well
//! as skip-gram").

use super::activation::SIGMOID;
use super::elementwise::unary;
use super::embedding::Failure;
use super::{spans, sum_large_spans};
use crate::memory::Scratch;
use crate::simd::{Lane, Real};

/// Both tables are vocabulary by dim.
#[derive(Clone, Copy)]
pub struct Tables<E> {
    /// u
    pub input: *mut E,
    /// v
    pub output: *mut E,
    pub vocabulary: usize,
    pub dim: usize,
}

/// Ids, a row each.
#[derive(Clone, Copy)]
pub struct Rows {
    /// rows by width; a negative id is no word.
    pub inputs: *const i32,
    pub width: usize,
    /// rows by drawn, the right one first.
    pub targets: *const i32,
    pub drawn: usize,
    pub rows: usize,
}

impl Rows {
    unsafe fn words(&self, row: usize) -> impl Iterator<Item = usize> + Clone {
        let inputs = self.inputs.add(row * self.width);
        (0..self.width).filter_map(move |i| usize::try_from(*inputs.add(i)).ok())
    }

    unsafe fn target(&self, row: usize, k: usize) -> usize {
        *self.targets.add(row * self.drawn + k) as u32 as usize
    }

    /// Whether every row has a word, and all are in 0..vocabulary.
    unsafe fn valid(&self, vocabulary: usize) -> bool {
        let known = |id| id < vocabulary;
        (0..self.rows).all(|row| {
            self.words(row).next().is_some()
                && self.words(row).all(known)
                && (0..self.drawn).all(|k| known(self.target(row, k)))
        })
    }
}

/// Updates the tables, row by row. `scores`, rows by drawn, are -h . v of the right words and h . v of the others, before
/// the update of their row: the sum of their softplus is the loss.
///
/// # Safety
/// As in [`super`].
pub unsafe fn descend<L: Lane>(
    tables: &Tables<L::Elem>,
    given: &Rows,
    lr: f64,
    scores: *mut L::Elem,
) -> Result<(), Failure> {
    let Tables { input, output, vocabulary, dim } = *tables;
    let drawn = given.drawn;
    if drawn == 0 || !given.valid(vocabulary) {
        return Err(Failure::Invalid);
    }
    let scratch = Scratch::new();
    let h: *mut L::Elem = scratch.take(dim).ok_or(Failure::OutOfMemory)?;
    let dh: *mut L::Elem = scratch.take(dim).ok_or(Failure::OutOfMemory)?;
    let slopes: *mut L::Elem = scratch.take(drawn).ok_or(Failure::OutOfMemory)?;
    for row in 0..given.rows {
        let words = given.words(row);
        let share = L::Elem::from_f64(1.0 / words.clone().count() as f64);
        let v = |k| output.add(given.target(row, k) * dim);
        for i in 0..dim {
            (*h.add(i), *dh.add(i)) = (L::Elem::ZERO, L::Elem::ZERO);
        }
        for word in words.clone() {
            add_scaled::<L>(dim, share, input.add(word * dim), h);
        }
        let scores = scores.add(row * drawn);
        for k in 0..drawn {
            let score = sum_large_spans::<L>(dim, |at| at.load::<L>(h) * at.load(v(k)));
            *scores.add(k) = if k == 0 { -score } else { score };
        }
        unary::<L>(SIGMOID, scores, slopes, drawn, L::Elem::ZERO)?;
        *slopes = -*slopes;
        for k in 0..drawn {
            add_scaled::<L>(dim, *slopes.add(k), v(k), dh);
        }
        let down = L::Elem::from_f64(-lr);
        for k in 0..drawn {
            add_scaled::<L>(dim, down * *slopes.add(k), h, v(k));
        }
        for word in words {
            add_scaled::<L>(dim, down * share, dh, input.add(word * dim));
        }
    }
    Ok(())
}

/// y[n] += alpha x[n].
#[inline(never)]
unsafe fn add_scaled<L: Lane>(n: usize, alpha: L::Elem, x: *const L::Elem, y: *mut L::Elem) {
    spans(n, |at| at.add(L::splat(alpha) * at.load(x), y));
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, dot, random};
    use super::*;
    use crate::simd::F64x4;

    const V: usize = 6;
    const D: usize = 7;
    const INPUTS: [i32; 6] = [2, -1, 0, 5, 3, 3];
    const TARGETS: [i32; 15] = [1, 0, 2, 5, 4, 3, 3, 1, 4, 0, 0, 4, 4, 5, 2];

    fn run(u: &mut [f64], v: &mut [f64], inputs: &[i32], targets: &[i32], drawn: usize) -> Result<Vec<f64>, Failure> {
        let tables = Tables { input: u.as_mut_ptr(), output: v.as_mut_ptr(), vocabulary: V, dim: D };
        let rows = targets.len() / drawn.max(1);
        let width = inputs.len() / rows;
        let rows = Rows { inputs: inputs.as_ptr(), width, targets: targets.as_ptr(), drawn, rows };
        let mut scores = vec![0.0; targets.len()];
        unsafe { descend::<F64x4>(&tables, &rows, 0.3, scores.as_mut_ptr()) }?;
        Ok(scores.chunks(drawn).map(|scores| scores.iter().map(|score| softplus(*score)).sum()).collect())
    }

    fn softplus(x: f64) -> f64 {
        x.exp().ln_1p()
    }

    /// The loss of the equations, for all values of both tables.
    fn loss(tables: &[f64], words: &[i32], targets: &[i32]) -> f64 {
        let (u, v) = tables.split_at(V * D);
        let words: Vec<usize> = words.iter().filter(|word| **word >= 0).map(|word| *word as usize).collect();
        let h: Vec<f64> =
            (0..D).map(|i| words.iter().map(|word| u[word * D + i]).sum::<f64>() / words.len() as f64).collect();
        let score = |id: i32| dot(&h, &v[id as usize * D..][..D]);
        softplus(-score(targets[0])) + targets[1..].iter().map(|id| softplus(score(*id))).sum::<f64>()
    }

    #[test]
    fn goes_down_the_gradient_of_each_row_in_order() {
        let (mut u, mut v) = (random(V * D, 1), random(V * D, 2));
        let mut expected = [u.clone(), v.clone()].concat();
        let losses = run(&mut u, &mut v, &INPUTS, &TARGETS, 5).unwrap();
        for row in 0..3 {
            let (words, targets) = (&INPUTS[2 * row..][..2], &TARGETS[5 * row..][..5]);
            assert_close(losses[row], loss(&expected, words, targets), 1e-9, "loss");
            let gradient: Vec<f64> = (0..expected.len())
                .map(|i| {
                    let at = |step: f64| {
                        let mut moved = expected.clone();
                        moved[i] += step;
                        loss(&moved, words, targets)
                    };
                    (at(1e-5) - at(-1e-5)) / 2e-5
                })
                .collect();
            expected.iter_mut().zip(gradient).for_each(|(x, slope)| *x -= 0.3 * slope);
        }
        for (i, value) in u.iter().chain(&v).enumerate() {
            assert_close(*value, expected[i], 1e-8, &format!("value {i}"));
        }
    }

    #[test]
    fn refuses_what_is_no_word_and_changes_nothing() {
        let (mut u, mut v) = (random(V * D, 1), random(V * D, 2));
        let before = (u.clone(), v.clone());
        for (inputs, targets, drawn) in
            [([0, 6], [0, 1], 1), ([0, -1], [0, 1], 1), ([0, 1], [0, 6], 1), ([0, 1], [0, -1], 1), ([0, 1], [0, 1], 0)]
        {
            assert_eq!(run(&mut u, &mut v, &inputs, &targets, drawn), Err(Failure::Invalid));
        }
        assert_eq!((u, v), before);
    }
}
