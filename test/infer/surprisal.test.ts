import { describe, expect, it } from "vitest";
import { ArgumentError, ShapeError, TokenizerError } from "../../ts/errors.js";
import { surprisal, tokenSurprisal } from "../../ts/infer/surprisal.js";
import { uniform } from "../../ts/nn/initializers.js";
import { LSTM } from "../../ts/nn/lstm.js";
import { LanguageModel } from "../../ts/tasks/language-model.js";
import { CharTokenizer } from "../../ts/text/char-tokenizer.js";
import type { TokenDecoder, Tokenizer, TokenizerJSON } from "../../ts/text/tokenizer.js";
import { VocabularyTokenizer } from "../../ts/text/vocabulary-tokenizer.js";
import { WordTokenizer } from "../../ts/text/word-tokenizer.js";

const text = "the horse raced past";

function modelOf(alphabet: string): LanguageModel {
  const tokenizer = CharTokenizer.from(alphabet);
  return new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 6 }).init({ seed: 1, initializer: uniform(-2, 2) });
}

/** Subwords, the first that fits. */
class Pieces implements Tokenizer {
  readonly kind = "pieces";
  readonly tokens: readonly string[];

  constructor(tokens: readonly string[]) {
    this.tokens = tokens;
  }

  get size(): number {
    return this.tokens.length;
  }

  encode(input: string): Int32Array {
    const ids: number[] = [];
    for (let at = 0; at < input.length; at += (this.tokens[ids.at(-1) as number] as string).length) {
      ids.push(this.tokens.findIndex((token) => input.startsWith(token, at)));
    }
    return Int32Array.from(ids);
  }

  decode(ids: ArrayLike<number>): string {
    return Array.from(ids, (id) => this.tokens[id]).join("");
  }

  decoder(): TokenDecoder {
    return { push: (id) => this.tokens[id] as string, end: () => "" };
  }

  toJSON(): TokenizerJSON {
    return { kind: this.kind, tokens: this.tokens };
  }
}

