/** Layer normalisation. Ba, Kiros & Hinton 2016, "Layer Normalization"; as torch.nn.LayerNorm. */
import { layerNorm } from "../tensor/layer-norm.js";
import { Parameter } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import { checkSize } from "./check.js";
import { constant } from "./initializers.js";
import { Module } from "./module.js";

/** Options of {@link LayerNorm}. */
export interface LayerNormModuleOptions {
  /** Added to the variance; default 1e-5. */
  readonly epsilon?: number;
  /** Learn a weight and a bias; default true. */
  readonly affine?: boolean;
  /** Learn a bias, when affine; default true. */
  readonly bias?: boolean;
}

/** (x - mean) / sqrt(variance + epsilon) weight + bias over the trailing axes, (..., normalizedShape). */
export class LayerNorm extends Module {
  /** The trailing axes that are normalised together. */
  readonly normalizedShape: readonly number[];
  /** Added to the variance. */
  readonly epsilon: number;
  /** Of the normalised shape; ones at first. */
  weight: Parameter | null;
  /** Of the normalised shape; zeros at first. */
  bias: Parameter | null;

  /**
   * @param normalizedShape - the trailing axes that are normalised together; a number for the last alone
   * @throws ArgumentError for a size that is none
   */
  constructor(normalizedShape: number | readonly number[], options: LayerNormModuleOptions = {}) {
    super();
    const shape = typeof normalizedShape === "number" ? [normalizedShape] : [...normalizedShape];
    shape.forEach((size) => checkSize("LayerNorm", "normalizedShape", size));
    const { epsilon = 1e-5, affine = true, bias = true } = options;
    this.normalizedShape = shape;
    this.epsilon = epsilon;
    this.weight = affine ? new Parameter(shape, constant(1)) : null;
    this.bias = affine && bias ? new Parameter(shape) : null;
  }

  /** @throws ShapeError unless x ends in the normalised shape */
  forward(x: Tensor): Tensor {
    const { weight, bias, epsilon } = this;
    return layerNorm(x, this.normalizedShape, { weight, bias, epsilon }, this.label);
  }
}
