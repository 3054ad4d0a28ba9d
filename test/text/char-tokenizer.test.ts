import { describe, expect, it } from "vitest";
import { TokenizerError } from "../../ts/errors.js";
import { CharTokenizer } from "../../ts/text/char-tokenizer.js";
import { tokenizerFromJSON } from "../../ts/text/from-json.js";
import { NASTY, nastyString, randomNumbers } from "./strings.js";

describe("CharTokenizer", () => {
  it("numbers the characters in code point order", () => {
    const tokenizer = CharTokenizer.from("hello\u{1f600}\uffff é");
    // U+1F600 comes after U+FFFF although its first UTF-16 unit is smaller.
    expect(tokenizer.tokens).toEqual([" ", "e", "h", "l", "o", "é", "\uffff", "\u{1f600}"]);
    expect([...tokenizer.encode("hole")]).toEqual([2, 4, 3, 1]);
    expect(tokenizer.size).toBe(8);
  });

  it("takes a text in parts", () => {
    expect(CharTokenizer.from(["ba", "", "c"]).tokens).toEqual(["a", "b", "c"]);
  });

  it.each(NASTY)("gives %j back", (text) => {
    const tokenizer = CharTokenizer.from(text);
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  it("gives any string back, also from a vocabulary that travelled through JSON", () => {
    const random = randomNumbers(1);
    for (let round = 0; round < 300; round++) {
      const text = nastyString(random, Math.floor(random() * 60));
      const tokenizer = tokenizerFromJSON(JSON.parse(JSON.stringify(CharTokenizer.from(text))));
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      const decoder = tokenizer.decoder();
      const pieces = Array.from(tokenizer.encode(text), (id) => decoder.push(id));
      expect(pieces.join("") + decoder.end()).toBe(text);
    }
  });

  it("has one token per code point, as the string iterator counts them", () => {
    const random = randomNumbers(2);
    const text = nastyString(random, 5000);
    expect(CharTokenizer.from(text).encode(text).length).toBe([...text].length);
  });

  it("names an unknown character, its code point and its position", () => {
    const tokenizer = CharTokenizer.from("abc ");
    expect(() => tokenizer.encode("a bäc")).toThrow(TokenizerError);
    expect(() => tokenizer.encode("a bäc")).toThrow(/"ä" \(U\+00E4\) at position 3/);
    expect(() => tokenizer.encode("a\u{1f600}")).toThrow(/"\u{1f600}" \(U\+1F600\) at position 1/u);
    expect(() => tokenizer.encode("\ud83d")).toThrow(/"\\ud83d" \(U\+D83D\) at position 0/);
  });

  it("skips or replaces unknown characters on request", () => {
    const skipping = CharTokenizer.from("abc", { unknown: "skip" });
    expect(skipping.decode(skipping.encode("xaybz\u{1f600}c"))).toBe("abc");
    const replacing = CharTokenizer.from("abc", { unknown: { token: "\ufffd" } });
    expect(replacing.size).toBe(4);
    expect(replacing.decode(replacing.encode("a\u{1f600}b"))).toBe("a\ufffdb");
    const revived = CharTokenizer.fromJSON(JSON.parse(JSON.stringify(replacing)));
    expect(revived.tokens).toEqual(replacing.tokens);
    expect([...revived.encode("axb")]).toEqual([0, 3, 1]);
  });

  it("holds a high surrogate back until its other half may have come", () => {
    const tokenizer = CharTokenizer.from("\ud83d \ude00");
    const [high, , low] = tokenizer.encode("\ud83d \ude00");
    const decoder = tokenizer.decoder();
    expect([decoder.push(high!), decoder.push(low!), decoder.end()]).toEqual(["", "\u{1f600}", ""]);
    expect([decoder.push(high!), decoder.end()]).toEqual(["", "\ud83d"]);
  });

  it("refuses ids and vocabularies that cannot be", () => {
    const tokenizer = CharTokenizer.from("abc");
    for (const id of [3, -1, 0.5, NaN]) expect(() => tokenizer.decode([id])).toThrow(TokenizerError);
    expect(() => new CharTokenizer(["a", "b", "a"])).toThrow(/"a" twice/);
    expect(() => new CharTokenizer(["ab"])).toThrow(/"ab", expected one character/);
    expect(() => new CharTokenizer([""])).toThrow(TokenizerError);
    const broken = [null, 1, "char", {}, { kind: "word" }, { kind: "char" }, { kind: "char", characters: "abc" }];
    for (const json of [...broken, { kind: "char", characters: ["a", 1] }, { kind: "char", characters: ["a", "a"] }]) {
      expect(() => CharTokenizer.fromJSON(json)).toThrow(TokenizerError);
    }
    expect(() => CharTokenizer.fromJSON({ kind: "char", characters: [], unknown: "maybe" })).toThrow(TokenizerError);
    expect(() => CharTokenizer.fromJSON({ kind: "char", characters: [], unknown: { token: 1 } })).toThrow(
      TokenizerError,
    );
    expect(() => tokenizerFromJSON({ kind: "__proto__" })).toThrow(/expected char, byte, bpe, word or vocabulary/);
  });

  it("takes millions of characters", () => {
    const text = "It was the best of times, it was the worst of times; \u{1f600}\n".repeat(40_000);
    const tokenizer = CharTokenizer.from(text);
    const ids = tokenizer.encode(text);
    expect(tokenizer.decode(ids) === text).toBe(true);
  });
});
