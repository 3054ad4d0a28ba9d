import { describe, expect, it } from "vitest";
import { ArgumentError } from "../../ts/errors.js";
import { Linear } from "../../ts/nn/linear.js";
import { mseLoss } from "../../ts/nn/losses/regression.js";
import { ones } from "../../ts/tensor/tensor.js";
import { train } from "../../ts/train/loop.js";
import { cosineAnnealing, cosineWarmRestarts } from "../../ts/train/schedules/cosine.js";
import {
  exponentialDecay,
  inverseSquareRoot,
  inverseTimeDecay,
  linearSchedule,
  multiStepDecay,
  polynomialDecay,
  stepDecay,
} from "../../ts/train/schedules/decay.js";
import { oneCycle, oneCycleMomentum } from "../../ts/train/schedules/one-cycle.js";
import { ReduceOnPlateau } from "../../ts/train/schedules/plateau.js";
import { byEpoch, type Schedule, warmUp } from "../../ts/train/schedules/schedule.js";
import { SGD } from "../../ts/train/sgd.js";

const ratesOf = (schedule: Schedule, count: number): number[] =>
  Array.from({ length: count }, (_, update) => schedule(update, 1));

function expectRates(actual: readonly number[], expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((rate, t) => {
    expect(rate, `rate ${t}`).toBeCloseTo(expected[t] as number, 12);
  });
}

describe("schedules", () => {
  it("are their formulas", () => {
    expectRates(ratesOf(stepDecay(1, { stepSize: 2 }), 5), [1, 1, 0.1, 0.1, 0.01]);
    expectRates(ratesOf(multiStepDecay(1, { milestones: [1, 3], gamma: 0.5 }), 5), [1, 0.5, 0.5, 0.25, 0.25]);
    expectRates(ratesOf(exponentialDecay(1, { gamma: 0.25, every: 2 }), 4), [1, 0.5, 0.25, 0.125]);
    expectRates(ratesOf(inverseTimeDecay(1, { rate: 0.5 }), 3), [1, 1 / 1.5, 1 / 2]);
    expectRates(ratesOf(linearSchedule(3, { steps: 2 }), 4), [1, 2, 3, 3]);
    expectRates(ratesOf(polynomialDecay(1, { steps: 2, end: 0.5, power: 2 }), 4), [1, 0.625, 0.5, 0.5]);
    expectRates(ratesOf(inverseSquareRoot(1, { warmUp: 4 }), 5), [1 / 8, 2 / 8, 3 / 8, 1 / 2, 1 / Math.sqrt(5)]);
    expectRates(ratesOf(cosineAnnealing(1, { steps: 2 }), 5), [1, 0.5, 0, 0.5, 1]);
    expectRates(ratesOf(cosineAnnealing(1, { steps: 2, afterwards: "hold" }), 4), [1, 0.5, 0, 0]);
    expectRates(ratesOf(cosineWarmRestarts(1, { period: 2 }), 5), [1, 0.5, 1, 0.5, 1]);
    expectRates(ratesOf(cosineWarmRestarts(1, { period: 1, multiplier: 2 }), 4), [1, 1, 0.5, 1]);
  });

  it("go through one cycle in three phases, as PyTorch's page describes it", () => {
    const options = { steps: 11, warmUp: 3 / 11, threePhase: true } as const;
    const linear = oneCycle(1, { ...options, anneal: "linear", divisor: 5, finalDivisor: 10 });
    // Up to 1 at update 2, back to 0.2 at 4, on to 0.02 at 10.
    expectRates(ratesOf(linear, 12), [0.2, 0.6, 1, 0.6, 0.2, 0.17, 0.14, 0.11, 0.08, 0.05, 0.02, 0.02]);
    const momentum = oneCycleMomentum({ ...options, anneal: "linear", low: 0.8, high: 0.9 });
    expectRates(ratesOf(momentum, 7), [0.9, 0.85, 0.8, 0.85, 0.9, 0.9, 0.9]);
    expect(oneCycle(1, { ...options, divisor: 5 })(3, 1)).toBeCloseTo(0.6, 12);
  });

  it("start late, warm up and count epochs", () => {
    expectRates(ratesOf(exponentialDecay(1, { gamma: 0.5, after: 2 }), 5), [1, 1, 1, 0.5, 0.25]);
    expectRates(ratesOf(warmUp(stepDecay(1, { stepSize: 1 }), { steps: 2, from: 0.5 }), 5), [0.5, 0.75, 1, 0.1, 0.01]);
    const daily = byEpoch(stepDecay(1, { stepSize: 1 }));
    expect([daily(0, 1), daily(99, 1), daily(100, 2)]).toEqual([1, 1, 0.1]);
  });

  it("are what a run trains by", async () => {
    const model = new Linear(1, 1).init({ seed: 1 });
    const rates: number[] = [];
    const run = train(model, [ones([2, 1]), ones([2, 1])], {
      optimizer: new SGD(model, { lr: 9 }),
      loss: (linear, x) => mseLoss(linear.forward(x), x),
      schedule: warmUp(byEpoch(stepDecay(0.1, { stepSize: 1 })), { steps: 2 }),
      epochs: 2,
    });
    for await (const event of run) if (event.kind === "update") rates.push(event.lr);
    expectRates(rates, [0, 0.05, 0.01, 0.01]);
  });

  it("name the option that is wrong", () => {
    const wrong: [() => unknown, string][] = [
      [() => stepDecay(-1, { stepSize: 1 }), "lr"],
      [() => stepDecay(1, { stepSize: 0.5 }), "stepSize"],
      [() => multiStepDecay(1, { milestones: [], gamma: NaN }), "gamma"],
      [() => exponentialDecay(1, { gamma: 0.5, every: 0 }), "every"],
      [() => polynomialDecay(1, { steps: 0 }), "steps"],
      [() => inverseSquareRoot(1, { warmUp: 0 }), "warmUp"],
      [() => cosineWarmRestarts(1, { period: 3, multiplier: 1.5 }), "multiplier"],
      [() => oneCycle(1, { steps: 10, warmUp: 0.6, threePhase: true }), "warmUp"],
      [() => warmUp(() => 1, { steps: 0 }), "steps"],
      [() => new ReduceOnPlateau(1, { factor: 1 }), "factor"],
      [() => new ReduceOnPlateau(1, { patience: -1 }), "patience"],
    ];
    for (const [make, option] of wrong) {
      expect(make).toThrow(ArgumentError);
      expect(make).toThrow(option);
    }
  });
});

