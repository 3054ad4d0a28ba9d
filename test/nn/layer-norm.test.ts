import { describe, expect, it } from "vitest";
import { ArgumentError, ShapeError } from "../../ts/errors.js";
import { LayerNorm } from "../../ts/nn/layer-norm.js";
import { layerNorm } from "../../ts/tensor/layer-norm.js";
import { tensor, zeros } from "../../ts/tensor/tensor.js";

describe("LayerNorm", () => {
  it("has mean 0 and variance 1 before training, weight and bias by PyTorch's names", () => {
    const layer = new LayerNorm(4).init({ seed: 1 });
    expect(layer.namedParameters().map(([name]) => name)).toEqual(["weight", "bias"]);
    const { data } = layer.run((m) => m.forward(tensor([[1, 2, 3, 4]])));
    // Variance 5 / 4.
    [-1.5, -0.5, 0.5, 1.5].forEach((value, i) => expect(data[i]).toBeCloseTo(value / Math.sqrt(1.25 + 1e-5), 5));
    expect(new LayerNorm([2, 3], { bias: false }).namedParameters().map(([name]) => name)).toEqual(["weight"]);
    expect(new LayerNorm(3, { affine: false }).parameters()).toEqual([]);
  });

  it("gives its bias for equal values, and takes nothing", () => {
    const same = layerNorm(tensor([[3, 3]]), [2], { bias: tensor([1, 2]) });
    expect([...same.toArray()]).toEqual([1, 2]);
    expect(layerNorm(zeros([0, 2]), [2]).shape).toEqual([0, 2]);
  });

  it("names what is wrong", () => {
    const layer = new LayerNorm(3).init();
    expect(() => layer.forward(zeros([2, 4]))).toThrow(ShapeError);
    expect(() => layerNorm(zeros([2, 3]), [3], { weight: zeros([2]) })).toThrow(/weight/);
    expect(() => layerNorm(zeros([3]), [])).toThrow(ShapeError);
    expect(() => layerNorm(zeros([3]), [3], { epsilon: -1 })).toThrow(ArgumentError);
    expect(() => new LayerNorm(0)).toThrow(/normalizedShape/);
  });
});
