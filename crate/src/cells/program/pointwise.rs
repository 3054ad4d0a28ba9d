//! The pointwise operations of step programs, over some rows of a few buffers. One function a loop: its constants then
//! stay in registers, and the engine optimises it for the first program that uses it.
//!
//! | code | out |
//! |---|---|
//! | 0..=24 | f(a): the kinds of [`elementwise`], alpha the immediate |
//! | 64 copy | a |
//! | 65 add, 66 sub, 67 mul, 68 div, 69 max, 70 min | a + b, a - b, a b, a / b, the larger, the smaller |
//! | 71..=75 | immediate a, a + immediate, max(a, immediate), min(a, immediate), immediate |
//! | 77, 78 | a where b is above (below) c, half of a where they are equal, else 0: the gradients of max and min |
//! | 79, 80 | 1 where a is above (below) the immediate, else 0 |
//! | 81 broadcast | a of the row's first column, everywhere |
//! | 82 row sum | first column: the sum of a b, or of a when there is no b |
//! | 83 norm | z = (a - mean) r, r = 1 / sqrt(variance + immediate); b gets r in its column |
//! | 84 gradient of norm | r (dy - mean of dy - z mean of dy z); a = dy, b = z, c = r |
//! | 85 column sum | one row: itself + the sum over rows of a b, or of a when there is no b |
//! | 86 zero pad | zeros after the width |
//! | 88, 89 | a b + c, a b + (1 - a) c |
//! | 128 + kind | a f'(x): b = x, c = y = f(x); what the kind does not read may be absent |
//!
//! Loops run over whole lanes, but those of sums and norms over exactly the width. `out` may be an operand.

use crate::math::Constants;
use crate::ops::norm::{self, Norm};
use crate::ops::{activation, elementwise, large_spans, sum_large_spans};
use crate::simd::{Lane, Real, WIDTH};
use core::ptr::null;

pub const COPY: u32 = 64;
pub const ADD: u32 = 65;
pub const SUB: u32 = 66;
pub const MUL: u32 = 67;
pub const DIV: u32 = 68;
pub const MAX: u32 = 69;
pub const MIN: u32 = 70;
pub const SCALE: u32 = 71;
pub const ADD_SCALAR: u32 = 72;
pub const MAX_SCALAR: u32 = 73;
pub const MIN_SCALAR: u32 = 74;
pub const FILL: u32 = 75;
pub const MAX_GRADIENT: u32 = 77;
pub const MIN_GRADIENT: u32 = 78;
pub const ABOVE_SCALAR: u32 = 79;
pub const BELOW_SCALAR: u32 = 80;
pub const BROADCAST: u32 = 81;
pub const ROW_SUM: u32 = 82;
pub const NORM: u32 = 83;
pub const NORM_GRADIENT: u32 = 84;
pub const COLUMN_SUM: u32 = 85;
pub const ZERO_PAD: u32 = 86;
pub const MULTIPLY_ADD: u32 = 88;
pub const MIX: u32 = 89;
/// Plus the kind of a unary function.
pub const UNARY_GRADIENT: u32 = 128;

/// One operation over `rows` rows. Operands are at their first row and column; absent ones are null.
#[derive(Clone, Copy)]
pub struct Run<E> {
    pub rows: usize,
    pub width: usize,
    /// `width` up to whole lanes.
    pub lanes: usize,
    pub immediate: E,
    pub out: *mut E,
    pub a: *const E,
    pub b: *const E,
    pub c: *const E,
    /// Between rows: of out, a, b and c.
    pub strides: [usize; 4],
}

/// There is such an operation.
pub fn is_known(code: u32) -> bool {
    let unary = |kind: u32| kind < activation::COUNT || (elementwise::NEG..=elementwise::COS).contains(&kind);
    match code {
        COPY..=FILL | MAX_GRADIENT..=ZERO_PAD | MULTIPLY_ADD | MIX => true,
        UNARY_GRADIENT.. => unary(code - UNARY_GRADIENT),
        _ => unary(code),
    }
}

const TANH_SLOPE: u32 = UNARY_GRADIENT + activation::TANH;
const SIGMOID_SLOPE: u32 = UNARY_GRADIENT + activation::SIGMOID;
const EXP_SLOPE: u32 = UNARY_GRADIENT + elementwise::EXP;

/// The operation adds to out rather than store: the slopes by the loops of tensors.
pub fn adds(code: u32) -> bool {
    code >= UNARY_GRADIENT && !matches!(code, TANH_SLOPE | SIGMOID_SLOPE | EXP_SLOPE)
}

