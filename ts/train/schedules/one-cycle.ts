/**
 * One cycle: Smith & Topin 2017, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates";
 * as torch.optim.lr_scheduler.OneCycleLR.
 *
 * From lr / divisor up to lr at update `warmUp steps - 1`, down to lr / divisor / finalDivisor at update `steps - 1`;
 * with three phases down to lr / divisor at `2 warmUp steps - 2` first. Momentum goes the opposite way, between `low`
 * and `high`, and stays high in a third phase.
 */
import { checkCount } from "../../data/check.js";
import { ArgumentError } from "../../errors.js";
import { halfWave } from "./cosine.js";
import { checkFactor, checkRate, type Schedule } from "./schedule.js";

/** Course of a cycle. */
export interface CycleOptions {
  /** Updates of the whole. */
  readonly steps: number;
  /** Fraction of them on the way up, above 0 and below 1 (with three phases below a half); default 0.3. */
  readonly warmUp?: number;
  /** Along half a wave or a straight line; default "cosine". */
  readonly anneal?: "cosine" | "linear";
  /** Whether to come down in two phases; default false. */
  readonly threePhase?: boolean;
}

/** Options of {@link oneCycle}. */
export interface OneCycleOptions extends CycleOptions {
  /** Default 25. */
  readonly divisor?: number;
  /** Default 10 000. */
  readonly finalDivisor?: number;
}

/**
 * Learning rate of one cycle; `lr` is the highest. Afterwards the last rate goes on.
 * @throws ArgumentError naming the option
 */
export function oneCycle(lr: number, options: OneCycleOptions): Schedule {
  const { divisor = 25, finalDivisor = 1e4 } = options;
  checkRate("oneCycle", "lr", lr);
  checkFactor("oneCycle", "divisor", divisor);
  checkFactor("oneCycle", "finalDivisor", finalDivisor);
  const start = lr / divisor;
  return cycle("oneCycle", options, [start, lr, start], start / finalDivisor);
}

/**
 * Momentum of one cycle, for example `optimizer.momentum = momentum(update, epoch)`; `low` and `high` default to 0.85 and 0.95.
 * @throws ArgumentError naming the option
 */
export function oneCycleMomentum(options: CycleOptions & { readonly low?: number; readonly high?: number }): Schedule {
  const { low = 0.85, high = 0.95 } = options;
  return cycle("oneCycleMomentum", options, [high, low, high], high);
}

/** The way through `[start, peak, start]` to `last`. */
function cycle(
  where: string,
  { steps, warmUp = 0.3, anneal = "cosine", threePhase = false }: CycleOptions,
  [start, peak, again]: readonly [number, number, number],
  last: number,
): Schedule {
  checkCount(where, "steps", steps);
  const limit = threePhase ? 0.5 : 1;
  if (!(warmUp > 0 && warmUp < limit)) throw new ArgumentError(where, "warmUp", `above 0 and below ${limit}`, warmUp);
  const top = warmUp * steps - 1;
  // Where each phase ends, and at what value.
  const corners = [
    { at: top, value: peak },
    ...(threePhase ? [{ at: 2 * top, value: again }] : []),
    { at: steps - 1, value: last },
  ];
  return (update) => {
    let from = { at: 0, value: start };
    for (const to of corners) {
      if (update <= to.at) {
        const fraction = (update - from.at) / (to.at - from.at);
        return anneal === "linear"
          ? from.value + (to.value - from.value) * fraction
          : halfWave(from.value, to.value, fraction);
      }
      from = to;
    }
    return last;
  };
}
