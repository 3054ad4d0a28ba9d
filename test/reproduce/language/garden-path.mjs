// Surprisal of a word model trained on War and Peace: two sentences, and the effect of NP/Z garden paths, less that of the
// comma where there is none.
import { AdamW, cosineAnnealing, LanguageModel, LSTM, lanes, surprisal, train, WordTokenizer } from "unrolled";
import {
  gardenPaths,
  joinLines,
  measureGardenPaths,
  unseenInGardenPath,
  unseenWords,
} from "../../../examples/common/garden-paths.mjs";
import { dataText } from "./data.mjs";

const UPDATES = 3483;
const RATE = 4e-3;
const PAIR = ["The horse raced past the barn fell", "The horse shot in the barn fell"];

/** @type {import("../run.mjs").Experiment} */
export const gardenPath = {
  name: "garden-path",
  source: "items as in Frazier & Rayner 1982, measured as in Futrell et al. 2019; the pair of Bever 1970",
  async run(log) {
    const text = joinLines(dataText("war-and-peace/input.txt"));
    const tokenizer = WordTokenizer.from(text, { maxSize: 6000, minCount: 2 });
    const model = new LanguageModel({
      tokenizer,
      cell: LSTM,
      hiddenSize: 128,
      embeddingSize: 128,
      tieWeights: true,
      dropout: 0.2,
      lockedDropout: true,
    }).init({ seed: 1 });
    const data = lanes(tokenizer.encode(text), { batchSize: 20, seqLen: 35, validation: 0.02 });
    const run = train(model, data.train, {
      optimizer: new AdamW(model, { lr: RATE, betas: [0.9, 0.99] }),
      schedule: cosineAnnealing(RATE, { steps: UPDATES, afterwards: "hold" }),
      clipGradNorm: 1,
      updates: UPDATES,
      valid: data.valid,
      validEvery: 1000,
    });
    for await (const event of run) {
      if (event.kind === "valid") log(`update ${event.update}: perplexity ${Math.exp(event.loss).toFixed(1)} a token`);
    }
    for (const sentence of PAIR) {
      const words = surprisal(model, sentence, { context: "\n\n" }).words;
      log(words.map((word) => `${word.text} ${word.bits.toFixed(1)}`).join("  "));
      log(`  never seen in training: ${unseenWords(sentence, text).join(", ") || "nothing"}`);
    }
    for (const item of gardenPaths) {
      const unseen = unseenInGardenPath(item, text);
      if (unseen.length > 0) throw new Error(`${JSON.stringify(item)}: never seen in training: ${unseen.join(", ")}`);
    }
    const means = measureGardenPaths(model, gardenPaths, log);
    if (means === undefined) throw new Error("no garden paths");
    const row = (
      /** @type {string} */ metric,
      /** @type {import("unrolled").ConfidenceInterval} */ { mean, low, high },
      /** @type {string} */ bar,
    ) => ({
      task: `garden paths, ${gardenPaths.length} items`,
      data: "war-and-peace",
      metric: `${metric}, 95% interval`,
      reached: `${mean.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`,
      bar,
      pass: bar === "baseline" || low > 0,
    });
    return [
      row("effect in bits", means.effect, "interval above 0"),
      row("effect after verbs without objects", means.control, "baseline"),
      row("difference of both", means.difference, "interval above 0"),
    ];
  },
};
