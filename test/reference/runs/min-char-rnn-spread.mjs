// The preset min-char-rnn on tiny-shakespeare with several seeds. By hand, after `npm run build`:
//
//   node test/reference/runs/min-char-rnn-spread.mjs [FILE [SEED ...]]
//
// Prints the smooth loss of 25 characters after 1,000, 5,000 and 10,000 updates, and its mean and standard deviation
// over the seeds. The program itself (float64 NumPy, five seeds): 87.4 +- 2.2, 57.3 +- 1.4, 54.0 +- 1.1, from 104.36.
import { readFileSync } from "node:fs";
import { CharTokenizer, LanguageModel, lanes, minCharRnn, train } from "unrolled";

const marks = [1000, 5000, 10_000];
const [file = new URL("../../../../shared/data/tiny-shakespeare/input.txt", import.meta.url), ...given] =
  process.argv.slice(2);
const seeds = given.length > 0 ? given.map(Number) : [1, 2, 3, 4, 5];
const text = readFileSync(file, "utf8");
const tokenizer = CharTokenizer.from(text);
const data = lanes(tokenizer.encode(text), minCharRnn.lanes).train;
const { seqLen } = minCharRnn.lanes;

/** @type {number[][]} losses by mark, then by seed */
const table = marks.map(() => []);
for (const seed of seeds) {
  const model = new LanguageModel({ tokenizer, ...minCharRnn.model }).init({
    seed,
    initializer: minCharRnn.initializer,
  });
  const optimizer = minCharRnn.optimizer(model);
  const smoothFrom = Math.log(tokenizer.size);
  const run = train(model, data, { ...minCharRnn.training, optimizer, smoothFrom, updates: 10_000, reportEvery: 1000 });
  for await (const event of run) {
    const mark = event.kind === "update" ? marks.indexOf(event.update) : -1;
    if (event.kind === "update" && mark >= 0) table[mark]?.push(seqLen * event.smoothLoss);
  }
  console.log(`seed ${seed}: ${table.map((losses) => losses.at(-1)?.toFixed(2)).join(" / ")}`);
  model.dispose();
  optimizer.dispose();
}
for (const [mark, losses] of table.entries()) {
  const mean = losses.reduce((a, b) => a + b, 0) / losses.length;
  const deviation = Math.sqrt(losses.reduce((a, b) => a + (b - mean) ** 2, 0) / (losses.length - 1));
  console.log(`${marks[mark]} updates: ${mean.toFixed(2)} +- ${deviation.toFixed(2)} over ${losses.length} seeds`);
}
