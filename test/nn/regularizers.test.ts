import { describe, expect, it } from "vitest";
import { createCore } from "../../ts/core/core.js";
import { ArgumentError, ShapeError } from "../../ts/errors.js";
import { Embedding } from "../../ts/nn/embedding.js";
import { GRUCell } from "../../ts/nn/gru.js";
import { LockedDropout } from "../../ts/nn/locked-dropout.js";
import { activationPenalty, temporalActivationPenalty } from "../../ts/nn/losses/activation-penalties.js";
import { LSTM, LSTMCell } from "../../ts/nn/lstm.js";
import { RNN } from "../../ts/nn/rnn.js";
import { Zoneout } from "../../ts/nn/zoneout.js";
import { add, mul } from "../../ts/tensor/binary.js";
import { Ids } from "../../ts/tensor/ids.js";
import { gradients } from "../../ts/tensor/record.js";
import { sum } from "../../ts/tensor/reduce.js";
import { full, ones, type Tensor, tensor, zeros } from "../../ts/tensor/tensor.js";
import { Random } from "../reference/random.js";
import { checkOperation, draw, expectClose } from "../tensor/reference.js";

const core = createCore();

/** What a function gives while training. */
function training(fn: () => Tensor, context: { seed?: number; update?: number } = {}): Float32Array {
  let values: Float32Array = new Float32Array();
  gradients(
    () => {
      const y = fn();
      values = y.toArray();
      return sum(y);
    },
    { core, ...context },
  );
  return values;
}

describe("lockedDropout of recurrent layers", () => {
  it.each([true, false])("keeps one mask over time between layers: %s", (lockedDropout) => {
    const [batch, steps, hidden] = [3, 6, 20];
    const options = { numLayers: 2, dropout: 0.4, lockedDropout, bias: false, nonlinearity: "identity" } as const;
    const layers = new RNN(1, hidden, options).init({ core });
    // Each step apart: the first layer gives 1 everywhere, the second what is left of it.
    const identity = Float32Array.from({ length: hidden * hidden }, (_, i) => (i % (hidden + 1) === 0 ? 1 : 0));
    layers["weight_ih_l0"]?.write(new Float32Array(hidden).fill(1));
    layers["weight_ih_l1"]?.write(identity);
    for (const name of ["weight_hh_l0", "weight_hh_l1"] as const) layers[name]?.write(identity.map(() => 0));
    const values = training(() => layers.forward(ones([batch, steps, 1], core)).output);
    const row = (b: number, t: number) => values.slice((b * steps + t) * hidden, (b * steps + t + 1) * hidden).join();
    const masks = Array.from({ length: batch }, (_, b) => new Set(Array.from({ length: steps }, (_, t) => row(b, t))));
    expect([...new Set(values)].sort()).toEqual([0, Math.fround(1 / 0.6)]);
    for (const mask of masks) expect(mask.size).toBe(lockedDropout ? 1 : steps);
    expect(new Set(masks.flatMap((mask) => [...mask])).size).toBe(lockedDropout ? batch : batch * steps);
  });
});

