/** Single steps of every recurrent cell, in sessions: with full weights, and with those of 8 bits. */
import { describe, expect, it, vi } from "vitest";
import * as u from "../../../ts/index.js";
import { draw, expectClose } from "../../tensor/reference.js";
import { type AnyLayer, catalogue } from "./catalogue.js";
import { makeLayer } from "./check.js";
import { type Matrix, runReference } from "./equations.js";

const core = u.createCore();
const steps = 7;

/** What a session gives for the steps of x (1, T, I), one after the other. */
function stream(session: u.Session, { data, shape }: { data: readonly number[]; shape: readonly number[] }): number[] {
  const width = shape[2] as number;
  return Array.from({ length: steps }, (_, t) => [
    ...session.step(Float32Array.from(data.slice(t * width, (t + 1) * width))),
  ]).flat();
}

// The core's machine has no softmax: its steps are several calls, see the tests of sessions.
const streamed = catalogue.filter(({ name }) => name !== "Jordan, ReLU and softmax");

describe.each(streamed.map((entry) => [entry.name, entry] as const))("%s", (_name, entry) => {
  it("takes single steps in one call of the core each, which are the sequence, bit for bit", () => {
    const layer = makeLayer(entry, core, { numLayers: 2 });
    const x = draw([1, steps, layer.inputSize], 4);
    const whole = layer.run(() => layer.forward(u.tensor(x.data, x.shape, core)).output);
    const forward = vi.spyOn(u.RecurrentLayer.prototype as AnyLayer, "forward");
    const session = new u.Session(layer);
    try {
      expect(stream(session, x)).toEqual([...whole.data]);
      expect(forward).not.toHaveBeenCalled();
    } finally {
      forward.mockRestore();
      session.dispose();
      layer.dispose();
    }
  });

  it("has, with 8-bit weights, the equations of products that are rounded to 8 bits", () => {
    const layer = makeLayer(entry, core);
    const x = draw([1, steps, layer.inputSize], 5);
    const weights = new Map<string, Matrix>();
    for (const [name, parameter] of layer.namedParameters()) {
      const { shape } = parameter;
      weights.set(name.replace(/_l0$/, ""), { shape, data: [...parameter.toArray()], int8: shape.length === 2 });
    }
    const start = layer.states.map(({ name, size }) => [name, { shape: [1, 1, size], data: new Array(size).fill(0) }]);
    const weightOf = (name: string) => weights.get(name) as Matrix;
    const { output } = runReference(entry.reference, { ...x, data: [...x.data] }, Object.fromEntries(start), weightOf);
    const session = new u.Session(layer, { weights: "int8" });
    const actual = stream(session, x);
    expectClose(actual, output, 1e-5, "steps");
    const full = new u.Session(layer);
    // What rounding changes is more than what the comparison above leaves open.
    const difference = Math.max(...stream(full, x).map((value, i) => Math.abs(value - (actual[i] as number))));
    expect(difference).toBeGreaterThan(1e-4);
    for (const owner of [session, full, layer]) owner.dispose();
  });
});
