//! Packing: a search for the tokens whose bits cost least, and the range coder that writes them.

use crate::format::{token, Coder, Past, Probability, Token, AGAIN, BYTE, CONTEXTS, COPY};

/// What a bit costs, by the probability of its value in parts of 2^12.
fn costs() -> Vec<f32> {
    (0..=4096).map(|parts| 12.0 - (parts.max(1) as f32).log2()).collect()
}

fn cost_of(costs: &[f32], probability: Probability, bit: u32) -> f32 {
    let zero = probability.of_zero();
    costs[if bit == 0 { zero } else { 4096 - zero } as usize]
}

/// Adds up what bits would cost now.
struct Price<'a> {
    costs: &'a [f32],
    probabilities: &'a [Probability],
    sum: f32,
}

impl Coder for Price<'_> {
    fn bit(&mut self, context: usize, bit: u32) -> u32 {
        self.sum += cost_of(self.costs, self.probabilities[context], bit);
        bit
    }
}

/// Learns from bits as whoever reads them will.
struct Learner {
    probabilities: Vec<Probability>,
}

impl Coder for Learner {
    fn bit(&mut self, context: usize, bit: u32) -> u32 {
        self.probabilities[context].learn(bit);
        bit
    }
}

/// Writes bits.
struct Encoder {
    learner: Learner,
    packed: Vec<u8>,
    low: u32,
    range: u32,
}

impl Encoder {
    /// Moves the interval's begin up, with a carry into what is written.
    fn add(&mut self, more: u32) {
        let (low, carry) = self.low.overflowing_add(more);
        self.low = low;
        if carry {
            for byte in self.packed.iter_mut().rev() {
                *byte = byte.wrapping_add(1);
                if *byte != 0 {
                    break;
                }
            }
        }
    }

    fn write(&mut self) {
        self.packed.push((self.low >> 24) as u8);
        self.low <<= 8;
    }
}

impl Coder for Encoder {
    fn bit(&mut self, context: usize, bit: u32) -> u32 {
        let zero = (self.range >> 12) * self.learner.probabilities[context].of_zero();
        if bit == 0 {
            self.range = zero;
        } else {
            self.range -= zero;
            self.add(zero);
        }
        while self.range < 1 << 24 {
            self.range <<= 8;
            self.write();
        }
        self.learner.bit(context, bit)
    }
}

/// Longer runs are copied in parts.
const LONGEST: usize = 1024;
/// Places with the same two bytes that are looked at.
const LOOKED_AT: usize = 3000;

/// How many bytes from `at` are those from `other`, an earlier place.
fn same(bytes: &[u8], other: usize, at: usize) -> usize {
    let pairs = bytes[other..].iter().zip(&bytes[at..]);
    pairs.take(LONGEST).take_while(|(a, b)| a == b).count()
}

/// For each place, the runs there that were there before: lengths, each longer than the one before, with the least
/// distance that has it.
fn runs(bytes: &[u8]) -> Vec<Vec<Token>> {
    // The last place with the same two bytes, for each place, and for each two bytes.
    let mut before = vec![None; bytes.len()];
    let mut last = vec![None; 1 << 16];
    (0..bytes.len())
        .map(|at| {
            let mut runs = Vec::new();
            let Some(&[first, second]) = bytes.get(at..at + 2) else { return runs };
            let last = &mut last[usize::from(first) << 8 | usize::from(second)];
            before[at] = last.replace(at);
            let mut longest = 1;
            let others = std::iter::successors(before[at], |&other| before[other]);
            for other in others.take(LOOKED_AT) {
                if longest == LONGEST.min(bytes.len() - at) {
                    break;
                }
                let length = same(bytes, other, at);
                if length > longest {
                    longest = length;
                    runs.push(Token { kind: COPY, value: length as u32, distance: (at - other) as u32 });
                }
            }
            runs
        })
        .collect()
}

/// Gives one token of some bytes to a coder.
fn code<C: Coder>(coder: &mut C, bytes: &[u8], at: usize, past: Past, next: Token) {
    let byte = |distance: usize| at.checked_sub(distance).map_or(0, |place| bytes[place]);
    token(coder, past, byte(1), byte(past.distance as usize), next);
}

