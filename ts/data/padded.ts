/**
 * Padded batches: sequences of different lengths, side by side in one block as long as the longest of them, with the
 * length of each and a mask of the steps that are real.
 *
 * A recurrent layer takes `lengths` and then never sees the padding; a loss of steps ignores padded ones by their
 * target. Both need nothing else.
 */
import { ArgumentError, DataError } from "../errors.js";
import { Ids } from "../tensor/ids.js";
import type { PlainTensor } from "../tensor/tensor.js";
import { IGNORED_TARGET } from "./lanes.js";
import { BatchOrder, type BucketOptions } from "./order.js";

/** Classes to predict: one for the whole sequence, or one for each of its steps. */
export type SequenceTargets = number | ArrayLike<number>;

/** A sequence of T token ids. */
export interface IdExample {
  /** Ids (T). */
  readonly inputs: ArrayLike<number>;
  /** What is to be learned of it. */
  readonly targets?: SequenceTargets | undefined;
}

/** A sequence of T rows of features. */
export interface FeatureExample {
  /** Rows (T) of I numbers each. */
  readonly inputs: readonly ArrayLike<number>[];
  /** What is to be learned of it. */
  readonly targets?: SequenceTargets | undefined;
}

/** Options of {@link paddedBatches}. */
export interface PaddedOptions extends BucketOptions {
  /** What padded inputs hold; default 0. */
  readonly padValue?: number | undefined;
  /**
   * Where the padding goes; default `"right"`. The `lengths` of a recurrent layer need it there; `"left"` puts the last
   * steps of all sequences side by side.
   */
  readonly padding?: "right" | "left" | undefined;
  /** The target of padded steps, and one that is not counted; default {@link IGNORED_TARGET}, as in `crossEntropy`. */
  readonly ignoreIndex?: number | undefined;
}

/** B sequences, padded to the longest of them, T steps. */
export interface PaddedBatch<I extends Ids | PlainTensor> {
  /** Ids (B, T), or features (B, T, I): `tensor(inputs.data, inputs.shape)`. */
  readonly inputs: I;
  /** Real steps of each sequence (B). */
  readonly lengths: Int32Array;
  /** 1 at real steps and 0 at padded ones (B, T). */
  readonly mask: Ids;
  /** Classes (B) of sequences or (B, T) of steps; empty (0) where the examples have none. */
  readonly targets: Ids;
  /** Which examples they are (B). */
  readonly examples: Int32Array;
  /** Targets that count; without targets: real steps. */
  readonly count: number;
}

/** Batches of sequences, by number. Iterating gives one epoch. The arrays of a batch are its own. */
export class PaddedBatches<I extends Ids | PlainTensor> implements Iterable<PaddedBatch<I>> {
  /** Batches of an epoch. */
  readonly length: number;
  readonly #examples: readonly (IdExample | FeatureExample)[];
  readonly #lengths: Int32Array;
  /** Features of a step; 0: the inputs are ids. */
  readonly #features: number;
  readonly #targets: "none" | "sequence" | "step";
  readonly #order: BatchOrder;
  readonly #padValue: number;
  readonly #left: boolean;
  readonly #ignoreIndex: number;

