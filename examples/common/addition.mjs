// Sums as texts: "535+61" and "596".
import { CharTokenizer, shuffled } from "unrolled";

/**
 * Different sums of two numbers of up to three digits; a+b and b+a are one. A tenth of them, drawn after all are made since
 * the few of short numbers come early, is for validation.
 * @param {number} count at most 50 000 or so: of the short numbers there are few
 * @param {number} seed
 */
export function additionTask(count, seed) {
  // As many numbers of one digit as of two and of three, as the example of Keras has them.
  const numbers = [1, 2, 3].flatMap((digits) => {
    const below = 10 ** digits;
    return Array.from({ length: 1000 }, (_, i) => i % below);
  });
  const seen = new Set();
  const pairs = [];
  for (let round = 0; pairs.length < count; round++) {
    const [left, right] = [shuffled(numbers, 2 * round + 1000 * seed), shuffled(numbers, 2 * round + 1 + 1000 * seed)];
    for (let i = 0; i < left.length && pairs.length < count; i++) {
      const [a, b] = [left[i] ?? 0, right[i] ?? 0];
      const key = Math.min(a, b) * 1000 + Math.max(a, b);
      if (seen.has(key)) continue;
      seen.add(key);
      pairs.push({ source: `${a}+${b}`, target: String(a + b) });
    }
  }
  const validation = Math.floor(count / 10);
  const drawn = shuffled(pairs, seed);
  return {
    train: drawn.slice(validation),
    valid: drawn.slice(0, validation),
    tokenizer: CharTokenizer.from("0123456789+"),
  };
}