/// Columns of out that an operation writes.
pub fn written<E>(code: u32, r: &Run<E>) -> usize {
    match code {
        ROW_SUM => 1,
        NORM | NORM_GRADIENT => r.width,
        _ => r.lanes,
    }
}

/// What an operation sees of its operands: one lane of each, read where it is asked for.
struct At<L: Lane> {
    immediate: L::Elem,
    k: Constants,
    a: *const L::Elem,
    b: *const L::Elem,
    c: *const L::Elem,
}

impl<L: Lane> At<L> {
    #[inline(always)]
    fn immediate(&self) -> L {
        L::splat(self.immediate)
    }
    #[inline(always)]
    unsafe fn a(&self) -> L {
        L::load(self.a)
    }
    #[inline(always)]
    unsafe fn b(&self) -> L {
        L::load(self.b)
    }
    #[inline(always)]
    unsafe fn c(&self) -> L {
        L::load(self.c)
    }
}

/// out = f of each lane of each row; there is at least one of both, which keeps the many instances of this small.
#[inline(always)]
unsafe fn map<L: Lane>(r: &Run<L::Elem>, f: impl Fn(At<L>) -> L) {
    let k = Constants::read();
    let Run { mut rows, lanes, immediate, mut out, mut a, mut b, mut c, .. } = *r;
    // Wrapping, since absent operands are null and the last row ends its buffer.
    let skip = r.strides.map(|stride| stride.wrapping_sub(lanes));
    loop {
        let end = out.wrapping_add(lanes);
        loop {
            f(At { immediate, k, a, b, c }).store(out);
            out = out.wrapping_add(WIDTH);
            a = a.wrapping_add(WIDTH);
            b = b.wrapping_add(WIDTH);
            c = c.wrapping_add(WIDTH);
            if out == end {
                break;
            }
        }
        rows -= 1;
        if rows == 0 {
            break;
        }
        out = out.wrapping_add(skip[0]);
        a = a.wrapping_add(skip[1]);
        b = b.wrapping_add(skip[2]);
        c = c.wrapping_add(skip[3]);
    }
}

impl<E: Real> Run<E> {
    /// Rows that follow one another in every operand are one long row.
    fn flat(mut self) -> Self {
        if self.strides.iter().all(|&stride| stride == self.lanes) {
            self.lanes *= self.rows;
            self.rows = 1;
        }
        self
    }
}

/// # Safety
/// Every operand that the operation reads or writes has `rows` rows of `lanes` at its stride; the code is known.
pub unsafe fn run<L: Lane>(code: u32, r: &Run<L::Elem>) {
    match code {
        BROADCAST => broadcast::<L>(r),
        ROW_SUM => row_sum::<L>(r),
        NORM => normalise::<L>(r),
        NORM_GRADIENT => norm_gradient::<L>(r),
        COLUMN_SUM => column_sum::<L>(r),
        ZERO_PAD => zero_pad::<L>(r),
        _ => elements::<L>(code, &r.flat()),
    }
}

unsafe fn elements<L: Lane>(code: u32, r: &Run<L::Elem>) {
    macro_rules! each {
        ($f:expr) => {{
            #[inline(never)]
            unsafe fn each<L: Lane>(r: &Run<L::Elem>) {
                map::<L>(r, $f);
            }
            each::<L>(r);
        }};
    }
    match code {
        activation::TANH => each!(|at| at.a().tanh(at.k)),
        activation::SIGMOID => each!(|at| at.a().sigmoid(at.k)),
        COPY => each!(|at| at.a()),
        ADD => each!(|at| at.a() + at.b()),
        SUB => each!(|at| at.a() - at.b()),
        MUL => each!(|at| at.a() * at.b()),
        DIV => each!(|at| at.a() / at.b()),
        MAX => each!(|at| at.a().max(at.b())),
        MIN => each!(|at| at.a().min(at.b())),
        SCALE => each!(|at| at.immediate() * at.a()),
        ADD_SCALAR => each!(|at| at.a() + at.immediate()),
        MAX_SCALAR => each!(|at| at.a().max(at.immediate())),
        MIN_SCALAR => each!(|at| at.a().min(at.immediate())),
        FILL => each!(|at| at.immediate()),
        MAX_GRADIENT => each!(|at| at.a() * share(at.b(), at.c())),
        MIN_GRADIENT => each!(|at| at.a() * share(at.c(), at.b())),
        ABOVE_SCALAR => each!(|at| at.a().select_gt(at.immediate(), L::constant(1.0), L::zero())),
        BELOW_SCALAR => each!(|at| at.immediate().select_gt(at.a(), L::constant(1.0), L::zero())),
        MULTIPLY_ADD => each!(|at| at.a() * at.b() + at.c()),
        MIX => each!(|at| {
            let a = at.a();
            a * at.b() + (L::constant(1.0) - a) * at.c()
        }),
        TANH_SLOPE => each!(|at| at.a() * activation::derivative::<L>(activation::TANH, at.immediate, at.c(), at.k)),
        SIGMOID_SLOPE => {
            each!(|at| at.a() * activation::derivative::<L>(activation::SIGMOID, at.immediate, at.c(), at.k))
        }
        EXP_SLOPE => each!(|at| at.a() * at.c()),
        _ => functions::<L>(code, r),
    }
}

