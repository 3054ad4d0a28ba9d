import { describe, it } from "vitest";
import * as u from "../../../ts/index.js";
import { expectSame, results, sameParameters } from "./compare.js";

const core = u.createCore();
type Class = new (inputSize: number, hiddenSize: number, options: u.CompiledLayerOptions) => u.Module;
const pairs: [string, Class, Class, object][] = [
  ["RNN", u.RNN, u.CompiledRNN, {}],
  ["LSTM", u.LSTM, u.CompiledLSTM, {}],
  ["LSTM with a projection", u.LSTM, u.CompiledProjectedLSTM, { projectionSize: 3 }],
  ["GRU", u.GRU, u.CompiledGRU, {}],
];

describe.each(pairs)("the equations of %s are the fused layer", (_, Fused, Compiled, sizes) => {
  it.each([
    ["one layer", [3, 4, 5], 6, {}, {}],
    ["sizes that are whole lanes", [2, 3, 8], 16, {}, {}],
    ["one of each", [1, 1, 1], 4, {}, {}],
    ["no state", [3, 4, 5], 6, {}, { state: false }],
    ["no bias", [3, 4, 5], 6, { bias: false }, {}],
    ["two layers, two directions", [3, 4, 5], 6, { numLayers: 2, bidirectional: true }, {}],
    ["lengths", [4, 5, 3], 7, { numLayers: 2, bidirectional: true }, { lengths: [3, 0, 5, 1] }],
    ["time first", [4, 3, 5], 6, { batchFirst: false }, { lengths: [2, 4, 3] }],
    [
      "tokens",
      [3, 4, 5],
      6,
      {},
      {
        ids: u.ids([
          [0, 1, 2, 3],
          [4, 4, 0, 1],
          [2, 2, 3, 0],
        ]),
      },
    ],
    ["dropped weights", [3, 4, 5], 6, { weightDropout: 0.4 }, {}],
  ] as const)("%s", (_, shape, hidden, options, problem) => {
    const [a, b] = [Fused, Compiled].map((layer) => new layer(shape[2], hidden, { ...options, ...sizes })) as [
      u.Module,
      u.Module,
    ];
    sameParameters(a, b, core);
    expectSame(results(b, shape, problem), results(a, shape, problem), 1e-6);
  });
});
