/**
 * The operator LSTM, with peepholes p; its gates i, o, f, c are i, o, f, g here.
 *
 *   i = f(W_i x + R_i h + b_i + p_i c)
 *   f = f(W_f x + R_f h + b_f + p_f c)         or 1 - i with input_forget
 *   c'= f c + i g(W_g x + R_g h + b_g)
 *   o = f(W_o x + R_o h + b_o + p_o c')
 *   h'= o h(c')
 *
 * The activations f, g and h are Sigmoid, Tanh and Tanh unless said otherwise; the arguments of f and g are cut to
 * [-clip, clip] where there is a clip.
 */

import type { Value } from "../../../nn/compiler/trace.js";
import { defineCell } from "../../../nn/define-cell.js";
import { LSTM } from "../../../nn/lstm.js";
import { tracedActivation } from "./activations.js";
import { type Form, recurrentOperator } from "./recurrent.js";

export const lstm = recurrentOperator({
  gates: 4,
  memory: true,
  activations: ["Sigmoid", "Tanh", "Tanh"],
  form: (node, clip) => {
    const coupled = node.flag("input_forget");
    return ([f, g, h], peepholes): Form => {
      const standard = f.name === "Sigmoid" && g.name === "Tanh" && h.name === "Tanh";
      if (standard && clip === undefined && !coupled && !peepholes) {
        return {
          gates: [0, 2, 3, 1],
          make: (inputSize, hiddenSize, options) => new LSTM(inputSize, hiddenSize, options),
        };
      }
      const Cell = defineCell({
        name: "OnnxLSTM",
        state: ["h", "c"],
        gates: coupled ? ["i", "g", "o"] : ["i", "f", "g", "o"],
        biases: "two",
        step({ x, h: hPrev, c: cPrev }, tools) {
          const [atGate, atInput, atOutput] = [f, g, h].map((one) => tracedActivation(tools, one)) as Activations;
          const argument = (name: string, seen?: Value): Value => {
            const products = tools.gate(name, x, hPrev);
            const sum = seen === undefined ? products : products.add(tools.vector(`peephole_${name}`).mul(seen));
            return clip === undefined ? sum : tools.clamp(sum, -clip, clip);
          };
          const i = atGate(argument("i", peepholes ? cPrev : undefined));
          const forget = coupled ? tools.constant(1).sub(i) : atGate(argument("f", peepholes ? cPrev : undefined));
          const c = forget.mul(cPrev).add(i.mul(atInput(argument("g"))));
          const o = atGate(argument("o", peepholes ? c : undefined));
          return { h: o.mul(atOutput(c)), c };
        },
      });
      return {
        gates: coupled ? [0, 3, 1] : [0, 2, 3, 1],
        make: (inputSize, hiddenSize, options) => new Cell(inputSize, hiddenSize, options),
      };
    };
  },
});

type Activations = [gate: (value: Value) => Value, input: (value: Value) => Value, output: (value: Value) => Value];
