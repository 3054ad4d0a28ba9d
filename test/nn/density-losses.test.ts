import { describe, expect, it } from "vitest";
import { createCore } from "../../ts/core/core.js";
import { ArgumentError, ShapeError } from "../../ts/errors.js";
import { gaussianNllLoss } from "../../ts/nn/losses/gaussian.js";
import { gaussianMixtureLoss, handwritingLoss } from "../../ts/nn/losses/mixture-density.js";
import { l1Loss, smoothL1Loss } from "../../ts/nn/losses/regression.js";
import { gradients } from "../../ts/tensor/record.js";
import { tensor, zeros } from "../../ts/tensor/tensor.js";
import { checkOperation, draw } from "../tensor/reference.js";

const core = createCore();
const none = { reduction: "none" } as const;

/** The density of one Gaussian. */
const normal = (x: number, mean: number, deviation: number) =>
  Math.exp(-(((x - mean) / deviation) ** 2) / 2) / (Math.sqrt(2 * Math.PI) * deviation);

function softmax(values: readonly number[]): number[] {
  const powers = values.map(Math.exp);
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
}

describe("gaussianNllLoss", () => {
  const inputs = [draw([3, 4], 1), draw([3, 4], 2), draw([3, 4], 3, 0.1, 2)];

  it("is the logarithm of the density", () => {
    checkOperation(
      core,
      (mean, target, variance) => gaussianNllLoss(mean, target, variance, { ...none, full: true }),
      (mean, target, variance) => mean.map((m, i) => -Math.log(normal(target[i]!, m, Math.sqrt(variance[i]!)))),
      inputs,
      [3, 4],
    );
    checkOperation(
      core,
      (mean, target, variance) => gaussianNllLoss(mean, target, variance),
      (mean, target, variance) => [
        mean.reduce((total, m, i) => total + (Math.log(variance[0]!) + (m - target[i]!) ** 2 / variance[0]!) / 2, 0) /
          12,
      ],
      [inputs[0]!, inputs[1]!, draw([1], 4, 0.5, 1)],
      [],
    );
  });

  it("keeps the variance above epsilon, and names what is wrong", () => {
    const [mean, target] = [tensor([1, 2]), tensor([1, 2.5])];
    const losses = gaussianNllLoss(mean, target, tensor([0, -3]), { ...none, epsilon: 0.25 }).toArray();
    expect(losses[0]).toBeCloseTo(Math.log(0.25) / 2, 6);
    expect(losses[1]).toBeCloseTo((Math.log(0.25) + 1) / 2, 6);
    expect(() => gaussianNllLoss(mean, zeros([3]), mean)).toThrow(ShapeError);
    expect(() => gaussianNllLoss(mean, target, zeros([3, 2]))).toThrow(ShapeError);
    expect(() => gaussianNllLoss(mean, target, mean, { epsilon: 0 })).toThrow(ArgumentError);
  });
});

describe("smoothL1Loss", () => {
  it("is a square near 0 and a line elsewhere", () => {
    const beta = 0.5;
    checkOperation(
      core,
      (input, target) => smoothL1Loss(input, target, { ...none, beta }),
      (input, target) =>
        input.map((value, i) => {
          const d = Math.abs(value - target[i]!);
          return d < beta ? d ** 2 / (2 * beta) : d - beta / 2;
        }),
      [draw([5, 3], 1), draw([5, 3], 2)],
      [5, 3],
    );
    const [a, b] = [tensor([1, -2, 3]), tensor([0.5, 1, 7])];
    expect(smoothL1Loss(a, b, { beta: 0 }).item()).toBe(l1Loss(a, b).item());
    expect(() => smoothL1Loss(a, b, { beta: -1 })).toThrow(/beta/);
  });
});

