/** The operator LSTM: gates i, o, f, c in that order. */
import { LSTM } from "../../../nn/lstm.js";
import { type RecurrentKind, recurrentOperator } from "./recurrent.js";

const kind: RecurrentKind = {
  gates: [0, 2, 3, 1],
  memory: true,
  activations: ["Sigmoid", "Tanh", "Tanh"],
  form: (node, clip) => {
    const coupled = node.flag("input_forget");
    return (activations, peepholes) => {
      const standard = activations.map(({ name }) => name).join() === "Sigmoid,Tanh,Tanh";
      if (!standard || clip !== undefined || coupled || peepholes) throw node.invalid("clip", "absent", "one");
      return {
        make: (inputSize, hiddenSize, options) => new LSTM(inputSize, hiddenSize, options),
        parameters: ({ peepholes: _, ...weights }) => weights,
      };
    };
  },
};

export const lstm = recurrentOperator(kind);
