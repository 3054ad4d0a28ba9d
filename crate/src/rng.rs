//! Random numbers as a function of where they are used: Philox4x32-10.
//!
//! A draw depends on (seed, update, stream, call, index) and nothing else - not on memory order, the number of threads
//! or what was drawn before - so replicas, recomputation and resumed runs see the same masks. The stream is a hash of a
//! module's path, the call counts a module's uses within an update, the index is that of the element; four elements
//! share a block of the generator, sixteen are drawn together.
//!
//! Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

use crate::math::{single, Constants};
use crate::ops::Span;
use crate::simd::{F32x4, Lane, Words, WIDTH};

/// Four counters, word by word, after ten rounds under `key`.
#[inline(always)]
fn philox([mut a, mut b, mut c, mut d]: [Words; 4], [mut first, mut second]: [u32; 2]) -> [Words; 4] {
    for _ in 0..10 {
        let (left_high, left_low) = a.mul_wide(0xd251_1f53);
        let (right_high, right_low) = c.mul_wide(0xcd9e_8d57);
        (a, b) = (right_high.xor(b).xor(Words::splat(first)), right_low);
        (c, d) = (left_high.xor(d).xor(Words::splat(second)), left_low);
        first = first.wrapping_add(0x9e37_79b9);
        second = second.wrapping_add(0xbb67_ae85);
    }
    [a, b, c, d]
}

/// Where a sequence of draws belongs.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    pub seed: u64,
    pub stream: u32,
    pub update: u32,
    pub call: u32,
}

impl Draws {
    /// The words of the four blocks from `block` on.
    #[inline(always)]
    fn blocks(self, block: u32) -> [Words; 4] {
        let counter = Words::from_array([0, 1, 2, 3].map(|k| block.wrapping_add(k)));
        let rest = [self.update, self.stream, self.call].map(Words::splat);
        philox([counter, rest[0], rest[1], rest[2]], [self.seed as u32, (self.seed >> 32) as u32])
    }

    /// A double in [0, 1) with 53 random bits: a function of the block `index`, which elements draw from as well, so a
    /// stream is used for one or the other.
    pub fn double(self, index: u32) -> f64 {
        let [[high, ..], [low, ..], ..] = self.blocks(index).map(Words::to_array);
        let bits = u64::from(high >> 5) << 26 | u64::from(low >> 6);
        bits as f64 / (1u64 << 53) as f64
    }

    /// Calls `body` for `n` elements in order, `first` the global index of element 0, with the values that `values`
    /// makes of the words of sixteen elements. Element i of sixteen has word i / 4 of block i % 4.
    #[inline(always)]
    pub(crate) fn each<L: Lane>(
        self,
        first: u64,
        n: usize,
        values: impl Fn([Words; 4]) -> [L; 4],
        mut body: impl FnMut(Span, L),
    ) {
        let mut start = 0;
        let mut index = first;
        while start < n {
            let lanes = values(self.blocks((index >> 4) as u32 * 4));
            for lane in lanes.into_iter().skip((index >> 2) as usize & 3) {
                let skip = index as usize & 3;
                let count = (WIDTH - skip).min(n - start);
                body(Span { start, count }, if skip == 0 { lane } else { rotate(lane, skip) });
                start += count;
                index += count as u64;
                if start == n {
                    return;
                }
            }
        }
    }

    /// Uniform numbers in [low, high), 24 random bits each.
    ///
    /// # Safety
    /// `to` points at `n` writable elements.
    pub unsafe fn uniform(self, to: *mut f32, n: usize, low: f32, high: f32) {
        let (scale, low) = (F32x4::splat((high - low) / 16_777_216.0), F32x4::splat(low));
        let values = |words: [Words; 4]| words.map(|words| low + F32x4::from_words(words) * scale);
        self.each(0, n, values, |at, value| at.store(value, to));
    }

    /// Normal numbers by Box & Muller (1958): sqrt(-2 ln u) times the cosine and the sine of a random turn, u in (0,
    /// 1).
    ///
    /// # Safety
    /// `to` points at `n` writable elements.
    pub unsafe fn normal(self, to: *mut f32, n: usize, mean: f32, deviation: f32) {
        let k = Constants::read();
        let unit = F32x4::splat(1.0 / 16_777_216.0);
        let (mean, deviation) = (F32x4::splat(mean), F32x4::splat(deviation));
        let pair = |u: Words, turn: Words| {
            let u = (F32x4::from_words(u) + F32x4::splat(0.5)) * unit;
            let radius = deviation * (F32x4::splat(-2.0) * u.ln(k)).sqrt();
            let (sine, cosine) = single::sin_cos_turn(F32x4::from_words(turn) * unit, k);
            (mean + radius * cosine, mean + radius * sine)
        };
        let values = |[a, b, c, d]: [Words; 4]| {
            let ((first, second), (third, fourth)) = (pair(a, b), pair(c, d));
            [first, second, third, fourth]
        };
        self.each(0, n, values, |at, value| at.store(value, to));
    }
}

