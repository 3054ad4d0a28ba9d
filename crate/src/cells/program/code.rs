//! The form of a step program: a block of i32 words that the SDK's compiler writes and the core reads.
//!
//! Widths, strides and columns are in elements; B is the batch, *rows* the live rows of all steps, `pad(n)` is n up to
//! whole lanes.
//!
//! # Header, 32 words
//! | words | hold |
//! |---|---|
//! | 0 | the version of this form, 1 |
//! | 1..=6 | how many buffers, matrices, biases, vectors, states, extra inputs |
//! | 7, 8, 20 | words of forward code, of backward code, of the gradients after the sweep |
//! | 17, 18, 19 | where these begin, in words from the start of the block |
//! | 9 | I, the size of x; 0: no product takes it |
//! | 10, 11 | the buffer G of gates, and that of their gradients (same stride, whole panels; may be G) |
//! | 12, 13 | the matrix that multiplies x for all steps beforehand, or -1, and its first column in G |
//! | 15 | the state that is the output |
//! | 16 | rows in a chunk of pointwise work, so that a chunk stays in the first-level cache |
//!
//! Columns of G past those that products write are padding, which products may overwrite.
//!
//! # Tables, in this order
//! * buffers, 4 words: kind (see [`Kind`]), stride, number of the state, vector or input it belongs to, flags: 1 of the
//!   backward pass only, 2 lives within its step unless training
//! * matrices, 8 words: gates, width, depth, row stride, first element, number of the weight, 1 if positions are not
//!   padded. A matrix is a slice of a weight; its product has `gates * pad(width)` columns.
//! * biases, 4 words: gates, width, first column in G, number
//! * vectors, 2 words: width, number
//! * states, 4 words: width, buffer, buffer of the gradient or -1, 0
//! * extra inputs, 4 words: width, buffer, buffer of the gradient or -1, 0
//!
//! # Code
//! Instructions of `[code, words, ...]`:
//! * PRODUCT source, column, matrix, destination, column, init, 0, 0: destination = init + source W^T; init 0 zero, 1
//!   what is there, 2 the biases (of G only)
//! * PRODUCT_BACK, likewise: destination = init + source W, of G's gradients
//! * BLOCK: pointwise operations (see [`super::pointwise`]) of 12 words: code, width, immediate (f32 bits), flags (1: add
//!   to out), then buffer (-1: none) and column of out, a, b and c
//!
//! and after the backward sweep, over all rows:
//! * WEIGHT_GRADIENT matrix, source, column, column of G: dW += dG^T source
//! * BIAS_GRADIENT bias

use super::pointwise;
use crate::gemm::pack::{pad, Gates};
use crate::ops::Invalid;

pub const PRODUCT: i32 = 1;
pub const PRODUCT_BACK: i32 = 2;
pub const BLOCK: i32 = 3;
pub const WEIGHT_GRADIENT: i32 = 4;
pub const BIAS_GRADIENT: i32 = 5;

/// Words before the first operation of a block, and in each.
pub const BLOCK_HEAD: usize = 2;
pub const OPERATION: usize = 12;

pub const BACKWARD_ONLY: i32 = 1;
pub const WITHIN_STEP: i32 = 2;

/// Buffers by what their rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The live rows of all steps.
    Step,
    /// States: B initial rows, then the live rows.
    State,
    /// The state before the step: other rows of the same memory.
    Previous,
    /// B rows: the gradient of a state, carried from step to step.
    Carry,
    /// B rows, used within a step.
    Batch,
    /// The rows of a chunk.
    Chunk,
    /// One row: a vector of parameters, padded with zeros.
    Vector,
    /// One row: the gradient of a vector.
    VectorGradient,
    /// An extra input in working order, padded with zeros.
    Input,
    InputGradient,
}

impl Kind {
    fn of(word: i32) -> Option<Self> {
        use Kind::{Batch, Carry, Chunk, Input, InputGradient, Previous, State, Step, Vector, VectorGradient};
        let kinds = [Step, State, Previous, Carry, Batch, Chunk, Vector, VectorGradient, Input, InputGradient];
        usize::try_from(word).ok().and_then(|word| kinds.get(word)).copied()
    }

