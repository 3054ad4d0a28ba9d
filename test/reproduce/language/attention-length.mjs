// What attention is for: BLEU against the length of the sentence, with attention and without, after Bahdanau, Cho &
// Bengio 2015 (figure 2), on image descriptions, and on two of them joined.
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Adam,
  Bleu,
  curveSvg,
  GeneralAttention,
  GRU,
  oneCycle,
  Translator,
  train,
  VocabularyTokenizer,
} from "unrolled";
import { dataText } from "./data.mjs";

const EPOCHS = 4;
const ROWS = 12_000;

/** @param {"train" | "val"} name */
function multi30k(name) {
  const [english, french] = ["en", "fr"].map((language) =>
    dataText(`multi30k-en-fr/${name}.${language}`).trimEnd().split("\n"),
  );
  return (english ?? []).map((source, i) => ({ source, target: french?.[i] ?? "" }));
}

/** Every second pair and the one after it, as one. @param {import("unrolled").TextPair[]} pairs */
const joined = (pairs) =>
  pairs.flatMap(({ source, target }, i) => {
    const next = pairs[i + 1];
    return i % 2 === 1 || next === undefined
      ? []
      : [{ source: `${source} ${next.source}`, target: `${target} ${next.target}` }];
  });

/** @type {import("../run.mjs").Experiment} */
export const attentionLength = {
  name: "attention-length",
  source: "Bahdanau, Cho & Bengio 2015, figure 2: without attention BLEU falls with the length of the sentence",
  async run(log) {
    const pairs = multi30k("train").slice(0, ROWS);
    const valid = multi30k("val");
    // Joined ones are learned from as well: their lengths are not new, only harder to keep in one vector.
    const learned = [...pairs, ...joined(pairs)];
    const test = [...valid, ...joined(valid)];
    const words = (/** @type {"source" | "target"} */ side, /** @type {"treebank" | "french"} */ split) =>
      VocabularyTokenizer.from(
        pairs.map((pair) => pair[side]),
        { split, minCount: 4 },
      );
    const tokenizer = words("source", "treebank");
    const targetTokenizer = words("target", "french");
    const groups = [10, 13, 16, 20, 25, 30, 99];
    const groupOf = (/** @type {string} */ source) => {
      const { length } = tokenizer.words(source);
      return groups.findIndex((most) => length <= most);
    };
    const series = [];
    for (const attention of [true, false]) {
      const model = new Translator({
        tokenizer,
        targetTokenizer,
        cell: GRU,
        hiddenSize: 192,
        embeddingSize: 96,
        tieWeights: true,
        bidirectional: true,
        dropout: 0.2,
        labelSmoothing: 0.1,
        attention: attention ? GeneralAttention : undefined,
      }).init({ seed: 1 });
      const batches = model.batches(learned, { batchSize: 64, seed: 1, bucketBatches: 20 });
      const schedule = oneCycle(2e-3, { steps: EPOCHS * batches.length, warmUp: 0.1, anneal: "linear" });
      const run = train(model, batches, { optimizer: new Adam(model), schedule, clipGradNorm: 1, epochs: EPOCHS });
      for await (const event of run) {
        if (event.kind === "epoch") log(`epoch ${event.epoch}: ${event.loss.toFixed(4)} nats, smoothed`);
      }
      const order = [...test].sort((a, b) => a.source.length - b.source.length);
      const written = model.translateAll(
        order.map(({ source }) => source),
        { maxTokens: 80 },
      );
      const scores = groups.map(() => new Bleu());
      order.forEach(({ source, target }, i) => {
        scores[groupOf(source)]?.add(written[i] ?? "", target);
      });
      series.push({
        name: attention ? "attention" : "no attention",
        points: scores.map(({ value }, i) => /** @type {[number, number]} */ ([groups[i] ?? 0, value.score])),
      });
    }
    const [attended, plain] = series.map(({ points }) => points.map(([, score]) => score));
    const last = groups.length - 1;
    groups.forEach((most, i) => {
      log(`up to ${most} words: ${attended?.[i]?.toFixed(2)} with, ${plain?.[i]?.toFixed(2)} without attention`);
    });
    // The last group is as wide as all others together: drawn a step further.
    const drawn = series.map(({ name, points }) => ({
      name,
      points: points.map(([x, y], i) => /** @type {[number, number]} */ ([i === last ? 40 : x, y])),
    }));
    const file = join(tmpdir(), "attention-length.svg");
    writeFileSync(file, curveSvg(drawn, { title: "BLEU by length", xLabel: "words of the source", yLabel: "BLEU" }));
    log(`drawn in ${file}`);
    // Of what each has: a model that translates little has little to lose.
    const share = (/** @type {number[] | undefined} */ scores) => (scores?.[last] ?? 0) / (scores?.[1] ?? NaN);
    const [kept, left] = [share(attended), share(plain)];
    const common = { data: "multi30k-en-fr" };
    return [
      {
        ...common,
        task: "attention and length",
        metric: "BLEU over 30 words, of that up to 13, with : without",
        reached: `${(100 * kept).toFixed(0)}% : ${(100 * left).toFixed(0)}%`,
        bar: "more with",
        pass: kept > left,
      },
    ];
  },
};
