/** The operators that are supported, by domain. */
import type { Operators } from "../node.js";
import { elementwiseOperators } from "./elementwise.js";
import { gru } from "./gru.js";
import { lossOperators } from "./losses.js";
import { lstm } from "./lstm.js";
import { matrixOperators } from "./matrix.js";
import { normalizationOperators } from "./normalization.js";
import { rnn } from "./rnn.js";
import { shapeOperators } from "./shape.js";
import { trainingOperators } from "./training.js";

/** Operators of a domain, and the versions of it that they are written for. */
export interface Domain {
  readonly oldest: number;
  readonly newest: number;
  readonly operators: Operators;
}

export const domains: ReadonlyMap<string, Domain> = new Map([
  [
    "",
    {
      oldest: 7,
      newest: 26,
      operators: {
        ...elementwiseOperators,
        ...lossOperators,
        ...matrixOperators,
        ...normalizationOperators,
        ...shapeOperators,
        GRU: gru,
        LSTM: lstm,
        RNN: rnn,
      },
    },
  ],
  ["ai.onnx.preview.training", { oldest: 1, newest: 1, operators: trainingOperators }],
]);
