// What AWD-LSTM (Merity, Keskar & Socher 2018) adds to a plain word model, one thing after the other, on the beginning of
// the Penn Treebank: the same data, sizes, rate and epochs for all, and the lowest validation perplexity of each.
import { AveragedSGD, LanguageModel, LSTM, lanes, NonMonotoneTrigger, SGD, train, uniform } from "unrolled";
import { treebankIds, treebankVocabulary } from "./ptb.mjs";

const WORDS = 80_000;
const HELD_OUT = 30_000;
const VOCABULARY = 3000;
const EPOCHS = 16;
const SIZE = 128;

const tied = { tieWeights: true };
const variational = { ...tied, lockedDropout: true, dropout: 0.3, inputDropout: 0.3, embeddingDropout: 0.05 };
const dropped = { ...variational, weightDropout: 0.3 };

/** @type {[name: string, options: Partial<import("unrolled").LanguageModelOptions>, averaged?: boolean][]} */
const steps = [
  ["plain", {}],
  ["+ tied weights", tied],
  ["+ variational and embedding dropout", variational],
  ["+ weight-drop", dropped],
  ["+ averaged SGD (NT-ASGD)", dropped, true],
];

/**
 * The lowest validation perplexity.
 * @param {Partial<import("unrolled").LanguageModelOptions>} options
 * @param {boolean} averaged
 * @param {(line: string) => void} log
 */
async function perplexity(options, averaged, log) {
  const tokenizer = treebankVocabulary(VOCABULARY);
  const { train: words, valid } = treebankIds(tokenizer);
  const model = new LanguageModel({
    tokenizer,
    cell: LSTM,
    hiddenSize: SIZE,
    embeddingSize: SIZE,
    ...options,
  }).init({ seed: 1, initializer: uniform(-0.1, 0.1) });
  const data = lanes(words.subarray(0, WORDS), { batchSize: 20, seqLen: 35 }).train;
  const held = lanes(valid.subarray(0, HELD_OUT), { batchSize: 20, seqLen: 35 }).train;
  const rate = { lr: 20, seed: 1 };
  const optimizer = averaged
    ? new AveragedSGD(model, { ...rate, trigger: new NonMonotoneTrigger({ patience: 3 }) })
    : new SGD(model, rate);
  let lowest = Infinity;
  const run = train(model, data, { optimizer, clipGradNorm: 0.25, epochs: EPOCHS, valid: held, reportEvery: 1e9 });
  for await (const event of run) {
    if (event.kind !== "valid") continue;
    lowest = Math.min(lowest, event.loss);
    log(`epoch ${event.epoch}: ${Math.exp(event.loss).toFixed(1)}`);
  }
  return Math.exp(lowest);
}

/** @type {import("../run.mjs").Experiment} */
export const awd = {
  name: "awd",
  source: `Merity, Keskar & Socher 2018; the first ${WORDS} words of PTB, 1 x ${SIZE}, ${VOCABULARY} words, ${EPOCHS} epochs`,
  async run(log) {
    let before = Infinity;
    const rows = [];
    for (const [name, options, averaged = false] of steps) {
      log(name);
      const reached = await perplexity(options, averaged, log);
      rows.push({
        task: name,
        data: "ptb, a slice",
        metric: "validation perplexity",
        reached: reached.toFixed(1),
        bar: before === Infinity ? "baseline" : `below ${before.toFixed(1)}`,
        pass: reached < before,
      });
      before = reached;
    }
    return rows;
  },
};
