// The preset char-rnn on tiny-shakespeare, the last 5% of its characters for validation. By hand, after `npm run
// build`:
//
//   node test/reference/runs/char-rnn-tiny-shakespeare.mjs [FILE [SEED ...]]
//
// Prints the validation loss (nats a character, over the whole validation part) after 250, 500 and 1000 updates, and a
// sample. PyTorch with the same recipe and file, over seeds: 2.310 +- .006, 2.042 +- .022, 1.809 +- .011.
import { readFileSync } from "node:fs";
import { CharTokenizer, charRnn, generate, LanguageModel, lanes, train } from "unrolled";

const [file = new URL("../../../../shared/data/tiny-shakespeare/input.txt", import.meta.url), ...given] =
  process.argv.slice(2);
const seeds = given.length > 0 ? given.map(Number) : [1];
const text = readFileSync(file, "utf8");
const tokenizer = CharTokenizer.from(text);
const tokens = tokenizer.encode(text);

for (const seed of seeds) {
  const model = new LanguageModel({ tokenizer, ...charRnn.model }).init({ seed, initializer: charRnn.initializer });
  const data = lanes(tokens, { ...charRnn.lanes, validation: 0.05 });
  const optimizer = charRnn.optimizer(model);
  const begin = performance.now();
  const run = train(model, data.train, { ...charRnn.training, optimizer, updates: 1000, reportEvery: 50 });
  for await (const event of run) {
    if (event.kind !== "update") continue;
    const line = `seed ${seed} update ${event.update}: training loss ${event.loss.toFixed(3)}`;
    if (![250, 500, 1000].includes(event.update)) {
      console.log(line);
      continue;
    }
    const validation = tokens.subarray(tokens.length - Math.floor(0.05 * tokens.length) - 1);
    // One lane sees the whole context; 50 lanes lack it in 50 places.
    const [exact, lanes50] = [1, 50].map((batchSize) => model.evaluate(validation, { batchSize }));
    console.log(`${line}, validation loss ${exact?.toFixed(4)} (in 50 lanes ${lanes50?.toFixed(4)})`);
  }
  console.log(`${((performance.now() - begin) / 1000).toFixed(1)} s, validation included`);
  console.log([...generate(model, "ROMEO:\n", { temperature: 0.8, seed, maxTokens: 400 })].join(""));
  model.dispose();
  optimizer.dispose();
}
