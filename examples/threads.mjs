// A character language model (many-to-many, aligned) on two threads: this file is both the run and, in the second
// thread, its replica.
//   node examples/threads.mjs [THREADS]
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { isMainThread, Worker } from "node:worker_threads";
import { Adam, CharTokenizer, LanguageModel, LSTM, lanes, replicas, serveReplica, train } from "unrolled";

const text = await readFile(new URL("../README.md", import.meta.url), "utf8");
const tokenizer = CharTokenizer.from(text);
const createModel = () => new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 64, numLayers: 2, dropout: 0.1 });

if (isMainThread) {
  const { values, positionals } = parseArgs({ options: { help: { type: "boolean" } }, allowPositionals: true });
  if (values.help) {
    console.log("node examples/threads.mjs [THREADS]   trains a character model on that many threads (default 2)");
    process.exit();
  }
  const n = Number(positionals[0] ?? 2);
  const lm = createModel().init({ seed: 1 });
  const data = lanes(tokenizer.encode(text), { batchSize: 16, seqLen: 32, validation: 0.05 });
  const run = train(lm, data.train, {
    optimizer: new Adam(lm, { lr: 1e-2 }),
    clipGradNorm: 5,
    updates: 100,
    reportEvery: 25,
    valid: data.valid,
    replicas: n === 1 ? undefined : replicas({ n, worker: () => new Worker(new URL(import.meta.url)) }),
  });
  for await (const event of run) {
    if (event.kind === "update") console.log(event.update, event.loss.toFixed(4));
    if (event.kind === "valid") console.log("validation", event.loss.toFixed(4));
  }
} else {
  serveReplica(createModel);
}
