import { describe, expect, it } from "vitest";
import { balancedWeights, classWeights } from "../../ts/data/balance.js";
import { shuffled } from "../../ts/data/order.js";
import { paddedBatches } from "../../ts/data/padded.js";
import { splitExamples } from "../../ts/data/split.js";
import { ArgumentError, DataError } from "../../ts/errors.js";

const count = (n: number) => Array.from({ length: n }, (_, i) => i);
const tally = <T>(values: Iterable<T>) => {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
};

describe("shuffled", () => {
  it("gives every order equally often", () => {
    const orders = tally(count(6000).map((seed) => shuffled(["a", "b", "c"], seed).join("")));
    expect(orders.size).toBe(6);
    // Chi-squared of five degrees of freedom: beyond 20.5 once in a thousand.
    let chiSquared = 0;
    for (const times of orders.values()) chiSquared += (times - 1000) ** 2 / 1000;
    expect(chiSquared).toBeLessThan(20.5);
  });

  it("is the seed's alone, and leaves what it is given", () => {
    const items = count(40);
    expect(shuffled(items, 7)).toEqual(shuffled(items, 7));
    expect(shuffled(items, 7)).not.toEqual(shuffled(items, 8));
    expect(shuffled(items, 7).sort((a, b) => a - b)).toEqual(items);
    expect(items).toEqual(count(40));
    expect([shuffled([], 1), shuffled([5], 1)]).toEqual([[], [5]]);
    expect(() => shuffled(items, 0.5)).toThrow(ArgumentError);
  });
});

describe("splitExamples", () => {
  it("cuts the end off without a seed", () => {
    expect(splitExamples(count(10), { valid: 0.25, test: 0.1 })).toEqual({
      train: [0, 1, 2, 3, 4, 5, 6],
      valid: [7, 8],
      test: [9],
    });
    expect(splitExamples(count(3), {})).toEqual({ train: [0, 1, 2], valid: [], test: [] });
  });

  it("draws by the seed, keeps the order, and loses nothing", () => {
    const split = splitExamples(count(101), { valid: 0.2, test: 0.1, seed: 4 });
    expect([split.train.length, split.valid.length, split.test.length]).toEqual([71, 20, 10]);
    for (const part of Object.values(split)) expect(part).toEqual(part.slice().sort((a: number, b: number) => a - b));
    expect([...split.train, ...split.valid, ...split.test].sort((a, b) => a - b)).toEqual(count(101));
    expect(splitExamples(count(101), { valid: 0.2, test: 0.1, seed: 4 })).toEqual(split);
    expect(splitExamples(count(101), { valid: 0.2, test: 0.1, seed: 5 })).not.toEqual(split);
    expect(split.valid).not.toEqual(count(101).slice(71, 91));
  });

  it("divides every class by the same fractions", () => {
    const labels = count(200).map((i) => (i % 20 === 0 ? "rare" : i % 4 === 1 ? "some" : "many"));
    const all = tally(labels);
    const split = splitExamples(labels, { valid: 0.3, test: 0.1, seed: 2, stratify: (label) => label });
    for (const [part, fraction] of [
      ["valid", 0.3],
      ["test", 0.1],
      ["train", 0.6],
    ] as const) {
      for (const [label, times] of tally(split[part]))
        expect(Math.abs(times - fraction * all.get(label)!)).toBeLessThanOrEqual(1);
    }
    expect([split.train.length, split.valid.length, split.test.length]).toEqual([120, 60, 20]);
    // Classes of one example each: the parts still have the size they should have.
    const single = splitExamples(count(10), { valid: 0.4, test: 0.5, seed: 2, stratify: (label) => label });
    expect([single.train.length, single.valid.length, single.test.length]).toEqual([1, 4, 5]);
  });

  it("says what cannot be", () => {
    expect(() => splitExamples([], { valid: 0.5 })).toThrow(DataError);
    for (const bad of [{ valid: -0.1 }, { test: 1 }, { valid: NaN }, { valid: 0.5, test: 0.5 }, { stratify: String }])
      expect(() => splitExamples(count(9), bad)).toThrow(ArgumentError);
  });
});

describe("class balance", () => {
  it("weighs classes as scikit-learn does", () => {
    // compute_class_weight(class_weight="balanced", classes=[0, 1], y=[1, 1, 1, 1, 0, 0]), from its documentation
    expect([...classWeights([1, 1, 1, 1, 0, 0], { classes: 2 })]).toEqual([1.5, 0.75]);
    expect([...classWeights([1, -100, 1, 1, 1, 0, 0], { classes: 3 })]).toEqual([1.5, 0.75, 0]);
    expect([...balancedWeights(["b", "b", "b", "b", "a", "a"])]).toEqual([0.75, 0.75, 0.75, 0.75, 1.5, 1.5]);
    expect(() => classWeights([0, 3], { classes: 3 })).toThrow(/label 1 is 3, expected 0 to 2 or -100/);
    expect(() => classWeights([-100], { classes: 3 })).toThrow(DataError);
    expect(() => balancedWeights([])).toThrow(ArgumentError);
  });

  it("draws rare classes as often as frequent ones, and a weight of 0 never", () => {
    const labels = count(400).map((i) => (i < 380 ? 0 : 1));
    const examples = labels.map((label) => ({ inputs: [label] }));
    const draw = (weights: Float64Array) => {
      const drawn: number[] = [];
      const batches = paddedBatches(examples, { batchSize: 32, seed: 6, weights });
      for (let epoch = 0; epoch < 10; epoch++) for (const batch of batches.epoch(epoch)) drawn.push(...batch.examples);
      return drawn;
    };
    const balanced = draw(balancedWeights(labels));
    expect(balanced.length).toBe(4000);
    // 2000 of 4000 expected, standard deviation 31.6: four of them.
    expect(Math.abs(balanced.filter((index) => index >= 380).length - 2000)).toBeLessThan(127);
    const few = new Set(draw(Float64Array.from(labels, (_, i) => (i === 7 || i === 399 ? 2 : 0))));
    expect([...few].sort((a, b) => a - b)).toEqual([7, 399]);
  });
});
