/**
 * AdamW: Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization"; as torch.optim.AdamW.
 *
 *     p = p - lr weightDecay p, then Adam without decay
 */
import type { Module } from "../nn/module.js";
import type { Parameter } from "../tensor/parameter.js";
import { Adam, type AdamOptions } from "./adam.js";

/** Options of {@link AdamW}; `weightDecay` defaults to 0.01. */
export type AdamWOptions = AdamOptions;

/**
 * {@link Adam} with weight decay apart from the gradient, p -= lr weightDecay p: Loshchilov & Hutter 2019. As
 * `torch.optim.AdamW`; `lr` defaults to 0.001, `weightDecay` to 0.01.
 *
 * @throws ArgumentError for a setting that is out of its range
 */
export class AdamW extends Adam {
  protected override readonly kind = "AdamW";
  protected override readonly decoupled = true;

  /**
   * @param target - a module, for all its parameters, or the parameters
   * @throws ArgumentError for a setting that is out of its range
   */
  constructor(target: Module | Iterable<Parameter>, options: AdamWOptions = {}) {
    super(target, { weightDecay: 0.01, ...options });
  }
}
