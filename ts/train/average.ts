/**
 * Averages of weights over updates, for evaluation: the mean of all (Polyak & Juditsky 1992, "Acceleration of
 * Stochastic Approximation by Averaging") or an exponential moving average.
 *
 *     a = a + weight (p - a),   weight = 1 / n for the n-th value, or 1 - decay (1 for the first value)
 */
import { LoadError } from "../errors.js";
import type { Module, StateDict } from "../nn/module.js";
import type { Parameter } from "../tensor/parameter.js";
import { createPersistent, sameShape, type Tensor } from "../tensor/tensor.js";
import { checkRange } from "./optimizer.js";

/** Everything a {@link WeightAverage} needs to go on as if never stopped. */
export interface WeightAverageState {
  /** Values averaged so far. */
  readonly count: number;
  /** The averages. */
  readonly tensors: StateDict;
}

/**
 * Runs `fn` while parameters hold other values, and puts their own back, also when it throws; when it returns a promise,
 * once that has settled. Both are moved as bits: nothing is rounded. @internal
 */
export function withValues<R>(values: Iterable<readonly [Parameter, Tensor]>, fn: () => R): R {
  const own = Array.from(values, ([parameter, other]) => {
    const kept = parameter.toArray();
    parameter.write(other.toArray());
    return [parameter, kept] as const;
  });
  const putBack = (): void => {
    for (const [parameter, kept] of own) parameter.write(kept);
  };
  let result: R;
  try {
    result = fn();
  } catch (error) {
    putBack();
    throw error;
  }
  if (result instanceof Promise) return result.finally(putBack) as R;
  putBack();
  return result;
}

/**
 * The average of a model's weights:
 *
 * ```ts
 * const average = new WeightAverage(model, { decay: 0.999 });
 * for (const batch of batches) {
 *   optimizer.update(() => model.loss(batch));
 *   average.update();
 * }
 * const score = average.run(() => evaluate(model));
 * ```
 */
export class WeightAverage {
  readonly #model: Module;
  readonly #decay: number | undefined;
  readonly #averages = new Map<Parameter, Tensor>();
  #count = 0;

  /**
   * @param model - whose parameters are averaged
   * @param options - `decay`: of a moving average, from 0 and below 1; default: the mean of all values
   * @throws ArgumentError when the decay is out of that range
   */
  constructor(model: Module, options: { readonly decay?: number } = {}) {
    const { decay } = options;
    if (decay !== undefined) checkRange("WeightAverage", "decay", decay, 0, 1);
    this.#model = model;
    this.#decay = decay;
  }

  /** Values averaged so far. */
  get count(): number {
    return this.#count;
  }

  /** Takes in the present weights. */
  update(): void {
    const parameters = this.#model.parameters();
    const averages = parameters.map((parameter) => this.#averageOf(parameter));
    this.#count++;
    const weight = this.#decay === undefined || this.#count === 1 ? 1 / this.#count : 1 - this.#decay;
    const { core } = this.#model;
    core.writing = true;
    parameters.forEach((parameter, i) => {
      core.raw.ur_average(parameter.size, (averages[i] as Tensor).pointer, parameter.pointer, weight);
    });
    core.writing = false;
  }

  /**
   * Runs `fn` with the averages as the model's weights, if it returns a promise until that has settled; before the first
   * {@link update} with its own.
   */
  run<R>(fn: () => R): R {
    return withValues(this.#averages, fn);
  }

  /** Copies of the averages, for {@link loadStateDict}. */
  stateDict(): WeightAverageState {
    const tensors: StateDict = new Map();
    for (const [name, parameter] of this.#model.namedParameters()) {
      const average = this.#averages.get(parameter);
      if (average) tensors.set(name, { data: average.toArray() as Float32Array, shape: average.shape });
    }
    return { count: this.#count, tensors };
  }

  /**
   * Goes on from a saved state. Everything is checked before anything is changed.
   * @throws LoadError when the state is of other parameters or shapes
   */
  loadStateDict({ count, tensors }: WeightAverageState): void {
    const named = count === 0 ? [] : this.#model.namedParameters();
    for (const [name, { shape }] of named) {
      const saved = tensors.get(name);
      if (saved === undefined) throw new LoadError("missing_tensor", `weight average: ${name} is missing`);
      if (!sameShape(saved.shape, shape) || saved.data.length !== shape.reduce((a, b) => a * b, 1)) {
        throw new LoadError("shape", `weight average: ${name} has shape [${saved.shape}], expected [${shape}]`);
      }
    }
    this.dispose();
    this.#count = count;
    for (const [name, parameter] of named) {
      const saved = tensors.get(name)?.data as Float32Array;
      parameter.core.f32.set(saved, this.#averageOf(parameter).pointer >>> 2);
    }
  }

  /** Frees the averages and starts over. */
  dispose(): void {
    for (const average of this.#averages.values()) average.dispose();
    this.#averages.clear();
    this.#count = 0;
  }

  /** The same as {@link dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #averageOf(parameter: Parameter): Tensor {
    let average = this.#averages.get(parameter);
    if (average === undefined) {
      average = createPersistent(parameter.core, parameter.shape);
      this.#averages.set(parameter, average);
    }
    return average;
  }
}
