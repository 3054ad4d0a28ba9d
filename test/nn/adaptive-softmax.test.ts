import { describe, expect, it } from "vitest";
import { createCore } from "../../ts/core/core.js";
import { ArgumentError, ShapeError } from "../../ts/errors.js";
import { AdaptiveSoftmax } from "../../ts/nn/adaptive-softmax.js";
import { Ids } from "../../ts/tensor/ids.js";
import { gradients } from "../../ts/tensor/record.js";
import { sum } from "../../ts/tensor/reduce.js";
import { tensor, zeros } from "../../ts/tensor/tensor.js";
import { differences, draw, expectClose, type Input } from "../tensor/reference.js";

const core = createCore();
const [features, classes, cutoffs] = [9, 11, [3, 6]];
/** Rows of the weights: 3 classes and 2 clusters; 9 / 2 = 4 features for 3 classes; 9 / 4 = 2 for 5. */
const shapes = [[5, 9], [5], [4, 9], [3, 4], [2, 9], [5, 2]];

const product = (w: readonly number[], x: readonly number[]) =>
  Array.from({ length: w.length / x.length }, (_, r) => x.reduce((t, v, k) => t + v * w[r * x.length + k]!, 0));

function logSoftmax(logits: readonly number[]): number[] {
  const total = Math.log(logits.reduce((t, v) => t + Math.exp(v), 0));
  return logits.map((v) => v - total);
}

/** The logarithms of the probabilities of one row, as the paper writes them. */
function logProbabilities(x: readonly number[], weights: readonly (readonly number[])[]): number[] {
  const [head, bias, down1, up1, down2, up2] = weights as [number[], number[], number[], number[], number[], number[]];
  const first = logSoftmax(product(head, x).map((v, i) => v + bias[i]!));
  const cluster = (down: number[], up: number[], place: number) =>
    logSoftmax(product(up, product(down, x))).map((v) => v + first[place]!);
  return [...first.slice(0, 3), ...cluster(down1, up1, 3), ...cluster(down2, up2, 4)];
}

function head(): AdaptiveSoftmax {
  return new AdaptiveSoftmax(features, classes, { cutoffs, divValue: 2, headBias: true }).init({ seed: 1, core });
}

/** Fills the model and gives all inputs: x, then the weights. */
function inputs(model: AdaptiveSoftmax, rows: number): Input[] {
  const weights = shapes.map((shape, i) => draw(shape, 10 + i));
  model.parameters().forEach((parameter, i) => parameter.write(weights[i]!.data));
  return [draw([rows, features], 5), ...weights];
}

const rowsOf = (x: readonly number[]) =>
  Array.from({ length: x.length / features }, (_, r) => x.slice(r * features, (r + 1) * features));

describe("AdaptiveSoftmax", () => {
  it("has PyTorch's names and sizes", () => {
    const named = head().namedParameters();
    expect(named.map(([name]) => name)).toEqual([
      "head.weight",
      "head.bias",
      "tail.0.0.weight",
      "tail.0.1.weight",
      "tail.1.0.weight",
      "tail.1.1.weight",
    ]);
    expect(named.map(([, parameter]) => [...parameter.shape])).toEqual(shapes);
  });

  it("gives probabilities of all classes, exactly", () => {
    const model = head();
    const [x, ...weights] = inputs(model, 6) as [Input, ...Input[]];
    const { data, shape } = model.run((m) => m.forward(tensor([...x.data], [2, 3, features])));
    expect(shape).toEqual([2, 3, classes]);
    const values = weights.map((weight) => weight.data);
    expectClose(
      data,
      rowsOf(x.data).flatMap((row) => logProbabilities(row, values)),
      1e-5,
      "log probabilities",
    );
    for (let row = 0; row < 6; row++) {
      const total = data.slice(row * classes, (row + 1) * classes).reduce((t, v) => t + Math.exp(v), 0);
      expect(total).toBeCloseTo(1, 5);
    }
  });

  it.each([
    ["every cluster", [0, 10, 4, 2, 6, 3, 9]],
    ["ignored positions", [0, 10, -1, 2, -1, 3, 9]],
    ["frequent classes only", [0, 1, 2, 2, 1, 0, 1]],
    ["one cluster only", [7, 6, 8, 10, 9, 9, 6]],
  ])("has the gradients of the full softmax with %s", (_what, targets) => {
    const model = head();
    const all = inputs(model, targets.length);
    const x = tensor([...all[0]!.data], all[0]!.shape, core);
    const counted = targets.filter((target) => target >= 0).length;
    const losses = (given: readonly (readonly number[])[]) =>
      rowsOf(given[0]!).map((row, i) => (targets[i]! < 0 ? 0 : -logProbabilities(row, given.slice(1))[targets[i]!]!));
    const mean = (...given: number[][]) => [losses(given).reduce((a, b) => a + b, 0) / counted];
    const ids = new Ids(Int32Array.from(targets));
    const { loss, grads } = gradients(() => model.loss(x, ids, { ignoreIndex: -1 }), {
      parameters: [x, ...model.parameters()],
      core,
    });
    expectClose([loss], mean(...all.map((input) => [...input.data])), 1e-5, "loss");
    const expected = differences(mean, all, [1]);
    [x, ...model.parameters()].forEach((parameter, i) => {
      expectClose(grads.get(parameter)!, expected[i]!, 1e-4, `gradient of ${i}`);
    });
    const each = model.run((m) => m.loss(x, ids, { ignoreIndex: -1, reduction: "none" }));
    expectClose(each.data, losses(all.map((input) => input.data)), 1e-5, "losses");
    x.dispose();
  });

  it("sums, and takes any leading shape", () => {
    const model = head();
    const x = inputs(model, 6)[0]!;
    const made = (shape: number[]) => tensor([...x.data], shape, core);
    const targets = Int32Array.of(0, 10, 4, 2, 6, 3);
    const flat = model.run((m) => m.loss(made([6, features]), targets, { reduction: "none" }));
    const nested = model.run((m) => m.loss(made([2, 3, features]), new Ids(targets, [2, 3]), { reduction: "none" }));
    expect(nested).toEqual({ data: flat.data, shape: [2, 3] });
    const total = model.run((m) => sum(m.loss(made([6, features]), targets, { reduction: "sum" }))).data[0]!;
    expect(total).toBeCloseTo(
      flat.data.reduce((a, b) => a + b, 0),
      4,
    );
  });

  it("names what is wrong", () => {
    const make = (given: number[], divValue?: number) =>
      new AdaptiveSoftmax(4, 8, { cutoffs: given, ...(divValue === undefined ? {} : { divValue }) });
    for (const wrong of [[], [0], [3, 3], [5, 2], [8], [1.5]]) expect(() => make(wrong)).toThrow(/cutoffs/);
    expect(() => make([2, 4])).toThrow(/divValue/);
    expect(() => make([2], 0.5)).toThrow(ArgumentError);
    const model = make([2, 4], 2).init({ core });
    expect(() => model.run((m) => m.loss(zeros([2, 4]), Int32Array.of(1, 8)))).toThrow(/position 1/);
    expect(() => model.run((m) => m.loss(zeros([2, 4]), Int32Array.of(1)))).toThrow(ShapeError);
    expect(() => model.run((m) => m.forward(zeros([2, 3])))).toThrow(ShapeError);
  });
});
