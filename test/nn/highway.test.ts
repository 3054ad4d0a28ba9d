/** Highway layers against Srivastava et al. 2015, written out in float64. */
import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";
import { checkOperation, draw, type Input } from "../tensor/reference.js";

const core = u.createCore();
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

const size = 5;
const lead = [3, 2];

/** y = H(x) T(x) + x C(x), layer by layer. */
function highway(x: readonly number[], layers: readonly (readonly number[])[][]): number[] {
  const rows = x.length / size;
  let value = [...x];
  for (const [wH, bH, wT, bT, wC, bC] of layers as number[][][]) {
    value = Array.from({ length: rows * size }, (_, at) => {
      const [row, j] = [Math.floor(at / size), at % size];
      const affine = (w: number[], b: number[]) =>
        w.slice(j * size, (j + 1) * size).reduce((total, v, k) => total + v * value[row * size + k]!, b[j]!);
      const T = sigmoid(affine(wT!, bT!));
      const C = wC === undefined ? 1 - T : sigmoid(affine(wC, bC!));
      return Math.tanh(affine(wH!, bH!)) * T + value[at]! * C;
    });
  }
  return value;
}

describe.each(["coupled", "separate"] as const)("a carry gate that is %s", (carry) => {
  it.each([1, 3])("equals the equations and their derivatives: %i layers", (numLayers) => {
    const model = new u.Highway(size, { numLayers, carry, activation: "tanh" }).init({ core });
    const parameters = model.parameters();
    const each = carry === "separate" ? 6 : 4;
    expect(parameters.length).toBe(each * numLayers);
    const inputs: Input[] = [draw([...lead, size], 1), ...parameters.map(({ shape }, i) => draw(shape, 2 + i))];
    checkOperation(
      core,
      (x, ...values) => {
        // Parameters are replaced by tensors that are differentiated like any other.
        values.forEach((value, i) => {
          const [, layer, part, name] = parameters[i]!.name.split(".") as [string, string, "gate", "weight"];
          (model.layers[Number(layer)]![part] as unknown as Record<string, u.Tensor>)[name] = value;
        });
        return model.forward(x);
      },
      (x, ...values) =>
        highway(
          x,
          Array.from({ length: numLayers }, (_, layer) => values.slice(layer * each, (layer + 1) * each)),
        ),
      inputs,
      [...lead, size],
    );
  });
});

it("carries inputs through at first when the gate's bias is low", () => {
  const model = new u.Highway(4, { numLayers: 6, gateBias: -30 }).init({ seed: 3, core });
  const x = draw([2, 4], 9).data;
  const y = model.run((m) => m.forward(u.tensor(x, [2, 4])));
  y.data.forEach((value, i) => expect(value).toBeCloseTo(x[i]!, 6));
});

it("checks its options", () => {
  expect(() => new u.Highway(0)).toThrow(/Highway: size/);
  expect(() => new u.Highway(3, { numLayers: 0 })).toThrow(/Highway: numLayers/);
  expect(() => new u.Highway(3, { activation: "exp" as u.ActivationName })).toThrow(/Highway: activation/);
  expect(() => new u.Highway(3, { carry: "none" as "coupled" })).toThrow(/Highway: carry must be "coupled"/);
});
