import { describe, expect, it } from "vitest";
import { createCore } from "../../ts/core/core.js";
import { ArgumentError, LoadError, ShapeError } from "../../ts/errors.js";
import { constant } from "../../ts/nn/initializers.js";
import { Module } from "../../ts/nn/module.js";
import { mul } from "../../ts/tensor/binary.js";
import { Parameter } from "../../ts/tensor/parameter.js";
import { gradients } from "../../ts/tensor/record.js";
import { sum } from "../../ts/tensor/reduce.js";
import { type Tensor, tensor } from "../../ts/tensor/tensor.js";
import { square } from "../../ts/tensor/unary.js";
import { Adadelta } from "../../ts/train/adadelta.js";
import { Adagrad } from "../../ts/train/adagrad.js";
import { Adam } from "../../ts/train/adam.js";
import { AdamW } from "../../ts/train/adamw.js";
import { AveragedSGD } from "../../ts/train/averaged-sgd.js";
import { clipGradients } from "../../ts/train/clip.js";
import { Lion } from "../../ts/train/lion.js";
import { NAdam } from "../../ts/train/nadam.js";
import type { Optimizer } from "../../ts/train/optimizer.js";
import { RMSprop } from "../../ts/train/rmsprop.js";
import { SGD } from "../../ts/train/sgd.js";
import { type Case, cases, misses } from "./corpus.js";

class Pair extends Module {
  readonly a = new Parameter([3], constant(1));
  readonly b = new Parameter([2, 2], constant(2));

  /** sum w_a a^2 + sum w_b b^2: gradients 2 w p. */
  loss(weight: number): Tensor {
    return sum(mul(square(this.a), tensor([weight, 2 * weight, 3 * weight])));
  }
}

class Bag extends Module {
  readonly items: Parameter[];

  constructor(values: { shape: number[] }[]) {
    super();
    this.items = values.map(({ shape }) => new Parameter(shape));
  }
}

/** The optimizer of a case, from PyTorch's option names. */
function optimizerOf({ config: given }: Case, model: Module): Optimizer {
  const options = Object.fromEntries(
    Object.entries({
      lr: given["lr"],
      momentum: given["momentum"],
      dampening: given["dampening"],
      weightDecay: given["weight_decay"],
      nesterov: given["nesterov"],
      lrDecay: given["lr_decay"],
      initialAccumulatorValue: given["initial_accumulator_value"],
      epsilon: given["eps"],
      alpha: given["alpha"],
      centered: given["centered"],
      betas: given["betas"],
      rho: given["rho"],
      amsgrad: given["amsgrad"],
    }).filter(([, value]) => value !== undefined),
  );
  const kinds = { Adadelta, SGD, Adagrad, RMSprop, Adam, AdamW } as const;
  return new kinds[given["optimizer"] as keyof typeof kinds](model, options);
}

describe("optimizers", () => {
  it.each(cases("optim").map((given) => [given.id, given] as const))("%s as PyTorch has it", (_id, given) => {
    const names = [...given.tensors.keys()].filter((name) => name.startsWith("param.")).sort();
    const model = new Bag(names.map((name) => given.tensors.get(name)!)).init();
    names.forEach((name, i) => model.items[i]!.write(given.tensors.get(name)!.data));
    const optimizer = optimizerOf(given, model);
    const rates = given.config["lr_per_step"] as number[] | undefined;
    for (let step = 0; step < (given.config["steps"] as number); step++) {
      if (rates !== undefined) optimizer.lr = rates[step]!;
      const grads = new Map<Tensor, Float32Array>();
      model.items.forEach((item, i) => {
        const all = given.tensors.get(`step.g${i}`)!.data;
        grads.set(item, all.slice(step * item.size, (step + 1) * item.size));
      });
      optimizer.applyGradients(grads);
      model.items.forEach((item, i) => {
        expect(misses(given, `out.p${i}`, item.toArray(), step * item.size)).toEqual([]);
      });
    }
    const { tensors, steps } = optimizer.stateDict();
    let compared = 0;
    for (const name of Object.keys(given.expect).filter((key) => key.startsWith("final."))) {
      const [, parameter, slot] = name.split(".") as [string, string, string];
      expect(misses(given, name, tensors.get(`items.${parameter.slice(1)}.${slot}`)!.data)).toEqual([]);
      compared++;
    }
    expect(compared).toBe(tensors.size);
    expect([...steps.values()]).toEqual(names.map(() => given.config["steps"]));
    model.dispose();
    optimizer.dispose();
  });

  it("puts epsilon under the root on request", () => {
    const rule = (make: (model: Module) => Optimizer, expected: (g: number) => number) => {
      const model = new Pair().init();
      make(model).applyGradients(new Map([[model.a, [0.5, -2, 0]]]));
      [...model.a.toArray()].forEach((value, i) => expect(value).toBeCloseTo(1 - expected([0.5, -2, 0][i]!), 6));
      expect([...model.b.toArray()]).toEqual([2, 2, 2, 2]);
    };
    const inside = { lr: 0.1, epsilon: 0.3, epsilonInside: true };
    rule(
      (model) => new Adagrad(model, inside),
      (g) => (0.1 * g) / Math.sqrt(g * g + 0.3),
    );
    rule(
      (model) => new RMSprop(model, { ...inside, alpha: 0.9 }),
      (g) => (0.1 * g) / Math.sqrt(0.1 * g * g + 0.3),
    );
  });

  it("goes up when maximising", () => {
    const model = new Pair().init();
    new SGD(model, { lr: 0.5, maximize: true }).applyGradients(new Map([[model.a, [1, 2, 3]]]));
    expect([...model.a.toArray()]).toEqual([1.5, 2, 2.5]);
  });

  it("decays what the predicate says", () => {
    const model = new Pair().init();
    const optimizer = new AdamW(model, { lr: 0.1, weightDecay: 0.5, decay: ({ name }) => name === "b" });
    optimizer.applyGradients(
      new Map<Tensor, number[]>([
        [model.a, [0, 0, 0]],
        [model.b, [0, 0, 0, 0]],
      ]),
    );
    expect([...model.a.toArray()]).toEqual([1, 1, 1]);
    for (const value of model.b.toArray()) expect(value).toBeCloseTo(2 * (1 - 0.1 * 0.5), 6);
  });
});

