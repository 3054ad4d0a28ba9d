/**
 * Lanes: a long sequence laid out for truncated back-propagation through time.
 *
 * The sequence is cut into B contiguous lanes, one a row of the batch; batch s holds positions s*T .. s*T + T - 1 of
 * every lane, so the state after one batch is the state before the next. Targets are the inputs moved on by one.
 */

import { ArgumentError, DataError } from "../errors.js";
import { Ids } from "../tensor/ids.js";
import { checkCount } from "./check.js";

/** The target of a padded position; `crossEntropy` ignores it by default. */
export const IGNORED_TARGET = -100;

/** One step of truncated back-propagation. */
export interface Batch {
  /** Token ids (B, T). */
  readonly inputs: Ids;
  /** The ids that follow them (B, T); {@link IGNORED_TARGET} where a lane has ended. */
  readonly targets: Ids;
  /** Whether the state must be zero before this batch: it does not follow on the one before it. */
  readonly first: boolean;
  /** Targets that count, at most B*T. */
  readonly count: number;
}

/** Options of {@link lanes}. */
export interface LanesOptions {
  /** Lanes, the rows of a batch. */
  readonly batchSize: number;
  /** Steps of a batch. */
  readonly seqLen: number;
  /** The fraction of the tokens, from the end, that is kept for validation; default 0. */
  readonly validation?: number;
  /**
   * Whether the state goes on from one epoch to the next (each lane then continues at its beginning, as char-rnn does);
   * otherwise the first batch of every epoch has `first` set. Default false.
   */
  readonly carryOverEpochs?: boolean;
}

/** What {@link lanes} returns. */
export interface LanesSplit {
  /** What is before the validation part. */
  readonly train: Lanes;
  /** Every token of the validation part once, as a target; undefined where there is none. */
  readonly valid: Lanes | undefined;
}

/** What makes up one {@link Lanes}. */
interface Layout {
  readonly tokens: Int32Array;
  readonly batchSize: number;
  readonly seqLen: number;
  readonly carryOverEpochs: boolean;
  /** Index of the first input. */
  readonly start: number;
  /** Targets of each lane, in order from `start`; lanes follow on one another. */
  readonly lengths: readonly number[];
}

/**
 * Batches of one sequence, by number. Iterating gives one epoch.
 *
 * The arrays of a batch are reused by the next one: copy what must stay.
 */
export class Lanes implements Iterable<Batch> {
  /** Lanes, the rows of a batch. */
  readonly batchSize: number;
  /** Steps of a batch. */
  readonly seqLen: number;
  /** Batches of an epoch. */
  readonly length: number;
  /** Targets of an epoch. */
  readonly targetCount: number;
  readonly #layout: Layout;
  readonly #starts: Int32Array;
  readonly #inputs: Ids;
  readonly #targets: Ids;

  /** @internal use {@link lanes} or {@link evaluationLanes} */
  constructor(layout: Layout) {
    const { batchSize, seqLen, lengths } = layout;
    this.batchSize = batchSize;
    this.seqLen = seqLen;
    this.length = Math.ceil(Math.max(...lengths) / seqLen);
    this.#starts = new Int32Array(batchSize);
    let start = layout.start;
    for (let lane = 0; lane < batchSize; lane++) {
      this.#starts[lane] = start;
      start += lengths[lane] as number;
    }
    this.targetCount = start - layout.start;
    this.#layout = layout;
    this.#inputs = new Ids(new Int32Array(batchSize * seqLen), [batchSize, seqLen]);
    this.#targets = new Ids(new Int32Array(batchSize * seqLen), [batchSize, seqLen]);
  }

