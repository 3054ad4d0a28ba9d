/**
 * Recurrent highway network. Zilly, Srivastava, Koutník & Schmidhuber 2017, "Recurrent Highway Networks".
 *
 * A step is L highway layers above each other ("recurrence depth"), the first of which sees the input:
 *
 *   s_0 = h_{t-1}
 *   n_l = tanh(W_n x_t [l = 1] + R_n,l s_{l-1} + b_n,l)
 *   z_l = sigmoid(W_z x_t [l = 1] + R_z,l s_{l-1} + b_z,l)
 *   c_l = 1 - z_l, or sigmoid(W_c x_t [l = 1] + R_c,l s_{l-1} + b_c,l)
 *   s_l = n_l z_l + s_{l-1} c_l                                              l = 1 ... L
 *   h_t = s_L
 *
 * Parameters: weight_ih = W, rows n1, z1 (and c1); weight_hh = R and bias = b, rows n1, z1 (c1), n2, z2 ...
 */
import { ArgumentError } from "../../errors.js";
import { checkSize } from "../check.js";
import { defineCellLazily } from "../define-cell.js";
import { gateBias } from "../initializers.js";

/** Options of {@link defineRecurrentHighway}. */
export interface RecurrentHighwayDefinition {
  /** Highway layers in a step, L; default 5. */
  readonly depth?: number;
  /** Where c comes from: "coupled" is 1 - z, "separate" a gate of its own. Default "coupled", as in the paper's best models. */
  readonly carry?: "coupled" | "separate";
  /** First value of b_z: a negative one lets states through at first. Default -2, as in the paper's language models. */
  readonly gateBias?: number;
}

/**
 * A recurrent highway network of a depth.
 * @throws ArgumentError
 */
export function defineRecurrentHighway(definition: RecurrentHighwayDefinition = {}) {
  const { depth = 5, carry = "coupled", gateBias: gateStart = -2 } = definition;
  const where = "defineRecurrentHighway";
  checkSize(where, "depth", depth);
  if (carry !== "coupled" && carry !== "separate") {
    throw new ArgumentError(where, "carry", '"coupled" or "separate"', carry);
  }
  if (!Number.isFinite(gateStart)) throw new ArgumentError(where, "gateBias", "a finite number", gateStart);
  const letters = carry === "coupled" ? ["n", "z"] : ["n", "z", "c"];
  const gates = Array.from({ length: depth }, (_, layer) => letters.map((letter) => `${letter}${layer + 1}`)).flat();
  const low = gates.filter((name) => name.startsWith("z")).map((name) => [name, gateStart] as const);
  return defineCellLazily({
    name: "RecurrentHighway",
    state: ["h"],
    gates,
    initializers: { bias: gateBias(gates, Object.fromEntries(low)) },
    step({ x, h }, { gate, sigmoid, tanh }) {
      let s = h;
      for (let layer = 1; layer <= depth; layer++) {
        const below = s;
        const net = (letter: string) => (layer === 1 ? gate(`${letter}1`, x, below) : gate(`${letter}${layer}`, below));
        const n = tanh(net("n"));
        const z = sigmoid(net("z"));
        s = carry === "coupled" ? s.add(z.mul(n.sub(s))) : n.mul(z).add(s.mul(sigmoid(net("c"))));
      }
      return { h: s };
    },
  });
}

/** Recurrent highway network of depth 5 with coupled gates. State: h of (numLayers * directions, B, H). */
export const RecurrentHighway = /* @__PURE__ */ defineRecurrentHighway();
