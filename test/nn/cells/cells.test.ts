/** Every recurrent cell: its equations and their derivatives, sequences in pieces, rows of any length, files. */
import { describe, expect, it } from "vitest";
import * as u from "../../../ts/index.js";
import { draw, expectClose } from "../../tensor/reference.js";
import { type AnyLayer, catalogue, type LayerClass } from "./catalogue.js";
import { drawState, equationErrors, furtherSizes, makeLayer } from "./check.js";

const core = u.createCore();

/** Output and states as plain arrays, of rows and steps of x. */
function run(layer: AnyLayer, x: u.Tensor, state?: Record<string, u.Tensor>, lengths?: readonly number[]) {
  return layer.run(() => layer.forward(x, { state, lengths })) as {
    output: u.PlainTensor;
    state: Record<string, u.PlainTensor>;
  };
}

const tensorsOf = (state: Record<string, { data: ArrayLike<number>; shape: readonly number[] }>) =>
  Object.fromEntries(
    Object.entries(state).map(([name, { data, shape }]) => [name, u.tensor(Float32Array.from(data), shape, core)]),
  );

/** Rows or steps of a plain tensor (B, T, W). */
function part({ data, shape }: u.PlainTensor, rows: [number, number], steps: [number, number]): number[] {
  const [, length, width] = shape as [number, number, number];
  const found: number[] = [];
  for (let b = rows[0]; b < rows[1]; b++) {
    found.push(...data.slice((b * length + steps[0]) * width, (b * length + steps[1]) * width));
  }
  return found;
}

describe.each(catalogue.map((entry) => [entry.name, entry] as const))("%s", (_name, entry) => {
  it("equals its equations and their derivatives", () => {
    const { values, gradients, of } = equationErrors(entry, core);
    // Float32 has 6e-8; a few dozen roundings and functions good to 3e-7 lie on the way, twice as many going back.
    expect(values).toBeLessThan(2e-6);
    expect(gradients, `gradient of ${of}`).toBeLessThan(3e-6);
  });

  it("gives the same for a sequence in pieces as for the whole", () => {
    const layer = makeLayer(entry, core);
    const [batch, steps, cut] = [2, 7, 3];
    const x = draw([batch, steps, layer.inputSize], 4);
    const start = tensorsOf(drawState(entry, layer, batch));
    const values = u.tensor(x.data, x.shape, core);
    const whole = run(layer, values, start);
    const first = run(layer, pieceOf(values, 0, cut), start);
    const second = run(layer, pieceOf(values, cut, steps), tensorsOf(first.state));
    expect(part(first.output, [0, batch], [0, cut])).toEqual(part(whole.output, [0, batch], [0, cut]));
    expect(part(second.output, [0, batch], [0, steps - cut])).toEqual(part(whole.output, [0, batch], [cut, steps]));
    expect(second.state).toEqual(whole.state);
  });

  it("gives rows of any length what each gives by itself, in both directions", () => {
    const layer = makeLayer(entry, core, { bidirectional: true });
    const lengths = [2, 0, 5, 1];
    const [batch, steps] = [lengths.length, 5];
    const x = u.tensor(draw([batch, steps, layer.inputSize], 5).data, [batch, steps, layer.inputSize], core);
    const single = drawState(entry, layer, 2 * batch);
    const start = tensorsOf(
      Object.fromEntries(
        Object.entries(single).map(([name, { data, shape }]) => [
          name,
          { data, shape: [2, batch, shape[2] as number] },
        ]),
      ),
    );
    const all = run(layer, x, start, lengths);
    lengths.forEach((length, row) => {
      const own = (state: u.Tensor | undefined) => u.slice(state as u.Tensor, 1, row, row + 1);
      const alone = layer.run(() => {
        const state = Object.fromEntries(Object.keys(start).map((name) => [name, own(start[name])]));
        return layer.forward(u.slice(u.slice(x, 0, row, row + 1), 1, 0, length), { state });
      }) as typeof all;
      const width = all.output.shape[2] as number;
      expectClose(part(all.output, [row, row + 1], [0, length]), [...alone.output.data], 1e-6, `row ${row}`);
      expect(part(all.output, [row, row + 1], [length, steps])).toEqual(new Array((steps - length) * width).fill(0));
      for (const [name, { data, shape }] of Object.entries(alone.state)) {
        const size = shape[2] as number;
        for (const direction of [0, 1]) {
          const at = (direction * batch + row) * size;
          const own = data.slice(direction * size, (direction + 1) * size);
          expectClose(all.state[name]!.data.slice(at, at + size), own, 1e-6, `${name} of row ${row}`);
        }
      }
    });
  });

  it("has a class of one step, if it is compiled", () => {
    const layer = makeLayer(entry, core);
    const { Cell } = layer.constructor as unknown as { Cell?: LayerClass };
    if (Cell === undefined) {
      expect(["RNN", "IRNN", "LSTM", "GRU"]).toContain(layer.constructor.name);
      return;
    }
    const cell = new Cell(layer.inputSize, layer.hiddenSize, furtherSizes(entry)) as u.RecurrentCell<u.RecurrentState>;
    const bare = new Map([...layer.stateDict()].map(([name, value]) => [name.replace(/_l0$/, ""), value]));
    cell.loadStateDict(bare, { core });
    const x = draw([2, layer.inputSize], 7);
    const state = drawState(entry, layer, 2);
    const once = run(layer, u.tensor(x.data, [2, 1, layer.inputSize], core), tensorsOf(state)).state;
    const next = cell.run((c) => {
      const start = Object.entries(state).map(([name, { data, shape }]) => [name, u.tensor(data, shape.slice(1))]);
      return c.forward(u.tensor(x.data, x.shape), Object.fromEntries(start) as u.RecurrentState);
    }) as Record<string, u.PlainTensor>;
    for (const [name, { data }] of Object.entries(once)) expectClose(next[name]!.data, [...data], 1e-6, name);
  });

  it("is saved and loaded", () => {
    const [layer, copy] = [makeLayer(entry, core, { numLayers: 2 }), makeLayer(entry, core, { numLayers: 2 })];
    for (const parameter of copy.parameters()) parameter.write(new Float32Array(parameter.size));
    u.load(copy, u.save(layer));
    const x = u.tensor(draw([2, 3, layer.inputSize], 6).data, [2, 3, layer.inputSize], core);
    expect(run(copy, x)).toEqual(run(layer, x));
  });
});

/** Steps from one to another of (B, T, I). */
function pieceOf(x: u.Tensor, from: number, to: number): u.Tensor {
  const plain = u.runScope(core, () => u.slice(x, 1, from, to).toArray());
  return u.tensor(plain, [x.shape[0] as number, to - from, x.shape[2] as number], core);
}
