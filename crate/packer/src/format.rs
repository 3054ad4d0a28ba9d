//! The packed form: its length before packing (4 bytes, little-endian), then the bits of its tokens in a range coder.

/// What a bit is given to: to be written, priced or, then what is given does not count, read.
pub trait Coder {
    /// One bit in a context, below [`CONTEXTS`]; the bit that it is.
    fn bit(&mut self, context: usize, bit: u32) -> u32;
}

/// How probable a 0 is, by two averages of the bits before, one quick and one slow: 0 is even, 2^15 would be certain.
#[derive(Clone, Copy, Default)]
pub struct Probability {
    quick: i16,
    slow: i16,
}

impl Probability {
    /// That of a 0, in parts of 2^12; from 2 to 2^12 - 2.
    pub fn of_zero(self) -> u32 {
        ((0x1_0000 + i32::from(self.quick) + i32::from(self.slow)) >> 5) as u32
    }

    pub fn learn(&mut self, bit: u32) {
        let certain = if bit == 0 { 0x7fe0 } else { -0x7fe0 };
        self.quick += ((certain - i32::from(self.quick)) >> 3) as i16;
        self.slow += ((certain - i32::from(self.slow)) >> 6) as i16;
    }
}

/// One byte, or a run of bytes that were there `distance` before.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub struct Token {
    pub kind: u32,
    /// The byte, or the number of bytes: 2 or more, of [`AGAIN`] 1 or more.
    pub value: u32,
    pub distance: u32,
}

pub const BYTE: u32 = 0;
pub const COPY: u32 = 1;
/// As [`COPY`], from the distance of the last one.
pub const AGAIN: u32 = 2;

impl Token {
    /// The bytes that it stands for.
    pub fn length(self) -> usize {
        if self.kind == BYTE {
            1
        } else {
            self.value as usize
        }
    }
}

/// What is known of the tokens before.
#[derive(Clone, Copy)]
pub struct Past {
    /// The kinds of the last two, two bits each.
    pub kinds: u32,
    /// Of the last copy.
    pub distance: u32,
}

impl Past {
    pub const NONE: Past = Past { kinds: 0, distance: 1 };

    pub fn after(self, token: Token) -> Past {
        let distance = if token.kind == BYTE { self.distance } else { token.distance };
        Past { kinds: (self.kinds << 2 | token.kind) & 15, distance }
    }
}

const IS_COPY: usize = 0;
const IS_AGAIN: usize = IS_COPY + 16 * 256;
const LENGTH: usize = IS_AGAIN + 16;
const LENGTH_AGAIN: usize = LENGTH + NUMBER;
const DISTANCE: usize = LENGTH_AGAIN + NUMBER;
const BYTES: usize = DISTANCE + 4 * NUMBER;
/// How many contexts there are.
pub const CONTEXTS: usize = BYTES + 8 * 3 * 256;

/// One token. `before` is the last byte, `expected` the one at the distance of the last copy.
pub fn token<C: Coder>(coder: &mut C, past: Past, before: u8, expected: u8, token: Token) -> Token {
    let kinds = past.kinds as usize;
    if coder.bit(IS_COPY + kinds * 256 + usize::from(before), (token.kind != BYTE) as u32) == 0 {
        let tables = BYTES + usize::from(before >> 5) * 3 * 256;
        // Another byte than the expected one has most likely ended the copy.
        let value = byte(coder, tables, (past.kinds & 3 != BYTE).then_some(expected), token.value);
        return Token { kind: BYTE, value, distance: 0 };
    }
    if coder.bit(IS_AGAIN + kinds, (token.kind == AGAIN) as u32) != 0 {
        return Token { kind: AGAIN, value: number(coder, LENGTH_AGAIN, token.value), distance: past.distance };
    }
    let value = number(coder, LENGTH, token.value.wrapping_sub(1)) + 1;
    let distances = DISTANCE + (value as usize - 2).min(3) * NUMBER;
    Token { kind: COPY, value, distance: number(coder, distances, token.distance) }
}

/// Eight bits, the first first, each in the context of those before it and, as long as they are those of the expected
/// byte, of the bit that is expected.
fn byte<C: Coder>(coder: &mut C, tables: usize, expected: Option<u8>, value: u32) -> u32 {
    // Nine bits of which the first is 1; 0 when nothing is expected (any more).
    let expected = expected.map_or(0, |byte| u32::from(byte) | 256);
    let mut node = 1;
    for place in (0..8).rev() {
        let table = if expected >> (place + 1) == node { 256 << (expected >> place & 1) } else { 0 };
        node = node << 1 | coder.bit(tables + table + node as usize, value >> place & 1);
    }
    node & 255
}

/// Contexts of a number.
const NUMBER: usize = 32 + 32 * 16 + 32;

/// A number from 1: how many bits follow the first, in five bits, and those, of which the first four count.
fn number<C: Coder>(coder: &mut C, contexts: usize, value: u32) -> u32 {
    let mut node = 1;
    for place in (0..5).rev() {
        node = node << 1 | coder.bit(contexts + node as usize, (31 - (value | 1).leading_zeros()) >> place & 1);
    }
    let bits = node as usize & 31;
    let mut number = 1;
    for place in (0..bits).rev() {
        let context = if number < 16 { 32 + bits * 16 + number as usize } else { 32 + 32 * 16 + place };
        number = number << 1 | coder.bit(contexts + context, value >> place & 1);
    }
    number
}
