import { describe, expect, it } from "vitest";
import { createCore } from "../../ts/core/core.js";
import { GRU } from "../../ts/nn/gru.js";
import { LSTM } from "../../ts/nn/lstm.js";
import { RNN } from "../../ts/nn/rnn.js";
import { add, mul } from "../../ts/tensor/binary.js";
import type { Parameter } from "../../ts/tensor/parameter.js";
import { gradients } from "../../ts/tensor/record.js";
import { sum } from "../../ts/tensor/reduce.js";
import { ones, tensor } from "../../ts/tensor/tensor.js";
import { SGD } from "../../ts/train/sgd.js";
import { Random } from "../reference/random.js";
import { expectClose } from "../tensor/reference.js";

const core = createCore();
const [batch, steps, inputs, hidden, p] = [3, 5, 4, 11, 0.4];
const x = tensor(new Random(2).values(batch * steps * inputs), [batch, steps, inputs], core);
const cotangent = tensor(new Random(3).values(batch * steps * hidden), [batch, steps, hidden], core);

const kinds = { RNN, LSTM, GRU } as const;

/**
 * Which recurrent weights a recording keeps, seen from outside: with weights of 1, an input of zeros, no bias and a
 * state that is 1 in one unit, the next state of a linear net is that unit's column of the weights.
 */
function mask(context: { seed?: number; update?: number; part?: number }, size = 40): number[] {
  const layer = new RNN(1, size, { bias: false, weightDropout: 0.25, nonlinearity: "identity" }).init({ core });
  (layer["weight_hh_l0"] as Parameter).write(new Float32Array(size * size).fill(1));
  let kept: number[] = [];
  const states = new Float32Array(size * size);
  for (let k = 0; k < size; k++) states[k * size + k] = 1;
  gradients(
    () => {
      const zero = mul(ones([size, 1, 1], core), 0);
      const { output } = layer.forward(zero, { state: { h: tensor(states, [1, size, size], core) } });
      kept = [...output.toArray()];
      return sum(output);
    },
    { core, ...context },
  );
  return kept;
}

describe("weight dropout", () => {
  it.each(["RNN", "LSTM", "GRU"] as const)("is the layer with the weights that are left: %s", (name) => {
    const make = (weightDropout: number) => new kinds[name](inputs, hidden, { weightDropout }).init({ seed: 1, core });
    const [dropping, plain] = [make(p), make(0)];
    const context = { core, seed: 6, update: 2 };
    // Every element's factor, 0 or 1 / (1 - p), from the gradient: that of the product is that of the weight times it.
    const weight = dropping["weight_hh_l0"] as Parameter;
    const kept = plain["weight_hh_l0"] as Parameter;
    const loss = (layer: typeof plain) => sum(mul(layer.forward(x).output, cotangent));
    const { loss: value, grads } = gradients(() => loss(dropping), context);
    const slopes = grads.get(weight)!;
    const factors = Array.from(slopes, (slope) => (slope === 0 ? 0 : 1 / (1 - p)));
    const dropped = factors.filter((factor) => factor === 0).length;
    const count = factors.length;
    expect(Math.abs(dropped - p * count)).toBeLessThan(4 * Math.sqrt(count * p * (1 - p)));
    kept.write(weight.toArray().map((w, i) => w * factors[i]!));
    const expected = gradients(() => loss(plain), context);
    expect(value).toBeCloseTo(expected.loss, 5);
    expectClose(
      slopes,
      expected.grads.get(kept)!.map((slope, i) => slope * factors[i]!),
      1e-5,
      "weight_hh",
    );
    for (const field of ["weight_ih_l0", "bias_hh_l0"] as const) {
      expectClose(
        grads.get(dropping[field] as Parameter)!,
        expected.grads.get(plain[field] as Parameter)!,
        1e-5,
        field,
      );
    }
    // Evaluation has all weights.
    kept.write(weight.toArray());
    expect(dropping.run((m) => m.forward(x).output)).toEqual(plain.run((m) => m.forward(x).output));
  });

  it("has one mask in a recording, and another by seed, update and part", () => {
    const first = mask({ seed: 1 });
    expect(new Set(first)).toEqual(new Set([0, Math.fround(1 / 0.75)]));
    const dropped = first.filter((value) => value === 0).length;
    expect(Math.abs(dropped - 400)).toBeLessThan(4 * Math.sqrt(1600 * 0.25 * 0.75));
    expect(mask({ seed: 1 })).toEqual(first);
    for (const other of [{ seed: 2 }, { seed: 1, update: 1 }, { seed: 1, part: 1 }]) {
      expect(mask(other)).not.toEqual(first);
    }
  });

  it("is not disturbed by other forward passes before backward", () => {
    const layer = new GRU(inputs, hidden, { weightDropout: p, numLayers: 2, bidirectional: true }).init({
      seed: 1,
      core,
    });
    const loss = () => sum(layer.forward(x).output);
    const once = gradients(loss, { core, seed: 3 });
    const twice = gradients(
      () => {
        const first = loss();
        layer.run((m) => m.forward(x).output);
        return add(first, loss());
      },
      { core, seed: 3 },
    );
    for (const [parameter, slopes] of once.grads) {
      expectClose(
        twice.grads.get(parameter)!,
        slopes.map((slope) => 2 * slope),
        1e-5,
        "gradient",
      );
    }
  });

  it("takes no more memory from update to update, and frees it", () => {
    const before = core.raw.ur_persistent_bytes();
    const layer = new LSTM(inputs, hidden, { weightDropout: p }).init({ seed: 1, core });
    const optimizer = new SGD(layer, { lr: 0.01 });
    const update = () => optimizer.update(() => sum(layer.forward(x).output));
    update();
    const held = core.raw.ur_persistent_bytes();
    for (let i = 0; i < 5; i++) update();
    expect(core.raw.ur_persistent_bytes()).toBe(held);
    layer.dispose();
    optimizer.dispose();
    expect(core.raw.ur_persistent_bytes()).toBe(before);
    expect(() => new LSTM(2, 3, { weightDropout: 2 })).toThrow(/weightDropout/);
  });
});
