import { describe, expect, it } from "vitest";
import { ArgumentError } from "../../ts/errors.js";
import { RepetitionPenalty } from "../../ts/infer/repetition.js";
import { keepMostProbable, pick, Sampler } from "../../ts/infer/sampling.js";
import { randomNumbers } from "../text/strings.js";

/** The definition, in 64 bits: what each token's probability is in the end. */
function distribution(logits: readonly number[], temperature: number, topK: number, topP: number): number[] {
  const largest = Math.max(...logits);
  const weights = logits.map((logit) => Math.exp((logit - largest) / temperature));
  const ranked = weights.map((_, id) => id).sort((a, b) => weights[b]! - weights[a]! || a - b);
  const top = ranked.slice(0, topK);
  const whole = top.reduce((total, id) => total + weights[id]!, 0);
  const kept: number[] = [];
  for (let sum = 0; kept.length < top.length && sum < topP; sum += weights[kept.at(-1)!]! / whole) {
    kept.push(top[kept.length]!);
  }
  const total = kept.reduce((sum, id) => sum + weights[id]!, 0);
  return weights.map((weight, id) => (kept.includes(id) ? weight / total : 0));
}

describe("Sampler", () => {
  it("draws from the defined distribution", () => {
    const random = randomNumbers(5);
    for (let round = 0; round < 12; round++) {
      const logits = Array.from({ length: 7 }, () => Math.fround(random() * 6 - 3));
      const temperature = [1, 0.5, 1.7][round % 3]!;
      const topK = [Infinity, 4, 2, 1][round % 4]!;
      const topP = [1, 0.8, 0.31][Math.floor(round / 4)]!;
      const expected = distribution(logits, temperature, topK, topP);
      const sampler = new Sampler({ temperature, topK, topP, seed: round });
      const counts = new Array<number>(7).fill(0);
      const draws = 4000;
      const values = Float32Array.from(logits);
      for (let i = 0; i < draws; i++) counts[sampler.sample(values)]!++;
      counts.forEach((count, id) => {
        const p = expected[id]!;
        if (p === 0) expect(count).toBe(0);
        // Five standard deviations of a binomial count.
        expect(Math.abs(count - draws * p)).toBeLessThanOrEqual(5 * Math.sqrt(draws * p * (1 - p)) + 1e-9);
      });
    }
  });

  it("keeps exactly the tokens of the definition", () => {
    const random = randomNumbers(6);
    for (let round = 0; round < 500; round++) {
      const size = 1 + Math.floor(random() * 9);
      // Few different values, so that there are ties.
      const logits = Array.from({ length: size }, () => Math.floor(random() * 4));
      const topK = 1 + Math.floor(random() * 10);
      const topP = round % 2 === 0 ? 1 : 0.05 + 0.9 * random();
      const weights = Float32Array.from(distribution(logits, 1, Infinity, 1));
      keepMostProbable(weights, topK, topP);
      const expected = distribution(logits, 1, topK, topP);
      expect(Array.from(weights, (weight) => weight > 0)).toEqual(expected.map((p) => p > 0));
    }
  });

  it("takes the smallest id whose cumulative weight exceeds u", () => {
    const weights = Float32Array.of(0, 0.25, 0, 0.5, 0.25, 0);
    const at = (u: number) => pick(weights, u);
    expect([0, 0.24, 0.25, 0.5, 0.74, 0.75, 0.999, 1 - 2 ** -53].map(at)).toEqual([1, 1, 3, 3, 3, 4, 4, 4]);
  });

  it("is greedy at temperature 0, the lowest id first", () => {
    const sampler = new Sampler({ temperature: 0 });
    expect(sampler.sample(Float32Array.of(1, 3, 2, 3))).toBe(1);
    expect(sampler.sample(Float32Array.of(-Infinity, -5))).toBe(1);
  });

  it("repeats itself by seed", () => {
    const draw = (seed: number) => {
      const sampler = new Sampler({ seed });
      return Array.from({ length: 50 }, () => sampler.sample(new Float32Array(9)));
    };
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
  });

  it("refuses nonsense", () => {
    for (const bad of [
      { temperature: -1 },
      { temperature: NaN },
      { topK: 0 },
      { topK: 1.5 },
      { topP: 0 },
      { topP: 1.1 },
    ]) {
      expect(() => new Sampler(bad)).toThrow(ArgumentError);
    }
    for (const temperature of [0, 1]) {
      expect(() => new Sampler({ temperature }).sample(Float32Array.of(1, NaN))).toThrow(/logits/);
    }
  });
});

describe("the repetition penalty", () => {
  it("has the values of Hugging Face's own test", () => {
    // transformers, tests/generation/test_logits_process.py, test_repetition_penalty_dist_process: ten equal scores of
    // 1/10, but for -1/10 of token 0 in the first row and 4/10 of token 5 in the second; a penalty of 2.
    const rows = [new Float32Array(10).fill(0.1), new Float32Array(10).fill(0.1)] as const;
    rows[0][0] = -0.1;
    rows[1][5] = 0.4;
    const lowered = [
      [0, 1],
      [5, 0],
    ].map((seen, row) => {
      const penalty = new RepetitionPenalty(2, Infinity);
      for (const id of seen) penalty.observe(id);
      return Array.from(penalty.apply(rows[row]!));
    });
    const expected = [new Array<number>(10).fill(0.1), new Array<number>(10).fill(0.1)];
    expected[0]![0] = -0.1 * 2;
    expected[0]![1] = 0.1 / 2;
    expected[1]![0] = 0.1 / 2;
    expected[1]![5] = 0.4 / 2;
    lowered.forEach((row, i) => {
      row.forEach((value, id) => {
        expect(value).toBeCloseTo(expected[i]![id]!, 7);
      });
    });
    // What was given stays as it was.
    expect(rows[0][1]).toBe(Math.fround(0.1));
  });

  it("counts the tokens of the window, however often they occurred", () => {
    const random = randomNumbers(8);
    const seen: number[] = [];
    const penalty = new RepetitionPenalty(1.5, 4);
    for (let round = 0; round < 60; round++) {
      const logits = Float32Array.from({ length: 6 }, () => random() * 4 - 2);
      const recent = new Set(seen.slice(-4));
      const expected = logits.map((logit, id) => (!recent.has(id) ? logit : logit < 0 ? logit * 1.5 : logit / 1.5));
      expect(penalty.apply(logits)).toEqual(expected);
      seen.push(Math.floor(random() * 6));
      penalty.observe(seen.at(-1)!);
    }
  });

  it("is applied by a Sampler to what it was shown and what it drew", () => {
    const sampler = new Sampler({ temperature: 0, repetitionPenalty: 3 });
    const logits = Float32Array.of(2, 3, 1.5, 1.4);
    sampler.observe(Int32Array.of(1));
    expect([0, 1, 2, 3].map(() => sampler.sample(logits))).toEqual([0, 2, 3, 1]);
  });

  it("refuses settings that mean nothing", () => {
    const refused = [
      { repetitionPenalty: 0 },
      { repetitionPenalty: -1 },
      { repetitionPenalty: NaN },
      { repetitionPenalty: Infinity },
      { repetitionWindow: 0 },
      { repetitionWindow: 2.5 },
    ];
    for (const options of refused) expect(() => new Sampler(options)).toThrow(ArgumentError);
  });
});