/// The tokens that cost least, if every bit costs what it costs at its place when these tokens are written: to be found
/// again until that is so.
fn cheapest(bytes: &[u8], runs: &[Vec<Token>], written: &[Token], costs: &[f32]) -> Vec<Token> {
    let mut learner = Learner { probabilities: vec![Probability::default(); CONTEXTS] };
    let (mut learned, mut learned_past, mut written) = (0, Past::NONE, written.iter());
    // The least sum up to each place, the token that ends there then, and what is known of the tokens up to it.
    let mut least = vec![(f32::INFINITY, Token::default(), Past::NONE); bytes.len() + 1];
    least[0].0 = 0.0;
    for at in 0..bytes.len() {
        while learned < at {
            let Some(&next) = written.next() else { break };
            code(&mut learner, bytes, learned, learned_past, next);
            learned_past = learned_past.after(next);
            learned += next.length();
        }
        let (sum, _, past) = least[at];
        let mut consider = |next: Token| {
            let mut price = Price { costs, probabilities: &learner.probabilities, sum };
            code(&mut price, bytes, at, past, next);
            let end = &mut least[at + next.length()];
            if price.sum < end.0 {
                *end = (price.sum, next, past.after(next));
            }
        };
        consider(Token { kind: BYTE, value: u32::from(bytes[at]), distance: 0 });
        let distance = past.distance as usize;
        let again = at.checked_sub(distance).map_or(0, |other| same(bytes, other, at));
        for value in 1..=again as u32 {
            consider(Token { kind: AGAIN, value, distance: past.distance });
        }
        let mut shorter = 1;
        for run in &runs[at] {
            for value in shorter + 1..=run.value {
                consider(Token { value, ..*run });
            }
            shorter = run.value;
        }
    }
    let mut tokens = Vec::new();
    let mut at = bytes.len();
    while at > 0 {
        tokens.push(least[at].1);
        at -= least[at].1.length();
    }
    tokens.reverse();
    tokens
}

/// Packs bytes, of which there may be as many as a u32 counts.
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    let costs = costs();
    let runs = runs(bytes);
    let mut tokens = Vec::new();
    for _ in 0..6 {
        tokens = cheapest(bytes, &runs, &tokens, &costs);
    }
    let learner = Learner { probabilities: vec![Probability::default(); CONTEXTS] };
    let mut encoder = Encoder { learner, packed: Vec::new(), low: 0, range: !0 };
    let (mut at, mut past) = (0, Past::NONE);
    for next in tokens {
        code(&mut encoder, bytes, at, past, next);
        past = past.after(next);
        at += next.length();
    }
    for _ in 0..4 {
        encoder.write();
    }
    let mut packed = (bytes.len() as u32).to_le_bytes().to_vec();
    packed.extend(encoder.packed);
    packed
}

#[cfg(test)]
mod tests {
    use super::pack;
    use crate::unpack::unpack;

    fn comes_back(bytes: &[u8]) -> usize {
        let packed = pack(bytes);
        assert_eq!(packed[..4], (bytes.len() as u32).to_le_bytes());
        let mut unpacked = vec![0xaa; bytes.len()];
        // SAFETY: as packed above.
        unsafe { unpack(&packed[4..], &mut unpacked) };
        assert!(unpacked == bytes);
        packed.len()
    }

    /// Bytes of a linear congruential generator.
    fn noise(length: usize, mut seed: u32) -> Vec<u8> {
        let next = |_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        (0..length).map(next).collect()
    }

    #[test]
    fn what_is_packed_comes_back() {
        for length in [0, 1, 2, 3, 4, 9, 50] {
            comes_back(&noise(length, length as u32));
            comes_back(&vec![0xff; length]);
            comes_back(&vec![0; length]);
        }
        comes_back(include_bytes!("pack.rs"));
    }

    #[test]
    fn noise_takes_hardly_more_than_itself() {
        // The carries of a long series of improbable bits too.
        let packed = comes_back(&noise(5000, 1));
        assert!((5000..6000).contains(&packed), "{packed}");
    }

    #[test]
    fn runs_are_copied() {
        let part = noise(3000, 2);
        let packed = comes_back(&[&part[..], &part, &noise(100, 3), &part, &[7; 99]].concat());
        assert!(packed < 3500, "{packed}");
    }
}
