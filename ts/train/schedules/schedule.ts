/** What a learning-rate schedule is, and how to turn one into another. */
import { checkCount } from "../../data/check.js";
import { ArgumentError } from "../../errors.js";

/**
 * Learning rate of the next update, as `train(..., { schedule })` takes it; any function will do.
 * @param update - updates done, from 0; a schedule's own counts are in this unit unless it goes through {@link byEpoch}
 * @param epoch - the current epoch, from 1
 */
export type Schedule = (update: number, epoch: number) => number;

/** A schedule that moves once an epoch: where it was written for updates, it now counts epochs done. */
export function byEpoch(schedule: Schedule): Schedule {
  return (_update, epoch) => schedule(epoch - 1, epoch);
}

/** Options of {@link warmUp}. */
export interface WarmUpOptions {
  /** Updates until `schedule` begins. */
  readonly steps: number;
  /** Learning rate of the first update; default 0. */
  readonly from?: number;
}

/**
 * A straight line from `from` to where `schedule` begins, then `schedule`, whose own count starts there (Goyal et al.
 * 2017, "Accurate, Large Minibatch SGD", section 2.2; as warm-up in Keras).
 * @throws ArgumentError naming the option
 */
export function warmUp(schedule: Schedule, { steps, from = 0 }: WarmUpOptions): Schedule {
  checkCount("warmUp", "steps", steps);
  checkRate("warmUp", "from", from);
  return (update, epoch) => {
    if (update >= steps) return schedule(update - steps, epoch);
    return from + (schedule(0, epoch) - from) * (update / steps);
  };
}

/** Throws ArgumentError unless it is a learning rate. @internal */
export function checkRate(where: string, option: string, value: number): void {
  if (!(value >= 0 && value < Infinity)) throw new ArgumentError(where, option, "a finite number, at least 0", value);
}

/** Throws ArgumentError unless it is above 0 and finite. @internal */
export function checkFactor(where: string, option: string, value: number): void {
  if (!(value > 0 && value < Infinity)) throw new ArgumentError(where, option, "a finite number above 0", value);
}
