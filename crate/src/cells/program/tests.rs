//! Programs written by hand, with backward code derived by hand, against a naive transcription of their equations, one
//! row and one unit at a time, and against central differences; all in double precision, through the very kernels of
//! the release build.

mod cells;

use super::code::{BIAS_GRADIENT, BLOCK, PRODUCT, PRODUCT_BACK, WEIGHT_GRADIENT};
use super::*;
use crate::simd::{F32x4, F64x4};
use cells::all;

const STEP: i32 = 0;
const STATE: i32 = 1;
const PREVIOUS: i32 = 2;
const CARRY: i32 = 3;
const BATCH: i32 = 4;
const CHUNK: i32 = 5;
const VECTOR: i32 = 6;
const VECTOR_GRADIENT: i32 = 7;
const INPUT: i32 = 8;
const INPUT_GRADIENT: i32 = 9;

/// Whole panels.
fn panels(n: usize) -> usize {
    n.div_ceil(PANEL) * PANEL
}

/// A buffer and a column.
type Operand = (i32, usize);
const NONE: Operand = (-1, 0);

/// The words of a program, piece by piece.
#[derive(Clone, Default)]
struct Builder {
    input: usize,
    gates: i32,
    d_gates: i32,
    x_matrix: i32,
    x_column: usize,
    output: i32,
    chunk: usize,
    buffers: Vec<[i32; 4]>,
    matrices: Vec<[i32; 8]>,
    biases: Vec<[i32; 4]>,
    vectors: Vec<[i32; 2]>,
    states: Vec<[i32; 4]>,
    inputs: Vec<[i32; 4]>,
    forward: Vec<i32>,
    backward: Vec<i32>,
    gradients: Vec<i32>,
}

impl Builder {
    fn buffer(&mut self, kind: i32, stride: usize, of: i32, flags: i32) -> i32 {
        self.buffers.push([kind, stride as i32, of, flags]);
        self.buffers.len() as i32 - 1
    }

    /// Padded gates of a weight of `depth` columns.
    fn matrix(&mut self, gates: usize, width: usize, depth: usize, first: usize, weight: i32) -> i32 {
        self.matrices.push([gates, width, depth, depth, first, 0, 0, 0].map(|word| word as i32));
        self.matrices.last_mut().unwrap()[5] = weight;
        self.matrices.len() as i32 - 1
    }

    fn bias(&mut self, gates: usize, width: usize, column: usize) -> i32 {
        let number = self.biases.len() as i32;
        self.biases.push([gates as i32, width as i32, column as i32, number]);
        number
    }

    /// A vector, its values and the sum of its gradient.
    fn vector(&mut self, width: usize) -> (i32, i32) {
        let number = self.vectors.len() as i32;
        self.vectors.push([width as i32, number]);
        (self.buffer(VECTOR, pad(width), number, 0), self.buffer(VECTOR_GRADIENT, pad(width), number, 0))
    }

    /// A state, the one before it, and its gradient.
    fn state(&mut self, width: usize) -> (i32, i32, i32) {
        let number = self.states.len() as i32;
        let [now, before, carry] = [STATE, PREVIOUS, CARRY].map(|kind| self.buffer(kind, pad(width), number, 0));
        self.states.push([width as i32, now, carry, 0]);
        (now, before, carry)
    }

    fn extra(&mut self, width: usize) -> (i32, i32) {
        let number = self.inputs.len() as i32;
        let [value, gradient] = [INPUT, INPUT_GRADIENT].map(|kind| self.buffer(kind, pad(width), number, 0));
        self.inputs.push([width as i32, value, gradient, 0]);
        (value, gradient)
    }

    /// G and its gradients for so many columns, and the matrix of x, weight 0, over so many gates from a column on.
    fn gates(&mut self, columns: usize, input: usize, x: (usize, usize, usize)) -> (i32, i32) {
        let (gates, width, column) = x;
        self.gates = self.buffer(STEP, panels(columns), 0, 0);
        self.d_gates = self.buffer(STEP, panels(columns), 0, BACKWARD_ONLY);
        self.input = input;
        self.x_matrix = self.matrix(gates, width, input, 0, 0);
        self.x_column = column;
        (self.gates, self.d_gates)
    }

