/** Optimizers of which the corpus has no cases, against scalar f64 transcriptions of their papers' equations. */
import { describe, expect, it } from "vitest";
import { ArgumentError, LoadError } from "../../ts/errors.js";
import { constant } from "../../ts/nn/initializers.js";
import { Module } from "../../ts/nn/module.js";
import { Parameter } from "../../ts/tensor/parameter.js";
import type { Tensor } from "../../ts/tensor/tensor.js";
import { AdamW } from "../../ts/train/adamw.js";
import { WeightAverage } from "../../ts/train/average.js";
import { AveragedSGD, NonMonotoneTrigger } from "../../ts/train/averaged-sgd.js";
import { Lion } from "../../ts/train/lion.js";
import { NAdam } from "../../ts/train/nadam.js";
import type { Optimizer } from "../../ts/train/optimizer.js";
import { SGD } from "../../ts/train/sgd.js";
import { Random } from "../reference/random.js";

class Model extends Module {
  readonly weight = new Parameter([7], constant(1));
  readonly bias = new Parameter([3], constant(2));
}

/** One update of one value: its next value, given its state, which it changes, and the number of the update from 1. */
type Update = (p: number, g: number, state: Record<string, number>, t: number) => number;

/** Holds twenty updates by random gradients against `update`. */
function check(make: (model: Module) => Optimizer, update: Update, lrAt: (t: number) => number = () => 0.01): Model {
  const model = new Model().init();
  const optimizer = make(model);
  const random = new Random(9);
  const values = Array.from({ length: 7 }, () => 1);
  const states = values.map((): Record<string, number> => ({}));
  for (let t = 1; t <= 20; t++) {
    const gradients = random.values(7);
    optimizer.lr = lrAt(t);
    optimizer.applyGradients(new Map([[model.weight, gradients]]));
    values.forEach((p, i) => {
      values[i] = update(p, gradients[i] as number, states[i] as Record<string, number>, t);
    });
    model.weight.toArray().forEach((p, i) => expect(p, `update ${t}`).toBeCloseTo(values[i] as number, 5));
  }
  for (const [name, { data }] of optimizer.stateDict().tensors) {
    const slot = name.slice("weight.".length);
    data.forEach((value, i) => expect(value, slot).toBeCloseTo(states[i]?.[slot] as number, 5));
  }
  return model;
}

describe("equations", () => {
  it.each([false, true])("NAdam, decoupled weight decay: %s", (decoupledWeightDecay) => {
    const options = { betas: [0.8, 0.95], epsilon: 1e-3, weightDecay: 0.1, momentumDecay: 0.3 } as const;
    const momentum = (t: number): number => 0.8 * (1 - 0.5 * 0.96 ** (t * 0.3));
    check(
      (model) => new NAdam(model, { ...options, decoupledWeightDecay }),
      (start, gradient, s, t) => {
        const p = decoupledWeightDecay ? start * (1 - 0.01 * 0.1) : start;
        const g = decoupledWeightDecay ? gradient : gradient + 0.1 * start;
        s["product"] = (s["product"] ?? 1) * momentum(t);
        s["exp_avg"] = 0.8 * (s["exp_avg"] ?? 0) + 0.2 * g;
        s["exp_avg_sq"] = 0.95 * (s["exp_avg_sq"] ?? 0) + 0.05 * g * g;
        const next = momentum(t + 1);
        const slope = ((1 - momentum(t)) / (1 - s["product"])) * g + (next / (1 - s["product"] * next)) * s["exp_avg"];
        return p - (0.01 * slope) / (Math.sqrt(s["exp_avg_sq"] / (1 - 0.95 ** t)) + 1e-3);
      },
    );
  });

  it("Lion", () => {
    check(
      (model) => new Lion(model, { betas: [0.8, 0.95], weightDecay: 0.5 }),
      (p, g, s) => {
        const direction = Math.sign(0.8 * (s["exp_avg"] ?? 0) + 0.2 * g);
        s["exp_avg"] = 0.95 * (s["exp_avg"] ?? 0) + 0.05 * g;
        return p - 0.01 * (direction + 0.5 * p);
      },
    );
  });

  it("averaged SGD", () => {
    check(
      (model) => new AveragedSGD(model, { lambda: 0.3, alpha: 0.6, averageAfter: 4, weightDecay: 0.2 }),
      (p, g, s, t) => {
        const eta = 0.01 / (1 + 0.3 * 0.01 * (t - 1)) ** 0.6;
        const next = p * (1 - 0.3 * eta) - eta * (g + 0.2 * p);
        const average = s["ax"] ?? 0;
        s["ax"] = average + (next - average) / Math.max(1, t - 1 - 4);
        return next;
      },
    );
  });

  it("momentum with the learning rate inside, where the rate changes", () => {
    const rate = (t: number): number => (t < 5 ? 0.1 : 0.01);
    check(
      (model) => new SGD(model, { momentum: 0.9, lrInVelocity: true }),
      (p, g, s, t) => {
        s["momentum_buffer"] = 0.9 * (s["momentum_buffer"] ?? 0) + rate(t) * g;
        return p - s["momentum_buffer"];
      },
      rate,
    );
  });
});

