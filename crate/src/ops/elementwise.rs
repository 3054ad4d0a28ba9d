//! y = f(x) and y = f(a, b), element by element, with broadcasting.
//!
//! | kind | y | backward |
//! |---|---|---|
//! | 0..=10 | [`activation`] | dx += dy f' |
//! | neg, exp, log | -x, e^x, ln x | -dy, dy y, dy / x |
//! | sqrt, square, abs | x^(1/2), x^2, abs x | dy / (2 y), 2 x dy, dy sign x (0 at 0) |
//! | reciprocal | 1 / x | -dy y^2 |
//! | sin, cos | sin x, cos x | dy cos x, -dy sin x |
//! | add, sub | a + b, a - b | da += dy, db +-= dy |
//! | mul, div | a b, a / b | da += dy b, db += dy a; da += dy / b, db -= dy y / b |
//! | max, min | larger, smaller; NaN if either is | dy to the one chosen, half to each when equal |

use super::{activation, large_spans, spans, sum_spans, Invalid, Span};
use crate::math::Constants;
use crate::simd::{Lane, Real, WIDTH};

pub const NEG: u32 = 16;
pub const EXP: u32 = 17;
pub const LOG: u32 = 18;
pub const SQRT: u32 = 19;
pub const SQUARE: u32 = 20;
pub const ABS: u32 = 21;
pub const RECIPROCAL: u32 = 22;
pub const SIN: u32 = 23;
pub const COS: u32 = 24;

/// y = f(x) with one copy of `f`: what does not fill a lane goes through it in a second pass over a buffer.
#[inline(always)]
unsafe fn map<L: Lane>(x: *const L::Elem, y: *mut L::Elem, n: usize, f: impl Fn(L) -> L) {
    let whole = n & !(WIDTH - 1);
    let mut rest = [L::Elem::ZERO; WIDTH];
    for i in whole..n {
        rest[i - whole] = *x.add(i);
    }
    let (mut from, mut to, mut count) = (x, y, whole);
    loop {
        for i in (0..count).step_by(WIDTH) {
            f(L::load(from.add(i))).store(to.add(i));
        }
        if from != x {
            break;
        }
        (from, to, count) = (rest.as_ptr(), rest.as_mut_ptr(), WIDTH);
    }
    for i in whole..n {
        *y.add(i) = rest[i - whole];
    }
}

/// y = f(x) over `n` elements; `y` may be `x`.
///
/// # Safety
/// As in [`super`].
pub unsafe fn unary<L: Lane>(
    kind: u32,
    x: *const L::Elem,
    y: *mut L::Elem,
    n: usize,
    alpha: L::Elem,
) -> Result<(), Invalid> {
    let k = Constants::read();
    macro_rules! each {
        ($f:expr) => {
            map::<L>(x, y, n, $f)
        };
    }
    // Each kind a constant, so that its loop holds nothing else.
    macro_rules! activations {
        ($($kind:ident)*) => {
            match kind {
                $(activation::$kind => each!(|x| activation::forward::<L>(activation::$kind, alpha, x, k)),)*
                NEG => each!(|x: L| -x),
                EXP => each!(|x: L| x.exp(k)),
                LOG => each!(|x: L| x.ln(k)),
                SQRT => each!(|x: L| x.sqrt()),
                SQUARE => each!(|x: L| x * x),
                ABS => each!(|x: L| x.abs()),
                RECIPROCAL => each!(|x: L| L::constant(1.0) / x),
                SIN | COS => each!(|x: L| {
                    let (sine, cosine) = x.sin_cos(k);
                    if kind == SIN {
                        sine
                    } else {
                        cosine
                    }
                }),
                _ => return Err(Invalid),
            }
        };
    }
    activations!(IDENTITY TANH SIGMOID RELU LEAKY_RELU ELU SOFTPLUS SOFTSIGN HARD_SIGMOID HARD_SIGMOID_ONNX HARD_TANH);
    Ok(())
}

