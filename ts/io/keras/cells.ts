/** LSTM and GRU with activations, or a place of the reset gate, that the package's own do not have. */
import type { CellTools, Value } from "../../nn/compiler/trace.js";
import { type CompiledClass, defineCell } from "../../nn/define-cell.js";
import type { StepActivation } from "./activations.js";

/** The activations of a gated layer. */
export interface GateActivations {
  /** Of the candidate and the output. */
  readonly activation: StepActivation;
  /** Of the gates. */
  readonly recurrent: StepActivation;
}

function traced({ activation }: CellTools, { name, alpha }: StepActivation): (value: Value) => Value {
  return (value) => activation(name, value, alpha);
}

/**
 *   i, f, o = recurrent(W x + U h + b)
 *   g       = activation(W x + U h + b)
 *   c'      = f c + i g
 *   h'      = o activation(c')
 */
export function lstmCell(activations: GateActivations): CompiledClass<"h" | "c"> {
  return defineCell({
    name: "LSTM",
    state: ["h", "c"],
    gates: ["i", "f", "g", "o"],
    step({ x, h, c }, tools) {
      const [act, gateAct] = [traced(tools, activations.activation), traced(tools, activations.recurrent)];
      const { gate } = tools;
      const forgotten = gateAct(gate("f", x, h)).mul(c);
      const next = forgotten.add(gateAct(gate("i", x, h)).mul(act(gate("g", x, h))));
      return { h: gateAct(gate("o", x, h)).mul(act(next)), c: next };
    },
  });
}

/**
 *   r, z = recurrent(W x + U h + b)
 *   n    = activation(W x + b + U (r h))          reset after the product: activation(W x + b + r (U h + b'))
 *   h'   = (1 - z) n + z h
 *
 * Reset after the product, n's recurrent half is a gate m of its own, and there are two biases.
 */
export function gruCell(activations: GateActivations, resetAfter: boolean): CompiledClass<"h"> {
  return defineCell({
    name: "GRU",
    state: ["h"],
    gates: resetAfter ? ["r", "z", "n", "m"] : ["r", "z", "n"],
    biases: resetAfter ? "two" : "one",
    step({ x, h }, tools) {
      const [act, gateAct] = [traced(tools, activations.activation), traced(tools, activations.recurrent)];
      const { gate, constant } = tools;
      const r = gateAct(gate("r", x, h));
      const z = gateAct(gate("z", x, h));
      const n = act(resetAfter ? gate("n", x).add(r.mul(gate("m", h))) : gate("n", x, r.mul(h)));
      return { h: constant(1).sub(z).mul(n).add(z.mul(h)) };
    },
  });
}
