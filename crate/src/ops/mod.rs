//! What happens between the cells: each file holds one family, its equations on top, forward and backward side by side.
//!
//! Kernels are generic over [`Lane`]; the tests run them in double precision against central differences. Every
//! backward kernel adds to its gradient buffers. Pointers are to as many elements as the counts beside them say, as
//! every `# Safety` section here asks, and nothing overlaps except where a kernel says that it works in place.

pub mod activation;
pub mod clip;
pub mod copy;
pub mod crf;
pub mod cross_entropy;
pub mod ctc;
pub mod dropout;
pub mod elementwise;
pub mod embedding;
pub mod negative_sampling;
pub mod nll;
pub mod norm;
pub mod optimizer;
pub mod reduce;
pub mod softmax;

use crate::simd::{Lane, Real, WIDTH};

/// An index outside of its table, class range or shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// Some elements that fit a lane: where, and how many (all but the last have [`WIDTH`]).
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub start: usize,
    pub count: usize,
}

impl Span {
    /// # Safety
    /// `from` points at the elements of the span.
    #[inline(always)]
    pub unsafe fn load<L: Lane>(self, from: *const L::Elem) -> L {
        if self.count == WIDTH {
            L::load(from.add(self.start))
        } else {
            load_rest(from.add(self.start), self.count)
        }
    }

    /// # Safety
    /// `to` points at the elements of the span.
    #[inline(always)]
    pub unsafe fn store<L: Lane>(self, value: L, to: *mut L::Elem) {
        if self.count == WIDTH {
            value.store(to.add(self.start));
        } else {
            store_rest(value, to.add(self.start), self.count);
        }
    }

    /// # Safety
    /// `to` points at the elements of the span.
    #[inline(always)]
    pub unsafe fn add<L: Lane>(self, value: L, to: *mut L::Elem) {
        self.store(self.load::<L>(to) + value, to);
    }
}

#[cold]
#[inline(never)]
unsafe fn load_rest<L: Lane>(from: *const L::Elem, count: usize) -> L {
    L::load_part(from, count)
}

#[cold]
#[inline(never)]
unsafe fn store_rest<L: Lane>(value: L, to: *mut L::Elem, count: usize) {
    value.store_part(to, count);
}

/// Runs `body` over `n` elements in order: whole lanes, then, by a second copy of the body, what is left.
#[inline(always)]
pub(crate) fn spans(n: usize, mut body: impl FnMut(Span)) {
    let whole = n & !(WIDTH - 1);
    let mut start = 0;
    while start < whole {
        body(Span { start, count: WIDTH });
        start += WIDTH;
    }
    if start < n {
        body(Span { start, count: n - start });
    }
}

/// As [`spans`] with one copy of the body, which asks at every lane whether it is whole: for bodies with exponentials,
/// which are large beside that question.
#[inline(always)]
pub(crate) fn large_spans(n: usize, mut body: impl FnMut(Span)) {
    let mut start = 0;
    while start < n {
        body(Span { start, count: WIDTH.min(n - start) });
        start += WIDTH;
    }
}

/// The sum of `term` over `n` elements: four interleaved sums, added in order, what is left in the first few.
#[inline(always)]
pub(crate) fn sum_spans<L: Lane>(n: usize, mut term: impl FnMut(Span) -> L) -> L::Elem {
    let mut sums = L::zero();
    spans(n, |span| sums = sums + if span.count == WIDTH { term(span) } else { part(term(span), span.count) });
    sums.sum()
}

/// [`sum_spans`] over [`large_spans`].
#[inline(always)]
pub(crate) fn sum_large_spans<L: Lane>(n: usize, mut term: impl FnMut(Span) -> L) -> L::Elem {
    let mut sums = L::zero();
    large_spans(n, |span| {
        let value = term(span);
        sums = sums + if span.count == WIDTH { value } else { part(value, span.count) };
    });
    sums.sum()
}

/// The first `count` elements, then zeros.
#[cold]
#[inline(never)]
fn part<L: Lane>(value: L, count: usize) -> L {
    let mut values = value.to_array();
    values.iter_mut().skip(count).for_each(|x| *x = L::Elem::ZERO);
    L::from_array(values)
}

#[cfg(test)]
pub(crate) mod testing {
    use crate::rng::Draws;

    /// `n` numbers of [-2, 2), different for each `stream`.
    pub fn random(n: usize, stream: u32) -> Vec<f64> {
        let draws = Draws { seed: 7, stream, update: 0, call: 0 };
        (0..n as u32).map(|i| 4.0 * draws.double(i) - 2.0).collect()
    }

    pub fn to_f32(x: &[f64]) -> Vec<f32> {
        x.iter().map(|x| *x as f32).collect()
    }

    /// Holds `gradient` against central differences of `loss` in every element of `x`, in f64.
    pub fn check_gradient(x: &[f64], gradient: &[f64], loss: impl Fn(&[f64]) -> f64) {
        let step = 1e-5;
        assert_eq!(x.len(), gradient.len());
        for i in 0..x.len() {
            let mut moved = x.to_vec();
            moved[i] = x[i] + step;
            let above = loss(&moved);
            moved[i] = x[i] - step;
            let expected = (above - loss(&moved)) / (2.0 * step);
            assert_close(gradient[i], expected, 1e-7, &format!("gradient {i}"));
        }
    }

    /// |got - expected| <= tolerance (1 + |expected|).
    pub fn assert_close(got: f64, expected: f64, tolerance: f64, what: &str) {
        assert!((got - expected).abs() <= tolerance * (1.0 + expected.abs()), "{what}: got {got}, expected {expected}");
    }

    pub fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }
}
