import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ArgumentError, TokenizerError } from "../../ts/errors.js";
import { BpeTokenizer } from "../../ts/text/bpe-tokenizer.js";
import { learnMerges } from "../../ts/text/bpe-training.js";
import { tokenizerFromJSON } from "../../ts/text/from-json.js";
import { NASTY, nastyString, randomNumbers } from "./strings.js";

/** What the package `tokenizers` learned and encoded (test/fixtures/tokenizers/make.py). */
const fixture = JSON.parse(readFileSync("test/fixtures/tokenizers/training.json", "utf8")) as {
  words: string[];
  merges: [string, string][];
  encoded: [text: string, tokens: string[]][];
};

/** Algorithm 1 of Sennrich et al., word for word: counts all pairs again for every merge. */
function naiveMerges(words: ReadonlyMap<string, number>, limit: number, minCount: number): [number, number][] {
  let spelled = [...words].map(([word, times]) => ({ symbols: [...new TextEncoder().encode(word)], times }));
  const merges: [number, number][] = [];
  while (merges.length < limit) {
    const counts = new Map<string, number>();
    for (const { symbols, times } of spelled) {
      for (let i = 0; i + 1 < symbols.length; i++) {
        const pair = `${symbols[i]} ${symbols[i + 1]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + times);
      }
    }
    const ranked = [...counts].map(([pair, count]) => ({ pair: pair.split(" ").map(Number), count }));
    ranked.sort((a, b) => b.count - a.count || a.pair[0]! - b.pair[0]! || a.pair[1]! - b.pair[1]!);
    const best = ranked[0];
    if (best === undefined || best.count < minCount) break;
    const [left, right] = best.pair as [number, number];
    const merged = 256 + merges.length;
    merges.push([left, right]);
    spelled = spelled.map(({ symbols, times }) => {
      const out: number[] = [];
      for (let i = 0; i < symbols.length; i++) {
        if (symbols[i] === left && symbols[i + 1] === right) {
          out.push(merged);
          i++;
        } else out.push(symbols[i]!);
      }
      return { symbols: out, times };
    });
  }
  return merges;
}

describe("BpeTokenizer", () => {
  it("learns and applies the merges that Hugging Face's tokenizers do", () => {
    const tokenizer = BpeTokenizer.from(fixture.words.join("\n"), { maxSize: 256 + fixture.merges.length });
    expect(fixture.merges.length).toBeGreaterThan(150);
    const names = tokenizer.merges.map((merge) => merge.map((id) => tokenizer.tokens[id]));
    expect(names).toEqual(fixture.merges);
    for (const [text, tokens] of fixture.encoded) {
      expect(Array.from(tokenizer.encode(text), (id) => tokenizer.tokens[id])).toEqual(tokens);
    }
  });

  it("learns what counting everything anew learns", () => {
    const random = randomNumbers(8);
    for (let round = 0; round < 60; round++) {
      const letters = "aaab\u00e9".slice(0, 2 + (round % 4));
      const words = new Map<string, number>();
      for (let word = 0; word < 12; word++) {
        const spelled = Array.from({ length: 1 + random() * 12 }, () => letters[Math.floor(random() * letters.length)]);
        words.set(spelled.join(""), 1 + Math.floor(random() * 4));
      }
      const minCount = 1 + (round % 3);
      expect(learnMerges(words, 40, minCount)).toEqual(naiveMerges(words, 40, minCount));
    }
  });

  it("merges no words with each other, and stops where pairs get rare", () => {
    const tokenizer = BpeTokenizer.from("low low low lower lowest new newer", { maxSize: 1000, minCount: 3 });
    // l o 5, then lo w 5, then the space before them 4; what is left occurs twice at most.
    expect(tokenizer.tokens.slice(256)).toEqual(["lo", "low", " low"]);
    expect(BpeTokenizer.from("abab", { maxSize: 256 }).size).toBe(256);
    expect(BpeTokenizer.from("", { maxSize: 300 }).size).toBe(256);
  });

  it("gives any string back, whole and as a stream", () => {
    const random = randomNumbers(6);
    const learned = BpeTokenizer.from([...NASTY, "the cat sat on the mat, the cat"], { maxSize: 400, minCount: 1 });
    const tokenizer = tokenizerFromJSON(JSON.parse(JSON.stringify(learned)));
    expect(tokenizer.size).toBe(400);
    expect(tokenizer.tokens).toEqual(learned.tokens);
    for (const text of [...NASTY, ...Array.from({ length: 300 }, () => nastyString(random, random() * 60))]) {
      const ids = tokenizer.encode(text);
      expect(tokenizer.decode(ids)).toBe(text);
      expect([...learned.encode(text)]).toEqual([...ids]);
      const decoder = tokenizer.decoder();
      const parts = Array.from(ids, (id) => decoder.push(id));
      expect(parts.join("") + decoder.end()).toBe(text);
    }
  });

  it("decodes any bytes as the platform's decoder does", () => {
    const random = randomNumbers(4);
    const tokenizer = new BpeTokenizer([
      [0xe2, 0x82],
      [256, 0xac],
      [0xac, 0x41],
      [0x41, 0xf0],
    ]);
    expect(tokenizer.tokens.slice(256)).toEqual(["<E2><82>", "\u20ac", "<AC><41>", "<41><F0>"]);
    const bytesOf = [
      [0xe2, 0x82],
      [0xe2, 0x82, 0xac],
      [0xac, 0x41],
      [0x41, 0xf0],
    ];
    const platform = new TextDecoder("utf-8", { ignoreBOM: true });
    for (let round = 0; round < 2000; round++) {
      const ids = Array.from({ length: 6 }, () =>
        random() < 0.5
          ? 256 + Math.floor(random() * 4)
          : [0x41, 0x82, 0xac, 0xe2, 0xf0, 0x9f][Math.floor(random() * 6)]!,
      );
      const bytes = Uint8Array.from(ids.flatMap((id) => bytesOf[id - 256] ?? [id]));
      expect(tokenizer.decode(ids)).toBe(platform.decode(bytes));
    }
  });

  it("names line feeds and spaces as they are, for who looks for them", () => {
    const { tokens } = new BpeTokenizer([]);
    expect(tokens[10]).toBe("\n");
    expect(tokens[32]).toBe(" ");
    expect(tokens[0xff]).toBe("<FF>");
  });

  it("takes a word of hundreds of thousands of letters", () => {
    const random = randomNumbers(1);
    const text = Array.from({ length: 200_000 }, () => "abcdefgh"[Math.floor(random() * 8)]).join("");
    for (const long of [text, "a".repeat(200_000)]) {
      const tokenizer = BpeTokenizer.from(long, { maxSize: 600 });
      const ids = tokenizer.encode(long);
      expect(ids.length).toBeLessThan(long.length / 2);
      expect(tokenizer.decode(ids) === long).toBe(true);
    }
  });

  it("makes no token of more than 128 bytes", () => {
    const tokenizer = BpeTokenizer.from("a".repeat(5000), { maxSize: 1000 });
    expect(Math.max(...tokenizer.tokens.map((token) => token.length))).toBe(128);
    const doubling = Array.from({ length: 40 }, (_, k) => (k === 0 ? [97, 97] : [255 + k, 255 + k]));
    expect(() => tokenizerFromJSON({ kind: "bpe", merges: doubling })).toThrow(/more than 128 bytes/);
  });

  it("refuses what cannot be", () => {
    for (const maxSize of [255, 300.5, NaN, 2 ** 25]) {
      expect(() => BpeTokenizer.from("a", { maxSize })).toThrow(ArgumentError);
    }
    expect(() => BpeTokenizer.from("a", { maxSize: 300, minCount: 0 })).toThrow(ArgumentError);
    expect(() => new BpeTokenizer([]).decode([256])).toThrow(TokenizerError);
    for (const merges of [
      "ab",
      [1],
      [[1]],
      [[1, 2, 3]],
      [[1, 256]],
      [["1", 2]],
      [[-1, 0]],
      [[0.5, 1]],
      [
        [1, 2],
        [1, 2],
      ],
    ]) {
      expect(() => BpeTokenizer.fromJSON({ kind: "bpe", merges })).toThrow(TokenizerError);
    }
    expect(() => BpeTokenizer.fromJSON({ kind: "char" })).toThrow(TokenizerError);
  });
});