    fn product(&mut self, from: Operand, matrix: i32, to: Operand, init: i32) {
        self.forward.extend([PRODUCT, 10, from.0, from.1 as i32, matrix, to.0, to.1 as i32, init, 0, 0]);
    }

    fn product_back(&mut self, column: usize, matrix: i32, to: Operand, init: i32) {
        let words = [PRODUCT_BACK, 10, self.d_gates, column as i32, matrix, to.0, to.1 as i32, init, 0, 0];
        self.backward.extend(words);
    }

    fn weight_gradient(&mut self, matrix: i32, from: Operand, column: usize) {
        self.gradients.extend([WEIGHT_GRADIENT, 6, matrix, from.0, from.1 as i32, column as i32]);
    }

    fn finish(&self) -> Vec<i32> {
        let mut words = vec![0i32; 32];
        let counts = [
            self.buffers.len(),
            self.matrices.len(),
            self.biases.len(),
            self.vectors.len(),
            self.states.len(),
            self.inputs.len(),
        ];
        words[0] = 1;
        for (i, count) in counts.into_iter().enumerate() {
            words[1 + i] = count as i32;
        }
        words[9] = self.input as i32;
        words[10] = self.gates;
        words[11] = self.d_gates;
        words[12] = self.x_matrix;
        words[13] = self.x_column as i32;
        words[15] = self.output;
        words[16] = self.chunk as i32;
        words.extend(self.buffers.iter().flatten());
        words.extend(self.matrices.iter().flatten());
        words.extend(self.biases.iter().flatten());
        words.extend(self.vectors.iter().flatten());
        words.extend(self.states.iter().flatten());
        words.extend(self.inputs.iter().flatten());
        let mut gradients = self.gradients.clone();
        for bias in 0..self.biases.len() {
            gradients.extend([BIAS_GRADIENT, 3, bias as i32]);
        }
        for (code, start, length) in [(&self.forward, 17, 7), (&self.backward, 18, 8), (&gradients, 19, 20)] {
            words[start] = words.len() as i32;
            words[length] = code.len() as i32;
            words.extend(code);
        }
        words
    }
}

/// Pointwise operations of one block.
#[derive(Default)]
struct Block(Vec<i32>);

impl Block {
    fn add(&mut self, code: u32, width: usize, immediate: f32, flags: i32, operands: [Operand; 4]) -> &mut Self {
        self.0.extend([code as i32, width as i32, immediate.to_bits() as i32, flags]);
        self.0.extend(operands.iter().flat_map(|(buffer, column)| [*buffer, *column as i32]));
        self
    }

    fn unary(&mut self, code: u32, width: usize, out: Operand, a: Operand) -> &mut Self {
        self.add(code, width, 0.0, 0, [out, a, NONE, NONE])
    }

    fn binary(&mut self, code: u32, width: usize, out: Operand, a: Operand, b: Operand) -> &mut Self {
        self.add(code, width, 0.0, 0, [out, a, b, NONE])
    }

    /// out = dy f', from y.
    fn slope(&mut self, kind: u32, width: usize, out: Operand, dy: Operand, y: Operand) -> &mut Self {
        self.add(pointwise::UNARY_GRADIENT + kind, width, 0.0, 0, [out, dy, NONE, y])
    }

    fn end(&self, code: &mut Vec<i32>) {
        code.extend([BLOCK, (BLOCK_HEAD + self.0.len()) as i32]);
        code.extend(&self.0);
    }
}

/// What a step of the naive transcription sees.
struct Seen<'a> {
    x: &'a [f64],
    extra: &'a [Vec<f64>],
    states: &'a [Vec<f64>],
    values: &'a Values,
}

