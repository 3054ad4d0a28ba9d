/** What `forward` of a compiled layer can change: gates that are held at a number, states that are reset. */
import { describe, expect, it } from "vitest";
import * as u from "../../../ts/index.js";
import { cells } from "./cells.js";
import { expectSame, results, sameParameters } from "./compare.js";

const core = u.createCore();
const shape = [3, 5, 4];
const resets = [0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1];

describe("equals the equations on the tape", () => {
  it.each([
    ["LSTM with gates held", u.CompiledLSTM, { force: { f: 1, i: 0.25 } }],
    ["GRU with its reset gate held", u.CompiledGRU, { force: { r: 1 } }],
    ["GRU with its candidate held", u.CompiledGRU, { force: { n: -0.5 } }],
    ["LSTM with resets", u.CompiledLSTM, { resets }],
    ["GRU with resets and a gate held", u.CompiledGRU, { resets, force: { z: 0 } }],
    ["peepholes with a gate held", cells["peepholes: vectors of states before and after"]!.Layer, { force: { o: 0 } }],
    ["a second stage with resets", cells["reset before the product: a second stage"]!.Layer, { resets }],
  ] as const)("%s", (_, Layer, forward) => {
    const [a, b] = [{}, { reference: true }].map(
      (options) => new (Layer as u.CompiledClass<string>)(4, 6, { bidirectional: true, ...options }),
    ) as unknown as [u.Module, u.Module];
    sameParameters(a, b, core);
    const problem = { forward, lengths: [5, 2, 4] };
    expectSame(results(a, shape, problem), results(b, shape, problem), 2e-6);
  });
});

describe("resets", () => {
  it("are sequences of their own", () => {
    const layer = new u.CompiledLSTM(4, 6).init({ core, seed: 3 });
    const x = u.tensor(
      Float32Array.from({ length: 5 * 4 }, (_, i) => Math.sin(i)),
      [1, 5, 4],
      core,
    );
    const [whole, parts] = layer.run(() => {
      const first = layer.forward(u.slice(x, 1, 0, 2)).output;
      const second = layer.forward(u.slice(x, 1, 2, 5)).output;
      return [layer.forward(x, { resets: [1, 0, 1, 0, 0] }).output, u.concat([first, second], 1)];
    });
    expect(whole).toEqual(parts);
  });
});

describe("an LSTM that forgets nothing and takes in nothing", () => {
  it("keeps its memory", () => {
    const layer = new u.CompiledLSTM(4, 6).init({ core, seed: 3 });
    const x = u.tensor(
      Float32Array.from({ length: 5 * 4 }, (_, i) => Math.sin(i)),
      [1, 5, 4],
      core,
    );
    const c = u.tensor([1, 2, 3, 4, 5, 6], [1, 1, 6], core);
    const { state } = layer.run(() => layer.forward(x, { state: { h: u.zeros([1, 1, 6]), c }, force: { f: 1, i: 0 } }));
    expect([...state.c.data]).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe("InitialState", () => {
  it("has every state of a compiled cell", () => {
    const { Layer, sizes } = cells["a state of another size that is read by the next step"]!;
    class Model extends u.Module {
      readonly rnn = new Layer(4, 6, sizes);
      readonly start = new u.InitialState(this.rnn, { initializer: u.constant(0.5) });
    }
    const model = new Model().init({ core });
    const names = model.namedParameters().map(([name]) => name);
    expect(names.filter((name) => name.startsWith("start."))).toEqual(["start.y", "start.h"]);
    const state = model.run((m) => m.start.forward(2)) as unknown as Record<string, u.PlainTensor>;
    expect(state["y"]).toEqual({ data: new Float32Array(6).fill(0.5), shape: [1, 2, 3] });
    expect(state["h"]?.shape).toEqual([1, 2, 6]);
  });
});