describe("parameter groups", () => {
  it("have their own rates and decays", () => {
    const model = new Model().init();
    const optimizer = new SGD(model, {
      lr: 0.5,
      weightDecay: 0.1,
      decay: ({ name }) => name !== "bias",
      groups: [
        { match: ({ name }) => name === "bias", lrScale: 0.1, weightDecay: 9 },
        { match: () => true, weightDecay: 0.2 },
      ],
    });
    optimizer.applyGradients(
      new Map<Tensor, number[]>([
        [model.weight, [1, 1, 1, 1, 1, 1, 1]],
        [model.bias, [1, 1, 1]],
      ]),
    );
    expect(model.weight.toArray()[0]).toBeCloseTo(1 - 0.5 * (1 + 0.2 * 1), 6);
    expect(model.bias.toArray()[0]).toBeCloseTo(2 - 0.5 * 0.1 * 1, 6);
    expect(() => new AdamW(model, { groups: [{ match: () => true, lrScale: -1 }] })).toThrow(/groups\[0\]\.lrScale/);
  });
});

describe("averages of weights", () => {
  const moves = [3, 5, 1, 2];

  it.each([
    ["mean", {}, [3, 4, 3, 2.75]],
    ["moving average", { decay: 0.75 }, [3, 3.5, 2.875, 2.65625]],
  ] as const)("%s", (_name, options, expected) => {
    const model = new Model().init();
    const average = new WeightAverage(model, options);
    expect(average.run(() => model.weight.toArray()[0])).toBe(1);
    moves.forEach((value, i) => {
      model.weight.write(new Array(7).fill(value));
      average.update();
      expect(average.run(() => model.weight.toArray()[6])).toBeCloseTo(expected[i] as number, 6);
      expect(model.weight.toArray()[6]).toBe(value);
    });
    expect(average.count).toBe(4);
    expect(() => average.run(() => model.weight.write([1]))).toThrow();
    expect(model.weight.toArray()[0]).toBe(2);
    const other = new WeightAverage(model, options);
    other.loadStateDict(average.stateDict());
    expect(other.stateDict()).toEqual(average.stateDict());
    expect(() => other.loadStateDict({ count: 1, tensors: new Map() })).toThrow(LoadError);
    average.dispose();
    other.dispose();
  });

  it("begin when the trigger says so", () => {
    const model = new Model().init();
    const optimizer = new AveragedSGD(model, { lr: 1, lambda: 0, averageAfter: Infinity });
    const trigger = new NonMonotoneTrigger({ patience: 2 });
    const step = (slope: number) => optimizer.applyGradients(new Map([[model.bias, [slope, slope, slope]]]));
    // Above all but the latest two before it, for the first time.
    expect([5, 4, 3, 4.5, 4.6, 4.1].map((loss) => trigger.observe(loss))).toEqual([
      false,
      false,
      false,
      false,
      true,
      true,
    ]);
    step(1);
    step(1);
    expect(optimizer.averages().get("bias")?.data[0]).toBe(0);
    expect([...optimizer.averages().keys()]).toEqual(["bias"]);
    expect(optimizer.stateDict().numbers).toEqual({ averageAfter: Infinity });
    for (const numbers of [{}, { averageAfter: -1 }])
      expect(() => optimizer.loadStateDict({ ...optimizer.stateDict(), numbers })).toThrow(LoadError);
    optimizer.startAveraging();
    expect(optimizer.averageAfter).toBe(2);
    // The third and the fourth value replace the average, as in torch; the fifth is averaged with the fourth.
    for (let t = 3; t <= 5; t++) step(1);
    expect(optimizer.withAverages(() => model.bias.toArray()[0])).toBe((-2 + -3) / 2);
    expect(model.bias.toArray()[0]).toBe(-3);
  });

  it("check their options", () => {
    const model = new Model().init();
    expect(() => new WeightAverage(model, { decay: 1 })).toThrow(ArgumentError);
    expect(() => new NonMonotoneTrigger({ patience: -1 })).toThrow(/patience/);
    expect(() => new AveragedSGD(model, { averageAfter: NaN })).toThrow(/averageAfter/);
    expect(() => {
      new SGD(model).momentum = 0.5;
    }).toThrow(/momentum/);
  });
});
