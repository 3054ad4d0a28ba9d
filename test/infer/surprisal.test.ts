import { describe, expect, it } from "vitest";
import { ArgumentError, ShapeError, TokenizerError } from "../../ts/errors.js";
import { surprisal, tokenSurprisal } from "../../ts/infer/surprisal.js";
import { uniform } from "../../ts/nn/initializers.js";
import { LSTM } from "../../ts/nn/lstm.js";
import { LanguageModel } from "../../ts/tasks/language-model.js";
import { CharTokenizer } from "../../ts/text/char-tokenizer.js";

const text = "the horse raced past";

function modelOf(alphabet: string): LanguageModel {
  const tokenizer = CharTokenizer.from(alphabet);
  return new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 6 }).init({ seed: 1, initializer: uniform(-2, 2) });
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