/// dy f'(x), with y = f(x); x and y are asked for where the kind reads them.
#[inline(always)]
pub(crate) fn slope<L: Lane>(
    kind: u32,
    alpha: L::Elem,
    k: Constants,
    dy: L,
    x: impl FnOnce() -> L,
    y: impl FnOnce() -> L,
) -> L {
    let (zero, one, two) = (L::zero(), L::constant(1.0), L::constant(2.0));
    match kind {
        NEG => -dy,
        EXP => dy * y(),
        LOG => dy / x(),
        SQRT => dy / (two * y()),
        SQUARE => dy * (two * x()),
        ABS => {
            let x = x();
            dy * x.select_gt(zero, one, zero.select_gt(x, -one, zero))
        }
        RECIPROCAL => {
            let y = y();
            -(dy * (y * y))
        }
        SIN => dy * x().sin_cos(k).1,
        COS => -(dy * x().sin_cos(k).0),
        _ => dy * activation::derivative::<L>(kind, alpha, y(), k),
    }
}

/// dx += dy f'(x), with y = f(x).
///
/// # Safety
/// As in [`super`].
pub unsafe fn unary_backward<L: Lane>(
    kind: u32,
    x: *const L::Elem,
    y: *const L::Elem,
    dy: *const L::Elem,
    dx: *mut L::Elem,
    n: usize,
    alpha: L::Elem,
) -> Result<(), Invalid> {
    let k = Constants::read();
    macro_rules! each {
        ($kind:expr) => {
            each!($kind, spans)
        };
        ($kind:expr, $spans:ident) => {
            $spans(n, |at| at.add::<L>(slope($kind, alpha, k, at.load(dy), || at.load(x), || at.load(y)), dx))
        };
    }
    match kind {
        // The derivatives are a few operations, so one loop that asks for the kind as it goes will do.
        0..activation::COUNT => each!(kind, large_spans),
        NEG => each!(NEG),
        EXP => each!(EXP),
        LOG => each!(LOG),
        SQRT => each!(SQRT),
        SQUARE => each!(SQUARE),
        ABS => each!(ABS),
        RECIPROCAL => each!(RECIPROCAL),
        SIN => each!(SIN, large_spans),
        COS => each!(COS, large_spans),
        _ => return Err(Invalid),
    }
    Ok(())
}

pub const ADD: u32 = 0;
pub const SUB: u32 = 1;
pub const MUL: u32 = 2;
pub const DIV: u32 = 3;
pub const MAX: u32 = 4;
pub const MIN: u32 = 5;

/// More dimensions than a tensor may have.
pub const DIMENSIONS: usize = 8;

/// A walk over a shape with two strided operands: dimensions that can be walked as one are merged.
pub(super) struct Walk {
    rank: usize,
    shape: [usize; DIMENSIONS],
    strides: [[isize; DIMENSIONS]; 2],
}

impl Walk {
    /// # Safety
    /// `shape` and both `strides` have `rank` elements.
    pub(super) unsafe fn new(rank: usize, shape: *const i32, strides: [*const i32; 2]) -> Result<Self, Invalid> {
        let mut walk = Self { rank: 0, shape: [1; DIMENSIONS], strides: [[0; DIMENSIONS]; 2] };
        if rank > DIMENSIONS {
            return Err(Invalid);
        }
        for d in 0..rank {
            let size = usize::try_from(*shape.add(d)).map_err(|_| Invalid)?;
            let stride = strides.map(|s| *s.add(d) as isize);
            if size == 1 {
                continue;
            }
            if walk.rank > 0 && (0..2).all(|k| walk.strides[k][walk.rank - 1] == stride[k] * size as isize) {
                walk.rank -= 1;
            }
            let at = walk.rank;
            walk.shape[at] *= size;
            for (to, stride) in walk.strides.iter_mut().zip(stride) {
                to[at] = stride;
            }
            walk.rank += 1;
        }
        Ok(walk)
    }

    /// Elements in a row, and the strides within it.
    pub(super) fn row(&self) -> (usize, [isize; 2]) {
        match self.rank {
            0 => (1, [0, 0]),
            rank => (self.shape[rank - 1], self.strides.map(|strides| strides[rank - 1])),
        }
    }

