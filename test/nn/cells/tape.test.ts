/** Every recurrent cell that is compiled: its step program computes what its equations do on the plain tape. */
import { describe, expect, it } from "vitest";
import * as u from "../../../ts/index.js";
import { expectSame, results, sameParameters } from "../compiler/compare.js";
import { catalogue, type Entry, type LayerClass } from "./catalogue.js";
import { makeLayer } from "./check.js";

const core = u.createCore();

/** In the core by hand: nothing is compiled. */
const FUSED = ["RNN", "IRNN", "LSTM", "LSTM, projected", "GRU"];
/** Always on the tape, by design: step programs have no softmax. */
const ON_THE_TAPE = ["Jordan, ReLU and softmax"];

const isFused = (entry: Entry): boolean =>
  (makeLayer(entry, core).constructor as unknown as { Cell?: LayerClass }).Cell === undefined;

it("only these cells are fused by hand", () => {
  expect(catalogue.filter(isFused).map(({ name }) => name)).toEqual(FUSED);
});

describe.each(catalogue.filter(({ name }) => !FUSED.includes(name)).map((entry) => [entry.name, entry] as const))(
  "%s",
  (name, entry) => {
    it.each([
      ["one layer", {}, {}],
      ["two layers, two directions, lengths", { numLayers: 2, bidirectional: true }, { lengths: [3, 0, 4] }],
    ] as const)("equals its equations on the tape: %s", (_, options, problem) => {
      // Layers above the first of a cell that needs inputSize = hiddenSize get one direction's output.
      const fitting = entry.square === true ? { ...options, bidirectional: false } : options;
      const [compiled, reference] = [false, true].map((tape) =>
        makeLayer(entry, core, { ...fitting, reference: tape }),
      );
      sameParameters(compiled as u.Module, reference as u.Module, core);
      const shape = [3, 4, compiled?.inputSize as number];
      const given = { ...problem, states: entry.states };
      expectSame(results(compiled, shape, given), results(reference, shape, given), 5e-6);
    });

    it(`${ON_THE_TAPE.includes(name) ? "has no" : "has a"} step program`, () => {
      const layer = makeLayer(entry, core);
      const before = core.persistentBytes;
      layer.run((m) => m.forward(u.zeros([1, 2, layer.inputSize], core)));
      expect(core.persistentBytes > before).toBe(!ON_THE_TAPE.includes(name));
    });
  },
);
