/** Dropout within the recurrence: zoneout, of the output that matrices multiply, of gates. */
import { describe, expect, it } from "vitest";
import * as u from "../../../ts/index.js";
import { draw, expectClose } from "../../tensor/reference.js";
import { expectSame, results, sameParameters } from "./compare.js";

const core = u.createCore();
const [batch, steps, inputs, hidden] = [3, 5, 4, 6];
const shape = [batch, steps, inputs];

const all = { zoneout: { h: 0.3 }, recurrentDropout: 0.4 };
const cases: readonly [string, u.CompiledClass<string>, u.CompiledLayerOptions, Parameters<typeof results>[2]][] = [
  ["zoneout of an LSTM", u.CompiledLSTM, { zoneout: { h: 0.3, c: 0.6 } }, {}],
  ["zoneout of one state", u.CompiledLSTM, { zoneout: { c: 0.6 } }, {}],
  ["dropout of the output", u.CompiledLSTM, { recurrentDropout: 0.4 }, {}],
  ["of a projected output", u.CompiledProjectedLSTM, { ...all, projectionSize: 5 }, {}],
  ["of a product with the output", u.GRUResetBefore, all, {}],
  ["of every layer of a highway", u.RecurrentHighway, all, {}],
  ["of normalised gates", u.LayerNormLSTM, all, {}],
  ["of a state that another reads", u.Jordan, { recurrentDropout: 0.4, outputSize: 5 }, {}],
  ["dropout of a gate", u.CompiledLSTM, { gateDropout: { g: 0.5 } }, {}],
  ["of gates, one within the other", u.CompiledGRU, { gateDropout: { r: 0.2, n: 0.5 } }, {}],
  ["with peepholes", u.PeepholeLSTM, { ...all, gateDropout: { i: 0.1, g: 0.5 } }, {}],
  ["without a state", u.CompiledGRU, all, { state: false }],
  ["in both directions, with lengths", u.CompiledGRU, { ...all, bidirectional: true }, { lengths: [5, 0, 3] }],
  ["time first", u.CompiledGRU, { ...all, gateDropout: { n: 0.5 }, batchFirst: false }, { lengths: [3, 1, 0, 2, 3] }],
  ["recomputed", u.CompiledLSTM, { ...all, gateDropout: { g: 0.5 }, recompute: 2 }, { lengths: [5, 1, 4] }],
  ["with resets", u.CompiledGRU, all, { forward: { resets: [0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1] } }],
  ["with a gate held", u.CompiledLSTM, { ...all, gateDropout: { g: 0.5 } }, { forward: { force: { f: 1 } } }],
  ["with dropped weights", u.CompiledLSTM, { ...all, weightDropout: 0.3, numLayers: 2, dropout: 0.2 }, {}],
];

it.each(cases)("equals the equations on the tape: %s", (_, Layer, options, problem) => {
  const [compiled, reference] = [false, true].map((tape) => new Layer(inputs, hidden, { ...options, reference: tape }));
  sameParameters(compiled as u.Module, reference as u.Module, core);
  expectSame(results(compiled, shape, problem), results(reference, shape, problem), 5e-6);
});

/** The last states of a layer while training, as plain arrays, and what `of` makes of the result. */
function trained(layer: u.CompiledLayer<string>, x: u.Tensor, options: object, context: object = {}) {
  let found: Record<string, Float32Array> = {};
  u.gradients(
    () => {
      const { output, state } = layer.forward(x, options);
      found = Object.fromEntries(Object.entries({ ...state, output }).map(([name, value]) => [name, value.toArray()]));
      return u.sum(output);
    },
    { core, ...context },
  );
  return found;
}

