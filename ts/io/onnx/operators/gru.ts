/** The operator GRU: gates z, r, h in that order. */
import { GRU } from "../../../nn/gru.js";
import { type RecurrentKind, recurrentOperator } from "./recurrent.js";

const kind: RecurrentKind = {
  gates: [1, 0, 2],
  memory: false,
  activations: ["Sigmoid", "Tanh"],
  form: (node, clip) => {
    const after = node.flag("linear_before_reset");
    return (activations) => {
      const standard = activations.map(({ name }) => name).join() === "Sigmoid,Tanh";
      if (!standard || clip !== undefined || !after) throw node.invalid("clip", "absent", "one");
      return {
        make: (inputSize, hiddenSize, options) => new GRU(inputSize, hiddenSize, options),
        parameters: ({ peepholes: _, ...weights }) => weights,
      };
    };
  },
};

export const gru = recurrentOperator(kind);
