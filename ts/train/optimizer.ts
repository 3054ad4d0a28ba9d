import type { Core } from "../core/core.js";
import { ArgumentError, LoadError, ShapeError } from "../errors.js";
import { Module, type StateDict } from "../nn/module.js";
import type { Parameter } from "../tensor/parameter.js";
import { recordGradients } from "../tensor/record.js";
import { runScope } from "../tensor/scope.js";
import { copyStrided } from "../tensor/shape.js";
import { createPersistent, sameShape, type Tensor } from "../tensor/tensor.js";
import { type ClipOptions, clipBlocks, type GradientBlock } from "./clip.js";
import { firstNonFinite } from "./guard.js";
import { checkLimit, limitNorm } from "./max-norm.js";

/** Parameters that are trained by other settings than the rest. */
export interface ParameterGroup {
  /** Which parameters, for example `(p) => p.name.startsWith("embed.")`. */
  readonly match: (parameter: Parameter) => boolean;
  /** Their learning rate is that of the optimizer times this; default 1. */
  readonly lrScale?: number;
  /** In place of the optimizer's. */
  readonly weightDecay?: number;
  /** In place of the optimizer's. */
  readonly maxNorm?: number;
}

/** Options that every optimizer has. */
export interface OptimizerOptions {
  /** Learning rate; the default is the optimizer's. */
  readonly lr?: number;
  /** Weight decay; the default is 0 where the optimizer does not say otherwise. */
  readonly weightDecay?: number;
  /** Which parameters decay, for example `(p) => !p.name.includes("bias")`; default: all, as torch does. */
  readonly decay?: (parameter: Parameter) => boolean;
  /** A parameter belongs to the first group that matches it, if any. */
  readonly groups?: readonly ParameterGroup[];
  /** Largest norm of the weights into each unit, the rows of every matrix, after an update; default none. */
  readonly maxNorm?: number;
  /** Seed of the random draws (dropout) while recording; default 0. */
  readonly seed?: number;
}

/** Options of {@link Optimizer.updateAccumulated}. */
export interface AccumulationOptions extends ClipOptions {
  /**
   * Weight of the loss of each part, for example how many targets it has, when the parts are not equally large and
   * their losses are means; default: all the same. The weights are divided by their sum.
   */
  readonly weights?: readonly number[];
}

/** What an update reports. */
export interface UpdateResult {
  /** The loss, before the update. */
  readonly loss: number;
  /** The global norm of the gradients, before clipping. */
  readonly gradNorm: number;
  /** False when loss or norm were not finite: then nothing was changed. */
  readonly applied: boolean;
  /** When it was not applied: where the first value that is not finite appeared. */
  readonly where?: string;
}

/** Everything an optimizer needs to go on as if never stopped. */
export interface OptimizerState {
  /** Name of the optimizer, for example `"Adam"`. */
  readonly kind: string;
  /** Learning rate. */
  readonly lr: number;
  /** Calls of `update` so far. */
  readonly updates: number;
  /** Updates of each parameter that has had any. */
  readonly steps: ReadonlyMap<string, number>;
  /** State of each parameter as `name.slot`, with torch's slot names, for example `rnn.weight_ih_l0.exp_avg`. */
  readonly tensors: StateDict;
  /** What else the optimizer keeps, absent where there is nothing. */
  readonly numbers?: Readonly<Record<string, number>>;
}

/** What is kept for one parameter. */
interface ParameterState {
  step: number;
  readonly slots: ReadonlyMap<string, Tensor>;
}

/** What was accumulated for the next update. */
class Parts {
  /** The work of the core that they are of. */
  work = -1;
  count = 0;
  weight = 0;
  /** Weighted sum of the losses. */
  loss = 0;
  /** Where the first value that is not finite appeared. */
  broken: string | undefined;
  readonly used = new Set<Parameter>();
}

/**
 * Base of the optimizers: it records, clips, and has each parameter's new value computed by the subclass.
 *
 * A parameter that gets no gradient (unused, or not trainable) is left alone, state included.
 */
