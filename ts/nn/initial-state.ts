/** A learnable initial state of a recurrent layer, in place of zeros. */
import { add } from "../tensor/binary.js";
import { type Initializer, Parameter } from "../tensor/parameter.js";
import { reshape } from "../tensor/shape.js";
import { type Tensor, zeros } from "../tensor/tensor.js";
import { checkSize } from "./check.js";
import { constant } from "./initializers.js";
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
  /** (numLayers * directions, H or what the layer says); other states of a layer are fields of their names likewise. */
  declare h: Parameter;
  /** null for a layer without such a state. */
  declare c: Parameter | null;
  readonly #names: readonly string[];

  /**
   * Declares a parameter for each state of a layer.
   * @param layer - whose sizes it takes; the layer itself is not held
   */
  constructor(layer: RecurrentLayer<S>, options: InitialStateOptions = {}) {
    super();
    const { initializer = constant(0) } = options;
    const slices = layer.numLayers * layer.directions;
    this.#names = layer.states.map(({ name }) => name);
    for (const { name, size } of layer.states) this.#fields[name] = new Parameter([slices, size], initializer);
    this.#fields["c"] ??= null;
  }

  /**
   * The state of a batch, (numLayers * directions, batchSize, width), or without the batch axis for no batch size.
   * @throws ArgumentError unless batchSize is an integer of 0 or more
   */
  forward(batchSize?: number): S {
    if (batchSize !== undefined) checkSize(this.label, "batchSize", batchSize, 0);
    const expand = (value: Parameter): Tensor => {
      const [slices, width] = value.shape as [number, number];
      if (batchSize === undefined) return add(value, 0);
      return add(reshape(value, [slices, 1, width]), zeros([slices, batchSize, width], value.core));
    };
    return Object.fromEntries(
      this.#names.map((name) => [name, expand(this.#fields[name] as Parameter)]),
    ) as unknown as S;
  }

  get #fields(): Record<string, Parameter | null> {
    return this as unknown as Record<string, Parameter | null>;
  }
}
