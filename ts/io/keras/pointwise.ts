/** Layers without weights, which are functions of their inputs. */
import type { Ids } from "../../tensor/ids.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { Dialect, LayerConfig } from "./config.js";
import { asTensor, type Flow, KerasLayer, type LayerMaker, only } from "./layer.js";

/** A layer without weights: a function of its inputs. */
export class Pointwise extends KerasLayer {
  readonly #apply: (inputs: readonly Flow[], where: string) => Flow;

  constructor(config: LayerConfig, apply: (inputs: readonly Flow[], where: string) => Flow) {
    super(config);
    this.#apply = apply;
  }

  override forward(inputs: readonly Flow[]): readonly Flow[] {
    return [this.#apply(inputs, this.label)];
  }
}

/** Of one input, whose mask the result keeps. */
export function ofOne(
  make: (config: LayerConfig, dialect: Dialect) => (x: Tensor, where: string) => Tensor,
): LayerMaker {
  return (config, _weights, dialect) => {
    const apply = make(config, dialect);
    const run = (inputs: readonly Flow[], where: string): Flow => {
      const { value, mask } = only(where, inputs);
      return { value: apply(asTensor(value), where), mask };
    };
    return { layer: new Pointwise(config, run), values: new Map() };
  };
}

/** Of one input, the result without mask. */
export function unmasked(
  make: (config: LayerConfig) => (x: Tensor, mask: Ids | null, where: string) => Tensor,
): LayerMaker {
  return (config) => {
    const apply = make(config);
    const run = (inputs: readonly Flow[], where: string): Flow => {
      const { value, mask } = only(where, inputs);
      return { value: apply(asTensor(value), mask, where), mask: null };
    };
    return { layer: new Pointwise(config, run), values: new Map() };
  };
}
