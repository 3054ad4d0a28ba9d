import { expect, it } from "vitest";
import * as u from "../../../ts/index.js";
import { draw } from "../../tensor/reference.js";

const core = u.createCore();

it("IRNN starts as the identity: a state stays what it is without input", () => {
  const layer = new u.IRNN(3, 5, { numLayers: 2 }).init({ seed: 1, core });
  const h = draw([2, 1, 5], 2, 0, 1);
  const { state } = layer.run((m) => m.forward(u.zeros([1, 9, 3]), { state: { h: u.tensor(h.data, h.shape) } }));
  // The second layer adds what N(0, 0.001) weights make of the first.
  expect([...state.h.data.slice(0, 5)]).toEqual(h.data.slice(0, 5));
  for (let j = 5; j < 10; j++) expect(Math.abs(state.h.data[j]! - h.data[j]!)).toBeLessThan(0.1);
  const deviation = Math.hypot(...layer.stateDict().get("weight_ih_l1")!.data) / 5;
  expect(deviation).toBeGreaterThan(0.0003);
  expect(deviation).toBeLessThan(0.003);
});

it("IRNN takes another scale and initializer, also inside a model", () => {
  class Model extends u.Module {
    readonly encoder = new u.IRNN(2, 3, { scale: 0.01, initializer: u.constant(0.5), bidirectional: true });
  }
  const values = new Model().init({ core }).stateDict();
  for (const end of ["l0", "l0_reverse"]) {
    const scaled = Math.fround(0.01);
    expect([...values.get(`encoder.weight_hh_${end}`)!.data]).toEqual([scaled, 0, 0, 0, scaled, 0, 0, 0, scaled]);
    expect([...values.get(`encoder.weight_ih_${end}`)!.data]).toEqual(new Array(6).fill(0.5));
    expect([...values.get(`encoder.bias_hh_${end}`)!.data]).toEqual([0, 0, 0]);
  }
  expect(() => new u.IRNN(2, 3, { scale: Number.NaN })).toThrow(/IRNN: scale/);
});
