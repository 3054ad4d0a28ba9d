/** Sequences one after the other in one row, `resets` between them, are each a sequence of their own in every wiring. */
import { describe, expect, it } from "vitest";
import * as u from "../../../ts/index.js";
import { draw, expectClose } from "../../tensor/reference.js";

const core = u.createCore();
const [batch, steps, inputs] = [3, 6, 4];
/** First steps of the sequences of each row, and the row's length. */
const rows = [
  { starts: [0, 2, 3], length: 6 },
  { starts: [0], length: 5 },
  { starts: [0, 1, 4], length: 4 },
] as const;
const lengths = rows.map(({ length }) => length);

const lstm = (input: number, batchFirst: boolean, options: u.CompiledLayerOptions = {}) =>
  new u.CompiledLSTM(input, 6, { batchFirst, ...options });
const gru = (input: number, batchFirst: boolean, options: u.CompiledLayerOptions = {}) =>
  new u.CompiledGRU(input, 5, { batchFirst, ...options });

const wirings: readonly [string, (batchFirst: boolean) => u.SequenceModule][] = [
  ["a layer", (first) => gru(inputs, first)],
  ["a layer in both directions", (first) => gru(inputs, first, { bidirectional: true })],
  ["RecurrentStack", (first) => new u.RecurrentStack([lstm(inputs, first), gru(6, first)])],
  ["RecurrentStack with skips", (first) => new u.RecurrentStack([lstm(4, first), gru(10, first)], { skip: "dense" })],
  ["Backwards", (first) => new u.Backwards(lstm(inputs, first))],
  ["Backwards of both directions", (first) => new u.Backwards(gru(inputs, first, { bidirectional: true }))],
  ["Bidirectional", (first) => new u.Bidirectional(lstm(inputs, first), gru(inputs, first))],
  [
    "Bidirectional of stacks",
    (first) =>
      new u.Bidirectional(
        new u.RecurrentStack([lstm(inputs, first), gru(6, first)]),
        new u.RecurrentStack([gru(inputs, first), gru(5, first)]),
        { merge: "sum" },
      ),
  ],
];

const at = (row: number, t: number, batchFirst: boolean) => (batchFirst ? row * steps + t : t * batch + row);

function resetsOf(batchFirst: boolean): Float32Array {
  const resets = new Float32Array(batch * steps);
  rows.forEach(({ starts }, row) => {
    for (const t of starts) if (t > 0) resets[at(row, t, batchFirst)] = 1;
  });
  return resets;
}

describe.each(wirings)("%s", (_, make) => {
  it.each([true, false])("equals a run of each sequence, batch first: %s", (batchFirst) => {
    const module = make(batchFirst).init({ seed: 3, core, initializer: u.uniform(-0.6, 0.6) });
    const shape = batchFirst ? [batch, steps, inputs] : [steps, batch, inputs];
    const x = u.tensor(draw(shape, 1).data, shape, core);
    const { output } = module.run((m) => m.forward(x, { lengths, resets: resetsOf(batchFirst) }));
    const width = module.outputSize;
    const batchAxis = batchFirst ? 0 : 1;
    rows.forEach(({ starts, length }, row) => {
      starts.forEach((start, i) => {
        const end = Math.min(starts[i + 1] ?? length, length);
        if (end <= start) return;
        const own = module.run((m) => {
          const single = u.slice(u.slice(x, batchAxis, row, row + 1), 1 - batchAxis, start, end);
          return m.forward(single).output;
        });
        for (let t = start; t < end; t++) {
          const first = at(row, t, batchFirst) * width;
          const expected = [...own.data.slice((t - start) * width, (t - start + 1) * width)];
          expectClose(output.data.slice(first, first + width), expected, 1e-6, `row ${row}, step ${t}`);
        }
      });
    });
  });
});

it("holds a gate in every layer of a stack", () => {
  const module = new u.RecurrentStack([gru(inputs, true), gru(5, true)]).init({ seed: 3, core });
  const x = u.tensor(draw([batch, steps, inputs], 1).data, [batch, steps, inputs], core);
  const { output } = module.run((m) => m.forward(x, { force: { z: 1 } }));
  expect(output.data).toEqual(new Float32Array(batch * steps * 5));
});

it("holds gates below a context, a dilation and a skip across time; a context at every step goes with resets", () => {
  const x = u.tensor(draw([batch, steps, 2], 1).data, [batch, steps, 2], core);
  const force = { z: 1 };
  const zeros = new Float32Array(batch * steps * 5);
  const told = new u.Conditioned(gru(4, true), 2).init({ seed: 1, core });
  const leap = new u.Dilated(gru(2, true), 2).init({ seed: 1, core });
  const skip = new u.TimeSkip(gru(7, true), 2).init({ seed: 1, core });
  for (const module of [told, leap, skip]) {
    expect(module.run(() => module.forward(x, { force })).output.data).toEqual(zeros);
  }
  const context = u.tensor(draw([batch, 2], 2).data, [batch, 2], core);
  const resets = Float32Array.from({ length: batch * steps }, (_, i) => (i % steps === 2 ? 1 : 0));
  const whole = told.run((m) => m.forward(x, { context, resets }).output);
  const parts = told.run((m) =>
    u.concat(
      [[0, 2] as const, [2, steps] as const].map(
        ([from, to]) => m.forward(u.slice(x, 1, from, to), { context }).output,
      ),
      1,
    ),
  );
  expectClose(whole.data, [...parts.data], 1e-6, "output");
});

describe("what cannot take them says so", () => {
  const x = u.tensor(new Float32Array(batch * steps * inputs), [batch, steps, inputs], core);
  const resets = resetsOf(true);
  it.each([
    ["a fused layer of a stack", () => new u.RecurrentStack([lstm(inputs, true), new u.GRU(6, 5)]), "GRU"],
    ["a fused layer read backwards", () => new u.Bidirectional(gru(inputs, true), new u.LSTM(inputs, 5)), "LSTM"],
    ["Dilated", () => new u.Dilated(gru(inputs, true), 2), "Dilated"],
    ["TimeSkip", () => new u.TimeSkip(gru(inputs + 5, true), 2), "TimeSkip"],
    [
      "Conditioned at the first step",
      () => new u.Conditioned(gru(inputs + 2, true), 2, { at: "first" }),
      "Conditioned",
    ],
  ])("%s", (_, make, name) => {
    const module = (make() as u.SequenceModule).init({ core });
    const run = () => module.run((m) => m.forward(x, { resets }));
    expect(run).toThrow(u.ArgumentError);
    expect(run).toThrow(new RegExp(`${name}.*: resets must be left out`));
  });

  it("a gate that one layer has not, and resets of another size", () => {
    const stack = new u.RecurrentStack([gru(inputs, true), lstm(5, true)]).init({ core });
    expect(() => stack.run((m) => m.forward(x, { force: { z: 1 } }))).toThrow(u.ArgumentError);
    const both = new u.Bidirectional(gru(inputs, true), gru(inputs, true)).init({ core });
    expect(() => both.run((m) => m.forward(x, { resets: [1] }))).toThrow(u.ShapeError);
    const back = new u.Backwards(gru(inputs, true)).init({ core });
    expect(() => back.run((m) => m.forward(x, { resets: [1] }))).toThrow(u.ShapeError);
  });
});
