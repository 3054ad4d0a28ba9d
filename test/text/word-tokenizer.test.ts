import { describe, expect, it } from "vitest";
import { ArgumentError, TokenizerError } from "../../ts/errors.js";
import { tokenizerFromJSON } from "../../ts/text/from-json.js";
import { WordTokenizer } from "../../ts/text/word-tokenizer.js";
import { NASTY, nastyString, randomNumbers } from "./strings.js";

/** The pieces a text is split into: what its tokens are when every word is in the vocabulary. */
function pieces(text: string): string[] {
  const tokenizer = WordTokenizer.from(text);
  return Array.from(tokenizer.encode(text), (id) => tokenizer.tokens[id]!);
}

describe("WordTokenizer", () => {
  it("splits by its rule", () => {
    expect(pieces("The cat sat, 42 times.")).toEqual(["The", " cat", " sat", ",", " 42", " times", "."]);
    expect(pieces("don't 'quote' x_1")).toEqual(["don't", " '", "quote", "'", " x_", "1"]);
    expect(pieces("a  b\n\n\n  c \n")).toEqual(["a", " ", " b", "\n\n\n", " ", " c", " ", "\n"]);
    expect(pieces("\r\n\t\t x")).toEqual(["\r", "\n", "\t\t", " x"]);
    expect(pieces("e\u0301te\u0301 l’été")).toEqual(["e\u0301te\u0301", " l’été"]);
    expect(pieces("日本 語\u{1f600}\u{1f600}")).toEqual(["日", "本", " 語", "\u{1f600}", "\u{1f600}"]);
    expect(pieces("Привет мир")).toEqual(["Привет", " мир"]);
  });

  it("numbers bytes, characters, words by frequency", () => {
    const tokenizer = WordTokenizer.from("no no yes no maybe yes no");
    expect(tokenizer.tokens.slice(0, 3)).toEqual(["<00>", "<01>", "<02>"]);
    expect(tokenizer.tokens.slice(256)).toEqual([
      " ",
      "a",
      "b",
      "e",
      "m",
      "n",
      "o",
      "s",
      "y",
      " no",
      " yes",
      " maybe",
      "no",
    ]);
  });

  it("gives text of its own vocabulary back", () => {
    for (const text of NASTY) {
      const tokenizer = WordTokenizer.from(text);
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }
  });

  it("gives any string back from a vocabulary that never saw it", () => {
    const random = randomNumbers(3);
    const tokenizer = tokenizerFromJSON(
      JSON.parse(JSON.stringify(WordTokenizer.from("a few words, é and \u{1f600}", { maxSize: 270 }))),
    );
    expect(tokenizer.size).toBe(270);
    for (const text of [
      ...NASTY,
      ...Array.from({ length: 300 }, () => nastyString(random, Math.floor(random() * 60))),
    ]) {
      const ids = tokenizer.encode(text);
      expect(tokenizer.decode(ids)).toBe(text);
      const decoder = tokenizer.decoder();
      const parts = Array.from(ids, (id) => decoder.push(id));
      expect(parts.join("") + decoder.end()).toBe(text);
    }
  });

  it("spells bytes as UTF-8 does", () => {
    const tokenizer = WordTokenizer.from("");
    const text = "aé€\u{1f600}\u{10ffff}";
    expect([...tokenizer.encode(text)]).toEqual([...new TextEncoder().encode(text)]);
  });

  it("decodes broken bytes as the platform's decoder does", () => {
    const tokenizer = WordTokenizer.from("");
    const random = randomNumbers(4);
    const platform = new TextDecoder("utf-8", { ignoreBOM: true });
    for (let round = 0; round < 2000; round++) {
      const bytes = Uint8Array.from({ length: 6 }, () => Math.floor(random() * 4) * 0x40 + Math.floor(random() * 0x40));
      // Surrogates are the one difference between WTF-8 and UTF-8.
      if (bytes.some((byte, i) => byte === 0xed && bytes[i + 1]! >= 0xa0)) continue;
      expect(tokenizer.decode(bytes)).toBe(platform.decode(bytes));
    }
  });

  it("keeps rare words out of the vocabulary", () => {
    const tokenizer = WordTokenizer.from("once twice twice", { minCount: 2 });
    expect(tokenizer.tokens).toContain(" twice");
    expect(tokenizer.tokens).not.toContain("once");
    expect(tokenizer.decode(tokenizer.encode("once twice"))).toBe("once twice");
  });

  it("refuses what cannot be", () => {
    expect(() => WordTokenizer.from("a", { maxSize: 100 })).toThrow(ArgumentError);
    expect(() => WordTokenizer.from("a", { minCount: 0 })).toThrow(ArgumentError);
    expect(() => WordTokenizer.from("a").decode([1000])).toThrow(TokenizerError);
    expect(() => WordTokenizer.fromJSON({ kind: "word", characters: ["a"] })).toThrow(TokenizerError);
    expect(() => WordTokenizer.fromJSON({ kind: "word", characters: [""], words: [] })).toThrow(TokenizerError);
    expect(() => WordTokenizer.fromJSON({ kind: "word", characters: ["a"], words: ["a"] })).toThrow(/"a" twice/);
  });

  it("takes millions of characters", () => {
    const text = "It was the best of times, it was the worst of times; it was the age of wisdom\n".repeat(40_000);
    const tokenizer = WordTokenizer.from(text);
    expect(tokenizer.decode(tokenizer.encode(text)) === text).toBe(true);
  });
});