  /** @internal use {@link paddedBatches} */
  constructor(examples: readonly (IdExample | FeatureExample)[], options: PaddedOptions) {
    const { padValue = 0, padding = "right", ignoreIndex = IGNORED_TARGET } = options;
    if (padding !== "right" && padding !== "left") {
      throw new ArgumentError(WHERE, "padding", '"right" or "left"', padding);
    }
    checkInteger("ignoreIndex", ignoreIndex);
    this.#examples = examples;
    this.#lengths = Int32Array.from(examples, ({ inputs }) => inputs.length);
    this.#features = featuresOf(examples);
    if (this.#features === 0) checkInteger("padValue", padValue);
    this.#targets = targetKind(examples);
    this.#order = new BatchOrder(WHERE, examples.length, options, this.#lengths);
    this.length = this.#order.length;
    this.#padValue = padValue;
    this.#left = padding === "left";
    this.#ignoreIndex = ignoreIndex;
  }

  /** Batch `index` of the endless sequence of epochs: `floor(index / length)` is the epoch. */
  batch(index: number): PaddedBatch<I> {
    const examples = this.#order.batch(index).slice();
    const lengths = Int32Array.from(examples, (example) => this.#lengths[example] as number);
    const steps = lengths.reduce((most, length) => Math.max(most, length), 0);
    const mask = new Int32Array(examples.length * steps);
    const perStep = this.#targets === "step";
    const targets = new Int32Array(perStep ? mask.length : this.#targets === "none" ? 0 : examples.length);
    if (perStep) targets.fill(this.#ignoreIndex);
    const features = this.#features;
    const inputs = features === 0 ? new Int32Array(mask.length) : new Float32Array(mask.length * features);
    inputs.fill(this.#padValue);
    examples.forEach((number, row) => {
      const example = this.#examples[number] as IdExample | FeatureExample;
      const length = lengths[row] as number;
      const from = row * steps + (this.#left ? steps - length : 0);
      mask.fill(1, from, from + length);
      if (features === 0) inputs.set(example.inputs as ArrayLike<number>, from);
      else {
        for (let t = 0; t < length; t++) inputs.set(example.inputs[t] as ArrayLike<number>, (from + t) * features);
      }
      if (perStep) targets.set(example.targets as ArrayLike<number>, from);
      else if (targets.length > 0) targets[row] = example.targets as number;
    });
    const shape = [examples.length, steps];
    return {
      inputs: (features === 0
        ? new Ids(inputs as Int32Array, shape)
        : { data: inputs, shape: [...shape, features] }) as I,
      lengths,
      mask: new Ids(mask, shape),
      targets: new Ids(targets, perStep ? shape : [targets.length]),
      examples,
      count: this.#countOf(lengths, targets),
    };
  }

  #countOf(lengths: Int32Array, targets: Int32Array): number {
    let count = 0;
    if (this.#targets === "none") for (const length of lengths) count += length;
    else for (const target of targets) if (target !== this.#ignoreIndex) count++;
    return count;
  }

  /** The batches of one epoch, counted from 0. */
  *epoch(epoch: number): Generator<PaddedBatch<I>, void, undefined> {
    for (let step = 0; step < this.length; step++) yield this.batch(epoch * this.length + step);
  }

  /** The batches of the first epoch. */
  [Symbol.iterator](): Generator<PaddedBatch<I>, void, undefined> {
    return this.epoch(0);
  }
}

const WHERE = "paddedBatches";

/**
 * Batches of sequences of token ids, or of rows of features, padded to the longest sequence of each batch.
 *
 * ```ts
 * const batches = paddedBatches(sentences, { batchSize: 32, bucketBatches: 50, seed: 1 });
 * train(tagger, batches, {
 *   optimizer,
 *   loss: (model, { inputs, lengths, targets }) => crossEntropy(model.forward(inputs, lengths), targets),
 * });
 * ```
 *
 * @throws DataError naming the example: inputs that are no ids or rows of another width, targets of another length or
 *   kind; or no examples at all
 */
export function paddedBatches(examples: readonly IdExample[], options: PaddedOptions): PaddedBatches<Ids>;
export function paddedBatches(examples: readonly FeatureExample[], options: PaddedOptions): PaddedBatches<PlainTensor>;
export function paddedBatches(
  examples: readonly (IdExample | FeatureExample)[],
  options: PaddedOptions,
): PaddedBatches<Ids | PlainTensor> {
  return new PaddedBatches(examples, options);
}

/** The width of rows of features, 0 for ids. The first step that there is decides what all must be. */
function featuresOf(examples: readonly (IdExample | FeatureExample)[]): number {
  let features = -1;
  examples.forEach(({ inputs }, number) => {
    for (let t = 0; t < inputs.length; t++) {
      const step = inputs[t] as number | ArrayLike<number>;
      const width = typeof step === "number" ? 0 : step.length;
      if (features === -1 && (width > 0 || typeof step === "number")) features = width;
      if (width !== features || (width === 0 && typeof step !== "number")) {
        const found = typeof step === "number" ? "an id" : `${width} features`;
        const expected = features > 0 ? `${features} features` : features === 0 ? "an id" : "1 feature or more";
        throw new DataError(`${WHERE}: example ${number}, step ${t}: ${found}, expected ${expected}`);
      }
      if (typeof step === "number") checkClass(number, `step ${t}`, step);
    }
  });
  return Math.max(features, 0);
}

/** Whether targets belong to sequences or to steps; all examples must agree. */
function targetKind(examples: readonly (IdExample | FeatureExample)[]): "none" | "sequence" | "step" {
  const kindOf = ({ targets }: IdExample | FeatureExample) =>
    targets === undefined ? "none" : typeof targets === "number" ? "sequence" : "step";
  const kind = examples[0] === undefined ? "none" : kindOf(examples[0]);
  examples.forEach((example, number) => {
    const found = kindOf(example);
    if (found !== kind) {
      throw new DataError(`${WHERE}: example ${number}: targets ${NAMES[found]}, expected ${NAMES[kind]}`);
    }
    if (typeof example.targets === "number") return checkClass(number, "target", example.targets);
    if (example.targets === undefined) return;
    const { inputs, targets } = example;
    if (targets.length !== inputs.length) {
      throw new DataError(
        `${WHERE}: example ${number}: ${targets.length} targets, expected ${inputs.length}, one a step`,
      );
    }
    for (let t = 0; t < targets.length; t++) checkClass(number, `target of step ${t}`, targets[t] as number);
  });
  return kind;
}

const NAMES = { none: "absent", sequence: "of the sequence", step: "of steps" } as const;

function checkClass(example: number, what: string, value: number): void {
  if ((value | 0) !== value) {
    throw new DataError(`${WHERE}: example ${example}: ${what} is ${String(value)}, expected a 32-bit integer`);
  }
}

function checkInteger(option: string, value: number): void {
  if ((value | 0) !== value) throw new ArgumentError(WHERE, option, "a 32-bit integer", value);
}
