/**
 * Adadelta: Zeiler 2012, "ADADELTA: An Adaptive Learning Rate Method"; as torch.optim.Adadelta. In Keras `lr` defaults
 * to 0.001, `rho` to 0.95 and `epsilon` to 1e-7.
 *
 *     g = gradient + weightDecay p
 *     v = rho v + (1 - rho) g^2
 *     d = sqrt(u + epsilon) / sqrt(v + epsilon) g
 *     u = rho u + (1 - rho) d^2
 *     p = p - lr d
 */
import type { Core } from "../core/core.js";
import type { Module } from "../nn/module.js";
import type { Parameter } from "../tensor/parameter.js";
import { checkRange, Optimizer, type OptimizerOptions } from "./optimizer.js";

/** Options of {@link Adadelta}; `lr` defaults to 1. */
export interface AdadeltaOptions extends OptimizerOptions {
  /** Decay of both averages; default 0.9. */
  readonly rho?: number;
  /** Default 1e-6. */
  readonly epsilon?: number;
}

/**
 * Adadelta, p -= lr sqrt(u + epsilon) / sqrt(v + epsilon) g with running means u of squared steps and v of squared
 * gradients: Zeiler 2012. As `torch.optim.Adadelta`; `lr` defaults to 1.
 *
 * @throws ArgumentError for a setting that is out of its range
 */
export class Adadelta extends Optimizer {
  protected readonly kind = "Adadelta";
  protected readonly slots = ["square_avg", "acc_delta"];
  readonly #rho: number;
  readonly #epsilon: number;

  /**
   * @param target - a module, for all its parameters, or the parameters
   * @throws ArgumentError for a setting that is out of its range
   */
  constructor(target: Module | Iterable<Parameter>, options: AdadeltaOptions = {}) {
    super(target, 1, options);
    const { rho = 0.9, epsilon = 1e-6 } = options;
    checkRange("Adadelta", "rho", rho, 0, 1);
    checkRange("Adadelta", "epsilon", epsilon, 0, Infinity);
    this.#rho = rho;
    this.#epsilon = epsilon;
  }

  protected apply(core: Core, p: Parameter, gradient: number, slot: (name: string) => number): void {
    core.raw.ur_adadelta(
      p.size,
      p.pointer,
      gradient,
      slot("square_avg"),
      slot("acc_delta"),
      this.lrOf(p),
      this.#rho,
      this.#epsilon,
      this.decayOf(p),
    );
  }
}