describe("zoneout", () => {
  const zoneout = { h: 0.3, c: 0.6 };
  const layer = new u.CompiledLSTM(inputs, hidden, { zoneout }).init({ seed: 3, core });
  const cell = new u.LSTMCell(inputs, hidden);
  cell.loadStateDict(new Map([...layer.stateDict()].map(([name, value]) => [name.replace("_l0", ""), value])), {
    core,
  });
  const x = u.tensor(draw(shape, 1).data, shape, core);
  const start = { h: draw([1, batch, hidden], 2), c: draw([1, batch, hidden], 3) };
  const startOf = () => ({ h: u.tensor(start.h.data, start.h.shape), c: u.tensor(start.c.data, start.c.shape) });

  it("is the Zoneout of a cell when not training", () => {
    const whole = layer.run((m) => m.forward(x, { state: startOf() }));
    const stepped = new u.Zoneout(cell, zoneout).run((m) => {
      const { h, c } = startOf();
      return m.forwardSequence(x, { state: { h: u.reshape(h, [batch, hidden]), c: u.reshape(c, [batch, hidden]) } });
    });
    expectClose(whole.output.data, [...stepped.output.data], 1e-6, "output");
    expectClose(whole.state.c.data, [...stepped.state.c.data], 1e-6, "c");
  });

  it("is h' and c' of the cell where units move, while training, with the gradients of that", () => {
    // The states after t steps of the same masks: where one equals that before, bit for bit, the unit was kept.
    const states = Array.from({ length: steps + 1 }, (_, t) =>
      u.runScope(core, () => trained(layer, x, { state: startOf(), lengths: Array(batch).fill(t) })),
    );
    const moved = (name: "h" | "c", t: number) =>
      states[t + 1]?.[name]?.map((value, i) => (value === states[t]?.[name]?.[i] ? 0 : 1)) as Float32Array;
    const kept = { h: 0, c: 0 };
    const weights = layer.parameters();
    const leaf = u.tensor(x.toArray(), shape, core);
    const gradientsOf = (forward: () => u.Tensor, parameters: readonly u.Tensor[]) => {
      const values: number[] = [];
      const loss = () => {
        const output = forward();
        values.push(...output.toArray());
        return u.sum(u.square(output));
      };
      const { grads } = u.gradients(loss, { core, parameters });
      return [values, ...parameters.map((parameter) => [...(grads.get(parameter) as Float32Array)])];
    };
    const actual = gradientsOf(() => layer.forward(leaf, { state: startOf() }).output, [leaf, ...weights]);
    const expected = gradientsOf(() => {
      const { h, c } = startOf();
      let state = { h: u.reshape(h, [batch, hidden]), c: u.reshape(c, [batch, hidden]) };
      const outputs: u.Tensor[] = [];
      for (let t = 0; t < steps; t++) {
        const next = cell.forward(u.select(leaf, 1, t), state);
        const mix = (name: "h" | "c") => {
          const moves = moved(name, t);
          kept[name] += moves.filter((move) => move === 0).length;
          const m = u.tensor(moves, [batch, hidden]);
          return u.add(u.mul(next[name], m), u.mul(state[name], u.sub(1, m)));
        };
        state = { h: mix("h"), c: mix("c") };
        outputs.push(state.h);
      }
      return u.stack(outputs, 1);
    }, [leaf, ...cell.parameters()]);
    actual.forEach((values, i) => {
      expectClose(values, expected[i] as number[], 2e-6, i === 0 ? "output" : `gradient ${i}`);
    });
    const draws = batch * steps * hidden;
    for (const name of ["h", "c"] as const) {
      const p = zoneout[name];
      expect(Math.abs(kept[name] - draws * p)).toBeLessThan(4 * Math.sqrt(draws * p * (1 - p)));
    }
  });

  it("draws by seed, update and call", () => {
    const once = (context: object) => trained(layer, x, {}, context)["output"];
    expect(once({ seed: 1, update: 2 })).toEqual(once({ seed: 1, update: 2 }));
    expect(once({ seed: 1, update: 2 })).not.toEqual(once({ seed: 1, update: 3 }));
    expect(once({ seed: 1, update: 2 })).not.toEqual(once({ seed: 2, update: 2 }));
    u.gradients(
      () => {
        const [first, second] = [layer.forward(x).output, layer.forward(x).output];
        expect(first.toArray()).not.toEqual(second.toArray());
        return u.sum(u.add(first, second));
      },
      { core },
    );
  });
});