impl Seen<'_> {
    /// Row j of a weight times a vector.
    fn product(&self, weight: &str, row: usize, x: &[f64]) -> f64 {
        self.values.get(weight)[row * x.len()..][..x.len()].iter().zip(x).map(|(a, b)| a * b).sum()
    }

    fn at(&self, name: &str, i: usize) -> f64 {
        self.values.get(name).get(i).copied().unwrap_or(0.0)
    }
}

type Naive = fn(&Cell, &Seen) -> Vec<Vec<f64>>;

/// A cell: its program, the sizes of what it is given, and its equations.
#[derive(Clone)]
struct Cell {
    name: &'static str,
    program: Builder,
    hidden: usize,
    weights: Vec<usize>,
    biases: Vec<usize>,
    naive: Naive,
}

impl Cell {
    fn input(&self) -> usize {
        self.program.input
    }
    fn states(&self) -> Vec<usize> {
        self.program.states.iter().map(|state| state[0] as usize).collect()
    }
    fn extras(&self) -> Vec<usize> {
        self.program.inputs.iter().map(|input| input[0] as usize).collect()
    }
    fn out(&self) -> usize {
        self.states()[self.program.output as usize]
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Tokens {
    Dense,
    OneHot,
    Folded,
    Gathered,
}

#[derive(Clone, Debug)]
struct Case {
    steps: usize,
    batch: usize,
    reverse: bool,
    lengths: Option<Vec<i32>>,
    tokens: Tokens,
    batch_first: bool,
    states: bool,
    training: bool,
    chunk: usize,
}

impl Case {
    fn plain() -> Self {
        Self {
            steps: 4,
            batch: 3,
            reverse: false,
            lengths: None,
            tokens: Tokens::Dense,
            batch_first: true,
            states: true,
            training: true,
            chunk: 2,
        }
    }

    fn length(&self, row: usize) -> usize {
        self.lengths.as_ref().map_or(self.steps, |l| l[row] as usize)
    }

    fn strides(&self, size: usize) -> (usize, usize) {
        if self.batch_first {
            (size, self.steps * size)
        } else {
            (self.batch * size, size)
        }
    }

    fn vocabulary(&self, input: usize) -> usize {
        match self.tokens {
            Tokens::Dense => 0,
            Tokens::OneHot => input,
            Tokens::Folded => 4,
            Tokens::Gathered => self.steps * self.batch + 3,
        }
    }
}

/// All values that a gradient is taken of, by name and number, and the cotangents.
#[derive(Clone)]
struct Values {
    named: Vec<(String, Vec<f64>)>,
    ids: Vec<i32>,
    d_out: Vec<f64>,
    d_states: Vec<Vec<f64>>,
}

impl Values {
    fn get(&self, name: &str) -> &[f64] {
        self.named.iter().find(|(n, _)| n == name).map_or(&[], |(_, v)| v)
    }
}

struct Numbers(u32);
impl Numbers {
    fn take(&mut self, count: usize, scale: f64) -> Vec<f64> {
        (0..count)
            .map(|_| {
                self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (f64::from(self.0 >> 8) / 8_388_608.0 - 1.0) * scale
            })
            .collect()
    }
}

fn values(cell: &Cell, c: &Case) -> Values {
    let mut r = Numbers(11);
    let mut named = vec![];
    let mut several = |name: &str, sizes: &[usize], scale: f64, r: &mut Numbers| {
        for (i, &size) in sizes.iter().enumerate() {
            named.push((format!("{name}{i}"), r.take(size, scale)));
        }
    };
    let vectors: Vec<usize> = cell.program.vectors.iter().map(|vector| vector[0] as usize).collect();
    let times = |sizes: Vec<usize>, n: usize| sizes.into_iter().map(|size| size * n).collect::<Vec<_>>();
    several("w", &cell.weights, 0.6, &mut r);
    several("b", &cell.biases, 0.5, &mut r);
    several("v", &vectors, 0.8, &mut r);
    if c.states {
        several("s", &times(cell.states(), c.batch), 0.9, &mut r);
    }
    several("e", &times(cell.extras(), c.batch * c.steps), 1.0, &mut r);
    let vocabulary = c.vocabulary(cell.input());
    match c.tokens {
        Tokens::Dense => named.push(("x".into(), r.take(c.steps * c.batch * cell.input(), 1.0))),
        Tokens::OneHot => {}
        _ => named.push(("table".into(), r.take(vocabulary * cell.input(), 1.0))),
    }
    Values {
        named,
        ids: (0..c.steps * c.batch).map(|i| ((i * 7 + 3) % vocabulary.max(1)) as i32).collect(),
        d_out: r.take(c.steps * c.batch * cell.out(), 1.0),
        d_states: times(cell.states(), c.batch).into_iter().map(|n| r.take(n, 1.0)).collect(),
    }
}

/// What a run gives: out, final states, and gradients in the order of the names.
#[derive(Debug, PartialEq)]
struct Outcome {
    out: Vec<f64>,
    states: Vec<Vec<f64>>,
    gradients: Vec<Vec<f64>>,
}

fn run<L: Lane>(cell: &Cell, c: &Case, v: &Values, with_gradients: bool) -> Outcome {
    let convert = |x: &[f64]| x.iter().map(|&x| L::Elem::from_f64(x)).collect::<Vec<_>>();
    let nan = L::Elem::from_f64(f64::NAN);
    let given: Vec<Vec<L::Elem>> = v.named.iter().map(|(_, x)| convert(x)).collect();
    let mut gradients: Vec<Vec<L::Elem>> =
        v.named.iter().map(|(_, x)| vec![L::Elem::from_f64(0.25); x.len()]).collect();
    let index = |name: &str| v.named.iter().position(|(n, _)| n == name);
    let value = |name: &str| index(name).map_or(null(), |i| given[i].as_ptr());
    let mut gradient = |name: &str| index(name).map_or(null_mut(), |i| gradients[i].as_mut_ptr());
    // NaN beforehand: everything must be written.
    let (widths, s) = (cell.states(), cell.out());
    let mut finals: Vec<Vec<L::Elem>> = widths.iter().map(|w| vec![nan; c.batch * w]).collect();
    let d_finals: Vec<Vec<L::Elem>> = v.d_states.iter().map(|x| convert(x)).collect();
    let mut out = vec![nan; c.steps * c.batch * s];
    let mut d_out = convert(&v.d_out);
    let (out_time, out_batch) = c.strides(s);
    for row in 0..c.batch {
        for t in c.length(row)..c.steps {
            d_out[t * out_time + row * out_batch..][..s].fill(nan); // padding must not be read
        }
    }
    let mut table: Vec<usize> = vec![];
    for (name, count) in [("w", cell.weights.len()), ("b", cell.biases.len()), ("v", cell.program.vectors.len())] {
        table.extend((0..count).map(|i| value(&format!("{name}{i}")) as usize));
        table.extend((0..count).map(|i| gradient(&format!("{name}{i}")) as usize));
    }
    table.extend((0..widths.len()).map(|i| value(&format!("s{i}")) as usize));
    table.extend(finals.iter_mut().map(|x| x.as_mut_ptr() as usize));
    table.extend(d_finals.iter().map(|x| x.as_ptr() as usize));
    table.extend((0..widths.len()).map(|i| gradient(&format!("s{i}")) as usize));
    let extras = cell.extras();
    table.extend((0..extras.len()).map(|i| value(&format!("e{i}")) as usize));
    table.extend(extras.iter().map(|&width| c.strides(width).0));
    table.extend(extras.iter().map(|&width| c.strides(width).1));
    table.extend((0..extras.len()).map(|i| gradient(&format!("e{i}")) as usize));
    let words = Builder { chunk: c.chunk, ..cell.program.clone() }.finish();
    // SAFETY: a program block.
    let mut prepared = vec![nan; unsafe { prepared_len(words.as_ptr()) }];
    let token = c.tokens != Tokens::Dense;
    let ((x_time, x_batch), (ids_time, ids_batch)) = (c.strides(cell.input()), c.strides(1));
    let mut call = Call {
        program: words.as_ptr(),
        prepared: prepared.as_mut_ptr(),
        steps: c.steps,
        batch: c.batch,
        reverse: u32::from(c.reverse),
        lengths: c.lengths.as_ref().map_or(null(), |l| l.as_ptr()),
        training: u32::from(c.training),
        x: value("x"),
        x_time,
        x_batch,
        ids: if token { v.ids.as_ptr() } else { null() },
        ids_time,
        ids_batch,
        table: value("table"),
        table_rows: c.vocabulary(cell.input()),
        out: out.as_mut_ptr(),
        out_time,
        out_batch,
        d_out: d_out.as_ptr(),
        d_x: gradient("x"),
        d_table: gradient("table"),
        saved: Saved {
            order: null(),
            x: null(),
            ids: null(),
            buffers: null_mut(),
            matrices: null_mut(),
            chunk: null_mut(),
            reserved: 0,
        },
        pointers: table.as_ptr(),
        weights: cell.weights.len(),
    };
    let scratch = Scratch::new();
    dirty_arena();
    // SAFETY: every buffer has the size its field asks for.
    unsafe {
        assert_eq!(prepare::<L>(&call, c.training), Ok(()));
        assert_eq!(forward::<L>(&mut call), Ok(()));
        if with_gradients {
            assert_eq!(backward::<L>(&call), Ok(()));
        }
    }
    drop(scratch);
    let back = |x: &[L::Elem]| x.iter().map(|x| x.to_f64()).collect::<Vec<_>>();
    Outcome {
        out: back(&out),
        states: finals.iter().map(|x| back(x)).collect(),
        // Gradients are added to what was there.
        gradients: gradients.iter().map(|x| x.iter().map(|x| x.to_f64() - 0.25).collect()).collect(),
    }
}

/// Leaves NaN in the memory that the next call takes.
fn dirty_arena() {
    let scratch = Scratch::new();
    let count = 1 << 17;
    let block = scratch.take::<u8>(count).unwrap();
    // SAFETY: of that size.
    unsafe { block.write_bytes(0xff, count) };
}

fn naive(cell: &Cell, c: &Case, v: &Values) -> Outcome {
    let (s, n, widths) = (cell.out(), cell.input(), cell.states());
    let mut r = Outcome {
        out: vec![0.0; c.steps * c.batch * s],
        states: widths.iter().map(|_| vec![]).collect(),
        gradients: vec![],
    };
    let rows = |name: &str, width: usize, t: usize, row: usize| {
        let (time, batch) = c.strides(width);
        v.get(name)[t * time + row * batch..][..width].to_vec()
    };
    for row in 0..c.batch {
        let start = |(i, &w): (usize, &usize)| {
            v.get(&format!("s{i}")).get(row * w..(row + 1) * w).map_or(vec![0.0; w], <[f64]>::to_vec)
        };
        let mut states: Vec<Vec<f64>> = widths.iter().enumerate().map(start).collect();
        let length = c.length(row);
        for step in 0..length {
            let t = if c.reverse { length - 1 - step } else { step };
            let (id_time, id_batch) = c.strides(1);
            let id = v.ids[t * id_time + row * id_batch] as usize;
            let x = match c.tokens {
                Tokens::Dense => rows("x", n, t, row),
                Tokens::OneHot => (0..n).map(|j| f64::from(u8::from(j == id))).collect(),
                _ => v.get("table")[id * n..][..n].to_vec(),
            };
            let extra: Vec<Vec<f64>> =
                cell.extras().iter().enumerate().map(|(i, &w)| rows(&format!("e{i}"), w, t, row)).collect();
            states = (cell.naive)(cell, &Seen { x: &x, extra: &extra, states: &states, values: v });
            let (time, batch) = c.strides(s);
            let output = &states[cell.program.output as usize];
            r.out[t * time + row * batch..][..s].copy_from_slice(output);
        }
        for (all, state) in r.states.iter_mut().zip(states) {
            all.extend(state);
        }
    }
    r
}

/// The loss whose gradients are checked: cotangents times results over what is not padding.
fn loss(cell: &Cell, c: &Case, v: &Values, r: &Outcome) -> f64 {
    let (time, batch) = c.strides(cell.out());
    let mut sum = 0.0;
    for row in 0..c.batch {
        for t in 0..c.length(row) {
            for at in (0..cell.out()).map(|j| t * time + row * batch + j) {
                sum += r.out[at] * v.d_out[at];
            }
        }
    }
    let states = r.states.iter().flatten().zip(v.d_states.iter().flatten());
    sum + states.map(|(a, b)| a * b).sum::<f64>()
}

fn close(what: &str, cell: &Cell, c: &Case, actual: &[f64], expected: &[f64], tolerance: f64) {
    let name = cell.name;
    assert_eq!(actual.len(), expected.len(), "{name} {what} {c:?}");
    for (i, (x, y)) in actual.iter().zip(expected).enumerate() {
        assert!((x - y).abs() <= tolerance * (1.0 + y.abs()), "{name} {what}[{i}]: {x} expected {y}, {c:?}");
    }
}

fn cases() -> Vec<Case> {
    let (base, ragged) = (Case::plain(), Some(vec![2, 4, 0]));
    vec![
        base.clone(),
        Case { batch_first: false, chunk: 1, ..base.clone() },
        Case { reverse: true, states: false, chunk: 8, ..base.clone() },
        Case { lengths: ragged.clone(), ..base.clone() },
        Case { lengths: ragged.clone(), reverse: true, batch_first: false, ..base.clone() },
        Case { lengths: Some(vec![0, 0, 0]), ..base.clone() },
        Case { tokens: Tokens::OneHot, ..base.clone() },
        Case { tokens: Tokens::Folded, reverse: true, ..base.clone() },
        Case { tokens: Tokens::Folded, steps: 9, lengths: Some(vec![9, 1, 5]), ..base.clone() },
        Case { tokens: Tokens::Gathered, lengths: ragged, ..base.clone() },
        Case { steps: 1, batch: 1, ..base },
    ]
}

#[test]
fn programs_equal_their_equations() {
    for cell in all() {
        for c in cases() {
            let v = values(&cell, &c);
            let expected = naive(&cell, &c, &v);
            let (double, single) = (run::<F64x4>(&cell, &c, &v, false), run::<F32x4>(&cell, &c, &v, false));
            for (actual, tolerance) in [(&double, 1e-12), (&single, 4e-6)] {
                close("out", &cell, &c, &actual.out, &expected.out, tolerance);
                for (actual, expected) in actual.states.iter().zip(&expected.states) {
                    close("states", &cell, &c, actual, expected, tolerance);
                }
            }
        }
    }
}

#[test]
fn gradients_equal_central_differences() {
    for cell in all() {
        for c in cases() {
            let v = values(&cell, &c);
            let (exact, single) = (run::<F64x4>(&cell, &c, &v, true), run::<F32x4>(&cell, &c, &v, true));
            for (which, (name, value)) in v.named.iter().enumerate() {
                let epsilon = 1e-5;
                let expected: Vec<f64> = (0..value.len())
                    .map(|i| {
                        let side = |step: f64| {
                            let mut moved = v.clone();
                            moved.named[which].1[i] += step;
                            loss(&cell, &c, &moved, &naive(&cell, &c, &moved))
                        };
                        (side(epsilon) - side(-epsilon)) / (2.0 * epsilon)
                    })
                    .collect();
                close(name, &cell, &c, &exact.gradients[which], &expected, 1e-7);
                close(name, &cell, &c, &single.gradients[which], &expected, 1e-4);
            }
        }
    }
}
