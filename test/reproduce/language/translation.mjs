// Translation of short sentences, English to French (many-to-many, unaligned): the same encoder-decoder with attention
// and without, both scored by BLEU as sacreBLEU defines it, beside the translation of the most similar sentence.
import { isMainThread, Worker, workerData } from "node:worker_threads";
import {
  Adam,
  GeneralAttention,
  GRU,
  oneCycle,
  replicas,
  serveReplica,
  Translator,
  train,
  VocabularyTokenizer,
} from "unrolled";
import { dataText } from "./data.mjs";

/** @typedef {import("unrolled").TextPair} TextPair */

/**
 * The pairs of a file of Tatoeba.
 * @param {string} name
 * @returns {TextPair[]}
 */
export const tatoeba = (name) =>
  dataText(`tatoeba-eng-fra/${name}.tsv`)
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [source = "", target = ""] = line.split("\t");
      return { source, target };
    });

/**
 * The model; words that occur once or twice in training are unknown.
 * @param {TextPair[]} pairs
 * @param {boolean} attention
 */
export function createTranslator(pairs, attention) {
  const sources = pairs.map(({ source }) => source);
  const targets = pairs.map(({ target }) => target);
  return new Translator({
    tokenizer: VocabularyTokenizer.from(sources, { split: "treebank", minCount: 3 }),
    targetTokenizer: VocabularyTokenizer.from(targets, { split: "french", minCount: 3 }),
    cell: GRU,
    hiddenSize: 256,
    embeddingSize: 128,
    tieWeights: true,
    bidirectional: true,
    dropout: 0.2,
    labelSmoothing: 0.1,
    attention: attention ? GeneralAttention : undefined,
  });
}

/**
 * Trains with the learning rate rising over the first tenth of all updates and falling to nothing over the others.
 * @param {Translator} model
 * @param {TextPair[]} pairs
 * @param {object} settings
 * @param {number} settings.epochs
 * @param {import("unrolled").Replication<import("unrolled").TranslationBatch>} [settings.threads]
 * @param {number} [settings.checkpointEvery]
 * @param {Uint8Array} [settings.resume]
 */
export function trainTranslator(model, pairs, { epochs, threads, checkpointEvery, resume }) {
  const batches = model.batches(pairs, { batchSize: 64, seed: 1, bucketBatches: 20 });
  return train(model, batches, {
    optimizer: new Adam(model),
    schedule: oneCycle(2e-3, { steps: epochs * batches.length, warmUp: 0.1, anneal: "linear" }),
    clipGradNorm: 1,
    epochs,
    reportEvery: 100,
    replicas: threads,
    checkpointEvery,
    resume,
  });
}

/** @param {boolean} attention */
export const twoThreads = (attention) =>
  replicas({ n: 2, worker: () => new Worker(new URL(import.meta.url), { workerData: { translation: attention } }) });

if (!isMainThread && workerData?.translation !== undefined) {
  serveReplica(() => createTranslator(tatoeba("train"), workerData.translation));
}