describe("dropout of the output before the step", () => {
  const p = 0.4;
  const width = 40;

  it("has one mask for all steps and one for each row", () => {
    const Power = u.defineCell({ name: "Power", state: ["h"], step: ({ x, h }, { gate }) => ({ h: gate("h", x, h) }) });
    const layer = new Power(1, width, { recurrentDropout: p, bias: false }).init({ core });
    layer["weight_ih_l0"]?.write(new Float32Array(width));
    const identity = Float32Array.from({ length: width * width }, (_, i) => (i % (width + 1) === 0 ? 1 : 0));
    layer["weight_hh_l0"]?.write(identity);
    const x = u.tensor(new Float32Array(batch * steps), [batch, steps, 1], core);
    const start = u.tensor(new Float32Array(batch * width).fill(1), [1, batch, width], core);
    const { h } = trained(layer, x, { state: { h: start } }) as { h: Float32Array };
    const expected = (1 / (1 - p)) ** steps;
    const rows = Array.from({ length: batch }, (_, b) => h.slice(b * width, (b + 1) * width));
    for (const value of h) if (value !== 0) expect(Math.abs(value / expected - 1)).toBeLessThan(1e-5);
    const zeros = h.filter((value) => value === 0).length;
    expect(Math.abs(zeros - h.length * p)).toBeLessThan(4 * Math.sqrt(h.length * p * (1 - p)));
    expect(new Set(rows.map((row) => row.join())).size).toBe(batch);
    expect(layer.run((m) => m.forward(x, { state: { h: start } })).state.h.data).toEqual(start.toArray());
  });

  it("takes nothing from what is carried on without a matrix", () => {
    const layer = new u.CompiledGRU(inputs, hidden, { recurrentDropout: p, initializer: u.constant(0) }).init({ core });
    const start = u.tensor(new Float32Array(batch * hidden).fill(1), [1, batch, hidden], core);
    const x = u.tensor(new Float32Array(batch * steps * inputs), shape, core);
    // z = 1/2, n = 0.
    const expected = new Float32Array(batch * hidden).fill(0.5 ** steps);
    expect(trained(layer, x, { state: { h: start } })["h"]).toEqual(expected);
  });
});

describe("dropout of a gate", () => {
  it("draws anew at every step, and loses nothing of the memory", () => {
    const [p, width] = [0.25, 40];
    const layer = new u.CompiledLSTM(1, width, { gateDropout: { g: p }, initializer: u.constant(0) }).init({ core });
    layer["bias_ih_l0"]?.write(Float32Array.from({ length: 4 * width }, (_, i) => (i >= 2 * width ? 0.5 : 0)));
    const x = u.tensor(new Float32Array(batch * steps), [batch, steps, 1], core);
    const one = Math.tanh(0.5) / (1 - p);
    const { c } = trained(layer, x, { force: { i: 1, f: 1 } }) as { c: Float32Array };
    const counts = [...c].map((value) => value / one);
    for (const count of counts) expect(Math.abs(count - Math.round(count))).toBeLessThan(1e-5);
    expect(new Set(counts.map(Math.round)).size).toBeGreaterThan(2);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const draws = c.length * steps;
    expect(Math.abs(total - draws * (1 - p))).toBeLessThan(4 * Math.sqrt(draws * p * (1 - p)));
    const plain = layer.run((m) => m.forward(x, { force: { i: 1, f: 1 } })).state.c.data;
    expectClose(plain, Array(c.length).fill(steps * Math.tanh(0.5)), 1e-6, "c");
  });
});

it("keeps no memory from call to call", () => {
  const options = { ...all, gateDropout: { n: 0.5 } };
  const layer = new u.CompiledGRU(inputs, hidden, options).init({ core });
  const used = () => {
    results(layer, shape);
    return [core.arenaCapacity, core.persistentBytes];
  };
  used();
  const before = used();
  for (let i = 0; i < 5; i++) used();
  expect(used()).toEqual(before);
});

it.each([
  [u.CompiledLSTM, { zoneout: { k: 0.1 } }, "CompiledLSTM: zoneout must be probabilities by h, c"],
  [u.CompiledLSTM, { zoneout: { h: 1.5 } }, "CompiledLSTM: zoneout.h must be a number from 0 to 1"],
  [u.CompiledGRU, { recurrentDropout: -1 }, "CompiledGRU: recurrentDropout must be a number from 0 to 1"],
  [u.MinGRU, { recurrentDropout: 0.1 }, "MinGRU: recurrentDropout must be 0: no matrix multiplies h"],
  [u.CompiledGRU, { gateDropout: { g: 0.1 } }, "CompiledGRU: gateDropout must be an object of numbers by gates"],
] as const)("rejects what the cell has not: %#", (Layer, options, message) => {
  const build = () => new (Layer as u.CompiledClass<string>)(inputs, hidden, options as u.CompiledLayerOptions);
  expect(build).toThrow(u.ArgumentError);
  expect(build).toThrow(message);
});
