// Words as vectors: one-hot against dense, training (one-to-one: a word predicts one near it), neighbours, analogies,
// axes and a map.
//   node examples/word-vectors.mjs --out pictures
import { createReadStream, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  AdamW,
  crossEntropy,
  Embedding,
  GRU,
  ids,
  Linear,
  Module,
  oneHot,
  pretrained,
  readAnalogies,
  readWordVectors,
  reshape,
  SkipGram,
  softmax,
  trainWordVectors,
  VocabularyTokenizer,
  WordVectors,
  wordAxisSvg,
  wordAxisTable,
  wordAxisText,
  wordMapSvg,
  writeWordVectors,
} from "unrolled";
import { exampleOptions, examplePath, exampleText } from "./common/options.mjs";
import { glasses, kinds, questions, smallWorld } from "./common/small-world.mjs";

const options = exampleOptions(
  `node examples/word-vectors.mjs [--data VECTORS] [--eval QUESTIONS] [--text TEXT] [--out FOLDER]

  --data VECTORS    word vectors, as text of GloVe or word2vec (https://nlp.stanford.edu/projects/glove: glove.6B.zip);
                    default: glove-50d/glove.5k.50d.txt of UNROLLED_DATA, else vectors trained on a small generated text
  --eval QUESTIONS  analogies (https://github.com/tmikolov/word2vec: questions-words.txt);
                    default: word-analogies/questions-words.txt of UNROLLED_DATA, else of the small text
  --text TEXT       a text to train vectors on besides, by skip-gram (any book: https://www.gutenberg.org)
  --out FOLDER      writes map.svg, axes.svg and, of the trained vectors, vectors.txt`,
  { text: { type: "string" }, out: { type: "string" } },
);

/**
 * Trains skip-gram with negative sampling: one-to-one, a word predicts a word near it.
 * @param {string[]} lines sentences
 * @param {{ size: number, minCount: number } & import("unrolled").WordVectorTrainingOptions} settings
 */
async function trained(lines, { size, minCount, ...settings }) {
  const tokenizer = VocabularyTokenizer.from(lines, { lowerCase: true, minCount });
  // An unknown word, as the end of a sentence, is -1: no word.
  const text = Int32Array.from(
    lines.flatMap((line) => [...tokenizer.encode(line), -1]),
    (id) => (id === tokenizer.unknown ? -1 : id),
  );
  console.log(`\nSkip-gram on ${text.filter((id) => id >= 0).length} words, ${tokenizer.size - 4} different`);
  const model = new SkipGram(tokenizer.size, size).init({ seed: 1 });
  let epoch = 0;
  for await (const report of trainWordVectors(model, text, { reportEvery: 1e6, ...settings })) {
    if (report.epoch > epoch)
      console.log(`epoch ${report.epoch}  loss ${report.loss.toFixed(3)}  learning rate ${report.lr.toFixed(5)}`);
    epoch = report.epoch;
  }
  // Without <pad> and the other tokens that are no words.
  const { words, data } = model.wordVectors(tokenizer.tokens);
  return new WordVectors(words.slice(4), data.slice(4 * size), size);
}

const world = await trained(smallWorld(), {
  size: 24,
  minCount: 1,
  epochs: 10,
  window: 3,
  subsample: 0.01,
  lr: 0.05,
  seed: 1,
});

console.log("\nCosines of one-hot vectors, and of those that were trained");
const shown = ["king", "queen", "orange", "apple", "paris"];
for (const word of shown) {
  const oneHots = shown.map((other) => (other === word ? "1.00" : "0.00").padStart(6)).join("");
  const dense = shown.map((other) => world.similarity(word, other).toFixed(2).padStart(6)).join("");
  console.log(`${word.padEnd(8)}${oneHots}    ${dense}`);
}

// "a glass of orange ___": many-to-one, from four words to the next. Of the drinks, only some have been seen.
const words = ["a", "glass", "of", ...kinds.fruits, ...kinds.animals];
const drinks = ["juice", "milk"];

class Completion extends Module {
  /** @param {Embedding | null} embed dense vectors, frozen; null for one-hot vectors */
  constructor(embed) {
    super();
    this.embed = embed;
    this.rnn = new GRU(embed?.embeddingSize ?? words.length, 16);
    this.head = new Linear(16, drinks.length);
  }

  /** @param {import("unrolled").Ids} tokens (B, T) */
  forward(tokens) {
    const { state } = this.rnn.forward(this.embed?.forward(tokens) ?? oneHot(tokens, words.length));
    return this.head.forward(reshape(state.h, [tokens.shape[0] ?? 0, 16]));
  }
}

/** @param {[string, string][]} rows */
const batch = (rows) => ({
  tokens: ids(rows.map(([word]) => ["a", "glass", "of", word].map((part) => words.indexOf(part)))),
  targets: ids(rows.map(([, drink]) => drinks.indexOf(drink))),
});

