/**
 * The operator GRU; its gates z, r, h are z, r, n here.
 *
 *   r, z = f(W x + b_W + R h + b_R)
 *   n    = g(W x + b_W + R (r h) + b_R)        with linear_before_reset: g(W x + b_W + r (R h + b_R))
 *   h'   = (1 - z) n + z h
 *
 * The activations f and g are Sigmoid and Tanh unless said otherwise; their arguments are cut to [-clip, clip] where
 * there is a clip.
 */

import type { Value } from "../../../nn/compiler/trace.js";
import { defineCell } from "../../../nn/define-cell.js";
import { GRU } from "../../../nn/gru.js";
import { tracedActivation } from "./activations.js";
import { type Form, recurrentOperator } from "./recurrent.js";

export const gru = recurrentOperator({
  gates: 3,
  memory: false,
  activations: ["Sigmoid", "Tanh"],
  form: (node, clip) => {
    const resetAfter = node.flag("linear_before_reset");
    return ([f, g]): Form => {
      if (resetAfter && f.name === "Sigmoid" && g.name === "Tanh" && clip === undefined) {
        return {
          gates: [1, 0, 2],
          make: (inputSize, hiddenSize, options) => new GRU(inputSize, hiddenSize, options),
        };
      }
      const Cell = defineCell({
        name: "OnnxGRU",
        state: ["h"],
        // m is the recurrent half of n, where the reset gate acts on it alone: a third gate of the recurrent weights.
        gates: resetAfter ? ["r", "z", "n", "m"] : ["r", "z", "n"],
        biases: "two",
        step({ x, h }, tools) {
          const [atGate, atState] = [tracedActivation(tools, f), tracedActivation(tools, g)];
          const bounded = (value: Value): Value => (clip === undefined ? value : tools.clamp(value, -clip, clip));
          const r = atGate(bounded(tools.gate("r", x, h)));
          const z = atGate(bounded(tools.gate("z", x, h)));
          const sum = resetAfter ? tools.gate("n", x).add(r.mul(tools.gate("m", h))) : tools.gate("n", x, r.mul(h));
          const n = atState(bounded(sum));
          return { h: tools.constant(1).sub(z).mul(n).add(z.mul(h)) };
        },
      });
      return { gates: [1, 0, 2], make: (inputSize, hiddenSize, options) => new Cell(inputSize, hiddenSize, options) };
    };
  },
});
