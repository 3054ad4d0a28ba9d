// The small word model of Zaremba, Sutskever & Vinyals 2014 on the Penn Treebank, by the preset `zaremba-small`: the full
// recipe of 13 epochs, on two threads. It takes more than an hour; when it was stopped it goes on from its last checkpoint.
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { LanguageModel, lanes, replicas, save, train, VocabularyTokenizer, zarembaSmall } from "unrolled";
import { CheckpointFiles } from "unrolled/node";
import { dataText } from "./data.mjs";

const EPOCHS = 13;
const folder = fileURLToPath(new URL("../../../build/reproduce/", import.meta.url));
const checkpoints = new CheckpointFiles(`${folder}ptb.checkpoint.safetensors`);

/**
 * The sentences of a part of it, as they are split.
 * @param {"train" | "valid"} part
 */
const sentences = (part) => dataText(`ptb/ptb.${part}.txt`).trimEnd().split("\n");

/**
 * The words of the training part, the most frequent first.
 * @param {number} [maxSize] tokens at most, special ones included; default: all 10,000 words
 */
export const treebankVocabulary = (maxSize) =>
  VocabularyTokenizer.from(sentences("train"), { split: "spaces", maxSize });

/**
 * Both parts as one row of ids each, with `<eos>` after every sentence.
 * @param {VocabularyTokenizer} tokenizer
 */
export function treebankIds(tokenizer) {
  const ids = (/** @type {"train" | "valid"} */ part) =>
    Int32Array.from(sentences(part).flatMap((sentence) => [...tokenizer.encode(sentence), tokenizer.eos]));
  return { train: ids("train"), valid: ids("valid") };
}

/** @type {import("../run.mjs").Experiment} */
export const ptb = {
  name: "ptb",
  source: zarembaSmall.source,
  async run(log) {
    const tokenizer = treebankVocabulary();
    const ids = treebankIds(tokenizer);
    const { initializer, optimizer, training } = zarembaSmall;
    const model = new LanguageModel({ tokenizer, ...zarembaSmall.model }).init({ seed: 1, initializer });
    mkdirSync(folder, { recursive: true });
    const resume = existsSync(checkpoints.path) ? (await checkpoints.load((bytes) => bytes)).value : undefined;
    if (resume !== undefined) log(`goes on from ${checkpoints.path}: the time below is not of all epochs`);
    const run = train(model, lanes(ids.train, zarembaSmall.lanes).train, {
      ...training,
      optimizer: optimizer(model),
      epochs: EPOCHS,
      // In lanes, for speed; the result below has the whole context.
      valid: lanes(ids.valid, zarembaSmall.lanes).train,
      reportEvery: 500,
      checkpointEvery: 1000,
      onEvent: async (event) => {
        if (event.kind === "checkpoint") await checkpoints.save(event.bytes);
      },
      resume,
      replicas: replicas({
        n: 2,
        worker: () => new Worker(new URL("replica-worker.mjs", import.meta.url), { workerData: save(model) }),
      }),
    });
    for await (const event of run) {
      const found = `${Math.exp(event.kind === "update" || event.kind === "valid" ? event.loss : NaN).toFixed(1)}`;
      if (event.kind === "update") log(`update ${event.update}: training perplexity ${found}`);
      if (event.kind === "valid") log(`epoch ${event.epoch}: validation perplexity ${found}`);
    }
    const perplexity = Math.exp(model.evaluate(ids.valid));
    rmSync(checkpoints.path);
    return [
      {
        task: "word model, 2 x 200",
        data: "ptb",
        metric: "validation perplexity",
        reached: perplexity.toFixed(1),
        bar: "<= 125",
        pass: perplexity <= 125,
      },
    ];
  },
};
