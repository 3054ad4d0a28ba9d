/**
 * Jordan network. Jordan 1986, "Serial order: a parallel distributed processing approach".
 *
 *   h_t = phi(W x_t + U y_{t-1} + b)
 *   y_t = psi(V h_t + c)
 *
 * What comes back is the output, not the hidden layer. phi is tanh and psi sigmoid unless said otherwise.
 *
 * Parameters: weight_ih = W (H, I), weight_yh = U (H, outputSize), bias = b; weight_hy = V (outputSize, H), bias_hy = c.
 */
import type { ActivationName } from "../../tensor/kinds.js";
import { checkActivation } from "../check.js";
import { defineCellLazily } from "../define-cell.js";
import type { OutputActivation } from "../rnn.js";

/** Options of {@link defineJordan}. */
export interface JordanActivations {
  /** phi; default "tanh". */
  readonly hiddenActivation?: ActivationName;
  /** psi, of each output or softmax over all of them; default "sigmoid". */
  readonly outputActivation?: OutputActivation;
}

/**
 * A Jordan network with other activations.
 * @throws ArgumentError
 */
export function defineJordan({ hiddenActivation = "tanh", outputActivation = "sigmoid" }: JordanActivations = {}) {
  checkActivation("defineJordan", "hiddenActivation", hiddenActivation);
  if (outputActivation !== "softmax") checkActivation("defineJordan", "outputActivation", outputActivation);
  return defineCellLazily({
    name: "Jordan",
    state: { y: "output" },
    step({ x, y }, { gate, linear, activation, softmax }) {
      const h = activation(hiddenActivation, gate("h", x, y));
      const next = linear("hy", h, { size: "output" });
      return { y: outputActivation === "softmax" ? softmax(next) : activation(outputActivation, next) };
    },
  });
}

/** Jordan network; option `outputSize`. State: y of (numLayers * directions, B, outputSize). */
export const Jordan = /* @__PURE__ */ defineJordan();
