import { describe, expect, it } from "vitest";
import { constant } from "../../ts/nn/initializers.js";
import { Module } from "../../ts/nn/module.js";
import { add, mul, sub } from "../../ts/tensor/binary.js";
import { Parameter } from "../../ts/tensor/parameter.js";
import { mean } from "../../ts/tensor/reduce.js";
import type { Tensor } from "../../ts/tensor/tensor.js";
import { square } from "../../ts/tensor/unary.js";
import { findLearningRate } from "../../ts/train/finder.js";
import { SGD } from "../../ts/train/sgd.js";

/** Loss (w - target)^2 + 1: with rate r the distance is multiplied by 1 - 2 r, and grows from r = 1 on. */
class Bowl extends Module {
  readonly w = new Parameter([1], constant(3));

  loss(target: number): Tensor {
    return add(mean(square(sub(this.w, target))), 1);
  }
}

const [from, to, updates, smoothing, divergence] = [1e-4, 8, 60, 0.8, 3];

/** The definition, in doubles. */
function reference() {
  const points: { lr: number; loss: number; smoothLoss: number }[] = [];
  let [w, s] = [3, 0];
  for (let i = 0; i < updates; i++) {
    const lr = from * (to / from) ** (i / (updates - 1));
    const loss = w * w + 1;
    s = smoothing * s + (1 - smoothing) * loss;
    points.push({ lr, loss, smoothLoss: s / (1 - smoothing ** (i + 1)) });
    if (points.at(-1)!.smoothLoss > divergence * Math.min(...points.map((point) => point.smoothLoss))) break;
    w -= lr * 2 * w;
  }
  const slopes = points.slice(1, -1).map((_, i) => points[i + 2]!.smoothLoss - points[i]!.smoothLoss);
  return { points, suggestion: points[1 + slopes.indexOf(Math.min(...slopes))]!.lr };
}

describe("findLearningRate", () => {
  it("gives points and suggestion as defined, and puts everything back", async () => {
    const model = new Bowl().init();
    const optimizer = new SGD(model, { lr: 0.125, momentum: 0 });
    const found = await findLearningRate(model, [0], { optimizer, from, to, updates, smoothing, divergence });
    const expected = reference();
    expect(found.points.length).toBe(expected.points.length);
    expect(found.points.length).toBeLessThan(updates);
    found.points.forEach((point, i) => {
      for (const name of ["lr", "loss", "smoothLoss"] as const)
        expect(point[name] / expected.points[i]![name]).toBeCloseTo(1, 4);
    });
    expect(found.suggestion).toBeCloseTo(expected.suggestion, 10);
    expect(found.suggestion).toBeGreaterThan(0.01);
    expect(found.suggestion).toBeLessThan(1);
    expect([...model.w.toArray(), optimizer.lr, optimizer.updates]).toEqual([3, 0.125, 0]);
  });

  it("ends without an error where losses stop being finite, and has no suggestion where none falls", async () => {
    const model = new Bowl().init();
    const optimizer = new SGD(model, { lr: 0.5 });
    const { points } = await findLearningRate(model, [0], { optimizer, from: 1e18, to: 1e20, divergence: Infinity });
    expect(points.length).toBeLessThan(9);
    const loss = ({ w }: Bowl) => add(mul(mean(w), 0), 2);
    const flat = await findLearningRate(model, [0], { optimizer, loss, updates: 5 });
    expect(flat.points.map((point) => Number(point.smoothLoss.toFixed(6)))).toEqual([2, 2, 2, 2, 2]);
    expect([...model.w.toArray()]).toEqual([3]);
  });

  it("checks the range", async () => {
    const model = new Bowl().init();
    const optimizer = new SGD(model, { lr: 0.5 });
    for (const bad of [{ from: 0 }, { to: 1e-7 }, { updates: 1 }, { smoothing: 1 }, { divergence: 1 }]) {
      await expect(findLearningRate(model, [0], { optimizer, ...bad })).rejects.toThrow(Object.keys(bad)[0]!);
    }
  });
});
