/**
 * Cosine annealing and warm restarts: Loshchilov & Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts";
 * as torch.optim.lr_scheduler.CosineAnnealingLR and CosineAnnealingWarmRestarts.
 *
 *     minimum + (lr - minimum) (1 + cos(pi t / steps)) / 2
 */

import { cosPi } from "../../core/elementary.js";
import { checkCount } from "../../data/check.js";
import { checkRate, type Schedule } from "./schedule.js";

/** From `start` at fraction 0 to `end` at fraction 1 along half a wave. @internal */
export function halfWave(start: number, end: number, fraction: number): number {
  return end + ((start - end) * (1 + cosPi(fraction))) / 2;
}

/** Options of {@link cosineAnnealing}. */
export interface CosineAnnealingOptions {
  /** Updates from `lr` to `minimum`. */
  readonly steps: number;
  /** Default 0. */
  readonly minimum?: number;
  /** Afterwards: up again along the wave ("rise", as PyTorch does, the default) or `minimum` for good ("hold", as Keras does). */
  readonly afterwards?: "rise" | "hold";
}

/**
 * Half a wave from `lr` down to the minimum: minimum + (lr - minimum) (1 + cos(pi t / steps)) / 2.
 * Loshchilov & Hutter 2017, "SGDR", without restarts.
 * @throws ArgumentError naming the option
 */
export function cosineAnnealing(
  lr: number,
  { steps, minimum = 0, afterwards = "rise" }: CosineAnnealingOptions,
): Schedule {
  checkRate("cosineAnnealing", "lr", lr);
  checkCount("cosineAnnealing", "steps", steps);
  checkRate("cosineAnnealing", "minimum", minimum);
  return (update) => halfWave(lr, minimum, (afterwards === "hold" ? Math.min(update, steps) : update) / steps);
}

/** Options of {@link cosineWarmRestarts}. */
export interface CosineWarmRestartsOptions {
  /** Updates of the first period. */
  readonly period: number;
  /** Each period is so many times as long as the one before, a whole number; default 1. */
  readonly multiplier?: number;
  /** Default 0. */
  readonly minimum?: number;
}

/**
 * Cosine annealing that starts over at the end of each period.
 * @throws ArgumentError naming the option
 */
export function cosineWarmRestarts(
  lr: number,
  { period, multiplier = 1, minimum = 0 }: CosineWarmRestartsOptions,
): Schedule {
  checkRate("cosineWarmRestarts", "lr", lr);
  checkCount("cosineWarmRestarts", "period", period);
  checkCount("cosineWarmRestarts", "multiplier", multiplier);
  checkRate("cosineWarmRestarts", "minimum", minimum);
  return (update) => {
    let length = period;
    let into = update;
    if (multiplier === 1) into %= period;
    else for (; into >= length; length *= multiplier) into -= length;
    return halfWave(lr, minimum, into / length);
  };
}
