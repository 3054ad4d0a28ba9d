// Word models of the Penn Treebank from before and after recurrent ones: n-grams with Kneser-Ney smoothing, an averaged bag of
// words, a feed-forward net over a window, a small causal transformer; each sentence followed by <eos>, 10,000 words.
import {
  AdamW,
  BagOfWordsLanguageModel,
  evaluationLanes,
  FeedForwardLanguageModel,
  lanes,
  NGramModel,
  TransformerLanguageModel,
  train,
  VocabularyTokenizer,
} from "unrolled";
import { dataText } from "./data.mjs";

const BATCH = 20;
const window = 5;

/** @type {import("../run.mjs").Experiment} */
export const wordModels = {
  name: "word-models",
  source:
    "Chen & Goodman 1999 (5-gram, modified Kneser-Ney: 148 on these data); Bengio et al. 2003; Vaswani et al. 2017 with distances by Press et al. 2022",
  async run(log) {
    const [training, validation] = ["train", "valid"].map((part) => dataText(`ptb/ptb.${part}.txt`).trim().split("\n"));
    const tokenizer = VocabularyTokenizer.from(training ?? [], { split: "spaces" });
    const [words, held] = [training, validation].map((lines = []) =>
      tokenizer.encode(lines.map((line) => `${line} <eos>`).join(" ")),
    );
    if (words === undefined || held === undefined) throw new Error("no data");
    log(`${words.length} words to train on, ${held.length} to measure on, ${tokenizer.size} tokens`);

    /** @type {Map<string, number>} */
    const reached = new Map();
    for (const order of [1, 2, 3, 5]) {
      const model = new NGramModel({ tokenizer, order, boundary: tokenizer.eos }).fit(words);
      const perplexity = Math.exp(model.evaluate(held));
      reached.set(`${order}-gram`, perplexity);
      log(`${order}-gram: ${perplexity.toFixed(1)}`);
    }

    const shared = { tokenizer, cutoffs: [2004] };
    const models = [
      {
        name: "bag of words",
        epochs: 2,
        lr: 2e-3,
        seqLen: 20,
        model: new BagOfWordsLanguageModel({ ...shared, window, embeddingSize: 200 }),
      },
      {
        name: "feed-forward net",
        epochs: 3,
        lr: 2e-3,
        seqLen: 20,
        model: new FeedForwardLanguageModel({ ...shared, window, embeddingSize: 100, hiddenSize: 200, dropout: 0.1 }),
      },
      {
        name: "transformer",
        epochs: 4,
        lr: 1e-3,
        seqLen: 32,
        model: new TransformerLanguageModel({
          ...shared,
          size: 128,
          numLayers: 2,
          heads: 4,
          context: 64,
          dropout: 0.1,
        }),
      },
    ];
    for (const { name, epochs, lr, seqLen, model } of models) {
      model.init({ seed: 1 });
      const data = lanes(words, { batchSize: BATCH, seqLen }).train;
      const updates = epochs * data.length;
      const run = train(/** @type {any} */ (model), data, {
        optimizer: new AdamW(model, { lr }),
        schedule: (update) => lr * (1 - update / updates),
        updates,
        clipGradNorm: 1,
        reportEvery: 500,
        valid: evaluationLanes(held, { batchSize: BATCH, seqLen: 64 }),
      });
      for await (const event of run) {
        if (event.kind !== "update" && event.kind !== "valid") continue;
        log(`${name}: ${event.kind} ${event.update} of ${updates}, perplexity ${Math.exp(event.loss).toFixed(1)}`);
      }
      // One lane: every word with all that is before it.
      reached.set(name, Math.exp(model.evaluate(held)));
      model.dispose();
    }

    const of = (/** @type {string} */ name) => reached.get(name) ?? Number.NaN;
    const row = (/** @type {string} */ name, /** @type {string} */ bar, /** @type {boolean} */ pass) => ({
      task: `words, ${name}`,
      data: "PTB valid",
      metric: "perplexity",
      reached: of(name).toFixed(1),
      bar,
      pass,
    });
    return [
      row("1-gram", "baseline", true),
      row("2-gram", "baseline", true),
      row("3-gram", "<= 160", of("3-gram") <= 160),
      row("5-gram", "<= 150", of("5-gram") <= 150),
      // What the order of words is worth to the same window, and what comes of a longer one.
      row("bag of words", "below the 1-gram", of("bag of words") < of("1-gram")),
      row("feed-forward net", "below the bag of words", of("feed-forward net") < of("bag of words")),
      row("transformer", "below the bag of words", of("transformer") < of("bag of words")),
    ];
  },
};
