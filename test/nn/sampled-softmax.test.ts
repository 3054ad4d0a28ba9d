import { describe, expect, it } from "vitest";
import { createCore } from "../../ts/core/core.js";
import { ArgumentError, ShapeError } from "../../ts/errors.js";
import { crossEntropy } from "../../ts/nn/losses/cross-entropy.js";
import { sampledSoftmaxLoss } from "../../ts/nn/losses/sampled-softmax.js";
import { Ids } from "../../ts/tensor/ids.js";
import { linear } from "../../ts/tensor/matmul.js";
import { gradients } from "../../ts/tensor/record.js";
import { runScope } from "../../ts/tensor/scope.js";
import { tensor, zeros } from "../../ts/tensor/tensor.js";
import { checkOperation, draw } from "../tensor/reference.js";

const core = createCore();
const [features, classes] = [5, 9];

const zipf = (k: number) => Math.log((k + 2) / (k + 1)) / Math.log(classes + 1);

describe("sampledSoftmaxLoss", () => {
  const targets = new Ids(Int32Array.of(4, 0, 8, 2, 4, 7), [2, 3]);
  const inputs = [draw([2, 3, features], 1), draw([classes, features], 2), draw([classes], 3)];

  it.each([
    ["logUniform", zipf],
    ["uniform", () => 1 / classes],
  ] as const)("corrects for how often a class is drawn, and for hits: %s", (distribution, probability) => {
    const sampled = Int32Array.of(4, 1, 4, 0, 6, 3, 1);
    checkOperation(
      core,
      (x, weight, bias) =>
        sampledSoftmaxLoss(x, weight, bias, targets, { samples: 7, distribution, sampled, reduction: "none" }),
      (x, weight, bias) =>
        [...targets.data].map((target, row) => {
          const score = (k: number) => {
            let total = bias[k]!;
            for (let i = 0; i < features; i++) total += x[row * features + i]! * weight[k * features + i]!;
            return total;
          };
          let others = 0;
          for (const k of sampled) if (k !== target) others += Math.exp(score(k)) / (7 * probability(k));
          return Math.log(Math.exp(score(target)) + others) - score(target);
        }),
      inputs,
      [2, 3],
      5e-5,
    );
  });

  it("is the full softmax when nothing is recorded", () => {
    runScope(core, () => {
      const [x, weight, bias] = inputs.map(({ data, shape }) => tensor([...data], shape)) as [never, never, never];
      const sampled = sampledSoftmaxLoss(x, weight, bias, targets, { samples: 3 }).item();
      expect(sampled).toBe(crossEntropy(linear(x, weight, bias), targets).item());
    });
  });

  it("draws by Zipf's law, by seed, update and stream, and estimates the full gradient", () => {
    // One row of zeros: the gradient of a bias but the target's is the corrected share of its draws.
    const [x, weight] = [zeros([1, 1], core), zeros([classes, 1], core)];
    const bias = tensor(new Float32Array(classes), [classes], core);
    const slopes = (samples: number, update: number, stream = 0) =>
      gradients(() => sampledSoftmaxLoss(x, weight, bias, Int32Array.of(8), { samples, stream }), {
        parameters: [bias],
        core,
        seed: 4,
        update,
      }).grads.get(bias)!;
    expect(slopes(6, 1)).toEqual(slopes(6, 1));
    const different = [slopes(6, 1), slopes(6, 2), slopes(6, 1, 5)].map((values) => values.join());
    expect(new Set(different).size).toBe(3);
    // With many draws it is the gradient of the full softmax over equal logits: 1 / 9 each, within four deviations of
    // the count of the class and of the sum.
    const many = slopes(40000, 0);
    for (let k = 0; k < classes - 1; k++) {
      expect(Math.abs(many[k]! * classes - 1)).toBeLessThan(4 / Math.sqrt(40000 * zipf(k)) + 4 / Math.sqrt(40000));
    }
    expect(many[8]).toBeCloseTo(1 / 9 - 1, 2);
  });

  it("names what is wrong", () => {
    const [x, weight] = [zeros([2, 3], core), zeros([4, 3], core)];
    const attempt =
      (change: object, target = Int32Array.of(1, 2)) =>
      () =>
        gradients(() => sampledSoftmaxLoss(x, weight, null, target, { samples: 2, ...change }), { core });
    expect(attempt({ samples: 0 })).toThrow(ArgumentError);
    expect(attempt({ distribution: "normal" })).toThrow(/distribution/);
    expect(attempt({ sampled: Int32Array.of(1) })).toThrow(ShapeError);
    expect(attempt({ sampled: Int32Array.of(1, 4) })).toThrow(/from 0 to 3/);
    expect(attempt({}, Int32Array.of(1, 4))).toThrow(/from 0 to 3/);
    expect(attempt({}, Int32Array.of(1))).toThrow(ShapeError);
    expect(() => sampledSoftmaxLoss(x, zeros([4, 2], core), null, Int32Array.of(1, 2), { samples: 2 })).toThrow(
      /x has/,
    );
  });
});
