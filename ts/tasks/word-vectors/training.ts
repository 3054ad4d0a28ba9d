/**
 * Training of word vectors as word2vec.c does it (Mikolov et al. 2013): stochastic gradient descent on negative sampling,
 * one pair or bag of words after another, with frequent words subsampled anew in each epoch and a learning rate that
 * falls in a straight line. A batch is one call of the core, which writes the rows of its words and no others.
 */

import { ArgumentError } from "../../errors.js";
import { checkSize } from "../../nn/check.js";
import { writeIds } from "../../tensor/embedding.js";
import type { Ids } from "../../tensor/ids.js";
import { unaryKinds } from "../../tensor/kinds.js";
import { runScope } from "../../tensor/scope.js";
import { Breather } from "../../train/macrotask.js";
import type { ContinuousBagOfWords } from "./cbow.js";
import { SkipGram } from "./skip-gram.js";
import { bagOfWordsBatches, frequencies, skipGramBatches, subsample } from "./windows.js";

/** Options of {@link trainWordVectors}. */
export interface WordVectorTrainingOptions {
  /** Default 5. */
  readonly epochs?: number;
  /** Most words to each side; default 5. */
  readonly window?: number;
  /** Words drawn against each right one; default 5. */
  readonly negatives?: number;
  /** As the threshold of {@link subsample}; 0 keeps all words. Default 1e-3. */
  readonly subsample?: number;
  /** At the start; it falls to a ten-thousandth of this. Default 0.025 for skip-gram and 0.05 for CBOW. */
  readonly lr?: number;
  /** Words of a batch; default 512. */
  readonly batchSize?: number;
  /** Batches between two reports; default 100. */
  readonly reportEvery?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Ends the training at the next report or turn of the event loop. */
  readonly signal?: AbortSignal | undefined;
}

/** How far training has come. */
export interface WordVectorProgress {
  /** From 1. */
  readonly epoch: number;
  /** Part of the whole training that is done, up to 1. */
  readonly done: number;
  /** Words whose neighbours were trained on so far, subsampled ones left out. */
  readonly words: number;
  /** Mean loss of the pairs (skip-gram) or words (CBOW) since the last report, in nats. */
  readonly loss: number;
  /** Learning rate now. */
  readonly lr: number;
}

/** Part of the learning rate that is left at the end. */
const LAST_RATE = 1e-4;

/**
 * Trains word vectors on a text; the reports are for who wants to see it, but have to be asked for:
 *
 * ```ts
 * const model = new SkipGram(tokenizer.size, 100).init({ seed: 1 });
 * for await (const { done, loss } of trainWordVectors(model, ids)) console.log(done, loss);
 * const vectors = model.wordVectors(tokenizer.tokens);
 * ```
 *
 * @param ids - the text; a negative id is no word and ends a sentence
 * @throws DataError for a text without two words beside each other, ArgumentError for an id outside of the model's
 *   vocabulary, a table that is not trainable, or options
 */
export async function* trainWordVectors(
  model: SkipGram | ContinuousBagOfWords,
  ids: Int32Array,
  options: WordVectorTrainingOptions = {},
): AsyncGenerator<WordVectorProgress, void, undefined> {
  const where = "trainWordVectors";
  const skipGram = model instanceof SkipGram;
  const { epochs = 5, negatives = 5, batchSize = 512, reportEvery = 100, seed = 0, signal } = options;
  const { lr: highest = skipGram ? 0.025 : 0.05, subsample: threshold = 1e-3 } = options;
  checkSize(where, "epochs", epochs);
  checkSize(where, "reportEvery", reportEvery);
  checkSize(where, "negatives", negatives);
  if (!(highest >= 0 && highest < Infinity)) {
    throw new ArgumentError(where, "lr", "a finite number of 0 or more", highest);
  }
  checkModel(where, model, ids);
  const windows = { batchSize, negatives, window: options.window ?? 5, frequencies: frequencies(ids) };
  const breather = new Breather();
  let [words, losses, rows] = [0, 0, 0];
  for (let epoch = 0; epoch < epochs; epoch++) {
    const text = threshold === 0 ? ids : subsample(ids, { threshold, seed: seed + epoch });
    const chosen = { ...windows, seed: seed + epoch };
    const source = skipGram ? skipGramBatches(text, chosen) : bagOfWordsBatches(text, chosen);
    for (let index = 0; index < source.length; index++) {
      const lr = highest * Math.max(LAST_RATE, 1 - (epoch + index / source.length) / epochs);
      const batch = source.batch(index);
      const [inputs, targets] = "centers" in batch ? [batch.centers, batch.contexts] : [batch.contexts, batch.targets];
      losses += descend(where, model, inputs, targets, batch.negatives as Ids, lr);
      rows += batch.count;
      words += batchSize;
      if ((index + 1) % reportEvery === 0 || index + 1 === source.length) {
        const done = (epoch + (index + 1) / source.length) / epochs;
        yield { epoch: epoch + 1, done, words, loss: losses / rows, lr };
        [losses, rows] = [0, 0];
      }
      if (breather.due) await breather.breathe();
      if (signal?.aborted) return;
    }
  }
}

/** One step for each row of a batch. @returns the sum of their losses */
function descend(
  where: string,
  { core, vectors, outputVectors }: SkipGram | ContinuousBagOfWords,
  inputs: Ids,
  targets: Ids,
  negatives: Ids,
  lr: number,
): number {
  const [rows, drawn] = negatives.shape as [number, number];
  const chosen = new Int32Array(rows * (1 + drawn));
  for (let row = 0; row < rows; row++) {
    chosen[row * (1 + drawn)] = targets.data[row] as number;
    chosen.set(negatives.data.subarray(row * drawn, (row + 1) * drawn), row * (1 + drawn) + 1);
  }
  return runScope(core, () => {
    const [u, v] = [vectors.resolve(where), outputVectors.resolve(where)];
    const [inputsAt, targetsAt] = [writeIds(core, inputs.data), writeIds(core, chosen)];
    const scores = core.arenaAlloc(chosen.length * 4);
    const [vocabulary, size] = vectors.shape as [number, number];
    const width = inputs.size / rows;
    core.writing = true;
    const status = core.raw.ur_negative_sampling(
      u,
      v,
      vocabulary,
      size,
      inputsAt,
      width,
      targetsAt,
      1 + drawn,
      rows,
      lr,
      scores,
    );
    core.writing = false;
    vectors.touch();
    outputVectors.touch();
    core.checkStatus(status, where);
    core.raw.ur_unary(unaryKinds.softplus, scores, scores, chosen.length, 0);
    return core.f32.subarray(scores >>> 2, (scores >>> 2) + chosen.length).reduce((sum, loss) => sum + loss, 0);
  });
}

function checkModel(where: string, model: SkipGram | ContinuousBagOfWords, ids: Int32Array): void {
  for (const parameter of model.parameters()) {
    if (!parameter.trainable) throw new ArgumentError(where, parameter.name, "trainable", "frozen");
  }
  const vocabulary = model.vectors.shape[0] as number;
  const unknown = ids.findIndex((id) => id >= vocabulary);
  if (unknown >= 0) throw new ArgumentError(where, `ids[${unknown}]`, `below ${vocabulary}`, ids[unknown]);
}
