// A character language model learns to write (one-to-many: from nothing, a text): samples along its training, from noise
// to words, with the loss beside each, printed and collected in one page.
import { writeFile } from "node:fs/promises";
import {
  AdamW,
  CharTokenizer,
  cosineAnnealing,
  generate,
  knownWords,
  LanguageModel,
  LSTM,
  lanes,
  samplesHtml,
  train,
} from "unrolled";
import { exampleOptions, exampleText } from "./common/options.mjs";

const options = exampleOptions(
  `node examples/char-samples.mjs [--data FILE] [--updates N] [--hidden N] [--out samples.html]

  --data FILE    any text of 20 kB or more: sonnets, plays, source code. For example Shakespeare's plays,
                 https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt
                 (default: sonnets/sonnets.txt in the folder UNROLLED_DATA, otherwise sentences made up here)
  --eval FILE    another text to measure the loss on (default: the last twentieth of the text)
  --updates N    updates in all (default 400)
  --hidden N     units of the LSTM (default 96)
  --out FILE     the page (default: only printed)`,
  {
    updates: { type: "string", default: "400" },
    hidden: { type: "string", default: "96" },
    out: { type: "string" },
  },
);
const text = exampleText(options.data, "sonnets/sonnets.txt") ?? sentences(2000);
const other = options.eval && exampleText(options.eval, "");
const updates = Number(options.updates);

const tokenizer = CharTokenizer.from(other ? [text, other] : text);
const hiddenSize = Number(options.hidden);
const lm = new LanguageModel({ tokenizer, cell: LSTM, embeddingSize: 64, hiddenSize }).init({ seed: 1 });
const data = lanes(tokenizer.encode(text), { batchSize: 16, seqLen: 48, validation: other ? 0 : 0.05 });
const held = other || text.slice(-Math.floor(0.05 * text.length));
const known = new Set(text.toLowerCase().match(/\p{L}[\p{L}\p{M}'\u2019]*/gu));

/** @type {import("unrolled").TrainingSample[]} */
const samples = [];

/** What the model writes at this point of training. @param {number} update */
function keep(update) {
  const loss = lm.evaluate(held.slice(0, 5000), { batchSize: 8 });
  const sample = [...generate(lm, "", { temperature: 0.8, maxTokens: 300, seed: 5 })].join("");
  samples.push({ update, loss, text: sample });
  const words = Math.round(100 * (knownWords(sample, known) || 0));
  console.log(`\nupdate ${update}  validation loss ${loss.toFixed(3)}  words known ${words}%`);
  console.log(sample.slice(0, 160).trim());
}

console.log(`${text.length} characters, ${tokenizer.size} different, ${lm.rnn.hiddenSize} units`);
keep(0);
// The first updates change the most: after 1, 2, 5, 10, 20, 50, ...
const marks = [1, 10, 100, 1000, 10_000].flatMap((power) => [power, 2 * power, 5 * power]);
const lr = 5e-3;
const run = train(lm, data.train, {
  optimizer: new AdamW(lm, { lr }),
  schedule: cosineAnnealing(lr, { steps: updates }),
  clipGradNorm: 1,
  updates,
  reportEvery: 1,
});
for await (const event of run) {
  if (event.kind === "update" && (marks.includes(event.update) || event.update === updates)) keep(event.update);
}
if (options.out) {
  await writeFile(options.out, samplesHtml(samples, { title: "From noise to words", known }));
  console.log(`\n${options.out} has all samples`);
}

/** A text of simple sentences. @param {number} count */
function sentences(count) {
  let state = 1;
  const one = (/** @type {string} */ words) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const list = words.split(" ");
    return list[Math.floor((state / 2 ** 32) * list.length)];
  };
  const animal = () => `${one("small big old young red quick sleepy")} ${one("cat dog bird fish horse mouse fox")}`;
  return Array.from({ length: count }, () => {
    const sentence = `the ${animal()} ${one("sees likes hears follows finds")} ${one("a the")} ${animal()}`;
    return `${sentence[0]?.toUpperCase()}${sentence.slice(1)}${one(". . . ! ?")}\n`;
  }).join("");
}
