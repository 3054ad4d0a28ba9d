// Word vectors: analogies of GloVe's, beside plain float64 code, and vectors trained on the Penn Treebank by skip-gram
// (one-to-one), CBOW (many-to-one) and GloVe, beside what the frequencies of words alone can do and vectors of noise.
import { createReadStream } from "node:fs";
import {
  Adagrad,
  bagOfWordsBatches,
  ContinuousBagOfWords,
  coOccurrenceBatches,
  coOccurrences,
  GloVe,
  readAnalogies,
  readWordVectors,
  SkipGram,
  skipGramBatches,
  subsample,
  train,
  trainWordVectors,
  VocabularyTokenizer,
  WordVectors,
} from "unrolled";
import { generator, percent } from "../common.mjs";
import { dataPath, dataText } from "./data.mjs";

/** Words of one kind, all frequent in the Penn Treebank. */
const families = [
  ["monday", "tuesday", "wednesday", "thursday", "friday"],
  ["january", "february", "march", "june", "july", "august", "september", "october", "november", "december"],
  ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"],
  ["japan", "canada", "britain", "france", "mexico", "australia"],
  ["rose", "fell", "climbed", "dropped", "declined", "gained", "jumped"],
  ["chairman", "president", "director", "officer", "executive"],
];

/**
 * Where the other words of a word's family are among all words in the order of their cosines, on average: 0 is first,
 * one half is chance.
 * @param {WordVectors} vectors
 */
function familyRank(vectors) {
  const ranks = families.flatMap((family) =>
    family.flatMap((word) => {
      const order = new Map(vectors.nearest(word, vectors.words.length).map((other, rank) => [other.word, rank]));
      return family
        .filter((other) => other !== word)
        .map((other) => /** @type {number} */ (order.get(other)) / order.size);
    }),
  );
  return ranks.reduce((sum, rank) => sum + rank / ranks.length, 0);
}

/**
 * Answers in float64, in code that shares nothing with the package's.
 * @param {WordVectors} vectors
 * @param {import("unrolled").AnalogyQuestion[]} questions
 * @param {"add" | "multiply"} method
 */
function rightInFloat64({ words, size, data }, questions, method) {
  const ids = new Map(words.map((word, id) => [word, id]));
  const rows = words.map((_, id) => {
    const row = Float64Array.from(data.subarray(id * size, (id + 1) * size));
    const length = Math.hypot(...row);
    return row.map((value) => value / length);
  });
  const dot = (/** @type {Float64Array} */ x, /** @type {Float64Array} */ y) => {
    let sum = 0;
    for (let i = 0; i < size; i++) sum += /** @type {number} */ (x[i]) * /** @type {number} */ (y[i]);
    return sum;
  };
  let right = 0;
  for (const question of questions) {
    const [a, b, c, d] = question.words.map((word) => ids.get(word.toLowerCase()));
    if (a === undefined || b === undefined || c === undefined || d === undefined) continue;
    const [ra, rb, rc] = [a, b, c].map((id) => /** @type {Float64Array} */ (rows[id]));
    if (ra === undefined || rb === undefined || rc === undefined) continue;
    let best = -1;
    let most = -Infinity;
    rows.forEach((row, id) => {
      if (id === a || id === b || id === c) return;
      const [toA, toB, toC] = [dot(row, ra), dot(row, rb), dot(row, rc)];
      const score = method === "add" ? toB - toA + toC : ((toB + 1) * (toC + 1)) / (toA + 1.002);
      if (score > most) [best, most] = [id, score];
    });
    if (best === d) right++;
  }
  return right;
}

/** @param {(line: string) => void} log */
async function analogies(log) {
  const vectors = await readWordVectors(createReadStream(dataPath("glove-50d/glove.5k.50d.txt")));
  /** @type {import("unrolled").AnalogyQuestion[]} */
  const questions = [];
  for await (const question of readAnalogies(createReadStream(dataPath("word-analogies/questions-words.txt")))) {
    questions.push(question);
  }
  return /** @type {const} */ (["add", "multiply"]).map((method) => {
    const { right, answered, accuracy, categories } = vectors.analogyAccuracy(questions, { method, lowerCase: true });
    for (const score of categories) {
      if (score.answered > 0)
        log(`${score.category}: ${score.right} of ${score.answered} (3Cos${method === "add" ? "Add" : "Mul"})`);
    }
    const expected = rightInFloat64(vectors, questions, method);
    return {
      task: `analogies by ${method === "add" ? "3CosAdd" : "3CosMul"}`,
      data: `GloVe 6B, ${vectors.words.length} words, 50 numbers each`,
      metric: `accuracy, ${answered} questions`,
      reached: percent(accuracy),
      // Single precision may decide ties otherwise.
      bar: `${percent(expected / answered)} in float64${method === "add" ? " and by gensim 4.4.0" : ""}`,
      pass: Math.abs(right - expected) <= 2,
    };
  });
}

/** The Penn Treebank as ids, -1 for what is no word and for the end of a sentence. */
function treebank() {
  const lines = dataText("ptb/ptb.train.txt").trimEnd().split("\n");
  const tokenizer = VocabularyTokenizer.from(lines, { split: "spaces", minCount: 5 });
  const encode = (/** @type {string[]} */ texts) =>
    Int32Array.from(
      texts.flatMap((line) => [...tokenizer.encode(line), -1]),
      (id) => (id === tokenizer.unknown ? -1 : id),
    );
  return { tokenizer, text: encode(lines), valid: encode(dataText("ptb/ptb.valid.txt").trimEnd().split("\n")) };
}

/**
 * How often each id occurs.
 * @param {Int32Array} text
 * @param {number} vocabSize
 */
