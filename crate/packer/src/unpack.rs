//! Unpacking: what is compiled to WebAssembly and goes into the bundle. It is given what [`crate::pack`] wrote and
//! nothing else: a user's bytes never come here.

use crate::format::{token, Coder, Past, Probability, Token, BYTE, CONTEXTS};

/// Reads bits: the packed bytes are a number, and each bit says in which part of an interval it lies.
struct Decoder {
    /// The next packed byte.
    packed: *const u8,
    range: u32,
    /// The number, from the interval's begin.
    number: u32,
    probabilities: [Probability; CONTEXTS],
}

impl Coder for Decoder {
    // Of all work here, in one place. Every start waits for it in an engine's baseline compiler, in which checks of
    // bounds make it take twice its time.
    #[inline(never)]
    fn bit(&mut self, context: usize, _: u32) -> u32 {
        // SAFETY: contexts are below CONTEXTS; as many bytes are read as `pack` has written.
        unsafe {
            let probability = self.probabilities.get_unchecked_mut(context);
            let zero = (self.range >> 12) * probability.of_zero();
            let bit = u32::from(self.number >= zero);
            probability.learn(bit);
            let (mut range, mut number) =
                if bit == 0 { (zero, self.number) } else { (self.range - zero, self.number - zero) };
            while range < 1 << 24 {
                range <<= 8;
                number = number << 8 | u32::from(*self.packed);
                self.packed = self.packed.add(1);
            }
            self.range = range;
            self.number = number;
            bit
        }
    }
}

/// Fills `bytes` with what was packed.
///
/// # Safety
/// `packed` is what [`crate::pack::pack`] made of so many bytes, behind the length.
pub unsafe fn unpack(packed: &[u8], bytes: &mut [u8]) {
    // SAFETY: as above; the coder's last four bytes are always there.
    let (number, rest) = unsafe { (packed.as_ptr().cast::<u32>().read_unaligned(), packed.as_ptr().add(4)) };
    let probabilities = [Probability::default(); CONTEXTS];
    let mut decoder = Decoder { packed: rest, range: !0, number: u32::from_be(number), probabilities };
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
