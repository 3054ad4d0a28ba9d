/** The operator RNN: h_t = f(W x_t + b_W + R h_{t-1} + b_R), the argument of f cut to [-clip, clip] where there is a clip. */
import { defineCell } from "../../../nn/define-cell.js";
import { RNN } from "../../../nn/rnn.js";
import { fusedActivation, tracedActivation } from "./activations.js";
import { type Form, recurrentOperator } from "./recurrent.js";

export const rnn = recurrentOperator({
  gates: 1,
  memory: false,
  activations: ["Tanh"],
  form:
    (_node, clip) =>
    ([f]): Form => {
      const nonlinearity = fusedActivation(f);
      if (nonlinearity !== undefined && clip === undefined) {
        return {
          gates: [0],
          make: (inputSize, hiddenSize, options) =>
            new RNN(inputSize, hiddenSize, { ...options, nonlinearity, alpha: f.alpha }),
        };
      }
      const Cell = defineCell({
        name: "OnnxRNN",
        state: ["h"],
        biases: "two",
        step({ x, h }, tools) {
          const a = tools.gate("a", x, h);
          return { h: tracedActivation(tools, f)(clip === undefined ? a : tools.clamp(a, -clip, clip)) };
        },
      });
      return { gates: [0], make: (inputSize, hiddenSize, options) => new Cell(inputSize, hiddenSize, options) };
    },
});