    /// Runs `body` for every row in order, with the offsets of its first elements.
    pub(super) fn rows(&self, mut body: impl FnMut([isize; 2])) {
        let outer = self.rank.saturating_sub(1);
        if self.shape.contains(&0) {
            return;
        }
        let mut index = [0; DIMENSIONS];
        let mut offsets = [0; 2];
        loop {
            body(offsets);
            let mut d = outer;
            loop {
                if d == 0 {
                    return;
                }
                d -= 1;
                index[d] += 1;
                for (offset, strides) in offsets.iter_mut().zip(&self.strides) {
                    *offset += strides[d];
                }
                if index[d] < self.shape[d] {
                    break;
                }
                for (offset, strides) in offsets.iter_mut().zip(&self.strides) {
                    *offset -= strides[d] * self.shape[d] as isize;
                }
                index[d] = 0;
            }
        }
    }
}

/// Strided elements are worked through a buffer of this size, so that every kernel has one, contiguous, form.
const BLOCK: usize = 64;

/// One operand of a row, made contiguous block by block.
struct Operand<E> {
    row: *const E,
    stride: isize,
    block: [E; BLOCK],
}

impl<E: Real> Operand<E> {
    /// # Safety
    /// `row` has elements at `stride`, of which there are at least one.
    #[inline(always)]
    unsafe fn new(row: *const E, stride: isize) -> Self {
        Self { row, stride, block: [if stride == 0 { *row } else { E::ZERO }; BLOCK] }
    }

    /// The `count` elements from `start`, contiguous.
    ///
    /// # Safety
    /// They lie in the row, and `count` is at most [`BLOCK`] unless the stride is 1.
    #[inline(always)]
    unsafe fn at(&mut self, start: usize, count: usize) -> *const E {
        if self.stride == 1 {
            return self.row.add(start);
        }
        if self.stride != 0 {
            for (i, to) in self.block.iter_mut().enumerate().take(count) {
                *to = *self.row.offset((start + i) as isize * self.stride);
            }
        }
        self.block.as_ptr()
    }
}

/// y = f(a, b) in row-major order of `shape`; strides are in elements, 0 repeats. `y` may be an operand of its strides.
///
/// # Safety
/// As in [`super`]; the strided operands cover the shape.
pub unsafe fn binary<L: Lane>(
    kind: u32,
    a: *const L::Elem,
    b: *const L::Elem,
    y: *mut L::Elem,
    rank: usize,
    shape: *const i32,
    strides: [*const i32; 2],
) -> Result<(), Invalid> {
    if kind > MIN {
        return Err(Invalid);
    }
    let walk = Walk::new(rank, shape, strides)?;
    let (n, [stride_a, stride_b]) = walk.row();
    let block = if stride_a == 1 && stride_b == 1 { n } else { BLOCK };
    let mut to = y;
    walk.rows(|[offset_a, offset_b]| {
        let mut row_a = Operand::new(a.offset(offset_a), stride_a);
        let mut row_b = Operand::new(b.offset(offset_b), stride_b);
        let mut start = 0;
        while start < n {
            let count = block.min(n - start);
            contiguous::<L>(kind, row_a.at(start, count), row_b.at(start, count), to, count);
            to = to.add(count);
            start += count;
        }
    });
    Ok(())
}

#[inline(never)]
unsafe fn contiguous<L: Lane>(kind: u32, a: *const L::Elem, b: *const L::Elem, y: *mut L::Elem, n: usize) {
    macro_rules! each {
        ($f:expr) => {
            spans(n, |at| at.store::<L>($f(at.load::<L>(a), at.load::<L>(b)), y))
        };
    }
    match kind {
        ADD => each!(|a: L, b: L| a + b),
        SUB => each!(|a: L, b: L| a - b),
        MUL => each!(|a: L, b: L| a * b),
        DIV => each!(|a: L, b: L| a / b),
        MAX => each!(|a: L, b: L| a.max(b)),
        _ => each!(|a: L, b: L| a.min(b)),
    }
}

