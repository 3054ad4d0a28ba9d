/**
 * Errors of forecasts (Hyndman & Koehler 2006, "Another look at measures of forecast accuracy"):
 *
 *     mean absolute error = mean |y_t - f_t|
 *     mean absolute scaled error = mean absolute error / mean over the training series of |y_t - y_(t-m)|
 *
 * Below 1 the forecasts are better than the naive one, "as m steps ago", was on the training series.
 */
import { ArgumentError, DataError, ShapeError } from "../../errors.js";

/** Mean absolute error over a stream of batches. */
export class MeanAbsoluteError {
  #sum = 0;
  #count = 0;

  /** @throws ShapeError when there are not as many forecasts as values */
  add(forecasts: ArrayLike<number>, actual: ArrayLike<number>): this {
    if (forecasts.length !== actual.length) {
      throw new ShapeError("MeanAbsoluteError", "forecasts", [actual.length], [forecasts.length]);
    }
    for (let i = 0; i < actual.length; i++) this.#sum += Math.abs((actual[i] as number) - (forecasts[i] as number));
    this.#count += actual.length;
    return this;
  }

  /** NaN of nothing. */
  get value(): number {
    return this.#sum / this.#count;
  }

  /** Forecasts so far. */
  get count(): number {
    return this.#count;
  }

  /** Starts over. */
  reset(): void {
    this.#sum = 0;
    this.#count = 0;
  }
}

/** Mean absolute scaled error (MASE) over a stream of batches. */
export class MeanAbsoluteScaledError {
  readonly #error = new MeanAbsoluteError();
  /** Mean absolute error of the naive forecast on the training series. */
  readonly scale: number;

  /**
   * @param training - the series that the model was trained on
   * @param season - steps of a period, m; default 1
   * @throws DataError when the series is not longer than a period, or repeats exactly and so gives no scale
   */
  constructor(training: ArrayLike<number>, season = 1) {
    if (!(Number.isSafeInteger(season) && season >= 1)) {
      throw new ArgumentError("MeanAbsoluteScaledError", "season", "a whole number from 1", season);
    }
    if (training.length <= season) {
      throw new DataError(
        `MeanAbsoluteScaledError: the training series must be longer than ${season}, got ${training.length} values`,
      );
    }
    let sum = 0;
    for (let t = season; t < training.length; t++) {
      sum += Math.abs((training[t] as number) - (training[t - season] as number));
    }
    this.scale = sum / (training.length - season);
    if (!(this.scale > 0)) {
      throw new DataError(`MeanAbsoluteScaledError: the naive error of the training series is ${this.scale}`);
    }
  }

  /** @throws ShapeError when there are not as many forecasts as values */
  add(forecasts: ArrayLike<number>, actual: ArrayLike<number>): this {
    this.#error.add(forecasts, actual);
    return this;
  }

  /** NaN of nothing. */
  get value(): number {
    return this.#error.value / this.scale;
  }

  /** Forecasts so far. */
  get count(): number {
    return this.#error.count;
  }

  /** Starts over. */
  reset(): void {
    this.#error.reset();
  }
}
