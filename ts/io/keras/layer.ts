/** What every layer of a Keras model is here: a module that takes and gives values with masks. */
import { ArgumentError, DTypeError } from "../../errors.js";
import { Module } from "../../nn/module.js";
import { Ids } from "../../tensor/ids.js";
import { type PlainTensor, Tensor, tensor } from "../../tensor/tensor.js";
import type { Dialect, LayerConfig } from "./config.js";
import type { LayerWeights } from "./weights.js";

/** What goes from layer to layer. */
export interface Flow {
  /** What flows. */
  readonly value: Tensor | Ids;
  /** (B, T), 0 for steps that do not count; null: all count. */
  readonly mask: Ids | null;
}

/** A layer of a Keras model. */
export abstract class KerasLayer extends Module {
  /** The layer's name in the file. */
  readonly name: string;
  readonly #label: string;

  /** @internal */
  constructor(config: LayerConfig) {
    super();
    this.name = config.text("name", "");
    this.#label = config.where;
  }

  override get label(): string {
    return this.#label;
  }

  /** Runs the layer; several inputs or outputs only where Keras has them. */
  abstract forward(inputs: readonly Flow[]): readonly Flow[];
}

/** A layer and what its parameters are to be, by their names in it. */
export interface LoadedLayer<L extends KerasLayer = KerasLayer> {
  readonly layer: L;
  readonly values: ReadonlyMap<string, PlainTensor>;
}

/** Makes a layer from its configuration and weights, which it checks before it declares anything of their size. */
export type LayerMaker = (config: LayerConfig, weights: LayerWeights, dialect: Dialect) => LoadedLayer;

/** Values of a layer inside another, by their names in that. */
export function inField(field: string, { values }: LoadedLayer): [string, PlainTensor][] {
  return [...values].map(([name, value]) => [`${field}.${name}`, value]);
}

/** The input of a layer that takes one. @throws ArgumentError when there are others */
export function only(where: string, inputs: readonly Flow[]): Flow {
  const [first] = inputs;
  if (first === undefined || inputs.length !== 1) throw new ArgumentError(where, "the inputs", "one", inputs.length);
  return first;
}

/** A value as numbers; ids become floats. */
export function asTensor(value: Tensor | Ids): Tensor {
  return value instanceof Tensor ? value : tensor(value.data, value.shape);
}

/** A value as ids, as an Embedding wants them. @throws DTypeError unless the numbers are 32-bit integers */
export function asIds(where: string, value: Tensor | Ids): Ids {
  if (value instanceof Ids) return value;
  const numbers = value.toArray();
  const data = Int32Array.from(numbers);
  const wrong = numbers.find((number, i) => number !== data[i]);
  if (wrong !== undefined) throw new DTypeError(where, "the input", "integers", wrong);
  return new Ids(data, value.shape);
}
