/** A learnable initial state of a recurrent layer, in place of zeros. */
import { add } from "../tensor/binary.js";
import { type Initializer, Parameter } from "../tensor/parameter.js";
import { reshape } from "../tensor/shape.js";
import { type Tensor, zeros } from "../tensor/tensor.js";
import { checkSize } from "./check.js";
import { constant } from "./initializers.js";
import { LSTM } from "./lstm.js";
import { Module } from "./module.js";
import type { RecurrentLayer } from "./recurrent.js";
import type { RecurrentState } from "./state.js";

/** Options of {@link InitialState}. */
export interface InitialStateOptions {
  /** Draws the state; default zeros, from where it is learned. */
  readonly initializer?: Initializer;
}

/**
 * The state before the first step, learned, and the same for every sequence of a batch:
 *
 * ```ts
 * class Tagger extends Module {
 *   readonly encoder = new LSTM(64, 128);
 *   readonly start = new InitialState(this.encoder);
 *   forward(x: Tensor) {
 *     return this.encoder.forward(x, { state: this.start.forward(x.shape[0]) });
 *   }
 * }
 * ```
 */
export class InitialState<S extends RecurrentState> extends Module {
  /** (numLayers * directions, H or the projection's size) */
  h: Parameter;
  /** (numLayers * directions, H), of an LSTM only */
  c: Parameter | null;

  /** @param layer whose sizes it takes; the layer itself is not held */
  constructor(layer: RecurrentLayer<S>, options: InitialStateOptions = {}) {
    super();
    const { initializer = constant(0) } = options;
    const slices = layer.numLayers * layer.directions;
    this.h = new Parameter([slices, layer.stateSize], initializer);
    this.c = layer instanceof LSTM ? new Parameter([slices, layer.hiddenSize], initializer) : null;
  }

  /**
   * The state of a batch, (numLayers * directions, batchSize, H), or without the batch axis for no batch size.
   * @throws ArgumentError unless batchSize is an integer of 0 or more
   */
  forward(batchSize?: number): S {
    if (batchSize !== undefined) checkSize(this.label, "batchSize", batchSize, 0);
    const expand = (value: Parameter): Tensor => {
      const [slices, width] = value.shape as [number, number];
      if (batchSize === undefined) return add(value, 0);
      return add(reshape(value, [slices, 1, width]), zeros([slices, batchSize, width], value.core));
    };
    const h = expand(this.h);
    return (this.c === null ? { h } : { h, c: expand(this.c) }) as unknown as S;
  }
}
