//! Programs written by hand, with backward code derived by hand, against a naive transcription of their equations, one
//! row and one unit at a time, and against central differences; all in double precision, through the very kernels of
//! the release build.

mod cells;
mod operations;

use super::code::{BIAS_GRADIENT, BLOCK, PRODUCT, PRODUCT_BACK, WEIGHT_GRADIENT};
use super::*;
use crate::memory;
use crate::sequence;
use crate::simd::{F32x4, F64x4};
use cells::{all, heads, lstm};

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

const HEADER_WORDS: usize = 32;

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
        let mut words = vec![0i32; HEADER_WORDS];
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
    with_call::<L>(cell, c, v, |call, _| {
        // SAFETY: every buffer has the size its field asks for.
        unsafe {
            assert_eq!(prepare::<L>(call, c.training), Ok(()));
            assert_eq!(forward::<L>(call), Ok(()));
            if with_gradients {
                assert_eq!(backward::<L>(call), Ok(()));
            }
        }
    })
}

/// Lets `body` make what it likes of a call, whose program it also gets as words.
fn with_call<L: Lane>(cell: &Cell, c: &Case, v: &Values, body: impl FnOnce(&mut Call<L::Elem>, *mut i32)) -> Outcome {
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
    let mut words = Builder { chunk: c.chunk, ..cell.program.clone() }.finish();
    // SAFETY: a program block.
    let mut prepared = vec![nan; unsafe { prepared_len(words.as_ptr()) }];
    let token = c.tokens != Tokens::Dense;
    let ((x_time, x_batch), (ids_time, ids_batch)) = (c.strides(cell.input()), c.strides(1));
    let mut call = Call {
        program: words.as_mut_ptr(),
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
    body(&mut call, words.as_mut_ptr());
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

/// The hand-fused LSTM with the values of [`lstm`]: outputs, states, gradients in the order of the names.
fn fused(cell: &Cell, c: &Case, v: &Values) -> Outcome {
    let convert = |x: &[f64]| x.iter().map(|&x| x as f32).collect::<Vec<_>>();
    let given: Vec<Vec<f32>> = v.named.iter().map(|(_, x)| convert(x)).collect();
    let mut gradients: Vec<Vec<f32>> = given.iter().map(|x| vec![0.25; x.len()]).collect();
    let index = |name: &str| v.named.iter().position(|(n, _)| n == name);
    let value = |name: &str| index(name).map_or(null(), |i| given[i].as_ptr());
    let mut gradient = |name: &str| index(name).map_or(null_mut(), |i| gradients[i].as_mut_ptr());
    let h = cell.hidden;
    let (mut out, mut finals) = (vec![0.0; c.steps * c.batch * h], [vec![0.0; c.batch * h], vec![0.0; c.batch * h]]);
    let (d_out, d_finals) = (convert(&v.d_out), [convert(&v.d_states[0]), convert(&v.d_states[1])]);
    let mut prepared = vec![0.0; sequence::prepared_len(sequence::Kind::Lstm, cell.input(), h, 0)];
    let ((out_time, out_batch), (x_time, x_batch)) = (c.strides(h), c.strides(cell.input()));
    let mut layer = sequence::Layer::<f32> {
        kind: sequence::Kind::Lstm,
        activation: 0,
        alpha: 0.0,
        steps: c.steps,
        batch: c.batch,
        input: cell.input(),
        hidden: h,
        projection: 0,
        reverse: c.reverse,
        lengths: c.lengths.as_ref().map_or(null(), |l| l.as_ptr()),
        training: true,
        x: Strided { data: value("x"), time: x_time, batch: x_batch },
        ids: Strided { data: null(), time: 0, batch: 0 },
        table: null(),
        table_rows: 0,
        w_ih: value("w0"),
        w_hh: value("w1"),
        b_ih: value("b0"),
        b_hh: value("b1"),
        w_hr: null(),
        prepared: prepared.as_mut_ptr(),
        h0: value("s0"),
        c0: value("s1"),
        h_n: finals[0].as_mut_ptr(),
        c_n: finals[1].as_mut_ptr(),
        out: Strided { data: out.as_mut_ptr(), time: out_time, batch: out_batch },
        // SAFETY: addresses, of which null is one; forward fills them in.
        saved: unsafe { core::mem::zeroed() },
        d_out: Strided { data: d_out.as_ptr(), time: out_time, batch: out_batch },
        d_h_n: d_finals[0].as_ptr(),
        d_c_n: d_finals[1].as_ptr(),
        d_x: Strided { data: gradient("x"), time: x_time, batch: x_batch },
        d_table: null_mut(),
        d_w_ih: gradient("w0"),
        d_w_hh: gradient("w1"),
        d_b_ih: gradient("b0"),
        d_b_hh: gradient("b1"),
        d_w_hr: null_mut(),
        d_h0: gradient("s0"),
        d_c0: gradient("s1"),
    };
    let _scratch = Scratch::new();
    // SAFETY: every buffer has the size its field asks for.
    unsafe {
        sequence::prepare::<F32x4>(&layer, true);
        assert_eq!(sequence::forward::<F32x4>(&mut layer), Ok(()));
        assert_eq!(sequence::backward::<F32x4>(&layer), Ok(()));
    }
    let back = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
    Outcome {
        out: back(&out),
        states: finals.iter().map(|x| back(x)).collect(),
        gradients: gradients.iter().map(|x| x.iter().map(|&x| f64::from(x - 0.25)).collect()).collect(),
    }
}

#[test]
fn a_compiled_lstm_equals_the_hand_fused() {
    for (input, hidden) in [(5, 6), (16, 32), (21, 19)] {
        for c in cases().into_iter().filter(|c| c.tokens == Tokens::Dense) {
            let cell = lstm(input, hidden, false);
            let v = values(&cell, &c);
            let (compiled, fused) = (run::<F32x4>(&cell, &c, &v, true), fused(&cell, &c, &v));
            assert_eq!((&compiled.out, &compiled.states), (&fused.out, &fused.states));
            for ((name, _), (actual, expected)) in v.named.iter().zip(compiled.gradients.iter().zip(&fused.gradients)) {
                close(name, &cell, &c, actual, expected, 2e-6);
            }
        }
    }
}

#[test]
fn neither_chunks_nor_what_is_kept_for_backward_change_a_bit() {
    for cell in all() {
        let c = Case { lengths: Some(vec![2, 4, 3]), ..Case::plain() };
        let v = values(&cell, &c);
        let (expected, keeping) = (run::<F32x4>(&cell, &c, &v, true), run::<F32x4>(&cell, &c, &v, false));
        for chunk in [1, 3, 64] {
            assert_eq!(run::<F32x4>(&cell, &Case { chunk, ..c.clone() }, &v, true), expected, "{}", cell.name);
        }
        assert_eq!(run::<F32x4>(&cell, &Case { training: false, ..c }, &v, false), keeping, "{}", cell.name);
    }
}

#[test]
fn a_split_sequence_equals_the_whole_bit_for_bit_at_any_batch_size() {
    for cell in all() {
        for batch in [1, 2, 5] {
            let c = Case { batch, steps: 7, batch_first: false, ..Case::plain() };
            let v = values(&cell, &c);
            let whole = run::<F32x4>(&cell, &c, &v, false);
            // The values of some rows of time-major tensors.
            let part = |rows: &dyn Fn(usize) -> bool, states: Option<&Outcome>| {
                let mut piece = v.clone();
                for (name, value) in &mut piece.named {
                    if name == "x" || name.starts_with('e') {
                        let size = value.len() / (7 * batch);
                        let kept = value.chunks(size).enumerate().filter(|(row, _)| rows(*row));
                        *value = kept.flat_map(|(_, x)| x.to_vec()).collect();
                    } else if let (Some(number), Some(before)) = (name.strip_prefix('s'), states) {
                        *value = before.states[number.parse::<usize>().unwrap()].clone();
                    }
                }
                let count = (0..7 * batch).filter(|&row| rows(row)).count();
                piece.d_out.truncate(count * cell.out());
                run::<F32x4>(&cell, &Case { steps: count / batch, ..c.clone() }, &piece, false)
            };
            let first = part(&|row| row < 3 * batch, None);
            let second = part(&|row| row >= 3 * batch, Some(&first));
            assert_eq!([first.out, second.out.clone()].concat(), whole.out, "{}", cell.name);
            assert_eq!(second.states, whole.states, "{}", cell.name);
        }
    }
}

/// The values of one row, for a run of its own.
fn alone(cell: &Cell, c: &Case, v: &Values, row: usize) -> (Case, Values) {
    let length = c.length(row);
    let mut own = v.clone();
    for (name, value) in &mut own.named {
        if name == "x" || name.starts_with('e') {
            let size = value.len() / (c.batch * c.steps);
            *value = value[row * c.steps * size..][..length * size].to_vec();
        } else if name.starts_with('s') {
            let size = value.len() / c.batch;
            *value = value[row * size..][..size].to_vec();
        }
    }
    own.d_out = v.d_out[row * c.steps * cell.out()..][..length * cell.out()].to_vec();
    own.d_states = v.d_states.iter().map(|d| d.chunks(d.len() / c.batch).nth(row).unwrap().to_vec()).collect();
    (Case { batch: 1, steps: length, lengths: None, ..c.clone() }, own)
}

#[test]
fn lengths_equal_rows_run_alone() {
    for cell in all() {
        for reverse in [false, true] {
            let c = Case { reverse, steps: 5, batch: 5, lengths: Some(vec![3, 0, 5, 1, 5]), ..Case::plain() };
            let v = values(&cell, &c);
            let together = run::<F32x4>(&cell, &c, &v, true);
            let mut sums: Vec<Vec<f64>> = v.named.iter().map(|(_, x)| vec![0.0; x.len()]).collect();
            for row in 0..c.batch {
                let (own, own_values) = alone(&cell, &c, &v, row);
                let r = run::<F32x4>(&cell, &own, &own_values, true);
                let out = &together.out[row * 5 * cell.out()..(row + 1) * 5 * cell.out()];
                let (live, padding) = out.split_at(own.steps * cell.out());
                assert_eq!(r.out, live, "{}", cell.name);
                assert!(padding.iter().all(|&x| x == 0.0), "{}", cell.name);
                for (own, all) in r.states.iter().zip(&together.states) {
                    assert_eq!(own[..], all[row * own.len()..(row + 1) * own.len()], "{}", cell.name);
                }
                for ((sum, part), (name, _)) in sums.iter_mut().zip(&r.gradients).zip(&v.named) {
                    let start = match name.as_str() {
                        "x" => row * 5 * cell.input(),
                        _ if name.starts_with('e') => row * sum.len() / c.batch,
                        _ if name.starts_with('s') => row * part.len(),
                        _ => 0,
                    };
                    sum[start..].iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
                }
            }
            for ((name, _), (together, sum)) in v.named.iter().zip(together.gradients.iter().zip(&sums)) {
                close(name, &cell, &c, together, sum, 2e-6);
            }
        }
    }
}

#[test]
fn tokens_equal_their_rows() {
    for cell in all() {
        for (tokens, lengths) in
            [(Tokens::OneHot, None), (Tokens::Folded, Some(vec![2, 4, 0])), (Tokens::Gathered, None)]
        {
            let c = Case { tokens, lengths, ..Case::plain() };
            let v = values(&cell, &c);
            let n = cell.input();
            let row = |id: i32| match tokens {
                Tokens::OneHot => (0..n).map(|j| f64::from(u8::from(j == id as usize))).collect(),
                _ => v.get("table")[id as usize * n..][..n].to_vec(),
            };
            let mut dense = v.clone();
            dense.named.retain(|(name, _)| name != "table");
            dense.named.push(("x".into(), v.ids.iter().flat_map(|&id| row(id)).collect()));
            let (actual, expected) = (
                run::<F32x4>(&cell, &c, &v, true),
                run::<F32x4>(&cell, &Case { tokens: Tokens::Dense, ..c.clone() }, &dense, true),
            );
            close("out", &cell, &c, &actual.out, &expected.out, 1e-6);
            for (i, (name, _)) in v.named.iter().enumerate().filter(|(_, (name, _))| name != "table") {
                close(name, &cell, &c, &actual.gradients[i], &expected.gradients[i], 1e-5);
            }
        }
    }
}

#[test]
fn no_state_is_a_zero_state() {
    for cell in all() {
        let c = Case { states: false, ..Case::plain() };
        let v = values(&cell, &c);
        let mut zero = v.clone();
        for (i, width) in cell.states().into_iter().enumerate() {
            zero.named.push((format!("s{i}"), vec![0.0; c.batch * width]));
        }
        let with = Case { states: true, ..c.clone() };
        let (none, zeros) = (run::<F32x4>(&cell, &c, &v, false), run::<F32x4>(&cell, &with, &zero, false));
        assert_eq!((none.out, none.states), (zeros.out, zeros.states), "{}", cell.name);
    }
}

#[test]
fn not_a_number_stays_in_its_row() {
    for cell in all() {
        let c = Case::plain();
        let mut v = values(&cell, &c);
        let x = v.named.iter_mut().find(|(name, _)| name == "x").unwrap();
        x.1[0] = f64::NAN;
        let r = run::<F32x4>(&cell, &c, &v, false);
        let (own, others) = r.out.split_at(c.steps * cell.out());
        assert!(own[..cell.out()].iter().all(|x| x.is_nan()), "{}", cell.name);
        assert!(others.iter().all(|x| x.is_finite()), "{}", cell.name);
    }
}

#[test]
fn out_of_memory_changes_nothing_and_leaves_all_usable() {
    // A buffer that no address space holds, of the steps that a sequence of this length has.
    let cell = heads(1, 1, 1);
    let c = Case { batch: 1, steps: 1 << 17, batch_first: false, ..Case::plain() };
    let v = values(&cell, &c);
    let expected = run::<F32x4>(&cell, &c, &v, true);
    let stride_of = |buffer: i32| HEADER_WORDS + 4 * buffer as usize + 1;
    let r = with_call::<F32x4>(&cell, &c, &v, |call, words| {
        // SAFETY: as in `run`; the changed words are those of strides.
        unsafe {
            assert_eq!(prepare::<F32x4>(call, true), Ok(()));
            let mark = memory::arena_mark();
            let gates = words.add(stride_of(cell.program.gates));
            let stride = gates.replace(i32::MAX - 15);
            assert_eq!(forward::<F32x4>(call), Err(OutOfMemory));
            assert_eq!(memory::arena_mark(), mark);
            *gates = stride;
            assert_eq!(forward::<F32x4>(call), Ok(()));
            let mark = memory::arena_mark();
            let d_gates = words.add(stride_of(cell.program.d_gates));
            let stride = d_gates.replace(i32::MAX - 15);
            assert_eq!(backward::<F32x4>(call), Err(OutOfMemory));
            assert_eq!(memory::arena_mark(), mark);
            *d_gates = stride;
            assert_eq!(backward::<F32x4>(call), Ok(()));
            assert_eq!(memory::arena_mark(), mark);
        }
    });
    assert_eq!(r, expected);
}

#[test]
fn what_is_not_a_program_is_refused() {
    let cell = lstm(5, 6, true);
    let good = cell.program.finish();
    // SAFETY: a block with the tables and codes of its header, whatever is in them.
    let check = |words: &[i32]| unsafe { Program::at(words.as_ptr()).check() };
    assert_eq!(check(&good), Ok(()));
    let (forward, gradients) = (good[17] as usize, good[19] as usize);
    let block = forward + 10;
    let changes: [(usize, i32); 16] = [
        (0, 2),                        // the version
        (10, 99),                      // G
        (12, 99),                      // the matrix of x
        (15, 2),                       // the output
        (HEADER_WORDS, 10),            // a kind of buffer
        (HEADER_WORDS + 2 * 4 + 2, 7), // the state of a buffer
        (forward, 2),                  // an instruction of backward
        (forward, 9),                  // no instruction
        (forward + 1, 9),              // its length
        (forward + 2, 99),             // a buffer
        (forward + 4, -1),             // a matrix
        (block + 1, 1),                // the length of a block
        (block + 2, 76),               // an operation
        (block + 2 + 4, -1),           // no destination
        (block + 2 + 6, 99),           // an operand
        (gradients, BLOCK),            // a gradient that is none
    ];
    for (at, word) in changes {
        let mut words = good.clone();
        words[at] = word;
        assert_eq!(check(&words), Err(Invalid), "word {at} is {word}");
    }
    for code in [76, 87, 11, 15, 25, 128 + 11, 128 + 25, 63, 90, u32::MAX] {
        assert!(!pointwise::is_known(code), "{code}");
    }
}
