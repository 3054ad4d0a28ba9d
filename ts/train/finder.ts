/**
 * The learning-rate range test (Smith 2015, "Cyclical Learning Rates for Training Neural Networks", section 3.3): a
 * short run whose rate grows geometrically. The loss first stays, then falls, then explodes:
 *
 *     lr_i = from (to / from)^(i / (n - 1))
 *     s_i = smoothing s_(i-1) + (1 - smoothing) loss_i,  smooth_i = s_i / (1 - smoothing^(i+1)),  s_-1 = 0
 *
 * The suggestion is the rate at which the smoothed loss falls fastest over log lr.
 */
import { pow } from "../core/elementary.js";
import { ArgumentError, isUnrolledError } from "../errors.js";
import type { Module } from "../nn/module.js";
import { type LossFunction, type ModelWithLoss, type TrainingData, type TrainOptions, train } from "./loop.js";

/** Options of {@link findLearningRate}: what makes up an update, as in `train`, and the range. */
export interface FinderOptions<M, B>
  extends Pick<
    TrainOptions<M, B>,
    "optimizer" | "loss" | "lossScale" | "clipGradNorm" | "clipParameterNorm" | "clipGradValue" | "normType" | "signal"
  > {
  /** First learning rate; default 1e-6. */
  readonly from?: number | undefined;
  /** Last; default 10. */
  readonly to?: number | undefined;
  /** Updates at most; default 100. */
  readonly updates?: number | undefined;
  /** Of the loss, default 0.9. */
  readonly smoothing?: number | undefined;
  /** The run ends when the smoothed loss is above its lowest times this; default 4. */
  readonly divergence?: number | undefined;
}

/** One update of the test. */
export interface FinderPoint {
  /** Learning rate of the update. */
  readonly lr: number;
  /** Of the update, in nats. */
  readonly loss: number;
  /** The smoothed loss, corrected for its start. */
  readonly smoothLoss: number;
}

/** What {@link findLearningRate} gives. */
export interface FinderResult {
  /** Every update that was made. */
  readonly points: readonly FinderPoint[];
  /** The rate where the loss falls fastest; undefined where it never falls. */
  readonly suggestion: number | undefined;
}

/**
 * Tries learning rates on a model. Model and optimizer are put back to what they were, however it ends.
 *
 * @throws ArgumentError when the range is none, and whatever loss and data throw; that losses stop being finite is no
 *   error here
 */
export async function findLearningRate<M extends Module, B>(
  model: M,
  data: TrainingData<B>,
  options: FinderOptions<M, B> & (M extends ModelWithLoss<B> ? unknown : { readonly loss: LossFunction<M, B> }),
): Promise<FinderResult> {
  const { from = 1e-6, to = 10, updates = 100, smoothing = 0.9, divergence = 4, optimizer, signal, ...rest } = options;
  if (!(from > 0 && from < Infinity))
    throw new ArgumentError("findLearningRate", "from", "a finite number above 0", from);
  if (!(to > from && to < Infinity)) throw new ArgumentError("findLearningRate", "to", `finite and above ${from}`, to);
  if (!(Number.isSafeInteger(updates) && updates >= 2)) {
    throw new ArgumentError("findLearningRate", "updates", "a whole number from 2", updates);
  }
  if (!(smoothing >= 0 && smoothing < 1)) {
    throw new ArgumentError("findLearningRate", "smoothing", "at least 0 and below 1", smoothing);
  }
  if (!(divergence > 1)) throw new ArgumentError("findLearningRate", "divergence", "above 1", divergence);
  const weights = model.stateDict();
  const state = optimizer.stateDict();
  const points: FinderPoint[] = [];
  let [sum, weight, lowest] = [0, 1, Infinity];
  try {
    const run = train(model, data, {
      ...rest,
      optimizer,
      updates,
      schedule: (update) => from * pow(to / from, update / (updates - 1)),
      signal,
    } as Parameters<typeof train<M, B>>[2]);
    for await (const event of run) {
      if (event.kind !== "update") continue;
      sum = smoothing * sum + (1 - smoothing) * event.loss;
      weight *= smoothing;
      const smoothLoss = sum / (1 - weight);
      points.push({ lr: event.lr, loss: event.loss, smoothLoss });
      lowest = Math.min(lowest, smoothLoss);
      // Losses below 0 exist (densities), and there a multiple of the lowest is no limit.
      if (lowest > 0 && smoothLoss > divergence * lowest) break;
    }
  } catch (error) {
    if (!isUnrolledError(error) || error.code !== "TRAINING_DIVERGED") throw error;
  } finally {
    model.loadStateDict(weights);
    optimizer.loadStateDict(state);
  }
  return { points, suggestion: steepest(points) };
}

/** Rates are evenly spaced in log lr, so differences of the loss are slopes; central ones, as numpy.gradient. */
function steepest(points: readonly FinderPoint[]): number | undefined {
  let [slope, suggestion]: [number, number | undefined] = [0, undefined];
  for (let i = 1; i + 1 < points.length; i++) {
    const fall = (points[i + 1] as FinderPoint).smoothLoss - (points[i - 1] as FinderPoint).smoothLoss;
    if (fall < slope) [slope, suggestion] = [fall, points[i]?.lr];
  }
  return suggestion;
}
