// Surprisal: how unexpected each word of a sentence is to a language model that has read all before it, in bits. A
// sequence problem of the shape many-to-many, aligned: at each word the model says what comes next.
//
//   node examples/surprisal.mjs [--data FILE] [--eval FILE] [--updates N] [--model FILE] [--svg FILE]
import { readFileSync, writeFileSync } from "node:fs";
import {
  AdamW,
  barChart,
  cosineAnnealing,
  LanguageModel,
  LSTM,
  lanes,
  surprisal,
  train,
  WordTokenizer,
} from "unrolled";
import {
  gardenPaths,
  generatedStory,
  joinLines,
  measureGardenPaths,
  unseenInGardenPath,
  unseenWords,
} from "./common/garden-paths.mjs";
import { exampleOptions, exampleText } from "./common/options.mjs";

const usage = `node examples/surprisal.mjs [options]

  --data FILE      a novel, as text; default: war-and-peace/input.txt in the folder UNROLLED_DATA, or without
                   that some thousand generated sentences. War and Peace: www.gutenberg.org/ebooks/2600
  --eval FILE      another text, whose perplexity is printed
  --updates N      of training; default 1000 (a few minutes), for generated sentences 300 (seconds)
  --model FILE     a model that "unrolled train --tokens word" made of that text, in place of training
  --first TEXT     a sentence; default: The horse raced past the barn fell
  --second TEXT    another beside it; default: The horse shot in the barn fell
  --svg FILE       draws both`;

const options = exampleOptions(usage, {
  updates: { type: "string" },
  model: { type: "string" },
  first: { type: "string", default: "The horse raced past the barn fell" },
  second: { type: "string", default: "The horse shot in the barn fell" },
  svg: { type: "string" },
});

// 1. The text: a novel, or sentences drawn from the words of the garden paths by a generator of random numbers.
const novel = exampleText(options.data, "war-and-peace/input.txt");
let state = 1;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
const text = novel === undefined ? generatedStory(random, 3000) : joinLines(novel);

// 2. The model. A word is a token with the space before it; rare ones are spelled, so that every sentence can be read.
const model = options.model === undefined ? await trained() : LanguageModel.from(readFileSync(options.model));

async function trained() {
  const size = novel === undefined ? 32 : 128;
  const updates = Number(options.updates ?? (novel === undefined ? 300 : 1000));
  const tokenizer = WordTokenizer.from(text, { maxSize: 6000, minCount: 2 });
  const sizes = { hiddenSize: size, embeddingSize: size, tieWeights: true };
  const lm = new LanguageModel({ tokenizer, cell: LSTM, ...sizes, dropout: 0.2, lockedDropout: true }).init({
    seed: 1,
  });
  const data = lanes(tokenizer.encode(text), { batchSize: 20, seqLen: 35, validation: 0.02 });
  const lr = novel === undefined ? 2e-2 : 4e-3;
  const run = train(lm, data.train, {
    optimizer: new AdamW(lm, { lr, betas: [0.9, 0.99] }),
    schedule: cosineAnnealing(lr, { steps: updates, afterwards: "hold" }),
    clipGradNorm: 1,
    updates,
    valid: data.valid,
    validEvery: Math.ceil(updates / 5),
  });
  for await (const event of run) {
    if (event.kind === "valid") console.log(`update ${event.update}  perplexity ${Math.exp(event.loss).toFixed(1)}`);
  }
  return lm;
}

const held = exampleText(options.eval);
if (held !== undefined) {
  const perplexity = Math.exp(model.evaluate(model.tokenizer.encode(joinLines(held))));
  console.log(`${options.eval}: perplexity ${perplexity.toFixed(1)} a token`);
}

// 3. Two sentences side by side, word by word, over all that was read before.
const sentences = [options.first ?? "", options.second ?? ""];
const read = sentences.map((sentence) => surprisal(model, sentence, { context: "\n\n" }));
const columns = read.map(({ words }) => {
  const total = words.reduce((sum, word) => sum + word.bits, 0);
  return [...words, { text: "a word", bits: total / words.length }].map(
    (row) => `${row.bits.toFixed(2).padStart(7)}  ${row.text}`,
  );
});
console.log("\nbits of each word");
for (let row = 0; columns.some((column) => row < column.length); row++) {
  console.log(
    columns
      .map((column) => (column[row] ?? "").padEnd(24))
      .join("")
      .trimEnd(),
  );
}
const unseen = new Set(unseenWords(sentences.join(" "), text));
console.log(`never seen in training: ${[...unseen].join(", ") || "nothing"}`);
if (options.svg !== undefined) {
  const rows = read.flatMap(({ words }, i) => [
    { heading: sentences[i] ?? "" },
    ...words.map((word) => ({ label: word.text, value: word.bits })),
  ]);
  writeFileSync(options.svg, barChart(rows, { title: "Surprisal", axis: "bits a word" }));
}

// 4. Garden paths: the verb without a comma before its subject, and with one; and the same where there is no garden path.
const known = gardenPaths.filter((item) => unseenInGardenPath(item, text).length === 0);
console.log(`\nbits of the last word, ${known.length} of ${gardenPaths.length} garden paths of known words`);
measureGardenPaths(model, known, console.log);