    pub fn is_one_row(self) -> bool {
        matches!(self, Kind::Vector | Kind::VectorGradient)
    }
}

pub struct BufferEntry {
    pub kind: Kind,
    pub stride: usize,
    /// Number of the state, vector or input.
    pub of: usize,
    pub flags: i32,
}

#[derive(Clone, Copy)]
pub struct MatrixEntry {
    pub gates: Gates,
    pub depth: usize,
    pub stride: usize,
    /// First element in the weight.
    pub first: usize,
    pub weight: usize,
}

pub struct BiasEntry {
    pub gates: Gates,
    pub column: usize,
    pub number: usize,
}

/// A state or an extra input.
pub struct ValueEntry {
    pub width: usize,
    pub buffer: usize,
    pub gradient: Option<usize>,
}

/// Instructions from `start` up to `end`.
#[derive(Clone, Copy)]
pub struct Code {
    pub start: *const i32,
    pub end: *const i32,
}

/// A program block, read in place.
#[derive(Clone, Copy)]
pub struct Program {
    words: *const i32,
    tables: [*const i32; 6],
    pub buffers: usize,
    pub matrices: usize,
    pub biases: usize,
    pub vectors: usize,
    pub states: usize,
    pub inputs: usize,
    pub input_size: usize,
    pub gates: usize,
    pub d_gates: usize,
    pub x_matrix: Option<usize>,
    pub x_column: usize,
    pub output: usize,
    pub chunk: usize,
    pub forward: Code,
    pub backward: Code,
    pub gradients: Code,
}

const HEADER: usize = 32;

impl Program {
    /// # Safety
    /// `words` is a program block.
    pub unsafe fn at(words: *const i32) -> Self {
        let count = |i: usize| *words.add(i) as usize;
        let code = |start: usize, length: usize| Code {
            start: words.add(count(start)),
            end: words.add(count(start) + count(length)),
        };
        let mut tables = [words.add(HEADER); 6];
        for (i, size) in [4, 8, 4, 2, 4].into_iter().enumerate() {
            tables[i + 1] = tables[i].add(count(i + 1) * size);
        }
        Self {
            words,
            tables,
            buffers: count(1),
            matrices: count(2),
            biases: count(3),
            vectors: count(4),
            states: count(5),
            inputs: count(6),
            input_size: count(9),
            gates: count(10),
            d_gates: count(11),
            x_matrix: usize::try_from(*words.add(12)).ok(),
            x_column: count(13),
            output: count(15),
            chunk: count(16).max(1),
            forward: code(17, 7),
            backward: code(18, 8),
            gradients: code(19, 20),
        }
    }

    unsafe fn entry<const WORDS: usize>(&self, table: usize, i: usize) -> [i32; WORDS] {
        *self.tables[table].add(i * WORDS).cast::<[i32; WORDS]>()
    }

    pub unsafe fn buffer(&self, i: usize) -> BufferEntry {
        let [kind, stride, of, flags] = self.entry::<4>(0, i);
        // Kinds have been checked; of an unchecked program nothing runs.
        let kind = Kind::of(kind).unwrap_or(Kind::Chunk);
        BufferEntry { kind, stride: stride as usize, of: of as usize, flags }
    }

    pub unsafe fn matrix(&self, i: usize) -> MatrixEntry {
        let [gates, width, depth, stride, first, weight, plain, _] = self.entry::<8>(1, i).map(|word| word as usize);
        let padded = if plain == 1 { width } else { pad(width) };
        MatrixEntry { gates: Gates { gates, hidden: width, padded }, depth, stride, first, weight }
    }

    pub unsafe fn bias(&self, i: usize) -> BiasEntry {
        let [gates, width, column, number] = self.entry::<4>(2, i).map(|word| word as usize);
        BiasEntry { gates: Gates::of(gates, width), column, number }
    }

    /// Width and number.
    pub unsafe fn vector(&self, i: usize) -> (usize, usize) {
        let [width, number] = self.entry::<2>(3, i).map(|word| word as usize);
        (width, number)
    }