describe("update", () => {
  it("gives loss and norm, leaves alone what has no gradient", () => {
    const model = new Pair().init();
    const optimizer = new SGD(model, { lr: 0.25 });
    const { loss, gradNorm, applied } = optimizer.update(() => model.loss(1));
    expect([loss, applied]).toEqual([6, true]);
    expect(gradNorm).toBeCloseTo(Math.sqrt(4 + 16 + 36), 5);
    expect([...model.a.toArray()]).toEqual([0.5, 0, -0.5]);
    expect([...model.b.toArray()]).toEqual([2, 2, 2, 2]);
    expect([...optimizer.stateDict().steps]).toEqual([["a", 1]]);
  });

  it("equals gradients() followed by applyGradients()", () => {
    const [one, two] = [new Pair().init(), new Pair().init()];
    const [direct, separate] = [new Adam(one), new Adam(two)];
    for (let step = 1; step < 5; step++) {
      direct.update(() => one.loss(step), { clipGradNorm: 3, clipGradValue: 2 });
      const { grads } = gradients(() => two.loss(step));
      separate.applyGradients(grads, { clipGradNorm: 3, clipGradValue: 2 });
      expect(two.a.toArray()).toEqual(one.a.toArray());
    }
  });

  it("leaves frozen parameters alone", () => {
    const model = new Pair().init();
    model.a.trainable = false;
    new SGD(model, { lr: 1 }).update(() => sum(square(model.b)));
    expect([...model.a.toArray()]).toEqual([1, 1, 1]);
    expect([...model.b.toArray()]).toEqual([-2, -2, -2, -2]);
  });

  it("changes nothing when the loss is not finite", () => {
    const model = new Pair().init();
    const optimizer = new Adam(model);
    for (const weight of [NaN, Infinity]) {
      const { applied, loss } = optimizer.update(() => model.loss(weight));
      expect([applied, loss]).toEqual([false, weight]);
    }
    expect([...model.a.toArray()]).toEqual([1, 1, 1]);
    expect(optimizer.stateDict().tensors.size).toBe(0);
  });

  it("clips as told", () => {
    const step = (options: object) => {
      const model = new Pair().init();
      new SGD(model, { lr: 1 }).update(() => model.loss(1), options);
      return Array.from(model.a.toArray(), (value) => 1 - value);
    };
    expect(step({ clipGradValue: 3 })).toEqual([2, 3, 3]);
    const factor = 1 / (Math.sqrt(56) + 1e-6);
    step({ clipGradNorm: 1 }).forEach((value, i) => expect(value).toBeCloseTo([2, 4, 6][i]! * factor, 6));
    expect(step({ clipGradNorm: 100 })).toEqual([2, 4, 6]);
    for (const bad of [{ clipGradNorm: 0 }, { clipGradValue: -1 }, { clipGradNorm: NaN }]) {
      expect(() => step(bad)).toThrow(ArgumentError);
    }
  });

  it("does not grow memory", () => {
    const core = createCore();
    const model = new Pair().init({ core });
    const optimizer = new Adam(model);
    const run = (times: number) => {
      for (let i = 0; i < times; i++) optimizer.update(() => model.loss(1), { clipGradNorm: 1 });
    };
    run(100);
    const before = [core.persistentBytes, core.raw.memory.buffer.byteLength];
    run(10_000);
    expect([core.persistentBytes, core.raw.memory.buffer.byteLength]).toEqual(before);
    const held = core.persistentBytes;
    optimizer.dispose();
    expect(core.persistentBytes).toBeLessThan(held);
    model.dispose();
  });
});