describe("ReduceOnPlateau", () => {
  it("waits, reduces, and stops at the minimum", () => {
    const plateau = new ReduceOnPlateau(1, { patience: 1, factor: 0.5, minimum: 0.3 });
    expect([3, 2, 2, NaN, 2, 2, 2].map((loss) => plateau.observe(loss))).toEqual([1, 1, 1, 0.5, 0.5, 0.3, 0.3]);
  });

  it("takes more for better when told so", () => {
    const plateau = new ReduceOnPlateau(1, { mode: "max", patience: 0, thresholdMode: "absolute", threshold: 0.1 });
    expect([0.5, 0.7, 0.75].map((accuracy) => plateau.observe(accuracy))).toEqual([1, 1, 0.1]);
  });

  it("goes on from a saved state", () => {
    const metrics = [5, 4, 4, 4, 4.1, 3, 3, 3, 3, 3, 3];
    const options = { patience: 1, cooldown: 1, factor: 0.5 };
    const whole = new ReduceOnPlateau(1, options);
    const expected = metrics.map((metric) => whole.observe(metric));
    for (let cut = 0; cut <= metrics.length; cut++) {
      const before = new ReduceOnPlateau(1, options);
      const rates = metrics.slice(0, cut).map((metric) => before.observe(metric));
      const after = new ReduceOnPlateau(9, options);
      after.loadStateDict(JSON.parse(JSON.stringify(before.stateDict())));
      expect(rates.concat(metrics.slice(cut).map((metric) => after.observe(metric)))).toEqual(expected);
    }
  });
});
