//! Each pointwise operation against its definition.

use super::*;
use crate::ops::{activation, elementwise};
use pointwise::*;

const ROWS: usize = 5;
const WIDTH: usize = 6;
const LANES: usize = 8;

/// Buffers of five rows in which an operation finds out, a, b and c, and what was in them.
struct Bench {
    data: [Vec<f64>; 4],
    strides: [usize; 4],
    columns: [usize; 4],
}

impl Bench {
    /// Rows that follow one another, or with gaps.
    fn new(flat: bool) -> Self {
        let (strides, columns) = if flat { ([LANES; 4], [0; 4]) } else { ([13, 17, 12, 24], [1, 9, 4, 3]) };
        let mut numbers = Numbers(5);
        let mut data = strides.map(|stride| numbers.take(ROWS * stride + LANES, 1.5));
        // Some are equal: rows of b and c begin alike.
        for row in 0..ROWS {
            data[3][row * strides[3] + columns[3]] = data[2][row * strides[2] + columns[2]];
        }
        Self { data, strides, columns }
    }

    fn at(&self, operand: usize, row: usize, column: usize) -> f64 {
        self.data[operand][row * self.strides[operand] + self.columns[operand] + column]
    }

    /// Runs the operation in chunks of two rows; operands that are not used are absent.
    fn run(&mut self, code: u32, immediate: f32, flags: i32, used: [bool; 4]) {
        let operands: Vec<Operand> = (0..4).map(|i| if used[i] { (i as i32, self.columns[i]) } else { NONE }).collect();
        let mut code_words = vec![];
        let mut block = Block::default();
        block.add(code, WIDTH, immediate, flags, [operands[0], operands[1], operands[2], operands[3]]);
        block.end(&mut code_words);
        let words = Builder { chunk: 2, ..Builder::default() }.finish();
        let mut buffers: Vec<Buffer<f64>> = (0..4)
            .map(|i| {
                let (start, stride) = (self.data[i].as_mut_ptr(), self.strides[i]);
                Buffer { start, at: start, stride, chunk: stride, place: Place::Start }
            })
            .collect();
        if code == COLUMN_SUM {
            (buffers[0].stride, buffers[0].chunk) = (0, 0);
        }
        let mut chunk = [f64::NAN; 2 * LANES];
        // SAFETY: the buffers have five rows.
        unsafe {
            let machine = Machine {
                rounded: None,
                program: Program::at(words.as_ptr()),
                order: Order::of(ROWS, 1, false, null(), null()),
                rows: ROWS,
                buffers: buffers.as_mut_ptr(),
                matrices: null_mut(),
                chunk: chunk.as_mut_ptr(),
                used: 0,
            };
            super::super::block::<F64x4>(&machine, code_words.as_ptr(), ROWS);
        }
    }
}

/// Runs the operation on fresh buffers, with and without gaps between rows, storing and adding, and holds every element
/// of every buffer against `expected(before, row, column, old)`.
fn holds(
    code: u32,
    immediate: f32,
    used: [bool; 4],
    adds: bool,
    expected: impl Fn(&Bench, usize, usize) -> Option<f64>,
) {
    for (flat, flags) in [(true, 0), (false, 0), (true, 1), (false, 1)] {
        let (before, mut bench) = (Bench::new(flat), Bench::new(flat));
        bench.run(code, immediate, flags, used);
        for row in 0..ROWS {
            for column in 0..LANES {
                let old = before.at(0, row, column);
                let old_if_added = if flags == 1 && adds { old } else { 0.0 };
                let wanted = expected(&before, row, column).map_or(old, |value| value + old_if_added);
                let got = bench.at(0, row, column);
                let place = format!("code {code} at {row}, {column}, flat {flat}, flags {flags}");
                assert!((got - wanted).abs() <= 1e-7 * (1.0 + wanted.abs()), "{place}: {got}, expected {wanted}");
            }
        }
        if !flat {
            // Between the rows nothing was touched.
            for (i, (old, new)) in before.data[0].iter().zip(&bench.data[0]).enumerate() {
                let column = i % before.strides[0];
                if !(before.columns[0]..before.columns[0] + LANES).contains(&column) {
                    assert_eq!(old, new, "code {code} beside its columns");
                }
            }
        }
    }
}