export abstract class Optimizer {
  /** Each parameter once. */
  readonly parameters: readonly Parameter[];
  /** Seed of the random draws while recording. */
  readonly seed: number;
  readonly #weightDecay: number;
  readonly #maxNorm: number;
  readonly #decay: (parameter: Parameter) => boolean;
  readonly #groups: readonly ParameterGroup[];
  #lr = 0;
  #updates = 0;
  readonly #names = new Map<Parameter, string>();
  readonly #states = new Map<Parameter, ParameterState>();
  /** Sums of gradients over the parts of an update; only once there has been such an update. */
  readonly #sums = new Map<Parameter, Tensor>();
  #parts = new Parts();

  /**
   * @param target - a module, for all its parameters, or the parameters
   * @param lr - where the options have none
   * @throws ArgumentError for a setting that is out of its range
   */
  protected constructor(target: Module | Iterable<Parameter>, lr: number, options: OptimizerOptions) {
    const { weightDecay = 0, maxNorm = Infinity, decay = () => true, groups = [] } = options;
    this.parameters = target instanceof Module ? target.parameters() : [...new Set(target)];
    if (this.parameters.length === 0) throw new ArgumentError("optimizer", "parameters", "at least one", "none");
    const named =
      target instanceof Module ? target.namedParameters() : this.parameters.map((p) => [p.name, p] as const);
    named.forEach(([name, parameter], i) => {
      if (!this.#names.has(parameter)) this.#names.set(parameter, name === "" ? String(i) : name);
    });
    checkRange("optimizer", "weightDecay", weightDecay, 0, Infinity);
    checkLimit("optimizer", maxNorm);
    groups.forEach(({ lrScale = 1, weightDecay: own = 0, maxNorm: limit = Infinity }, i) => {
      checkRange("optimizer", `groups[${i}].lrScale`, lrScale, 0, Infinity);
      checkRange("optimizer", `groups[${i}].weightDecay`, own, 0, Infinity);
      checkLimit(`optimizer: groups[${i}]`, limit);
    });
    this.#maxNorm = maxNorm;
    this.#weightDecay = weightDecay;
    this.#decay = decay;
    this.#groups = groups;
    this.lr = options.lr ?? lr;
    this.seed = options.seed ?? 0;
  }

  /** Name in saved state. */
  protected abstract readonly kind: string;

  /** Names of the arrays kept for each parameter, with torch's names. */
  protected abstract readonly slots: readonly string[];

  /** What a slot is filled with at first. */
  protected initialValue(_slot: string): number {
    return 0;
  }

  /** Numbers of the optimizer's own that belong to its state. */
  protected numbers(): Record<string, number> | undefined {
    return undefined;
  }

  /** Takes what {@link numbers} gave; throws LoadError, before it changes anything, when it is something else. */
  protected loadNumbers(_numbers: Readonly<Record<string, number>>): void {}

  /** Learning rate of one parameter. */
  protected lrOf(parameter: Parameter): number {
    return this.#lr * (this.#groupOf(parameter)?.lrScale ?? 1);
  }

  /** Weight decay of one parameter. */
  protected decayOf(parameter: Parameter): number {
    return this.#decay(parameter) ? (this.#groupOf(parameter)?.weightDecay ?? this.#weightDecay) : 0;
  }

  #groupOf(parameter: Parameter): ParameterGroup | undefined {
    return this.#groups.find(({ match }) => match(parameter));
  }

  /**
   * Writes the new value of one parameter.
   * @param gradient - pointer of its gradient
   * @param slot - pointer of a slot of `slots`
   * @param step - number of this update of this parameter, from 1
   */
  protected abstract apply(
    core: Core,
    parameter: Parameter,
    gradient: number,
    slot: (name: string) => number,
    step: number,
  ): void;

  /** Learning rate. */
  get lr(): number {
    return this.#lr;
  }

  /** @throws ArgumentError unless it is finite and at least 0 */
  set lr(value: number) {
    if (!(value >= 0 && value < Infinity))
      throw new ArgumentError("optimizer", "lr", "a finite number, at least 0", value);
    this.#lr = value;
  }

  /** Calls of {@link update} so far; the random draws of the next one depend on it. */
  get updates(): number {
    return this.#updates;
  }