    pub unsafe fn state(&self, i: usize) -> ValueEntry {
        value(self.entry::<4>(4, i))
    }

    pub unsafe fn input(&self, i: usize) -> ValueEntry {
        value(self.entry::<4>(5, i))
    }

    /// Every number that the machine follows is in its range, and every code is known.
    ///
    /// # Safety
    /// The block is as long as it says.
    pub unsafe fn check(&self) -> Result<(), Invalid> {
        let valid = *self.words == 1
            && self.gates < self.buffers
            && self.d_gates < self.buffers
            && self.x_matrix.is_none_or(|matrix| matrix < self.matrices)
            && self.output < self.states
            && (0..self.buffers).all(|i| self.has_buffer(i))
            && (0..self.states).all(|i| self.has_value(&self.state(i), Kind::State, Kind::Carry))
            && (0..self.inputs).all(|i| self.has_value(&self.input(i), Kind::Input, Kind::InputGradient));
        if !valid {
            return Err(Invalid);
        }
        self.check_code(self.forward, &[PRODUCT, BLOCK])?;
        self.check_code(self.backward, &[PRODUCT_BACK, BLOCK])?;
        self.check_code(self.gradients, &[WEIGHT_GRADIENT, BIAS_GRADIENT])
    }

    unsafe fn has_buffer(&self, i: usize) -> bool {
        let [kind, stride, of, _] = self.entry::<4>(0, i);
        let limit = match Kind::of(kind) {
            None => return false,
            Some(Kind::Step | Kind::Batch | Kind::Chunk) => usize::MAX,
            Some(Kind::State | Kind::Previous | Kind::Carry) => self.states,
            Some(Kind::Vector | Kind::VectorGradient) => self.vectors,
            Some(Kind::Input | Kind::InputGradient) => self.inputs,
        };
        stride >= 0 && (of as usize) < limit
    }

    unsafe fn has_value(&self, value: &ValueEntry, kind: Kind, gradient: Kind) -> bool {
        let is = |buffer: usize, kind: Kind| buffer < self.buffers && self.buffer(buffer).kind == kind;
        is(value.buffer, kind) && value.gradient.is_none_or(|buffer| is(buffer, gradient))
    }

    unsafe fn check_code(&self, code: Code, allowed: &[i32]) -> Result<(), Invalid> {
        let below = |word: i32, limit: usize| usize::try_from(word).is_ok_and(|word| word < limit);
        let mut at = code.start;
        while at < code.end {
            let left = code.end.offset_from(at) as usize;
            let length = if left < BLOCK_HEAD { 0 } else { *at.add(1) as usize };
            if length < BLOCK_HEAD || length > left || !allowed.contains(&*at) {
                return Err(Invalid);
            }
            let word = |i: usize| *at.add(i);
            let valid = match *at {
                PRODUCT | PRODUCT_BACK => {
                    length == 10
                        && below(word(2), self.buffers)
                        && below(word(4), self.matrices)
                        && below(word(5), self.buffers)
                        && below(word(7), 3)
                }
                WEIGHT_GRADIENT => length == 6 && below(word(2), self.matrices) && below(word(3), self.buffers),
                BIAS_GRADIENT => length == 3 && below(word(2), self.biases),
                _ => {
                    (length - BLOCK_HEAD).is_multiple_of(OPERATION)
                        && (0..(length - BLOCK_HEAD) / OPERATION).all(|i| {
                            let operation = at.add(BLOCK_HEAD + i * OPERATION);
                            pointwise::is_known(*operation as u32)
                                && *operation.add(1) > 0
                                && below(*operation.add(4), self.buffers)
                                && [6, 8, 10].iter().all(|&operand| {
                                    let buffer = *operation.add(operand);
                                    buffer == -1 || below(buffer, self.buffers)
                                })
                        })
                }
            };
            if !valid {
                return Err(Invalid);
            }
            at = at.add(length);
        }
        Ok(())
    }
}

fn value([width, buffer, gradient, _]: [i32; 4]) -> ValueEntry {
    ValueEntry { width: width as usize, buffer: buffer as usize, gradient: usize::try_from(gradient).ok() }
}