describe("surprisal", () => {
  it("sums tokens to words and agrees with the loss", () => {
    const model = modelOf(`${text}\n`);
    const found = surprisal(model, text);
    expect(found.tokens.join("")).toBe(text);
    expect(found.words.map((word) => word.text)).toEqual(["the", "horse", "raced", "past"]);
    // "the" has three characters, " horse" six.
    const sum = (from: number, to: number): number => found.bits.slice(from, to).reduce((a, b) => a + b, 0);
    expect(found.words[0]?.bits).toBeCloseTo(sum(0, 3), 10);
    expect(found.words[1]?.bits).toBeCloseTo(sum(3, 9), 10);
    expect(found.words.reduce((total, { bits }) => total + bits, 0)).toBeCloseTo(sum(0, text.length), 10);
    expect(found.meanNats).toBeCloseTo(model.evaluate(`\n${text}`), 5);
    expect(found.perplexity).toBeCloseTo(Math.exp(found.meanNats), 10);
  });

  it("sums the tokens of subword and word models to words", () => {
    const options = { cell: LSTM, hiddenSize: 6 };
    const draw = { seed: 1, initializer: uniform(-2, 2) };
    const subwords = new LanguageModel({
      ...options,
      tokenizer: new Pieces(["the", " ho", "rse", " ra", "ced", " past"]),
    });
    const found = surprisal(subwords.init(draw), text);
    expect(found.words.map((word) => word.text)).toEqual(["the", "horse", "raced", "past"]);
    const bits = [...found.bits] as [number, number, number, number, number, number];
    const sums = [bits[0], bits[1] + bits[2], bits[3] + bits[4], bits[5]];
    found.words.forEach((word, i) => expect(word.bits).toBeCloseTo(sums[i] as number, 10));
    const words = new LanguageModel({ ...options, tokenizer: WordTokenizer.from(text) });
    const whole = surprisal(words.init(draw), text);
    expect(whole.words.map((word) => word.text)).toEqual(["the", "horse", "raced", "past"]);
    const total = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);
    expect(total(whole.words.map((word) => word.bits))).toBeCloseTo(total(whole.bits), 10);
  });

  it("begins after <eos> where that ends the lines, and takes a word outside a closed vocabulary for <unk>", () => {
    const tokenizer = VocabularyTokenizer.from(text, { split: "spaces" });
    const model = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 6 });
    model.init({ seed: 1, initializer: uniform(-2, 2) });
    const found = surprisal(model, "the zebra \u{1f40e} past");
    expect(found.words.map((word) => word.text)).toEqual(["the", "<unk>", "<unk>", "past"]);
    const { the = NaN, past = NaN } = { the: tokenizer.idOf("the"), past: tokenizer.idOf("past") };
    const { eos, unknown } = tokenizer;
    expect(found.meanNats).toBeCloseTo(model.evaluate(Int32Array.of(eos, the, unknown, unknown, past)), 5);
    const told = surprisal(model, "past", { context: "the" });
    expect(told.meanNats).toBeCloseTo(model.evaluate(Int32Array.of(the, past)), 5);
  });

  it("has an answer for a text of nothing, of emoji, of white space, and of words without an end", () => {
    const tokenizer = WordTokenizer.from(`${text}\n`, { minCount: 2 });
    const model = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 2 }).init({ seed: 1 });
    const nothing = surprisal(model, "");
    expect(nothing).toMatchObject({ words: [], tokens: [], meanNats: NaN, perplexity: NaN, bitsPerToken: NaN });
    expect(nothing.bits).toHaveLength(0);
    const emoji = surprisal(model, "the \u{1f40e}\u{1f469}\u200d\u{1f680} fell");
    expect(emoji.words.map((word) => word.text)).toEqual(["the", "\u{1f40e}\u{1f469}\u200d\u{1f680}", "fell"]);
    expect(emoji.words.every(({ bits }) => bits > 0 && bits < Infinity)).toBe(true);
    // White space alone makes a word of nothing; at an end it follows the last word.
    expect(surprisal(model, " \n ").words.map((word) => word.text)).toEqual([""]);
    expect(surprisal(model, " \n the  horse \n").words.map((word) => word.text)).toEqual(["the", "horse", ""]);
  });

  it("reads a million characters, of words and of one word, in a time that grows with them", () => {
    const tokenizer = CharTokenizer.from("ab ");
    const model = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 1 }).init({ seed: 1 });
    const one = surprisal(model, "ab".repeat(250_000));
    expect(one.words).toHaveLength(1);
    expect(one.words[0]?.text).toHaveLength(500_000);
    const many = surprisal(model, "a b ".repeat(125_000));
    expect(many.words).toHaveLength(250_001);
    expect(one.bitsPerToken).toBeGreaterThan(0);
    expect(many.words.every(({ bits }) => bits > 0)).toBe(true);
  });

  it("goes on from a context, and starts even without one", () => {
    const model = modelOf(text);
    const whole = surprisal(model, text);
    expect(whole.bits[0]).toBeCloseTo(Math.log2(model.tokenizer.size), 6);
    expect(whole.entropyBits[0]).toBeCloseTo(Math.log2(model.tokenizer.size), 6);
    const rest = surprisal(model, " raced past", { context: "the horse" });
    rest.bits.forEach((bits, t) => expect(bits).toBeCloseTo(whole.bits[9 + t] as number, 5));
    expect(() => surprisal(model, "X")).toThrow(TokenizerError);
  });

  it("knows the certain and the impossible", () => {
    const logits = { data: Float32Array.of(0, -Infinity, 0, -Infinity), shape: [2, 2] };
    const { bits, entropyBits, perplexity } = tokenSurprisal(logits, [0, 1]);
    expect([...bits].map(Math.abs)).toEqual([0, Infinity]);
    expect([...entropyBits].map(Math.abs)).toEqual([0, 0]);
    expect(perplexity).toBe(Infinity);
    expect(() => tokenSurprisal(logits, [0])).toThrow(ShapeError);
    expect(() => tokenSurprisal(logits, [0, 2])).toThrow(ArgumentError);
  });
});
