import { expect, it } from "vitest";
import { WORD_SHAPES, wordShape } from "../../ts/text/word-shape.js";

it.each([
  ["other", ["", "...", "'", "🦆", "東京", "@", "#"]],
  ["lower case", ["duck", "é", "don't"]],
  ["initial capital", ["London", "O'neill", "Éa"]],
  ["capital letter", ["I", "É", "A."]],
  ["upper case", ["USA", "ΑΒ", "U.S."]],
  ["mixed case", ["McDonald", "iPhone", "aB"]],
  ["number", ["7", "3.14", "1,000", "-2"]],
  ["letters and digits", ["2nd", "R2D2"]],
  ["user", ["@paulwalk", "@1"]],
  ["hashtag", ["#NFL", "#1"]],
  ["address", ["http://t.co/x", "HTTPS://a", "www.example.org"]],
])("%s", (name, words) => {
  for (const word of words) expect(WORD_SHAPES[wordShape(word)], word).toBe(name);
});
