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
import { bleu, mostSimilar } from "../../../examples/common/translation.mjs";
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
    embeddingSize: 256,
    tieWeights: true,
    bidirectional: true,
    dropout: 0.35,
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

const EPOCHS = 8;

/** @type {import("../run.mjs").Experiment} */
export const translation = {
  name: "translation",
  source:
    "GRU of 256 units, Luong's general attention (Luong, Pham & Manning 2015); PyTorch on these data: 21.6 after 8 epochs",
  async run(log) {
    const [pairs, valid] = [tatoeba("train"), tatoeba("valid")];
    const neighbour = bleu(valid, mostSimilar(pairs));
    log(`nearest neighbour: BLEU ${neighbour.single.toFixed(2)}, multi-reference ${neighbour.multiple.toFixed(2)}`);
    const trained = [];
    for (const attention of [true, false]) {
      const model = createTranslator(pairs, attention).init({ seed: 1 });
      const run = trainTranslator(model, pairs, { epochs: EPOCHS, threads: twoThreads(attention) });
      for await (const event of run) {
        if (event.kind === "epoch") log(`epoch ${event.epoch}: ${event.loss.toFixed(4)} nats, smoothed`);
      }
      const found = bleu(valid, (sources) => model.translateAll(sources, { beamWidth: 5, maxTokens: 40 }));
      log(`${attention ? "with" : "without"} attention: BLEU ${found.single.toFixed(2)}, ${found.multiple.toFixed(2)}`);
      trained.push(found);
    }
    const [attended, plain] = /** @type {[ReturnType<typeof bleu>, ReturnType<typeof bleu>]} */ (trained);
    for (const { source, target } of valid.filter((_, i) => i % 300 === 0)) {
      log(`${source} | ${target} | ${attended.found.get(source)} | ${neighbour.found.get(source)}`);
    }
    const row = (
      /** @type {string} */ task,
      /** @type {string} */ metric,
      /** @type {number} */ reached,
      /** @type {number | undefined} */ bar,
    ) => ({
      task,
      data: "tatoeba-eng-fra",
      metric,
      reached: reached.toFixed(2),
      bar: bar === undefined ? "baseline" : `>= ${bar.toFixed(1)}`,
      pass: bar === undefined || reached >= bar,
    });
    return [
      row("translation, attention", "BLEU, one reference", attended.single, 21),
      row("translation, attention", "BLEU, all references", attended.multiple, 24),
      row("translation, attention", "BLEU above no attention", attended.single - plain.single, 4),
      row("translation, no attention", "BLEU, one reference", plain.single, undefined),
      row("translation, nearest neighbour", "BLEU, one reference", neighbour.single, undefined),
    ];
  },
};