describe("LockedDropout", () => {
  const [batch, steps, hidden] = [7, 3, 200];

  it.each([
    ["batch first", true, [batch, steps, hidden], (b: number, t: number, k: number) => (b * steps + t) * hidden + k],
    ["time first", false, [steps, batch, hidden], (b: number, t: number, k: number) => (t * batch + b) * hidden + k],
  ])("keeps one mask over time, another for each sequence: %s", (_name, batchFirst, shape, at) => {
    const layer = new LockedDropout(0.25, { batchFirst }).init({ core });
    const forward = () => layer.forward(ones(shape, core));
    const values = training(forward, { seed: 3 });
    let dropped = 0;
    for (let b = 0; b < batch; b++) {
      for (let k = 0; k < hidden; k++) {
        const value = values[at(b, 0, k)]!;
        expect([0, Math.fround(1 / 0.75)]).toContain(value);
        for (let t = 1; t < steps; t++) expect(values[at(b, t, k)]).toBe(value);
        if (value === 0) dropped++;
      }
    }
    // Four deviations of a binomial count.
    const draws = batch * hidden;
    expect(Math.abs(dropped - draws / 4)).toBeLessThan(4 * Math.sqrt((draws * 3) / 16));
    expect(training(forward, { seed: 3 })).toEqual(values);
    expect(training(forward, { seed: 3, update: 1 })).not.toEqual(values);
    expect(layer.run((m) => m.forward(ones(shape, core))).data.every((v) => v === 1)).toBe(true);
  });

  it("multiplies gradients by the mask, takes one sequence, and names what is wrong", () => {
    const layer = new LockedDropout().init({ core });
    const x = ones([4, 30], core);
    let values: Float32Array = new Float32Array();
    const { grads } = gradients(
      () => {
        const y = layer.forward(x);
        values = y.toArray();
        return sum(y);
      },
      { parameters: [x], core },
    );
    expect(grads.get(x)).toEqual(values);
    expect(new Set(values)).toEqual(new Set([0, 2]));
    expect(() => new LockedDropout(1.5)).toThrow(ArgumentError);
    expect(() => layer.run((m) => m.forward(ones([3], core)))).toThrow(ShapeError);
  });
});

describe("Embedding with dropout", () => {
  it("drops ids, wherever they occur", () => {
    const layer = new Embedding(50, 3, {
      dropout: 0.5,
      initializer: ({ core: c, pointer, size }) => c.raw.ur_fill(pointer, size, 1),
    });
    layer.init({ core });
    const ids = new Ids(
      Int32Array.from({ length: 100 }, (_, i) => i % 50),
      [2, 50],
    );
    const values = training(() => layer.forward(ids));
    const rows = Array.from({ length: 100 }, (_, i) => values.slice(i * 3, i * 3 + 3).join());
    expect(new Set(rows)).toEqual(new Set(["0,0,0", "2,2,2"]));
    for (let i = 0; i < 50; i++) expect(rows[i + 50]).toBe(rows[i]);
    expect(layer.run((m) => m.forward(ids)).data.every((v) => v === 1)).toBe(true);
    const { grads } = gradients(() => sum(layer.forward(ids)), { core });
    grads.get(layer.weight)!.forEach((slope, i) => expect(slope).toBe(2 * values[i]!));
    expect(() => new Embedding(3, 2, { dropout: -1 })).toThrow(/dropout/);
  });
});