/// da += dy df/da and db += dy df/db, summed over repeated elements; either may be null. `da` and `db` have the strides
/// of `a` and `b`.
///
/// # Safety
/// As in [`super`]; the strided operands cover the shape.
pub unsafe fn binary_backward<L: Lane>(
    kind: u32,
    a: *const L::Elem,
    b: *const L::Elem,
    y: *const L::Elem,
    dy: *const L::Elem,
    da: *mut L::Elem,
    db: *mut L::Elem,
    rank: usize,
    shape: *const i32,
    strides: [*const i32; 2],
) -> Result<(), Invalid> {
    if kind > MIN {
        return Err(Invalid);
    }
    let walk = Walk::new(rank, shape, strides)?;
    let (n, [stride_a, stride_b]) = walk.row();
    let mut done = 0;
    walk.rows(|[offset_a, offset_b]| {
        let mut row_a = Operand::new(a.offset(offset_a), stride_a);
        let mut row_b = Operand::new(b.offset(offset_b), stride_b);
        let mut start = 0;
        while start < n {
            let count = BLOCK.min(n - start);
            let (from_a, from_b) = (row_a.at(start, count), row_b.at(start, count));
            let (from_y, from_dy) = (y.add(done), dy.add(done));
            let mut terms = [L::Elem::ZERO; BLOCK];
            if !da.is_null() {
                slopes::<L>(kind, false, from_a, from_b, from_y, from_dy, terms.as_mut_ptr(), count);
                scatter::<L>(terms.as_ptr(), da.offset(offset_a + start as isize * stride_a), stride_a, count);
            }
            if !db.is_null() {
                slopes::<L>(kind, true, from_a, from_b, from_y, from_dy, terms.as_mut_ptr(), count);
                scatter::<L>(terms.as_ptr(), db.offset(offset_b + start as isize * stride_b), stride_b, count);
            }
            done += count;
            start += count;
        }
    });
    Ok(())
}

/// terms = dy df/da, or dy df/db for the `second` operand.
#[inline(never)]
unsafe fn slopes<L: Lane>(
    kind: u32,
    second: bool,
    a: *const L::Elem,
    b: *const L::Elem,
    y: *const L::Elem,
    dy: *const L::Elem,
    terms: *mut L::Elem,
    n: usize,
) {
    macro_rules! each {
        ($f:expr) => {
            spans(n, |at| at.store::<L>($f(at, at.load::<L>(dy)), terms))
        };
    }
    let (own, other) = if second { (b, a) } else { (a, b) };
    match (kind, second) {
        (SUB, true) => each!(|_, dy: L| -dy),
        (ADD | SUB, _) => each!(|_, dy: L| dy),
        (MUL, _) => each!(|at: Span, dy: L| dy * at.load::<L>(other)),
        (DIV, false) => each!(|at: Span, dy: L| dy / at.load::<L>(b)),
        (DIV, true) => each!(|at: Span, dy: L| -(dy * at.load::<L>(y)) / at.load::<L>(b)),
        _ => {
            let (zero, half, one) = (L::zero(), L::constant(0.5), L::constant(1.0));
            let (above, below) = if kind == MAX { (one, zero) } else { (zero, one) };
            each!(|at: Span, dy: L| {
                let (own, other) = (at.load::<L>(own), at.load::<L>(other));
                dy * own.select_gt(other, above, other.select_gt(own, below, half))
            });
        }
    }
}

/// to[i stride] += terms[i].
#[inline(always)]
unsafe fn scatter<L: Lane>(terms: *const L::Elem, to: *mut L::Elem, stride: isize, n: usize) {
    match stride {
        0 => *to += sum_spans::<L>(n, |at| at.load(terms)),
        1 => spans(n, |at| at.add::<L>(at.load(terms), to)),
        _ => {
            for i in 0..n {
                *to.offset(i as isize * stride) += *terms.add(i);
            }
        }
    }
}

