/**
 * Windows of a time series: from `seqLen` steps the `horizon` steps after them are to be predicted.
 *
 * Window w has the inputs w*stride .. w*stride + seqLen - 1 and, as targets, the next `horizon` steps. Windows overlap
 * where stride < seqLen. To keep a validation part apart, cut the series in time first: neighbouring windows share
 * steps.
 */
import { ArgumentError, DataError } from "../errors.js";
import type { PlainTensor } from "../tensor/tensor.js";
import { checkCount } from "./check.js";
import { BatchOrder, type BatchOrderOptions } from "./order.js";

/** Options of {@link seriesWindows}. */
export interface SeriesOptions extends BatchOrderOptions {
  /** Steps that are given. */
  readonly seqLen: number;
  /** Steps after them that are to be predicted; default 1. */
  readonly horizon?: number | undefined;
  /** Steps from the start of one window to the start of the next; default 1. */
  readonly stride?: number | undefined;
  /** The features that are to be predicted, by number; default: all of them. */
  readonly targetFeatures?: readonly number[] | undefined;
}

/** B windows. Both blocks become tensors by `tensor(block.data, block.shape)`. */
export interface SeriesBatch {
  /** (B, seqLen, I). */
  readonly inputs: PlainTensor;
  /** (B, horizon, O), O the number of features to predict. */
  readonly targets: PlainTensor;
  /** The step of the series that each window starts with (B). */
  readonly starts: Int32Array;
  /** Steps to predict, B x horizon. */
  readonly count: number;
}

/** Batches of windows, by number. Iterating gives one epoch. The arrays of a batch are its own. */
export class SeriesWindows implements Iterable<SeriesBatch> {
  /** Batches of an epoch. */
  readonly length: number;
  /** Windows of an epoch. */
  readonly windows: number;
  readonly #values: Float32Array;
  readonly #features: number;
  readonly #targetFeatures: readonly number[];
  readonly #seqLen: number;
  readonly #horizon: number;
  readonly #stride: number;
  readonly #order: BatchOrder;

  /** @internal use {@link seriesWindows} */
  constructor(series: ArrayLike<number> | readonly ArrayLike<number>[], options: SeriesOptions) {
    const { seqLen, horizon = 1, stride = 1 } = options;
    checkCount(WHERE, "seqLen", seqLen);
    checkCount(WHERE, "horizon", horizon);
    checkCount(WHERE, "stride", stride);
    const steps = series.length;
    if (steps < seqLen + horizon) {
      throw new DataError(
        `${WHERE}: a window takes ${seqLen + horizon} steps (seqLen ${seqLen} + horizon ${horizon}), got ${steps}`,
      );
    }
    const first = series[0] as number | ArrayLike<number>;
    this.#features = typeof first === "number" ? 1 : first.length;
    this.#values = flat(series, this.#features);
    this.#targetFeatures = options.targetFeatures ?? Array.from({ length: this.#features }, (_, feature) => feature);
    for (const feature of this.#targetFeatures) {
      if (!(Number.isSafeInteger(feature) && feature >= 0 && feature < this.#features)) {
        throw new ArgumentError(WHERE, "targetFeatures", `numbers from 0 to ${this.#features - 1}`, feature);
      }
    }
    this.#seqLen = seqLen;
    this.#horizon = horizon;
    this.#stride = stride;
    this.windows = Math.floor((steps - seqLen - horizon) / stride) + 1;
    this.#order = new BatchOrder(WHERE, this.windows, options);
    this.length = this.#order.length;
  }

  /** Batch `index` of the endless sequence of epochs: `floor(index / length)` is the epoch. */
  batch(index: number): SeriesBatch {
    const starts = this.#order.batch(index).map((window) => window * this.#stride);
    const [features, seqLen, horizon] = [this.#features, this.#seqLen, this.#horizon];
    const chosen = this.#targetFeatures;
    const inputs = new Float32Array(starts.length * seqLen * features);
    const targets = new Float32Array(starts.length * horizon * chosen.length);
    let at = 0;
    starts.forEach((start, row) => {
      inputs.set(this.#values.subarray(start * features, (start + seqLen) * features), row * seqLen * features);
      for (let t = start + seqLen; t < start + seqLen + horizon; t++) {
        for (const feature of chosen) targets[at++] = this.#values[t * features + feature] as number;
      }
    });
    return {
      inputs: { data: inputs, shape: [starts.length, seqLen, features] },
      targets: { data: targets, shape: [starts.length, horizon, chosen.length] },
      starts,
      count: starts.length * horizon,
    };
  }

  /** The batches of one epoch, counted from 0. */
  *epoch(epoch: number): Generator<SeriesBatch, void, undefined> {
    for (let step = 0; step < this.length; step++) yield this.batch(epoch * this.length + step);
  }

  /** The batches of the first epoch. */
  [Symbol.iterator](): Generator<SeriesBatch, void, undefined> {
    return this.epoch(0);
  }
}

const WHERE = "seriesWindows";

/**
 * Batches of windows of a time series, to predict what follows them.
 *
 * @param series - T numbers, or T rows of I numbers each, in the order of time; kept as 32-bit floats
 * @throws DataError when the series is shorter than one window, or naming the step whose row is of another width or
 *   holds something that is no finite number
 */
export function seriesWindows(
  series: ArrayLike<number> | readonly ArrayLike<number>[],
  options: SeriesOptions,
): SeriesWindows {
  return new SeriesWindows(series, options);
}

function flat(series: ArrayLike<number> | readonly ArrayLike<number>[], features: number): Float32Array {
  const values = new Float32Array(series.length * features);
  for (let t = 0; t < series.length; t++) {
    const step = series[t] as number | ArrayLike<number>;
    const row = typeof step === "number" ? [step] : step;
    if (row.length !== features || features === 0) {
      throw new DataError(`${WHERE}: step ${t} has ${row.length} features, expected ${Math.max(features, 1)}`);
    }
    for (let feature = 0; feature < features; feature++) {
      const value = row[feature] as number;
      // NaN is how a gap in a table is often read, and it would poison every window that it is in.
      if (!Number.isFinite(value)) {
        throw new DataError(`${WHERE}: step ${t}, feature ${feature} is ${String(value)}, expected a finite number`);
      }
      values[t * features + feature] = value;
    }
  }
  return values;
}