#[test]
fn each_element_is_its_definition() {
    type Definition = fn(f64, f64, f64, f64) -> f64;
    let all: [(u32, [bool; 4], Definition); 20] = [
        (COPY, [true, true, false, false], |a, _, _, _| a),
        (ADD, [true, true, true, false], |a, b, _, _| a + b),
        (SUB, [true, true, true, false], |a, b, _, _| a - b),
        (MUL, [true, true, true, false], |a, b, _, _| a * b),
        (DIV, [true, true, true, false], |a, b, _, _| a / b),
        (MAX, [true, true, true, false], |a, b, _, _| a.max(b)),
        (MIN, [true, true, true, false], |a, b, _, _| a.min(b)),
        (SCALE, [true, true, false, false], |a, _, _, i| i * a),
        (ADD_SCALAR, [true, true, false, false], |a, _, _, i| a + i),
        (MAX_SCALAR, [true, true, false, false], |a, _, _, i| a.max(i)),
        (MIN_SCALAR, [true, true, false, false], |a, _, _, i| a.min(i)),
        (FILL, [true, false, false, false], |_, _, _, i| i),
        (MAX_GRADIENT, [true; 4], |a, b, c, _| {
            if b > c {
                a
            } else if b == c {
                0.5 * a
            } else {
                0.0
            }
        }),
        (MIN_GRADIENT, [true; 4], |a, b, c, _| {
            if b < c {
                a
            } else if b == c {
                0.5 * a
            } else {
                0.0
            }
        }),
        (ABOVE_SCALAR, [true, true, false, false], |a, _, _, i| f64::from(u8::from(a > i))),
        (BELOW_SCALAR, [true, true, false, false], |a, _, _, i| f64::from(u8::from(a < i))),
        (MULTIPLY_ADD, [true; 4], |a, b, c, _| a * b + c),
        (MIX, [true; 4], |a, b, c, _| a * b + (1.0 - a) * c),
        (activation::TANH, [true, true, false, false], |a, _, _, _| a.tanh()),
        (activation::SIGMOID, [true, true, false, false], |a, _, _, _| 1.0 / (1.0 + (-a).exp())),
    ];
    for (code, used, f) in all {
        let value = |b: &Bench, row: usize, column: usize| {
            let [x, y, z] = [1, 2, 3].map(|operand| b.at(operand, row, column));
            Some(f(x, y, z, 0.375))
        };
        holds(code, 0.375, used, true, value);
    }
}

/// Scalar definitions of the functions of one value.
fn function(kind: u32, x: f64, alpha: f64) -> f64 {
    match kind {
        activation::TANH => x.tanh(),
        activation::SIGMOID => 1.0 / (1.0 + (-x).exp()),
        activation::RELU => x.max(0.0),
        activation::LEAKY_RELU => x.max(alpha * x),
        activation::ELU => {
            if x > 0.0 {
                x
            } else {
                alpha * (x.exp() - 1.0)
            }
        }
        activation::SOFTPLUS => (1.0 + x.exp()).ln(),
        activation::SOFTSIGN => x / (1.0 + x.abs()),
        activation::HARD_SIGMOID => (x / 6.0 + 0.5).clamp(0.0, 1.0),
        activation::HARD_SIGMOID_ONNX => (0.2 * x + 0.5).clamp(0.0, 1.0),
        activation::HARD_TANH => x.clamp(-1.0, 1.0),
        elementwise::NEG => -x,
        elementwise::EXP => x.exp(),
        elementwise::LOG => x.ln(),
        elementwise::SQRT => x.sqrt(),
        elementwise::SQUARE => x * x,
        elementwise::ABS => x.abs(),
        elementwise::RECIPROCAL => 1.0 / x,
        elementwise::SIN => x.sin(),
        elementwise::COS => x.cos(),
        _ => x,
    }
}

