import { describe, expect, it } from "vitest";
import { ArgumentError } from "../../ts/errors.js";
import { beamSearch, logProbabilities } from "../../ts/infer/beam-search.js";
import { Session } from "../../ts/infer/session.js";
import { GRU } from "../../ts/nn/gru.js";
import { uniform } from "../../ts/nn/initializers.js";
import { LanguageModel } from "../../ts/tasks/language-model.js";
import { CharTokenizer } from "../../ts/text/char-tokenizer.js";

const tokenizer = CharTokenizer.from("abcd");
const model = new LanguageModel({ tokenizer, cell: GRU, hiddenSize: 5 }).init({ seed: 3, initializer: uniform(-2, 2) });
const prompt = Int32Array.of(0, 2);

/** Sum of ln p of tokens after the prompt, in one session of their own. */
function scoreOf(tokens: readonly number[]): number {
  const session = new Session(model);
  let logits = session.feed(prompt) as Float32Array;
  return tokens.reduce((total, token) => {
    const score = logProbabilities(logits)[token] as number;
    logits = session.step(token);
    return total + score;
  }, 0);
}

/** All continuations, a token `end` ending them, of at most `length` tokens; best first by `rank`. */
function all(length: number, end: number, rank: (sum: number, length: number) => number): number[][] {
  const grow = (tokens: number[]): number[][] =>
    tokens.length === length || tokens.at(-1) === end
      ? [tokens]
      : [0, 1, 2, 3].flatMap((token) => grow([...tokens, token]));
  const value = new Map(grow([]).map((tokens) => [tokens, rank(scoreOf(tokens), tokens.length)]));
  return [...value.keys()].sort((a, b) => (value.get(b) as number) - (value.get(a) as number));
}

describe("beamSearch", () => {
  it("finds the best of all when the beam is wide", () => {
    const found = beamSearch(model, prompt, { beamWidth: 300, maxTokens: 4, end: 1 });
    expect(found.slice(0, 20).map(({ tokens }) => tokens)).toEqual(all(4, 1, (sum) => sum).slice(0, 20));
    for (const { tokens, logProbability } of found.slice(0, 20)) expect(logProbability).toBeCloseTo(scoreOf(tokens), 5);
  });

  it("ranks by the penalised length", () => {
    const found = beamSearch(model, prompt, { beamWidth: 300, maxTokens: 4, end: 1, lengthPenalty: 1 });
    const expected = all(4, 1, (sum, length) => sum / length);
    expect(found.slice(0, 20).map(({ tokens }) => tokens)).toEqual(expected.slice(0, 20));
  });

  it("is greedy with a beam of one", () => {
    const [found] = beamSearch(model, prompt, { beamWidth: 1, maxTokens: 8 });
    const session = new Session(model);
    let scores = logProbabilities(session.feed(prompt) as Float32Array);
    for (const token of found?.tokens ?? []) {
      expect(scores[token]).toBe(Math.max(...scores));
      scores = logProbabilities(session.step(token));
    }
    expect(found?.tokens.length).toBe(8);
  });

  it("names what is wrong", () => {
    expect(() => beamSearch(model, new Int32Array(0))).toThrow(/prompt/);
    expect(() => beamSearch(model, prompt, { beamWidth: 0 })).toThrow(ArgumentError);
    expect(() => beamSearch(model, prompt, { maxTokens: 0.5 })).toThrow(/maxTokens/);
    expect(() => beamSearch(model, prompt, { lengthPenalty: -1 })).toThrow(/lengthPenalty/);
  });
});
