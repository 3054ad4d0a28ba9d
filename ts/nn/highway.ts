/**
 * Highway layers. Srivastava, Greff & Schmidhuber 2015, "Highway Networks" (and "Training Very Deep Networks").
 *
 *   H = phi(W_H x + b_H)                transform.*
 *   T = sigmoid(W_T x + b_T)            gate.*
 *   C = 1 - T, or sigmoid(W_C x + b_C)  carry.*
 *   y = H T + x C
 */
import { ArgumentError } from "../errors.js";
import { add, mul, sub } from "../tensor/binary.js";
import type { ActivationName } from "../tensor/kinds.js";
import type { Initializer } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import { activate, sigmoid } from "../tensor/unary.js";
import { checkActivation, checkSize } from "./check.js";
import { constant } from "./initializers.js";
import { Linear } from "./linear.js";
import { Module } from "./module.js";

/** Options of {@link Highway}. */
export interface HighwayOptions {
  /** Layers above each other; default 1. */
  readonly numLayers?: number;
  /** Activation of H; default "relu". */
  readonly activation?: ActivationName;
  /** Where C comes from: "coupled" is 1 - T, "separate" a gate of its own. Default "coupled", as in the paper's experiments. */
  readonly carry?: "coupled" | "separate";
  /** First value of b_T: a negative one lets inputs through unchanged at first. Default -1; the paper has -1 to -10 by depth. */
  readonly gateBias?: number;
  /** Draws every weight, and every bias but b_T; default that of {@link Linear}. */
  readonly initializer?: Initializer;
}

/** One layer, (..., size) to (..., size). */
class HighwayLayer extends Module {
  readonly activation: ActivationName;
  readonly transform: Linear;
  readonly gate: Linear;
  readonly carry: Linear | null;

  constructor(size: number, options: HighwayOptions) {
    super();
    const { activation = "relu", carry = "coupled", gateBias = -1 } = options;
    this.activation = activation;
    this.transform = new Linear(size, size, options);
    this.gate = new Linear(size, size, { ...options, biasInitializer: constant(gateBias) });
    this.carry = carry === "separate" ? new Linear(size, size, options) : null;
  }

  forward(x: Tensor): Tensor {
    const moved = activate(this.transform.forward(x), this.activation);
    const gate = sigmoid(this.gate.forward(x));
    const carry = this.carry === null ? sub(1, gate) : sigmoid(this.carry.forward(x));
    return add(mul(moved, gate), mul(x, carry));
  }
}

/** Highway layers over the last axis: (..., size) to (..., size). */
export class Highway extends Module {
  /** Features in and out. */
  readonly size: number;
  /** The lowest first. */
  readonly layers: readonly HighwayLayer[];

  /**
   * @param size - features in and out
   * @throws ArgumentError
   */
  constructor(size: number, options: HighwayOptions = {}) {
    super();
    const { numLayers = 1, activation = "relu", carry = "coupled" } = options;
    checkSize("Highway", "size", size);
    checkSize("Highway", "numLayers", numLayers);
    checkActivation("Highway", "activation", activation);
    if (carry !== "coupled" && carry !== "separate") {
      throw new ArgumentError("Highway", "carry", '"coupled" or "separate"', carry);
    }
    this.size = size;
    this.layers = Array.from({ length: numLayers }, () => new HighwayLayer(size, options));
  }

  /** @throws ShapeError unless the last axis of x is `size` long */
  forward(x: Tensor): Tensor {
    return this.layers.reduce((value, layer) => layer.forward(value), x);
  }
}
