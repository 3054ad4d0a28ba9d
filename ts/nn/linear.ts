/** Linear: y = x Wt + b. */
import { linear } from "../tensor/matmul.js";
import { type Initializer, Parameter } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import { checkSize } from "./check.js";
import { uniform } from "./initializers.js";
import { Module } from "./module.js";

/** Options of {@link Linear}. */
export interface LinearOptions {
  /** Add a bias; default true. */
  readonly bias?: boolean;
  /** Draws weight and bias; default U(-1/sqrt(inFeatures), 1/sqrt(inFeatures)), as PyTorch. */
  readonly initializer?: Initializer;
  /** Draws the bias; default as `initializer`. */
  readonly biasInitializer?: Initializer;
}

/** y = x Wt + b over the last axis: (..., inFeatures) to (..., outFeatures). */
export class Linear extends Module {
  /** Length of the last axis of the input. */
  readonly inFeatures: number;
  /** Length of the last axis of the output. */
  readonly outFeatures: number;
  /** (outFeatures, inFeatures) */
  weight: Parameter;
  /** (outFeatures) */
  bias: Parameter | null;

  /**
   * @param inFeatures - length of the last axis of the input
   * @param outFeatures - length of the last axis of the output
   * @throws ArgumentError unless both are whole numbers from 1
   */
  constructor(inFeatures: number, outFeatures: number, options: LinearOptions = {}) {
    super();
    checkSize("Linear", "inFeatures", inFeatures);
    checkSize("Linear", "outFeatures", outFeatures);
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    const bound = 1 / Math.sqrt(inFeatures);
    const initializer = options.initializer ?? uniform(-bound, bound);
    this.weight = new Parameter([outFeatures, inFeatures], initializer);
    this.bias = options.bias === false ? null : new Parameter([outFeatures], options.biasInitializer ?? initializer);
  }

  /** @throws ShapeError unless the last axis of x is inFeatures long */
  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias, this.label);
  }
}