#[cold]
#[inline(never)]
fn rotate<L: Lane>(lane: L, by: usize) -> L {
    let mut values = lane.to_array();
    values.rotate_left(by & 3);
    L::from_array(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: Draws = Draws { seed: 42, stream: 3, update: 5, call: 1 };

    /// From `kat_vectors` of Random123.
    #[test]
    fn philox_gives_the_known_answers() {
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let cases: [([u32; 4], [u32; 2], [u32; 4]); 3] = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (pi, [0xa409_3822, 0x299f_31d0], [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]),
        ];
        for (counter, key, expected) in cases {
            for k in 0..4 {
                let mut counters = [[7; 4]; 4];
                (0..4).for_each(|word| counters[word][k] = counter[word]);
                assert_eq!(philox(counters.map(Words::from_array), key).map(|word| word.to_array()[k]), expected);
            }
        }
    }

    #[test]
    fn each_element_has_a_word_of_its_own() {
        let numbers = |words: [Words; 4]| words.map(F32x4::from_words);
        let expected: Vec<f32> = (0..80)
            .map(|i| {
                let words = DRAWS.blocks(i / 16 * 4 + i % 4)[(i / 4 % 4) as usize].to_array();
                (words[0] >> 8) as f32
            })
            .collect();
        for first in 0..40 {
            let mut drawn: Vec<f32> = Vec::new();
            DRAWS.each::<F32x4>(first, 37, numbers, |at, value| {
                assert!(at.start == drawn.len() && (1..=4).contains(&at.count));
                drawn.extend(&value.to_array()[..at.count]);
            });
            assert_eq!(drawn, expected[first as usize..][..37]);
        }
    }

    fn moments(values: &[f32]) -> [f64; 4] {
        let n = values.len() as f64;
        let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
        let moment = |k: i32| values.iter().map(|x| (f64::from(*x) - mean).powi(k)).sum::<f64>() / n;
        [mean, moment(2), moment(3), moment(4)]
    }

    #[test]
    fn uniform_numbers_fill_their_interval_evenly() {
        let mut x = vec![0.0; 100_003];
        unsafe { DRAWS.uniform(x.as_mut_ptr(), x.len(), -2.0, 4.0) };
        assert!(x.iter().all(|x| (-2.0..4.0).contains(x)));
        let [mean, variance, ..] = moments(&x);
        assert!((mean - 1.0).abs() < 0.02 && (variance - 3.0).abs() < 0.03);
        let mut counts = [0f64; 60];
        x.iter().for_each(|x| counts[((x + 2.0) * 10.0) as usize] += 1.0);
        let expected = x.len() as f64 / 60.0;
        let chi_square: f64 = counts.iter().map(|n| (n - expected).powi(2) / expected).sum();
        assert!(chi_square < 100.0, "{chi_square}");
    }

    #[test]
    fn normal_numbers_have_the_moments_of_the_normal_distribution() {
        let mut x = vec![0.0; 200_001];
        unsafe { DRAWS.normal(x.as_mut_ptr(), x.len(), 1.0, 2.0) };
        let [mean, variance, third, fourth] = moments(&x);
        assert!((mean - 1.0).abs() < 0.02);
        assert!((variance - 4.0).abs() < 0.06);
        assert!(third.abs() < 0.3);
        assert!((fourth / variance.powi(2) - 3.0).abs() < 0.06);
        let pairs = |lag: usize| x.iter().zip(&x[lag..]).map(|(a, b)| f64::from((a - 1.0) * (b - 1.0))).sum::<f64>();
        assert!((1..9).all(|lag| (pairs(lag) / x.len() as f64).abs() < 0.04));
    }

    #[test]
    fn a_draw_depends_on_its_place_only() {
        let (mut long, mut short) = ([0f32; 11], [0f32; 6]);
        unsafe {
            DRAWS.uniform(long.as_mut_ptr(), 11, 0.0, 1.0);
            DRAWS.uniform(short.as_mut_ptr(), 6, 0.0, 1.0);
        }
        assert_eq!(long[..6], short);
        let others = [
            Draws { seed: 43, ..DRAWS },
            Draws { seed: 42 | 1 << 32, ..DRAWS },
            Draws { stream: 4, ..DRAWS },
            Draws { update: 6, ..DRAWS },
            Draws { call: 2, ..DRAWS },
        ];
        for other in others {
            assert_ne!(other.double(0), DRAWS.double(0));
        }
        let doubles: Vec<f64> = (0..1000).map(|i| DRAWS.double(i)).collect();
        assert!(doubles.iter().all(|x| (0.0..1.0).contains(x)));
        assert!((doubles.iter().sum::<f64>() / 1000.0 - 0.5).abs() < 0.04);
    }
}