  /**
   * Batch `index` of the endless sequence of epochs: `floor(index / length)` is the epoch. A position is all it takes
   * to resume.
   */
  batch(index: number): Batch {
    const { tokens, seqLen, carryOverEpochs, lengths } = this.#layout;
    const step = index % this.length;
    const offset = step * seqLen;
    const inputs = this.#inputs.data;
    const targets = this.#targets.data;
    let count = 0;
    for (let lane = 0; lane < this.batchSize; lane++) {
      const real = Math.min(seqLen, Math.max(0, (lengths[lane] as number) - offset));
      const from = (this.#starts[lane] as number) + offset;
      const row = lane * seqLen;
      for (let t = 0; t < seqLen; t++) {
        inputs[row + t] = t < real ? (tokens[from + t] as number) : 0;
        targets[row + t] = t < real ? (tokens[from + t + 1] as number) : IGNORED_TARGET;
      }
      count += real;
    }
    const first = index === 0 || (step === 0 && !carryOverEpochs);
    return { inputs: this.#inputs, targets: this.#targets, first, count };
  }

  /** The batches of one epoch, counted from 0. */
  *epoch(epoch: number): Generator<Batch, void, undefined> {
    for (let step = 0; step < this.length; step++) yield this.batch(epoch * this.length + step);
  }

  /** The batches of the first epoch. */
  [Symbol.iterator](): Generator<Batch, void, undefined> {
    return this.epoch(0);
  }
}

/**
 * Lays tokens out for training and validation.
 *
 * Training lanes have equal lengths, a multiple of `seqLen`; the tokens that are left over, fewer than one batch, are
 * not used. Validation lanes (see {@link evaluationLanes}) use the last `floor(validation * tokens.length)` tokens, all
 * of them: the first is predicted from the token before it.
 * @throws DataError when the tokens are too few for one batch, saying how many it takes
 */
export function lanes(tokens: Int32Array, options: LanesOptions): LanesSplit {
  const { batchSize, seqLen, validation = 0, carryOverEpochs = false } = options;
  checkCount("lanes", "batchSize", batchSize);
  checkCount("lanes", "seqLen", seqLen);
  if (!(validation >= 0 && validation < 1)) {
    throw new ArgumentError("lanes", "validation", "at least 0 and below 1", validation);
  }
  const validationTokens = Math.floor(validation * tokens.length);
  const trainingTokens = tokens.length - validationTokens;
  const needed = batchSize * seqLen + 1;
  if (trainingTokens < needed) {
    const part = validationTokens > 0 ? ` for training (${validationTokens} more are kept for validation)` : "";
    throw new DataError(
      `${batchSize} x ${seqLen} tokens a batch (batchSize x seqLen) take at least ${needed} tokens, got ${trainingTokens}${part}`,
    );
  }
  const laneLength = Math.floor((trainingTokens - 1) / (batchSize * seqLen)) * seqLen;
  const lengths = new Array<number>(batchSize).fill(laneLength);
  return {
    train: new Lanes({ tokens, batchSize, seqLen, carryOverEpochs, start: 0, lengths }),
    valid:
      validationTokens > 0 ? evaluationLanes(tokens.subarray(trainingTokens - 1), { batchSize, seqLen }) : undefined,
  };
}

/**
 * Lays tokens out for an exact evaluation: every token but the first is a target once. Lanes are as equal as they can
 * be, shorter ones and the last steps are padded with {@link IGNORED_TARGET}.
 *
 * Each lane starts from a zero state, so one lane alone evaluates with the whole context; B lanes are that much faster
 * and lack context in B places.
 * @throws DataError when there are fewer than two tokens
 */
export function evaluationLanes(
  tokens: Int32Array,
  options: { readonly batchSize: number; readonly seqLen: number },
): Lanes {
  checkCount("evaluationLanes", "batchSize", options.batchSize);
  checkCount("evaluationLanes", "seqLen", options.seqLen);
  const targets = tokens.length - 1;
  if (targets < 1) throw new DataError(`an evaluation takes at least 2 tokens, got ${tokens.length}`);
  const batchSize = Math.min(options.batchSize, targets);
  const seqLen = Math.min(options.seqLen, Math.ceil(targets / batchSize));
  const lengths = Array.from({ length: batchSize }, (_, lane) =>
    Math.floor((targets + batchSize - 1 - lane) / batchSize),
  );
  return new Lanes({ tokens, batchSize, seqLen, carryOverEpochs: false, start: 0, lengths });
}
