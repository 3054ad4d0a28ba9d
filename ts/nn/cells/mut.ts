/**
 * The three mutants that an evolutionary search found. Jozefowicz, Zaremba & Sutskever 2015, "An Empirical Exploration of
 * Recurrent Network Architectures". In all of them
 *
 *   h_t = tanh(U_n (r h_{t-1}) + e + b_n) z + h_{t-1} (1 - z)
 *
 *          z                                        r                                        e
 *   MUT1   sigmoid(W_z x_t + b_z)                   sigmoid(W_r x_t + U_r h_{t-1} + b_r)     tanh(x_t)
 *   MUT2   sigmoid(W_z x_t + U_z h_{t-1} + b_z)     sigmoid(x_t + U_r h_{t-1} + b_r)         W_n x_t
 *   MUT3   sigmoid(W_z x_t + U_z tanh(h_{t-1}) + b_z)   sigmoid(W_r x_t + U_r h_{t-1} + b_r)     W_n x_t
 *
 * As the paper prints them, MUT1 and MUT2 add x_t itself to vectors of H, so that their inputSize must equal hiddenSize.
 * The projected forms, which its authors' and later programs use, have tanh(W_x x_t) and W_x x_t in its place.
 *
 * Parameters: weight_ih = W, weight_hh = U, bias = b, rows z, r, n of those that there are; weight_x = W_x.
 */
import type { CellTools, Value } from "../compiler/trace.js";
import { defineCellLazily } from "../define-cell.js";

/** The last equation. */
function update({ tanh }: CellTools, h: Value, z: Value, candidate: Value): { readonly h: Value } {
  return { h: h.add(z.mul(tanh(candidate).sub(h))) };
}

function defineMUT1(name: string, projected: boolean) {
  return defineCellLazily({
    name,
    state: ["h"],
    inputWidth: projected ? "input" : "hidden",
    gates: ["z", "r", "n"],
    step({ x, h }, tools) {
      const { gate, linear, sigmoid, tanh } = tools;
      const z = sigmoid(gate("z", x));
      const r = sigmoid(gate("r", x, h));
      const e = tanh(projected ? linear("x", x, { bias: false }) : x);
      return update(tools, h, z, gate("n", r.mul(h)).add(e));
    },
  });
}

function defineMUT2(name: string, projected: boolean) {
  return defineCellLazily({
    name,
    state: ["h"],
    inputWidth: projected ? "input" : "hidden",
    gates: ["z", "r", "n"],
    step({ x, h }, tools) {
      const { gate, linear, sigmoid } = tools;
      const z = sigmoid(gate("z", x, h));
      const r = sigmoid(gate("r", h).add(projected ? linear("x", x, { bias: false }) : x));
      return update(tools, h, z, gate("n", x, r.mul(h)));
    },
  });
}

/** MUT1 as printed: inputSize must equal hiddenSize. State: h of (numLayers * directions, B, H). */
export const MUT1 = /* @__PURE__ */ defineMUT1("MUT1", false);

/** MUT1 with a projection of the input, of any size. */
export const ProjectedMUT1 = /* @__PURE__ */ defineMUT1("ProjectedMUT1", true);

/** MUT2 as printed: inputSize must equal hiddenSize. State: h of (numLayers * directions, B, H). */
export const MUT2 = /* @__PURE__ */ defineMUT2("MUT2", false);

/** MUT2 with a projection of the input, of any size. */
export const ProjectedMUT2 = /* @__PURE__ */ defineMUT2("ProjectedMUT2", true);

/** MUT3. State: h of (numLayers * directions, B, H). */
export const MUT3 = /* @__PURE__ */ defineCellLazily({
  name: "MUT3",
  state: ["h"],
  gates: ["z", "r", "n"],
  step({ x, h }, tools) {
    const { gate, sigmoid, tanh } = tools;
    const z = sigmoid(gate("z", x, tanh(h)));
    const r = sigmoid(gate("r", x, h));
    return update(tools, h, z, gate("n", x, r.mul(h)));
  },
});
