/**
 * IRNN. Le, Jaitly & Hinton 2015, "A Simple Way to Initialize Recurrent Networks of Rectified Linear Units".
 *
 *   h_t = max(0, W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
 *
 * An Elman layer of ReLUs whose recurrent weights start as the identity and whose biases start at 0: without input it
 * keeps its state, and gradients keep their size. Parameters are those of `RNN`.
 */
import { ArgumentError } from "../../errors.js";
import type { Initializer } from "../../tensor/parameter.js";
import { byName, constant, identityMatrix, normal } from "../initializers.js";
import type { RecurrentOptions } from "../recurrent.js";
import { RNN } from "../rnn.js";

/** Options of {@link IRNN}. */
export interface IRNNOptions extends RecurrentOptions {
  /** The recurrent weights start at this times the identity; default 1. The paper takes 0.01 where memory need not be long. */
  readonly scale?: number;
  /** Draws the weights from the inputs; default N(0, 0.001), as in the paper. */
  readonly initializer?: Initializer;
}

/** Elman layers of ReLUs that start as the identity. State: h of (numLayers * directions, B, H). */
export class IRNN extends RNN {
  /**
   * @param inputSize - features of each input step, I
   * @param hiddenSize - units, H
   * @throws ArgumentError
   */
  constructor(inputSize: number, hiddenSize: number, options: IRNNOptions = {}) {
    const { scale = 1, initializer = normal(0, 0.001), ...others } = options;
    if (!Number.isFinite(scale)) throw new ArgumentError("IRNN", "scale", "a finite number", scale);
    const start = byName(
      [
        [/(^|\.)weight_hh[^.]*$/, identityMatrix(scale)],
        [/(^|\.)bias[^.]*$/, constant(0)],
      ],
      initializer,
    );
    super(inputSize, hiddenSize, { ...others, nonlinearity: "relu", initializer: start });
  }
}