#[test]
fn functions_and_their_slopes_are_their_definitions() {
    let kinds = (0..activation::COUNT).chain(elementwise::NEG..=elementwise::COS);
    for kind in kinds {
        let positive = matches!(kind, elementwise::LOG | elementwise::SQRT);
        let alpha = 0.25;
        // Where a function has no real value NaN is as good as any.
        let known = |x: f64| !positive || x > 0.0;
        let f = |x: f64| function(kind, x, f64::from(alpha));
        let mut bench = Bench::new(false);
        bench.run(kind, alpha, 0, [true, true, false, false]);
        for (row, column) in (0..ROWS).flat_map(|row| (0..LANES).map(move |column| (row, column))) {
            let x = bench.at(1, row, column);
            let (got, wanted) = (bench.at(0, row, column), f(x));
            assert!(!known(x) || (got - wanted).abs() <= 1e-7 * (1.0 + wanted.abs()), "kind {kind} of {x}: {got}");
        }
        for flags in [0, 1] {
            let mut bench = Bench::new(false);
            for i in 0..ROWS * bench.strides[3] {
                // c = f(b), element by element of the operands' own places.
                let (row, column) = (i / bench.strides[3], i % bench.strides[3]);
                if (bench.columns[3]..bench.columns[3] + LANES).contains(&column) {
                    bench.data[3][i] = f(bench.at(2, row, column - bench.columns[3]));
                }
            }
            let before = bench.data[0].clone();
            bench.run(UNARY_GRADIENT + kind, alpha, flags, [true; 4]);
            for (row, column) in (0..ROWS).flat_map(|row| (0..LANES).map(move |column| (row, column))) {
                let (dy, x, step) = (bench.at(1, row, column), bench.at(2, row, column), 1e-6);
                let old = before[row * bench.strides[0] + bench.columns[0] + column] * f64::from(flags);
                let wanted = old + dy * (f(x + step) - f(x - step)) / (2.0 * step);
                let got = bench.at(0, row, column);
                assert!(!known(x) || (got - wanted).abs() <= 1e-6 * (1.0 + wanted.abs()), "slope {kind} at {x}: {got}");
            }
        }
    }
}

#[test]
fn operations_of_rows_are_their_definitions() {
    let sum = |f: &dyn Fn(usize) -> f64| (0..WIDTH).map(f).sum::<f64>();
    holds(BROADCAST, 0.0, [true, true, false, false], true, |b, row, _| Some(b.at(1, row, 0)));
    holds(ROW_SUM, 0.0, [true, true, false, false], true, |b, row, column| {
        (column == 0).then(|| sum(&|i| b.at(1, row, i)))
    });
    holds(ROW_SUM, 0.0, [true, true, true, false], true, |b, row, column| {
        (column == 0).then(|| sum(&|i| b.at(1, row, i) * b.at(2, row, i)))
    });
    holds(ZERO_PAD, 0.0, [true, false, false, false], false, |_, _, column| (column >= WIDTH).then_some(0.0));
    let statistics = |b: &Bench, row: usize| {
        let mean = sum(&|i| b.at(1, row, i)) / WIDTH as f64;
        let variance = sum(&|i| (b.at(1, row, i) - mean) * (b.at(1, row, i) - mean)) / WIDTH as f64;
        (mean, 1.0 / (variance + 0.5).sqrt())
    };
    holds(NORM, 0.5, [true, true, true, false], true, |b, row, column| {
        let (mean, scale) = statistics(b, row);
        (column < WIDTH).then(|| (b.at(1, row, column) - mean) * scale)
    });
    let mut bench = Bench::new(false);
    bench.run(NORM, 0.5, 0, [true, true, true, false]);
    for row in 0..ROWS {
        assert!((bench.at(2, row, 0) - statistics(&bench, row).1).abs() < 1e-12);
    }
    holds(NORM_GRADIENT, 0.0, [true; 4], true, |b, row, column| {
        let (dy, z) = (|i: usize| b.at(1, row, i), |i: usize| b.at(2, row, i));
        let shift = sum(&dy) / WIDTH as f64;
        let tilt = sum(&|i| dy(i) * z(i)) / WIDTH as f64;
        (column < WIDTH).then(|| b.at(3, row, 0) * (dy(column) - shift - z(column) * tilt))
    });
    for with in [false, true] {
        let (before, mut bench) = (Bench::new(false), Bench::new(false));
        bench.run(COLUMN_SUM, 0.0, 0, [true, true, with, false]);
        for column in 0..LANES {
            let term = |row: usize| before.at(1, row, column) * if with { before.at(2, row, column) } else { 1.0 };
            let sum = before.at(0, 0, column) + (0..ROWS).map(term).sum::<f64>();
            let wanted = if column < WIDTH { sum } else { before.at(0, 0, column) };
            assert!((bench.at(0, 0, column) - wanted).abs() < 1e-12, "column sum {column}");
        }
    }
}