function counted(text, vocabSize) {
  const counts = new Float64Array(vocabSize);
  for (const id of text) if (id >= 0) counts[id] = /** @type {number} */ (counts[id]) + 1;
  return counts;
}

/**
 * The chance that a word is the right one and not one of five that were drawn, when nothing is known but how often it is
 * right, P, and drawn, Q: P / (P + 5 Q), which makes the smallest loss of scores that depend on that word alone.
 * @param {Float64Array} right how often each is right
 * @param {Float64Array} all how often each occurs, which it is drawn by
 */
function chances(right, all) {
  const total = right.reduce((sum, count) => sum + count, 0);
  const mass = all.reduce((sum, count) => sum + count ** 0.75, 0);
  return right.map((count, id) => {
    const [p, q] = [count / total, (5 * /** @type {number} */ (all[id]) ** 0.75) / mass];
    return p / (p + q);
  });
}

/**
 * Mean losses over batches: of the model, and by these chances.
 * @template B
 * @param {import("unrolled").BatchSource<B>} source
 * @param {Float64Array} chance
 * @param {(batch: B) => { loss: number, right: Int32Array, negatives: Int32Array }} answer
 */
function heldOut(source, chance, answer) {
  let [ours, alone, rows] = [0, 0, 0];
  for (let index = 0; index < source.length; index++) {
    const { loss, right, negatives } = answer(source.batch(index));
    ours += loss * right.length;
    for (const id of right) alone -= Math.log(/** @type {number} */ (chance[id]));
    for (const id of negatives) alone -= Math.log1p(-(/** @type {number} */ (chance[id])));
    rows += right.length;
  }
  return { loss: ours / rows, frequencies: alone / rows };
}

/** @type {import("../run.mjs").Experiment} */
export const wordVectors = {
  name: "word-vectors",
  source: "Mikolov et al. 2013; Pennington, Socher & Manning 2014; Levy & Goldberg 2014",
  async run(log) {
    /** @type {import("../run.mjs").DataRow[]} */
    const rows = await analogies(log);
    const { tokenizer, text, valid } = treebank();
    const words = tokenizer.tokens.slice(4);
    const random = generator(1);
    const noise = Float32Array.from({ length: words.length * 50 }, () => random() - 0.5);
    const data = `PTB train, ${text.filter((id) => id >= 0).length} words`;
    const metric = "mean rank of words of its kind, 0% first";
    const atRandom = familyRank(new WordVectors(words, noise, 50));
    rows.push({ task: "vectors of noise", data, metric, reached: percent(atRandom), bar: "baseline", pass: true });
    const bar = 0.05;
    const add = (/** @type {string} */ task, /** @type {WordVectors} */ { data: table, size }) => {
      const vectors = new WordVectors(words, table.slice(4 * size), size);
      for (const word of ["monday", "japan", "two", "rose", "bank"]) {
        log(
          `${task}: ${word} ${vectors
            .nearest(word, 5)
            .map((near) => near.word)
            .join(" ")}`,
        );
      }
      const reached = familyRank(vectors);
      rows.push({ task, data, metric, reached: percent(reached), bar: `<= ${percent(bar)}`, pass: reached <= bar });
    };
    const all = counted(text, tokenizer.size);
    const chance = chances(counted(subsample(text, { seed: 1 }), tokenizer.size), all);
    const held = { batchSize: 512, negatives: 5, seed: 1, frequencies: all };
    const unseen = subsample(valid, { seed: 1 });
    for (const [task, model, lr] of /** @type {const} */ ([
      ["skip-gram", new SkipGram(tokenizer.size, 64), 0.05],
      ["CBOW", new ContinuousBagOfWords(tokenizer.size, 64), 0.1],
    ])) {
      model.init({ seed: 1 });
      for await (const report of trainWordVectors(model, text, { epochs: 5, lr, seed: 1, reportEvery: 400 })) {
        log(`${task}: epoch ${report.epoch} done ${percent(report.done)} loss ${report.loss.toFixed(3)}`);
      }
      add(task, model.wordVectors(tokenizer.tokens));
      const lossOf = (/** @type {any} */ batch) => model.run((m) => m.loss(batch).item());
      const { loss, frequencies } =
        model instanceof SkipGram
          ? heldOut(skipGramBatches(unseen, held), chance, (batch) => ({
              loss: lossOf(batch),
              right: batch.contexts.data,
              negatives: batch.negatives.data,
            }))
          : heldOut(bagOfWordsBatches(unseen, held), chance, (batch) => ({
              loss: lossOf(batch),
              right: batch.targets.data,
              negatives: batch.negatives?.data ?? new Int32Array(0),
            }));
      rows.push({
        task: `${task}, loss`,
        data: "PTB valid, subsampled",
        metric: "negative sampling, nats",
        reached: loss.toFixed(3),
        bar: `< ${frequencies.toFixed(3)}, frequencies alone`,
        pass: loss < frequencies,
      });
    }
    const model = new GloVe(tokenizer.size, 50).init({ seed: 1 });
    const pairs = coOccurrences(text, { window: 10 });
    log(`GloVe: ${pairs.count} pairs`);
    const batches = coOccurrenceBatches(pairs, { batchSize: 4096, seed: 1 });
    const run = train(model, batches, { optimizer: new Adagrad(model, { lr: 0.05 }), epochs: 4, reportEvery: 500 });
    for await (const event of run)
      if (event.kind === "update") log(`GloVe: ${event.update} loss ${event.loss.toFixed(4)}`);
    add("GloVe", model.wordVectors(tokenizer.tokens));
    return rows;
  },
};