const dense = new Embedding(words.length, world.size, { initializer: pretrained(world, words), freeze: true });
const answers = [null, dense].map((embed) => {
  const model = new Completion(embed).init({ seed: 2 });
  const optimizer = new AdamW(model, { lr: 0.01 });
  const { tokens, targets } = batch(glasses.seen);
  for (let update = 0; update < 150; update++) optimizer.update(() => crossEntropy(model.forward(tokens), targets));
  return (/** @type {[string, string][]} */ rows) => {
    const { data } = model.run((m) => softmax(m.forward(batch(rows).tokens)));
    return rows.map(([, drink], row) => data[row * drinks.length + drinks.indexOf(drink)] ?? 0);
  };
});
console.log("\nThe next word, seen in training or not: its probability from one-hot and from dense vectors");
for (const [kind, rows] of Object.entries(glasses)) {
  const [oneHots = [], denses = []] = answers.map((answer) => answer(rows));
  rows.forEach(([word, drink], row) => {
    const numbers = [oneHots, denses].map((of) => (of[row] ?? 0).toFixed(2)).join("   ");
    console.log(`${kind.padEnd(7)} a glass of ${word.padEnd(7)} ${drink.padEnd(6)} ${numbers}`);
  });
}

const text = exampleText(options.text);
if (text !== undefined) {
  const lines = text.split(/\n\s*\n|[.!?]\s/);
  const vectors = await trained(lines, { size: 100, minCount: 5, epochs: 5, seed: 1 });
  for (const word of vectors.words.slice(50, 500).filter((_, i) => i % 30 === 0)) showNearest(vectors, word);
}

/**
 * @param {WordVectors} vectors
 * @param {string} word
 */
function showNearest(vectors, word) {
  const near = vectors.nearest(word, 5).map(({ word: other, similarity }) => `${other} ${similarity.toFixed(2)}`);
  console.log(`${word.padEnd(10)} ${near.join(", ")}`);
}

const file = examplePath(options.data, "glove-50d/glove.5k.50d.txt");
const vectors = file === undefined ? world : await readWordVectors(createReadStream(file));
console.log(`\nNearest words${file === undefined ? "" : `, of ${vectors.words.length} in ${file}`}`);
for (const word of ["king", "orange", "paris", "boy"]) if (vectors.has(word)) showNearest(vectors, word);

console.log("\nAnalogies");
for (const [b, a, c] of [
  ["king", "man", "woman"],
  ["his", "he", "she"],
  ["paris", "france", "italy"],
]) {
  if (a === undefined || b === undefined || c === undefined || ![a, b, c].every((word) => vectors.has(word))) continue;
  const [first] = vectors.analogy(a, b, c);
  const [second] = vectors.analogy(a, b, c, { method: "multiply" });
  console.log(`${b} - ${a} + ${c} = ${first?.word} (3CosAdd), ${second?.word} (3CosMul)`);
}
const asked = examplePath(options.eval, file === undefined ? undefined : "word-analogies/questions-words.txt");
/** @type {import("unrolled").AnalogyQuestion[]} */
let answerable = questions;
if (asked !== undefined) {
  answerable = [];
  for await (const question of readAnalogies(createReadStream(asked))) answerable.push(question);
}
const [byAdd, byMultiply] = /** @type {const} */ (["add", "multiply"]).map((method) =>
  vectors.analogyAccuracy(answerable, { method, lowerCase: true }),
);
const percent = (/** @type {number | undefined} */ part) => (100 * (part ?? 0)).toFixed(1).padStart(5);
console.log("category                      3CosAdd  3CosMul  questions  with an unknown word");
byAdd?.categories.forEach((score, i) => {
  if (score.answered === 0) return;
  printScore(score.category, score, byMultiply?.categories[i]?.accuracy);
});
if (byAdd !== undefined) printScore("total", byAdd, byMultiply?.accuracy);

/**
 * @param {string} name
 * @param {import("unrolled").AnalogyScore} score
 * @param {number | undefined} other accuracy by 3CosMul
 */
function printScore(name, { accuracy, answered, unknown }, other) {
  console.log(
    `${name.padEnd(28)}   ${percent(accuracy)}%   ${percent(other)}%  ${String(answered).padStart(9)}  ${String(unknown).padStart(20)}`,
  );
}

const known = (/** @type {string[]} */ list) => list.filter((word) => vectors.has(word));
const table = wordAxisTable(
  vectors,
  known(["man", "woman", "king", "queen", "prince", "boy", "grandmother", "apple", "orange"]),
  {
    gender: {
      from: known(["man", "he", "boy", "father", "uncle"]),
      to: known(["woman", "she", "girl", "mother", "aunt"]),
    },
    royal: { from: known(["man", "woman", "boy", "girl"]), to: known(["king", "queen", "prince", "princess"]) },
    age: { from: known(["boy", "girl", "child", "baby"]), to: known(["grandfather", "grandmother", "old", "elderly"]) },
    food: { to: known(["pear", "lemon", "cherry", "grape", "bread", "cheese", "rice", "fruit", "meat"]) },
  },
);
console.log(`\nWords along axes: -1 and 1 are the means of the words at the ends\n${wordAxisText(table)}`);

if (options.out !== undefined) {
  const groups = Object.fromEntries(Object.entries(kinds).map(([name, list]) => [name, known(list)]));
  mkdirSync(options.out, { recursive: true });
  writeFileSync(join(options.out, "map.svg"), wordMapSvg(vectors, groups, { title: "Words by their vectors" }));
  writeFileSync(join(options.out, "axes.svg"), wordAxisSvg(table));
  writeFileSync(join(options.out, "vectors.txt"), [...writeWordVectors(world)].join(""));
  console.log(`\nwritten to ${options.out}: map.svg, axes.svg, vectors.txt`);
}
