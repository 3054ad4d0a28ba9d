/**
 * Elman networks. Elman 1990, "Finding structure in time".
 *
 *   h_t = phi(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)      phi is tanh unless said otherwise
 *   y_t = phi_o(V h_t + b_y)                              in the full network of the paper: {@link Elman}
 */
import { ArgumentError } from "../errors.js";
import { type ActivationName, cellKinds } from "../tensor/kinds.js";
import { softmax } from "../tensor/softmax.js";
import type { Tensor } from "../tensor/tensor.js";
import { activate } from "../tensor/unary.js";
import { checkActivation } from "./check.js";
import { type FusedCell, fused } from "./fused.js";
import { Linear } from "./linear.js";
import { Module } from "./module.js";
import {
  type CellOptions,
  RecurrentCell,
  RecurrentLayer,
  type RecurrentOptions,
  type SequenceOptions,
  type SequenceResult,
} from "./recurrent.js";
import type { HiddenState } from "./state.js";

/** Options of {@link RNN}. */
export interface RNNOptions extends RecurrentOptions {
  /** Activation of the state; default "tanh". */
  readonly nonlinearity?: ActivationName;
  /** Slope of leakyRelu below 0 (default 0.01), or scale of elu (default 1). */
  readonly alpha?: number;
}

function defaultAlpha(nonlinearity: ActivationName | undefined): number {
  return nonlinearity === "leakyRelu" ? 0.01 : 1;
}

function elman(nonlinearity: ActivationName = "tanh", alpha = defaultAlpha(nonlinearity)): FusedCell {
  const activation = checkActivation("RNN", "nonlinearity", nonlinearity);
  if (!Number.isFinite(alpha)) throw new ArgumentError("RNN", "alpha", "a finite number", alpha);
  return { where: "RNN", cell: cellKinds.elman, gates: 1, memory: false, activation, alpha };
}

/**
 * Elman layers. State: h of (numLayers * directions, B, H).
 *
 * `CompiledRNN` (tanh) has the same parameters and takes what only compiled layers do:
 * gates held at a number, resets in mid-sequence, zoneout, dropout of the recurrence.
 */
export class RNN extends RecurrentLayer<HiddenState> {
  /** Activation of the state. */
  readonly nonlinearity: ActivationName;
  /** Slope of leakyRelu below 0, or scale of elu. */
  readonly alpha: number;

  /**
   * @param inputSize - features of each input step, I
   * @param hiddenSize - units, H
   * @throws ArgumentError
   */
  constructor(inputSize: number, hiddenSize: number, options: RNNOptions = {}) {
    super(fused(elman(options.nonlinearity, options.alpha), hiddenSize, options), inputSize, hiddenSize, options);
    this.nonlinearity = options.nonlinearity ?? "tanh";
    this.alpha = options.alpha ?? defaultAlpha(options.nonlinearity);
  }
}

/** One step of an Elman layer. State: h of (B, H). */
export class RNNCell extends RecurrentCell<HiddenState> {
  /**
   * @param inputSize - features of an input, I
   * @param hiddenSize - units, H
   * @throws ArgumentError
   */
  constructor(
    inputSize: number,
    hiddenSize: number,
    options: CellOptions & Pick<RNNOptions, "nonlinearity" | "alpha"> = {},
  ) {
    super(fused(elman(options.nonlinearity, options.alpha), hiddenSize, options), inputSize, hiddenSize, options);
  }
}

/** Activation of the outputs of {@link Elman}: any that works on single values, or softmax over them. */
export type OutputActivation = ActivationName | "softmax";

/** Options of {@link Elman}. */
export interface ElmanOptions extends RNNOptions {
  /** Activation of the outputs; default "identity". */
  readonly outputActivation?: OutputActivation;
}

/** The network of Elman's paper: a recurrent layer `rnn` and an output layer `head` with an activation of its own. */
export class Elman extends Module {
  /** The recurrent layer. */
  readonly rnn: RNN;
  /** V and b_y. */
  readonly head: Linear;
  /** phi_o. */
  readonly outputActivation: OutputActivation;

  /**
   * @param inputSize - features of each input step, I
   * @param hiddenSize - units, H
   * @param outputSize - features of each output step
   * @throws ArgumentError
   */
  constructor(inputSize: number, hiddenSize: number, outputSize: number, options: ElmanOptions = {}) {
    super();
    this.rnn = new RNN(inputSize, hiddenSize, options);
    this.head = new Linear(this.rnn.outputSize, outputSize, options);
    this.outputActivation = options.outputActivation ?? "identity";
    if (this.outputActivation !== "softmax") checkActivation("Elman", "outputActivation", this.outputActivation);
  }

  /** As {@link RNN}, with outputs (B, T, outputSize). */
  forward(x: Tensor, options: SequenceOptions<HiddenState> = {}): SequenceResult<HiddenState> {
    const { output, state } = this.rnn.forward(x, options);
    const y = this.head.forward(output);
    return { output: this.outputActivation === "softmax" ? softmax(y) : activate(y, this.outputActivation), state };
  }
}