describe("state of an optimizer", () => {
  const makers: [string, (model: Module) => Optimizer][] = [
    ["SGD", (model) => new SGD(model, { lr: 0.01, momentum: 0.9 })],
    ["Adagrad", (model) => new Adagrad(model, { lrDecay: 0.1 })],
    ["RMSprop", (model) => new RMSprop(model, { centered: true, momentum: 0.5 })],
    ["AdamW", (model) => new AdamW(model, { amsgrad: true })],
    ["NAdam", (model) => new NAdam(model, { weightDecay: 0.1 })],
    ["Adadelta", (model) => new Adadelta(model)],
    ["Lion", (model) => new Lion(model)],
    ["AveragedSGD", (model) => new AveragedSGD(model, { averageAfter: 2 })],
  ];

  it.each(makers)("%s goes on as if never stopped", (_name, make) => {
    const whole = new Pair().init();
    const optimizer = make(whole);
    for (let step = 0; step < 6; step++) optimizer.update(() => whole.loss(step + 1));
    const first = new Pair().init();
    const before = make(first);
    for (let step = 0; step < 3; step++) before.update(() => first.loss(step + 1));
    const second = new Pair().loadStateDict(first.stateDict());
    const after = make(second);
    after.loadStateDict(before.stateDict());
    expect(after.updates).toBe(3);
    for (let step = 3; step < 6; step++) after.update(() => second.loss(step + 1));
    expect(second.a.toArray()).toEqual(whole.a.toArray());
    expect(after.stateDict()).toEqual(optimizer.stateDict());
  });

  it("is refused when it is another's, and then nothing changes", () => {
    const model = new Pair().init();
    const optimizer = new Adam(model);
    optimizer.update(() => model.loss(1));
    const state = optimizer.stateDict();
    const other = { data: new Float32Array(2), shape: [2] };
    const without = new Map(state.tensors);
    without.delete("a.exp_avg");
    for (const broken of [
      { ...state, kind: "SGD" },
      { ...state, lr: NaN },
      { ...state, steps: new Map([["c", 1]]) },
      { ...state, tensors: without },
      { ...state, tensors: new Map([...state.tensors, ["a.exp_avg", other]]) },
      { ...state, tensors: new Map([...state.tensors, ["a.more", other]]) },
    ]) {
      expect(() => optimizer.loadStateDict(broken)).toThrow(LoadError);
      expect(optimizer.stateDict()).toEqual(state);
    }
  });

  it("options and gradients are checked", () => {
    const model = new Pair().init();
    expect(() => new SGD([])).toThrow(ArgumentError);
    expect(() => new SGD(model, { lr: -1 })).toThrow(/lr/);
    expect(() => new SGD(model, { nesterov: true })).toThrow(/nesterov/);
    expect(() => new Adam(model, { betas: [0.9, 1] })).toThrow(/betas\[1\]/);
    expect(() => new RMSprop(model, { alpha: NaN })).toThrow(/alpha/);
    expect(() => new SGD(model).applyGradients(new Map([[model.a, [1]]]))).toThrow(ShapeError);
    expect(() => {
      new SGD(model).lr = NaN;
    }).toThrow(ArgumentError);
  });
});

describe("clipGradients", () => {
  it.each(cases("clip").map((given) => [given.id, given] as const))("%s as PyTorch has it", (_id, given) => {
    const names = [...given.tensors.keys()].filter((name) => name.startsWith("in.")).sort();
    const grads = names.map((name) => given.tensors.get(name)!.data.slice());
    const { max_norm, norm_type, clip_value } = given.config as Record<string, number | string | undefined>;
    const norm = clipGradients(grads, {
      clipGradNorm: max_norm as number | undefined,
      normType: norm_type === "inf" ? Infinity : 2,
      clipGradValue: clip_value as number | undefined,
    });
    names.forEach((name, i) => expect(misses(given, name.replace("in.", "out."), grads[i]!)).toEqual([]));
    const total = given.scalars?.["total_norm"];
    if (total !== undefined)
      expect(Math.abs(norm - total.value)).toBeLessThanOrEqual(total.atol + total.rtol * total.value);
  });

  it("clips the gradient of each parameter by its own norm", () => {
    const grads = [Float32Array.of(3, 4), Float32Array.of(0.3, 0.4), Float32Array.of(0, 0)];
    expect(clipGradients(grads, { clipParameterNorm: 1 })).toBeCloseTo(Math.sqrt(25.25), 5);
    expect(grads.map((grad) => [...grad].map((value) => Math.round(value * 1e5) / 1e5))).toEqual([
      [0.6, 0.8],
      [0.3, 0.4],
      [0, 0],
    ]);
    // Globally first, then each, then values.
    const all = [Float32Array.of(6, 8), Float32Array.of(0)];
    clipGradients(all, { clipGradNorm: 5, clipParameterNorm: 1, clipGradValue: 0.7 });
    expect([...(all[0] ?? [])].map((value) => Math.round(value * 1e5) / 1e5)).toEqual([0.6, 0.7]);
    expect(() => clipGradients(all, { clipParameterNorm: 0 })).toThrow(/clipParameterNorm/);
  });

  it("passes NaN on", () => {
    const grads = [Float32Array.of(1, NaN), Float32Array.of(2)];
    expect(clipGradients(grads, { clipGradNorm: 1, normType: Infinity })).toBeNaN();
    expect(clipGradients(grads, { clipGradNorm: 1 })).toBeNaN();
    expect(grads[1]![0]).toBeNaN();
  });
});