describe("Zoneout", () => {
  const [batch, steps, inputs, hidden] = [3, 5, 2, 40];

  it("is the layer itself without probability", () => {
    const layer = new LSTM(inputs, hidden).init({ seed: 1, core });
    const zoneout = new Zoneout(new LSTMCell(inputs, hidden), { h: 0, c: 0 }).init({ core });
    const names = zoneout.namedParameters().map(([name]) => name);
    expect(names).toEqual(["cell.weight_ih", "cell.weight_hh", "cell.bias_ih", "cell.bias_hh"]);
    layer.parameters().forEach((parameter, i) => zoneout.parameters()[i]!.write(parameter.toArray()));
    const x = tensor(new Random(2).values(batch * steps * inputs), [batch, steps, inputs], core);
    const expected = layer.run((m) => m.forward(x));
    const { output, state } = zoneout.run((m) => m.forwardSequence(x));
    expectClose(output.data, expected.output.data, 1e-6, "output");
    expectClose(state.h.data, expected.state.h.data, 1e-6, "h");
    expectClose(state.c.data, expected.state.c.data, 1e-6, "c");
  });

  it("keeps or moves every unit while training, and does both in proportion otherwise", () => {
    const zoneout = new Zoneout(new LSTMCell(inputs, hidden), { h: 0.25, c: 0.6 }).init({ seed: 1, core });
    const x = tensor(new Random(2).values(batch * inputs), [batch, inputs], core);
    const state = () => ({ h: full([batch, hidden], 0.5, core), c: full([batch, hidden], -0.5, core) });
    const plain = zoneout.run((m) => m.cell.forward(x, state()));
    const expected = zoneout.run((m) => m.forward(x, state()));
    plain.h.data.forEach((value, i) => expect(expected.h.data[i]).toBeCloseTo(0.75 * value + 0.25 * 0.5, 6));
    plain.c.data.forEach((value, i) => expect(expected.c.data[i]).toBeCloseTo(0.4 * value - 0.6 * 0.5, 6));
    for (const [name, kept, p] of [
      ["h", 0.5, 0.25],
      ["c", -0.5, 0.6],
    ] as const) {
      const values = training(() => zoneout.forward(x, state())[name]);
      let count = 0;
      values.forEach((value, i) => {
        expect([kept, plain[name].data[i]]).toContain(value);
        if (value === kept) count++;
      });
      const draws = batch * hidden;
      expect(Math.abs(count - draws * p)).toBeLessThan(4 * Math.sqrt(draws * p * (1 - p)));
    }
  });

  it("draws anew for every step, and its gradient goes the way of the values", () => {
    const zoneout = new Zoneout(new GRUCell(inputs, hidden), { h: 0.5 }).init({ seed: 1, core });
    const x = zeros([1, 4, inputs], core);
    const h = full([1, hidden], 2, core);
    const moved: string[] = [];
    const { grads } = gradients(
      () => {
        const first = zoneout.forward(zeros([1, inputs], core), { h });
        const second = zoneout.forward(zeros([1, inputs], core), { h });
        for (const state of [first, second]) {
          moved.push([...state.h.toArray()].map((v) => (v === 2 ? 1 : 0)).join(""));
        }
        return sum(first.h);
      },
      { parameters: [h], core },
    );
    expect(moved[0]).not.toBe(moved[1]);
    const direct = gradients(
      () => {
        const mask = tensor([...moved[0]!].map(Number), [1, hidden], core);
        const next = zoneout.cell.forward(zeros([1, inputs], core), { h }).h;
        const rest = tensor(
          [...moved[0]!].map((kept) => 1 - Number(kept)),
          [1, hidden],
          core,
        );
        return sum(add(mul(mask, h), mul(rest, next)));
      },
      { parameters: [h], core },
    ).grads;
    expectClose(grads.get(h)!, direct.get(h)!, 1e-6, "gradient");
    expect(() => zoneout.run((m) => m.forwardSequence(zeros([1, 4, 3], core)))).toThrow(ShapeError);
    expect(zoneout.run((m) => m.forwardSequence(x)).output.shape).toEqual([1, 4, hidden]);
    expect(() => new Zoneout(new GRUCell(1, 2), { h: 2 })).toThrow(ArgumentError);
  });
});

describe("activation penalties", () => {
  const x = draw([3, 4, 5], 1);
  const at = (values: readonly number[], b: number, t: number, k: number) => values[(b * 4 + t) * 5 + k]!;

  it("are the means that the paper has", () => {
    checkOperation(
      core,
      (h) => activationPenalty(h, 3),
      (h) => [(3 * h.reduce((t, v) => t + v * v, 0)) / 60],
      [x],
      [],
    );
    const changes = (h: readonly number[]) => {
      let total = 0;
      for (let b = 0; b < 3; b++) {
        for (let t = 1; t < 4; t++) for (let k = 0; k < 5; k++) total += (at(h, b, t, k) - at(h, b, t - 1, k)) ** 2;
      }
      return [(2 * total) / (3 * 3 * 5)];
    };
    checkOperation(core, (h) => temporalActivationPenalty(h, 2), changes, [x], []);
    checkOperation(
      core,
      (h) => temporalActivationPenalty(h, 2, { batchFirst: false }),
      (h) => {
        let total = 0;
        for (let i = 20; i < 60; i++) total += (h[i]! - h[i - 20]!) ** 2;
        return [(2 * total) / 40];
      },
      [x],
      [],
    );
  });

  it("are 0 for a single step, and name what is wrong", () => {
    expect(temporalActivationPenalty(ones([2, 1, 3], core)).item()).toBe(0);
    expect(() => activationPenalty(ones([2], core), -1)).toThrow(/alpha/);
    expect(() => temporalActivationPenalty(ones([2], core))).toThrow(ShapeError);
  });
});