/// x = value.
///
/// # Safety
/// As in [`super`].
pub unsafe fn fill<L: Lane>(x: *mut L::Elem, n: usize, value: L::Elem) {
    spans(n, |at| at.store(L::splat(value), x));
}

/// x *= alpha.
///
/// # Safety
/// As in [`super`].
pub unsafe fn scale<L: Lane>(n: usize, alpha: L::Elem, x: *mut L::Elem) {
    spans(n, |at| at.store(L::splat(alpha) * at.load::<L>(x), x));
}

/// y = x, or `value` where the mask is not 0.
///
/// # Safety
/// As in [`super`].
pub unsafe fn masked_fill<E: Real>(x: *const E, mask: *const i32, y: *mut E, n: usize, value: E) {
    for i in 0..n {
        *y.add(i) = if *mask.add(i) == 0 { *x.add(i) } else { value };
    }
}

/// dx += dy where the mask is 0.
///
/// # Safety
/// As in [`super`].
pub unsafe fn masked_fill_backward<E: Real>(dy: *const E, mask: *const i32, dx: *mut E, n: usize) {
    for i in 0..n {
        if *mask.add(i) == 0 {
            *dx.add(i) += *dy.add(i);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check_gradient, dot, random, to_f32};
    use super::*;
    use crate::simd::{F32x4, F64x4};

    fn unary64(kind: u32, x: &[f64], alpha: f64) -> Vec<f64> {
        let mut y = vec![9.0; x.len()];
        unsafe { unary::<F64x4>(kind, x.as_ptr(), y.as_mut_ptr(), x.len(), alpha) }.unwrap();
        y
    }

    fn kinds() -> impl Iterator<Item = u32> {
        (0..activation::COUNT).chain(NEG..=COS)
    }

    /// Plain scalar definitions.
    fn exact(kind: u32, x: f64, alpha: f64) -> f64 {
        match kind {
            activation::IDENTITY => x,
            activation::TANH => x.tanh(),
            activation::SIGMOID => 1.0 / (1.0 + (-x).exp()),
            activation::RELU => x.max(0.0),
            activation::LEAKY_RELU => {
                if x > 0.0 {
                    x
                } else {
                    alpha * x
                }
            }
            activation::ELU => {
                if x > 0.0 {
                    x
                } else {
                    alpha * x.exp_m1()
                }
            }
            activation::SOFTPLUS => x.exp().ln_1p(),
            activation::SOFTSIGN => x / (1.0 + x.abs()),
            activation::HARD_SIGMOID => (x / 6.0 + 0.5).clamp(0.0, 1.0),
            activation::HARD_SIGMOID_ONNX => (0.2 * x + 0.5).clamp(0.0, 1.0),
            activation::HARD_TANH => x.clamp(-1.0, 1.0),
            NEG => -x,
            EXP => x.exp(),
            LOG => x.ln(),
            SQRT => x.sqrt(),
            SQUARE => x * x,
            ABS => x.abs(),
            SIN => x.sin(),
            COS => x.cos(),
            _ => 1.0 / x,
        }
    }

    #[test]
    fn every_kind_is_its_definition_at_every_tail() {
        for kind in kinds() {
            for n in 0..10 {
                let mut x: Vec<f64> = random(n, kind).iter().map(|x| 2.5 * x).collect();
                if kind == LOG || kind == SQRT {
                    x.iter_mut().for_each(|x| *x = x.abs());
                }
                let single = to_f32(&x);
                let mut y = vec![9f32; n + 1];
                unsafe { unary::<F32x4>(kind, single.as_ptr(), y.as_mut_ptr(), n, 0.3) }.unwrap();
                assert_eq!(y[n], 9.0);
                for ((y64, y32), (x64, x32)) in unary64(kind, &x, 0.3).iter().zip(&y).zip(x.iter().zip(&single)) {
                    assert_close(*y64, exact(kind, *x64, 0.3), 1e-14, &format!("kind {kind}"));
                    assert_close(f64::from(*y32), exact(kind, f64::from(*x32), 0.3), 3e-7, &format!("kind {kind}"));
                }
            }
        }
        let mut y = [0.0; 1];
        for kind in [11, 15, 25, 999] {
            assert_eq!(unsafe { unary::<F64x4>(kind, [1.0].as_ptr(), y.as_mut_ptr(), 1, 0.0) }, Err(Invalid));
        }
    }

    #[test]
    fn gradients_are_those_of_central_differences() {
        for kind in kinds() {
            let mut x = random(13, 50 + kind);
            if kind == LOG || kind == SQRT {
                x.iter_mut().for_each(|x| *x = x.abs() + 0.2);
            }
            let (dy, y) = (random(13, 99), unary64(kind, &x, 0.3));
            let before = random(13, 98);
            let mut dx = before.clone();
            let n = x.len();
            unsafe { unary_backward::<F64x4>(kind, x.as_ptr(), y.as_ptr(), dy.as_ptr(), dx.as_mut_ptr(), n, 0.3) }
                .unwrap();
            let gradient: Vec<f64> = dx.iter().zip(&before).map(|(after, before)| after - before).collect();
            check_gradient(&x, &gradient, |x| dot(&unary64(kind, x, 0.3), &dy));
        }
    }

    #[test]
    fn nan_and_infinity_are_not_swallowed() {
        let x = [f32::NAN, 1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, f32::NAN];
        for kind in kinds() {
            let mut y = [0f32; 7];
            unsafe { unary::<F32x4>(kind, x.as_ptr(), y.as_mut_ptr(), 7, 0.3) }.unwrap();
            assert!([0, 2, 6].iter().all(|i: &usize| y[*i].is_nan()), "kind {kind}");
            if kind != activation::SOFTSIGN {
                for i in [1, 3, 4, 5] {
                    let expected = exact(kind, f64::from(x[i]), f64::from(0.3f32)) as f32;
                    let equal =
                        y[i].is_nan() && expected.is_nan() || (y[i] - expected).abs() <= 1e-6 || y[i] == expected;
                    assert!(equal, "kind {kind} of {}: {} is not {expected}", x[i], y[i]);
                }
            }
        }
    }

    /// Contiguous strides of `own`, aligned at the right of `shape`, 0 where it is broadcast.
    fn strides(own: &[i32], shape: &[i32]) -> Vec<i32> {
        let mut out = vec![0; shape.len()];
        let mut step = 1;
        for (d, size) in own.iter().enumerate().rev() {
            if *size != 1 {
                out[d + shape.len() - own.len()] = step;
            }
            step *= size;
        }
        out
    }

    fn offset(mut i: i32, shape: &[i32], strides: &[i32]) -> usize {
        let mut at = 0;
        for d in (0..shape.len()).rev() {
            at += i % shape[d] * strides[d];
            i /= shape[d];
        }
        at as usize
    }

    fn run(kind: u32, a: &[f64], b: &[f64], shape: &[i32], strides: [&[i32]; 2]) -> Vec<f64> {
        let mut y = vec![0.0; shape.iter().product::<i32>() as usize];
        let strides = strides.map(<[i32]>::as_ptr);
        unsafe { binary::<F64x4>(kind, a.as_ptr(), b.as_ptr(), y.as_mut_ptr(), shape.len(), shape.as_ptr(), strides) }
            .unwrap();
        y
    }

    #[test]
    fn binary_operations_broadcast_and_differentiate() {
        let cases: [(&[i32], &[i32], &[i32]); 12] = [
            (&[], &[], &[]),
            (&[7], &[7], &[7]),
            (&[7], &[], &[7]),
            (&[], &[70], &[70]),
            (&[3, 5], &[5], &[3, 5]),
            (&[3, 1], &[3, 5], &[3, 5]),
            (&[3, 1], &[1, 67], &[3, 67]),
            (&[2, 3, 5], &[2, 1, 5], &[2, 3, 5]),
            (&[2, 3, 5], &[3, 1], &[2, 3, 5]),
            (&[2, 1, 3, 1], &[4, 1, 5], &[2, 4, 3, 5]),
            (&[1, 1], &[4, 5], &[4, 5]),
            (&[2, 0, 3], &[3], &[2, 0, 3]),
        ];
        for (shape_a, shape_b, shape) in cases {
            for kind in ADD..=MIN {
                let size = |s: &[i32]| s.iter().product::<i32>() as usize;
                let (a, mut b) = (random(size(shape_a), 1), random(size(shape_b), 2));
                b.iter_mut().for_each(|x| *x += 0.3f64.copysign(*x));
                let (sa, sb) = (strides(shape_a, shape), strides(shape_b, shape));
                let y = run(kind, &a, &b, shape, [&sa, &sb]);
                for (i, y) in y.iter().enumerate() {
                    let (a, b) = (a[offset(i as i32, shape, &sa)], b[offset(i as i32, shape, &sb)]);
                    let expected = [a + b, a - b, a * b, a / b, a.max(b), a.min(b)][kind as usize];
                    assert_eq!(*y, expected);
                }
                let dy = random(y.len(), 3);
                let (mut da, mut db) = (vec![0.0; a.len()], vec![0.0; b.len()]);
                let pointers = [sa.as_ptr(), sb.as_ptr()];
                unsafe {
                    let (a, b, y, dy) = (a.as_ptr(), b.as_ptr(), y.as_ptr(), dy.as_ptr());
                    let (da, db, dims) = (da.as_mut_ptr(), db.as_mut_ptr(), shape.as_ptr());
                    let null = core::ptr::null_mut();
                    binary_backward::<F64x4>(kind, a, b, y, dy, da, null, shape.len(), dims, pointers).unwrap();
                    binary_backward::<F64x4>(kind, a, b, y, dy, null, db, shape.len(), dims, pointers).unwrap();
                }
                check_gradient(&a, &da, |a| dot(&run(kind, a, &b, shape, [&sa, &sb]), &dy));
                check_gradient(&b, &db, |b| dot(&run(kind, &a, b, shape, [&sa, &sb]), &dy));
            }
        }
    }

    #[test]
    fn transposed_operands_and_ties() {
        let (a, b) = (random(6, 1), random(6, 2));
        let y = run(SUB, &a, &b, &[2, 3], [&[3, 1], &[1, 2]]);
        assert_eq!(y, [a[0] - b[0], a[1] - b[2], a[2] - b[4], a[3] - b[1], a[4] - b[3], a[5] - b[5]]);

        let (mut da, mut db) = ([0.0], [0.0]);
        let (x, one) = ([2.0], [1i32]);
        unsafe {
            let (x, s) = (x.as_ptr(), [one.as_ptr(); 2]);
            binary_backward::<F64x4>(
                MAX,
                x,
                x,
                x,
                [3.0].as_ptr(),
                da.as_mut_ptr(),
                db.as_mut_ptr(),
                1,
                one.as_ptr(),
                s,
            )
            .unwrap();
        }
        assert_eq!((da[0], db[0]), (1.5, 1.5));
    }

    #[test]
    fn fill_scale_and_mask() {
        let (mut x, y) = ([9f64; 6], [7.0, 7.0, 7.0, 7.0, 7.0, 1.0]);
        unsafe {
            fill::<F64x4>(x.as_mut_ptr(), 5, 2.0);
            scale::<F64x4>(5, 0.5, x.as_mut_ptr());
        }
        assert_eq!(x, [1.0, 1.0, 1.0, 1.0, 1.0, 9.0]);
        let (mask, mut dx) = ([0, 1, 0, -1, 0, 1], [1f64; 6]);
        unsafe {
            masked_fill(y.as_ptr(), mask.as_ptr(), x.as_mut_ptr(), 6, f64::NEG_INFINITY);
            masked_fill_backward(y.as_ptr(), mask.as_ptr(), dx.as_mut_ptr(), 6);
        }
        assert_eq!(x, [7.0, f64::NEG_INFINITY, 7.0, f64::NEG_INFINITY, 7.0, f64::NEG_INFINITY]);
        assert_eq!(dx, [8.0, 1.0, 8.0, 1.0, 8.0, 1.0]);
    }
}