describe("gaussianMixtureLoss", () => {
  it("is the logarithm of the mixture's density", () => {
    const [m, dimensions] = [4, 3];
    checkOperation(
      core,
      (output, target) => gaussianMixtureLoss(output, target, none),
      (output, target) =>
        [0, 1].map((row) => {
          const at = (block: number, k: number) => output[row * 28 + block * m + k]!;
          const weights = softmax([0, 1, 2, 3].map((k) => at(0, k)));
          const density = weights.reduce((total, weight, k) => {
            let product = weight;
            for (let d = 0; d < dimensions; d++) {
              product *= normal(target[row * dimensions + d]!, at(1 + d, k), Math.exp(at(1 + dimensions + d, k)));
            }
            return total + product;
          }, 0);
          return -Math.log(density);
        }),
      [draw([2, 28], 1), draw([2, 3], 2)],
      [2],
      5e-5,
    );
  });

  it("stays finite far from every component, and names what is wrong", () => {
    const output = tensor([0, 0, 5, 6, -2, -2], [1, 6]);
    const { loss, grads } = gradients(() => gaussianMixtureLoss(output, tensor([[200]])), { parameters: [output] });
    expect(Number.isFinite(loss)).toBe(true);
    expect(grads.get(output)!.every(Number.isFinite)).toBe(true);
    expect(() => gaussianMixtureLoss(zeros([2, 7]), zeros([2, 1]))).toThrow(/3 M/);
    expect(() => gaussianMixtureLoss(zeros([2, 6]), zeros([3, 1]))).toThrow(ShapeError);
  });
});

describe("handwritingLoss", () => {
  it("is the logarithm of the density of the point and the pen", () => {
    const m = 3;
    checkOperation(
      core,
      (output, target) => handwritingLoss(output, target, none),
      (output, target) =>
        [0, 1, 2, 3].map((row) => {
          const at = (block: number, k: number) => output[row * 19 + 1 + block * m + k]!;
          const [x, y, lifted] = target.slice(row * 3, row * 3 + 3) as [number, number, number];
          const weights = softmax([0, 1, 2].map((k) => at(0, k)));
          const density = weights.reduce((total, weight, k) => {
            const [sx, sy, rho] = [Math.exp(at(3, k)), Math.exp(at(4, k)), Math.tanh(at(5, k))];
            const [zx, zy] = [(x - at(1, k)) / sx, (y - at(2, k)) / sy];
            const z = zx ** 2 + zy ** 2 - 2 * rho * zx * zy;
            const rest = 1 - rho ** 2;
            return total + (weight * Math.exp(-z / (2 * rest))) / (2 * Math.PI * sx * sy * Math.sqrt(rest));
          }, 0);
          const pen = 1 / (1 + Math.exp(-output[row * 19]!));
          return -Math.log(density) - lifted * Math.log(pen) - (1 - lifted) * Math.log(1 - pen);
        }),
      [draw([4, 19], 1), draw([4, 3], 2, 0, 1)],
      [4],
      5e-5,
    );
  });

  it("stays finite for a correlation near 1, and names what is wrong", () => {
    const output = tensor([0, 0, 0, 0, 0, 0, 12], [1, 7]);
    const { loss, grads } = gradients(() => handwritingLoss(output, tensor([[0.5, 0.5, 1]])), { parameters: [output] });
    // 1 - tanh(12)^2 = 1 / cosh(12)^2, and Z / (2 (1 - rho^2)) = (1 - rho) / (4 (1 - rho^2)), which goes to 1 / 8.
    expect(loss).toBeCloseTo(Math.log(2 * Math.PI) - Math.log(Math.cosh(12)) + 1 / 8 + Math.LN2, 5);
    expect(grads.get(output)!.every(Number.isFinite)).toBe(true);
    expect(() => handwritingLoss(zeros([2, 6]), zeros([2, 3]))).toThrow(/6 M \+ 1/);
    expect(() => handwritingLoss(zeros([2, 7]), zeros([2, 2]))).toThrow(ShapeError);
  });
});
