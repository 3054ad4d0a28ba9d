//! Unpacking: what is compiled to WebAssembly and goes into the bundle. It is given what [`crate::pack`] wrote and
//! nothing else: a user's bytes never come here.

use crate::format::{token, Coder, Past, Probability, Token, BYTE, CONTEXTS};

/// Reads bits: the packed bytes are a number, and each bit says in which part of an interval it lies.
struct Decoder<'a> {
    packed: core::slice::Iter<'a, u8>,
    range: u32,
    /// The number, from the interval's begin.
    number: u32,
    probabilities: [Probability; CONTEXTS],
}

impl Decoder<'_> {
    fn next(&mut self) {
        self.number = self.number << 8 | u32::from(*self.packed.next().unwrap_or(&0));
    }
}

impl Coder for Decoder<'_> {
    // Of all work here, in one place.
    #[inline(never)]
    fn bit(&mut self, context: usize, _: u32) -> u32 {
        let Some(probability) = self.probabilities.get_mut(context) else { return 0 };
        let zero = (self.range >> 12) * probability.of_zero();
        let bit = u32::from(self.number >= zero);
        probability.learn(bit);
        if bit == 0 {
            self.range = zero;
        } else {
            self.range -= zero;
            self.number -= zero;
        }
        while self.range < 1 << 24 {
            self.range <<= 8;
            self.next();
        }
        bit
    }
}

/// Fills `bytes` with what was packed.
pub fn unpack(packed: &[u8], bytes: &mut [u8]) {
    let probabilities = [Probability::default(); CONTEXTS];
    let mut decoder = Decoder { packed: packed.iter(), range: !0, number: 0, probabilities };
    for _ in 0..4 {
        decoder.next();
    }
    let mut past = Past::NONE;
    let mut at = 0;
    while at < bytes.len() {
        let byte = |distance: usize| bytes.get(at.wrapping_sub(distance)).copied().unwrap_or(0);
        let next = token(&mut decoder, past, byte(1), byte(past.distance as usize), Token::default());
        past = past.after(next);
        for _ in 0..next.length() {
            let value = match next.kind {
                BYTE => next.value as u8,
                _ => bytes.get(at.wrapping_sub(next.distance as usize)).copied().unwrap_or(0),
            };
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            at += 1;
        }
    }
}

/// [`unpack`] in the memory of a WebAssembly instance: `packed`, its first 4 bytes the length, is followed by room for
/// what was packed. Returns that length.
///
/// # Safety
/// The memory is there, and nothing else is in it.
#[cfg(target_arch = "wasm32")]
#[no_mangle]
pub unsafe extern "C" fn unpack_behind(packed: *mut u8, packed_length: usize) -> usize {
    // SAFETY: as above; the two do not overlap.
    unsafe {
        let length = packed.cast::<u32>().read_unaligned() as usize;
        let packed = core::slice::from_raw_parts(packed, packed_length);
        let bytes = core::slice::from_raw_parts_mut(packed.as_ptr().add(packed_length).cast_mut(), length);
        unpack(packed.get(4..).unwrap_or(&[]), bytes);
        length
    }
}
