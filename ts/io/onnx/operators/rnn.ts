/** The operator RNN: h_t = f(x_t W^T + h_{t-1} R^T + b). */
import { RNN } from "../../../nn/rnn.js";
import { fusedActivation } from "./activations.js";
import { type RecurrentKind, recurrentOperator } from "./recurrent.js";

const kind: RecurrentKind = {
  gates: [0],
  memory: false,
  activations: ["Tanh"],
  form:
    (node, clip) =>
    ([activation]) => {
      const nonlinearity = activation && fusedActivation(activation);
      if (nonlinearity === undefined || clip !== undefined) throw node.invalid("clip", "absent", "one");
      return {
        make: (inputSize, hiddenSize, options) =>
          new RNN(inputSize, hiddenSize, { ...options, nonlinearity, alpha: activation?.alpha ?? 0 }),
        parameters: ({ peepholes: _, ...weights }) => weights,
      };
    },
};

export const rnn = recurrentOperator(kind);
