import { describe, expect, it } from "vitest";
import { ArgumentError } from "../../ts/errors.js";
import { GRU } from "../../ts/nn/gru.js";
import { InitialState } from "../../ts/nn/initial-state.js";
import {
  byName,
  constant,
  forgetGateBias,
  gateBias,
  identityMatrix,
  kaimingNormal,
  kaimingUniform,
  truncatedNormal,
  uniform,
} from "../../ts/nn/initializers.js";
import { Linear } from "../../ts/nn/linear.js";
import { LSTM } from "../../ts/nn/lstm.js";
import { Module } from "../../ts/nn/module.js";
import { orthogonal } from "../../ts/nn/orthogonal.js";
import { RNN } from "../../ts/nn/rnn.js";
import { type Initializer, Parameter } from "../../ts/tensor/parameter.js";
import { gradients } from "../../ts/tensor/record.js";
import { sum } from "../../ts/tensor/reduce.js";
import { tensor } from "../../ts/tensor/tensor.js";
import { square } from "../../ts/tensor/unary.js";
import { Random } from "../reference/random.js";

class One extends Module {
  readonly item: Parameter;
  constructor(shape: number[], initializer: Initializer) {
    super();
    this.item = new Parameter(shape, initializer);
  }
}

function drawn(shape: number[], initializer: Initializer, seed = 3): Float32Array {
  return new One(shape, initializer).init({ seed }).item.toArray();
}

function deviation(values: Float32Array): number {
  return Math.sqrt(values.reduce((total, v) => total + v * v, 0) / values.length);
}

/** The greatest distance of the products of rows (or columns) from gain^2 times the identity. */
function distance(values: ArrayLike<number>, rows: number, columns: number, byRow: boolean, gain = 1): number {
  const [count, length] = byRow ? [rows, columns] : [columns, rows];
  const at = (i: number, k: number) => (byRow ? values[i * columns + k]! : values[k * columns + i]!);
  let worst = 0;
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < count; j++) {
      let dot = 0;
      for (let k = 0; k < length; k++) dot += at(i, k) * at(j, k);
      worst = Math.max(worst, Math.abs(dot - (i === j ? gain * gain : 0)));
    }
  }
  return worst;
}