/// What goes to the first of two of which the larger was chosen.
#[inline(always)]
fn share<L: Lane>(first: L, second: L) -> L {
    let (zero, half, one) = (L::zero(), L::constant(0.5), L::constant(1.0));
    first.select_gt(second, one, second.select_gt(first, zero, half))
}

/// The functions that cells seldom apply, and their slopes, by the loops that tensors use: slopes add.
unsafe fn functions<L: Lane>(code: u32, r: &Run<L::Elem>) {
    for row in 0..r.rows {
        let [a, b, c] = [(r.a, 1), (r.b, 2), (r.c, 3)].map(|(x, i)| x.wrapping_add(row * r.strides[i]));
        let out = r.out.add(row * r.strides[0]);
        // The kind has been checked.
        let _ = match code.checked_sub(UNARY_GRADIENT) {
            Some(kind) => elementwise::unary_backward::<L>(kind, b, c, a, out, r.lanes, r.immediate),
            None => elementwise::unary::<L>(code, a, out, r.lanes, r.immediate),
        };
    }
}

#[inline(never)]
unsafe fn broadcast<L: Lane>(r: &Run<L::Elem>) {
    for row in 0..r.rows {
        let (value, out) = (L::splat(*r.a.add(row * r.strides[1])), r.out.add(row * r.strides[0]));
        for column in (0..r.lanes).step_by(WIDTH) {
            value.store(out.add(column));
        }
    }
}

#[inline(never)]
unsafe fn row_sum<L: Lane>(r: &Run<L::Elem>) {
    for row in 0..r.rows {
        let (a, b) = (r.a.add(row * r.strides[1]), r.b.wrapping_add(row * r.strides[2]));
        *r.out.add(row * r.strides[0]) = sum_large_spans::<L>(r.width, |at| {
            let term: L = at.load(a);
            if r.b.is_null() {
                term
            } else {
                term * at.load::<L>(b)
            }
        });
    }
}

#[inline(never)]
unsafe fn normalise<L: Lane>(r: &Run<L::Elem>) {
    let (one_row, epsilon) = (Norm { rows: 1, n: r.width, weight: null() }, r.immediate.to_f64());
    for row in 0..r.rows {
        let (x, y) = (r.a.add(row * r.strides[1]), r.out.add(row * r.strides[0]));
        let scale = r.b.add(row * r.strides[2]).cast_mut();
        let mut mean = L::Elem::ZERO;
        norm::forward::<L>(&one_row, x, null(), epsilon, y, &raw mut mean, scale);
    }
}

#[inline(never)]
unsafe fn norm_gradient<L: Lane>(r: &Run<L::Elem>) {
    let count = L::Elem::from_f64(r.width as f64);
    for row in 0..r.rows {
        let (dy, z) = (r.a.add(row * r.strides[1]), r.b.add(row * r.strides[2]));
        let (scale, out) = (L::splat(*r.c.add(row * r.strides[3])), r.out.add(row * r.strides[0]));
        let shift = L::splat(sum_large_spans::<L>(r.width, |at| at.load(dy)) / count);
        let tilt = L::splat(sum_large_spans::<L>(r.width, |at| at.load::<L>(dy) * at.load::<L>(z)) / count);
        large_spans(r.width, |at| at.store(scale * (at.load::<L>(dy) - shift - at.load::<L>(z) * tilt), out));
    }
}

#[inline(never)]
unsafe fn column_sum<L: Lane>(r: &Run<L::Elem>) {
    large_spans(r.width, |at| {
        let mut sum: L = at.load(r.out);
        for row in 0..r.rows {
            let (a, b) = (r.a.add(row * r.strides[1]), r.b.wrapping_add(row * r.strides[2]));
            let term: L = at.load(a);
            sum = sum + if r.b.is_null() { term } else { term * at.load::<L>(b) };
        }
        at.store(sum, r.out);
    });
}

#[inline(never)]
unsafe fn zero_pad<L: Lane>(r: &Run<L::Elem>) {
    for row in 0..r.rows {
        for column in r.width..r.lanes {
            *r.out.add(row * r.strides[0] + column) = L::Elem::ZERO;
        }
    }
}