  /**
   * Computes a loss, its gradients, clips them, and updates the parameters.
   *
   * Nothing is changed when the loss or the norm of the gradients is not finite (`applied` is then false).
   * @param fn - computes the loss, a tensor of one element, synchronously
   */
  update(fn: () => Tensor, options: ClipOptions = {}): UpdateResult {
    const core = (this.parameters[0] as Parameter).core;
    const context = { seed: this.seed, update: this.#updates };
    return recordGradients(core, context, fn, (loss, tape) => {
      const used = this.parameters.flatMap((parameter) => {
        const { gradient, size } = parameter;
        return gradient === 0 ? [] : [{ parameter, gradient, size }];
      });
      const gradNorm = clipBlocks(core, used, options, true);
      this.#updates++;
      core.work++;
      if (!(Number.isFinite(loss) && Number.isFinite(gradNorm))) {
        return { loss, gradNorm, applied: false, where: firstNonFinite(tape) };
      }
      this.#write(core, used);
      return { loss, gradNorm, applied: true };
    });
  }

  /**
   * One update by several micro-batches, as if they were one batch: the gradients of their losses are averaged before
   * they are clipped. Only one part needs memory for its activations at a time.
   *
   * Nothing is changed when a loss or the norm of the gradients is not finite (`applied` is then false).
   * @param parts - compute the loss of one part each, in order, as the function of {@link update} does
   * @returns the weighted mean of the losses, and the norm of the averaged gradients
   * @throws ArgumentError for no parts, or weights that are not one for each, 0 or more, and some above 0
   */
  updateAccumulated(parts: readonly (() => Tensor)[], options: AccumulationOptions = {}): UpdateResult {
    const { weights = parts.map(() => 1) } = options;
    if (parts.length === 0) throw new ArgumentError("updateAccumulated", "parts", "one or more functions", "none");
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if (
      weights.length !== parts.length ||
      !weights.every((weight) => weight >= 0) ||
      !(total > 0 && total < Infinity)
    ) {
      const expected = `${parts.length} numbers of 0 or more, not all 0`;
      throw new ArgumentError("updateAccumulated", "weights", expected, weights);
    }
    this.discardParts();
    try {
      parts.forEach((fn, part) => {
        this.accumulate(fn, weights[part]);
      });
      return this.updateFromParts(options);
    } catch (error) {
      this.discardParts();
      throw error;
    }
  }

  /**
   * Adds the gradients of one part of an update, for parts that are not all at hand at once; {@link updateFromParts}
   * makes the update. Parts are not in `stateDict()`: save between updates.
   * @param fn - computes the loss of the part, as the function of {@link update} does
   * @param weight - as in {@link AccumulationOptions}; default 1
   */
  accumulate(fn: () => Tensor, weight = 1): void {
    if (!(weight >= 0 && weight < Infinity)) {
      throw new ArgumentError("accumulate", "weight", "a finite number of 0 or more", weight);
    }
    const core = (this.parameters[0] as Parameter).core;
    const parts = this.#partsOf(core);
    parts.work = core.work;
    recordGradients(core, { seed: this.seed, update: this.#updates, part: parts.count }, fn, (loss, tape) => {
      parts.count++;
      parts.weight += weight;
      parts.loss += weight * loss;
      if (!Number.isFinite(loss)) {
        parts.broken ??= `part ${parts.count - 1}: ${firstNonFinite(tape)}`;
        return;
      }
      for (const parameter of this.parameters) {
        if (parameter.gradient === 0) continue;
        core.raw.ur_scale(parameter.size, weight, parameter.gradient);
        const sum = this.#sumOf(core, parameter);
        if (!parts.used.has(parameter)) core.raw.ur_fill(sum.pointer, sum.size, 0);
        parts.used.add(parameter);
        copyStrided(core, parameter.gradient, sum.pointer, [sum.size], [1], [1], true);
      }
    });
  }

  /**
   * The update by all parts since the last one, as if they were one batch; see {@link updateAccumulated}.
   * @throws ArgumentError when there is no part of a weight above 0
   */
  updateFromParts(options: ClipOptions = {}): UpdateResult {
    const core = (this.parameters[0] as Parameter).core;
    const { used, weight, broken, loss: sum } = this.#partsOf(core);
    if (!(weight > 0)) throw new ArgumentError("updateFromParts", "parts", "one or more of a weight above 0", "none");
    this.discardParts();
    const loss = sum / weight;
    if (broken !== undefined) {
      this.#updates++;
      return { loss, gradNorm: NaN, applied: false, where: broken };
    }
    const blocks = Array.from(used, (parameter) => {
      const { pointer: gradient, size } = this.#sumOf(core, parameter);
      core.raw.ur_scale(size, 1 / weight, gradient);
      return { parameter, gradient, size };
    });
    return runScope(core, () => {
      const gradNorm = clipBlocks(core, blocks, options, true);
      this.#updates++;
      if (!Number.isFinite(gradNorm)) return { loss, gradNorm, applied: false };
      this.#write(core, blocks);
      return { loss, gradNorm, applied: true };
    });
  }

  /** Forgets the parts since the last update. */
  discardParts(): void {
    this.#parts = new Parts();
  }

  /**
   * Updates the parameters by gradients that were computed before, for example by `gradients()`, perhaps summed over
   * several calls.
   * @returns the global norm before clipping
   */
  applyGradients(grads: ReadonlyMap<Tensor, ArrayLike<number>>, options: ClipOptions = {}): number {
    const core = (this.parameters[0] as Parameter).core;
    return runScope(core, () => {
      const given = this.parameters.flatMap((parameter) => {
        const values = grads.get(parameter);
        if (values === undefined) return [];
        if (values.length !== parameter.size) {
          throw new ShapeError("applyGradients", `gradient of ${this.nameOf(parameter)}`, parameter.shape, [
            values.length,
          ]);
        }
        const gradient = core.arenaAlloc(parameter.size * 4);
        core.f32.set(values, gradient >>> 2);
        return [{ parameter, gradient, size: parameter.size }];
      });
      const norm = clipBlocks(core, given, options);
      this.#write(core, given);
      return norm;
    });
  }

  /** Is told the loss of every validation of `train`; does nothing, except in {@link AveragedSGD}. */
  observe(_loss: number): void {}

  /** Runs `fn`, with averages as the parameters' values where the optimizer makes them, see {@link AveragedSGD}. */
  withAverages<R>(fn: () => R): R {
    return fn();
  }

  /** Copies of everything that a later {@link loadStateDict} needs. */
  stateDict(): OptimizerState {
    const tensors: StateDict = new Map();
    const steps = new Map<string, number>();
    for (const [parameter, { step, slots }] of this.#states) {
      const name = this.nameOf(parameter);
      steps.set(name, step);
      for (const [slot, held] of slots) {
        tensors.set(`${name}.${slot}`, { data: held.toArray() as Float32Array, shape: held.shape });
      }
    }
    const numbers = this.numbers();
    return {
      kind: this.kind,
      lr: this.lr,
      updates: this.#updates,
      steps,
      tensors,
      ...(numbers === undefined ? {} : { numbers }),
    };
  }

  /**
   * Goes on from a saved state. Everything is checked before anything is changed.
   * @throws LoadError when the state is another optimizer's, or of other parameters or shapes
   */
  loadStateDict(state: OptimizerState): void {
    if (state.kind !== this.kind) {
      throw new LoadError("value", `optimizer state: it is of ${state.kind}, expected ${this.kind}`);
    }
    if (!(state.lr >= 0 && state.lr < Infinity)) {
      throw new LoadError("value", `optimizer state: lr must be a finite number, at least 0, got ${state.lr}`);
    }
    const byName = new Map(Array.from(this.#names, ([parameter, name]) => [name, parameter]));
    const expected = new Set<string>();
    for (const name of state.steps.keys()) {
      const parameter = byName.get(name);
      if (parameter === undefined) {
        throw new LoadError("unexpected_tensor", `optimizer state: there is no parameter ${name}`);
      }
      for (const slot of this.slots) {
        const key = `${name}.${slot}`;
        const saved = state.tensors.get(key);
        if (saved === undefined) throw new LoadError("missing_tensor", `optimizer state: ${key} is missing`);
        if (!sameShape(saved.shape, parameter.shape) || saved.data.length !== parameter.size) {
          throw new LoadError(
            "shape",
            `optimizer state: ${key} has shape [${saved.shape}], expected [${parameter.shape}]`,
          );
        }
        expected.add(key);
      }
    }
    for (const key of state.tensors.keys()) {
      if (!expected.has(key)) throw new LoadError("unexpected_tensor", `optimizer state: ${key} is not expected`);
    }
    this.loadNumbers(state.numbers ?? {});
    this.lr = state.lr;
    this.dispose();
    this.#updates = state.updates;
    for (const [name, step] of state.steps) {
      const parameter = byName.get(name) as Parameter;
      const kept = this.#stateOf(parameter.core, parameter);
      kept.step = step;
      for (const [slot, held] of kept.slots) {
        const saved = state.tensors.get(`${name}.${slot}`)?.data as Float32Array;
        parameter.core.f32.set(saved, held.pointer >>> 2);
      }
    }
  }

  /** Frees the state of all parameters, which then start afresh. */
  dispose(): void {
    for (const { slots } of this.#states.values()) for (const held of slots.values()) held.dispose();
    this.#states.clear();
    for (const sum of this.#sums.values()) sum.dispose();
    this.#sums.clear();
    this.discardParts();
  }

  /** The same as {@link dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Updates of a parameter so far. */
  protected stepsOf(parameter: Parameter): number {
    return this.#states.get(parameter)?.step ?? 0;
  }

  /** A slot of a parameter, undefined before its first update. */
  protected slotOf(parameter: Parameter, slot: string): Tensor | undefined {
    return this.#states.get(parameter)?.slots.get(slot);
  }

  /** The parts since the last update; a trap ends them all, as it does the update. */
  #partsOf(core: Core): Parts {
    if (core.undone(this.#parts.work)) this.discardParts();
    return this.#parts;
  }

  /** Changes parameters and state, all at once at the end of an update: see `Core.recover`. */
  #write(core: Core, blocks: readonly (GradientBlock & { readonly parameter: Parameter })[]): void {
    // Their memory first: should it not be had, nothing has changed.
    for (const { parameter } of blocks) this.#stateOf(core, parameter);
    core.writing = true;
    for (const { parameter, gradient } of blocks) this.#step(core, parameter, gradient);
    core.writing = false;
  }

  #step(core: Core, parameter: Parameter, gradient: number): void {
    const state = this.#stateOf(core, parameter);
    state.step++;
    this.apply(core, parameter, gradient, (name) => (state.slots.get(name) as Tensor).pointer, state.step);
    parameter.touch();
    const limit = this.#groupOf(parameter)?.maxNorm ?? this.#maxNorm;
    if (limit < Infinity) limitNorm(parameter, limit);
  }

  #sumOf(core: Core, parameter: Parameter): Tensor {
    let sum = this.#sums.get(parameter);
    if (sum === undefined) {
      sum = createPersistent(core, parameter.shape);
      this.#sums.set(parameter, sum);
    }
    return sum;
  }

  #stateOf(core: Core, parameter: Parameter): ParameterState {
    let state = this.#states.get(parameter);
    if (state === undefined) {
      const slots = new Map(this.slots.map((slot) => [slot, createPersistent(core, parameter.shape)]));
      for (const [slot, held] of slots) core.raw.ur_fill(held.pointer, held.size, this.initialValue(slot));
      state = { step: 0, slots };
      this.#states.set(parameter, state);
    }
    return state;
  }

  /** The name of a parameter in saved state. */
  protected nameOf(parameter: Parameter): string {
    return this.#names.get(parameter) as string;
  }
}

/** Checks a hyper-parameter that must lie in [low, high). @internal */
export function checkRange(where: string, option: string, value: number, low: number, high: number): void {
  if (!(value >= low && value < high)) {
    const range = high === Infinity ? `a finite number, at least ${low}` : `at least ${low} and below ${high}`;
    throw new ArgumentError(where, option, range, value);
  }
}