describe("initializers", () => {
  it("of He keep the variance forward or back, for a slope", () => {
    // (200, 50): 50 inputs and 200 outputs.
    const within = (values: Float32Array, expected: number) =>
      expect(Math.abs(deviation(values) / expected - 1)).toBeLessThan(0.03);
    within(drawn([200, 50], kaimingNormal()), Math.sqrt(2 / 50));
    within(drawn([200, 50], kaimingNormal({ mode: "fanOut" })), Math.sqrt(2 / 200));
    within(drawn([200, 50], kaimingUniform({ slope: 2 })), Math.sqrt(2 / (5 * 50)));
    const bound = Math.sqrt(6 / 200);
    const uniformly = drawn([200, 50], kaimingUniform({ mode: "fanOut" }));
    expect(uniformly.every((v) => Math.abs(v) <= bound)).toBe(true);
    expect(Math.max(...uniformly)).toBeGreaterThan(0.99 * bound);
    expect(() => drawn([2, 3], kaimingNormal({ mode: "fan" as "fanIn" }))).toThrow(ArgumentError);
  });

  it("truncate a normal at two deviations", () => {
    const values = drawn([100, 100], truncatedNormal(1, 0.5));
    expect(values.every((v) => v >= 0 && v <= 2)).toBe(true);
    // The deviation of a unit normal cut at 2: sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)) = 0.8796.
    expect(deviation(values.map((v) => v - 1)) / 0.5).toBeCloseTo(0.8796, 2);
    expect(drawn([100, 100], truncatedNormal(1, 0.5))).toEqual(values);
    expect([...drawn([3], truncatedNormal(0.1, 0))]).toEqual(new Array(3).fill(Math.fround(0.1)));
  });

  it("make orthogonal matrices, square, tall and wide, and each gate by itself", () => {
    expect(distance(drawn([37, 37], orthogonal()), 37, 37, true)).toBeLessThan(1e-6);
    expect(distance(drawn([23, 7], orthogonal()), 23, 7, false)).toBeLessThan(1e-6);
    expect(distance(drawn([5, 11], orthogonal({ gain: 3 })), 5, 11, true, 3)).toBeLessThan(1e-5);
    expect([1, -1]).toContain(drawn([1, 1], orthogonal())[0]);
    for (const [layer, gates] of [
      [new RNN(3, 9), 1],
      [new LSTM(3, 9), 4],
      [new GRU(3, 9), 3],
    ] as const) {
      layer.init({ seed: 2, initializer: byName([[/weight_hh/, orthogonal()]]) });
      const values = layer["weight_hh_l0"]!.toArray();
      for (let gate = 0; gate < gates; gate++) {
        expect(distance(values.slice(gate * 81, (gate + 1) * 81), 9, 9, true)).toBeLessThan(1e-6);
      }
    }
    const blocks = drawn([12, 4], orthogonal({ blocks: 2 }));
    expect(distance(blocks.slice(24), 6, 4, false)).toBeLessThan(1e-6);
    expect(() => drawn([12, 4], orthogonal({ blocks: 5 }))).toThrow(/12 rows of item/);
    expect(() => drawn([12], orthogonal())).toThrow(/a matrix/);
  });

  it("give orthogonal matrices of either determinant by seed", () => {
    const determinants = Array.from({ length: 20 }, (_, seed) => {
      const [a, b, c, d] = drawn([2, 2], orthogonal(), seed) as unknown as [number, number, number, number];
      return a * d - b * c;
    });
    expect(determinants.every((value) => Math.abs(Math.abs(value) - 1) < 1e-6)).toBe(true);
    expect(new Set(determinants.map(Math.sign)).size).toBe(2);
  });

  it("make the identity, and a forget gate that remembers", () => {
    expect([...drawn([2, 3], identityMatrix(0.5))]).toEqual([0.5, 0, 0, 0, 0.5, 0]);
    expect([...drawn([8], forgetGateBias(2, constant(7)))]).toEqual([7, 7, 2, 2, 7, 7, 7, 7]);
    expect(() => drawn([7], forgetGateBias())).toThrow(/item/);
    const rising = gateBias(["a", "b", "c"], { b: 5, c: (unit, width) => unit / width }, constant(7));
    expect([...drawn([6], rising)]).toEqual([7, 7, 5, 5, 0, 0.5]);
    expect(Math.max(...drawn([300], gateBias(["a", "b", "c"], { b: -1 })))).toBeLessThanOrEqual(0.1);
    expect(() => gateBias(["a"], { b: 1 })).toThrow(/gateBias: values must be gates among a, got "b"/);
    expect(() => drawn([8], identityMatrix())).toThrow(ArgumentError);
  });

  it("are chosen by name, else a parameter has its own", () => {
    class Model extends Module {
      readonly rnn = new LSTM(2, 3);
      readonly head = new Linear(3, 4);
    }
    const own = new Model().init({ seed: 4 });
    const model = new Model().init({
      seed: 4,
      initializer: byName([
        [/bias_ih/g, forgetGateBias()],
        [(name, { shape }) => name.startsWith("rnn.") && shape.length === 1, constant(0)],
        [/^rnn\.weight_ih/, uniform(5, 6)],
      ]),
    });
    expect([...model.rnn["bias_ih_l0"]!.toArray()]).toEqual([0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
    expect([...model.rnn["bias_hh_l0"]!.toArray()]).toEqual(new Array(12).fill(0));
    expect(model.rnn["weight_ih_l0"]!.toArray().every((v) => v >= 5 && v < 6)).toBe(true);
    expect(model.rnn["weight_hh_l0"]!.toArray()).toEqual(own.rnn["weight_hh_l0"]!.toArray());
    expect(model.head.bias!.toArray()).toEqual(own.head.bias!.toArray());
    expect([...drawn([2], byName([[/other/, constant(1)]], constant(2)))]).toEqual([2, 2]);
    expect(() => drawn([2], byName([[/other/, constant(1)]]))).toThrow(/matches item/);
  });
});

describe("InitialState", () => {
  class Model extends Module {
    readonly rnn = new LSTM(2, 5, { numLayers: 2, bidirectional: true, projectionSize: 3 });
    readonly start = new InitialState(this.rnn, { initializer: uniform(-1, 1) });
  }

  it("is one state for every sequence, and names two parameters", () => {
    const model = new Model().init({ seed: 1 });
    const names = model.namedParameters().map(([name]) => name);
    expect(names.filter((name) => name.startsWith("start"))).toEqual(["start.h", "start.c"]);
    expect(names.length).toBe(20 + 2);
    const { h, c } = model.run((m) => m.start.forward(6));
    expect([h.shape, c.shape]).toEqual([
      [4, 6, 3],
      [4, 6, 5],
    ]);
    const own = model.start.h.toArray();
    h.data.forEach((value, i) => expect(value).toBe(own[Math.floor(i / 18) * 3 + (i % 3)]));
    expect(model.run((m) => m.start.forward()).c).toEqual({ data: model.start.c!.toArray(), shape: [4, 5] });
    expect(new InitialState(new GRU(2, 3)).c).toBe(null);
    expect(() => model.start.forward(-1)).toThrow(/batchSize/);
  });

  it("learns: its gradient is the sum over the batch of that of the state", () => {
    const model = new Model().init({ seed: 1 });
    const x = tensor(new Random(3).values(6 * 4 * 2), [6, 4, 2]);
    const { h, c } = model.run((m) => m.start.forward(6));
    const state = { h: tensor(h.data, h.shape), c: tensor(c.data, c.shape) };
    const direct = gradients(() => sum(square(model.rnn.forward(x, { state }).output)), {
      parameters: [state.h, state.c],
    }).grads;
    const { grads } = gradients(() => sum(square(model.rnn.forward(x, { state: model.start.forward(6) }).output)));
    for (const [parameter, given] of [
      [model.start.h, state.h],
      [model.start.c!, state.c],
    ] as const) {
      const width = parameter.shape[1]!;
      const expected = new Float64Array(parameter.size);
      direct.get(given)!.forEach((value, i) => {
        expected[Math.floor(i / (6 * width)) * width + (i % width)]! += value;
      });
      grads.get(parameter)!.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
    }
  });
});
