// Number addition as translation (many-to-many, unaligned): "535+61" is read a character at a time, backwards, and "596"
// written. Sutskever, Vinyals & Le 2014; the task is an example of Keras.
//   node examples/addition.mjs [--sums N] [--epochs N]
import { Adam, LSTM, Translator, train } from "unrolled";
import { additionTask } from "./common/addition.mjs";
import { exampleOptions } from "./common/options.mjs";

const usage = `node examples/addition.mjs [--sums N] [--epochs N]
  --sums N     different sums, a tenth of them for validation; default 4000
  --epochs N   passes over them; default 12
With --sums 50000 --epochs 45, for some minutes, it reaches what test/reproduce asks of it. The sums are generated.`;
const options = exampleOptions(usage, { sums: { type: "string" }, epochs: { type: "string" } });

const { train: sums, valid, tokenizer } = additionTask(Number(options.sums ?? 4000), 1);
const model = new Translator({
  tokenizer,
  targetTokenizer: tokenizer,
  cell: LSTM,
  hiddenSize: 128,
  embeddingSize: 16,
  reverseSource: true,
}).init({ seed: 1 });
const epochs = Number(options.epochs ?? 12);
const batches = model.batches(sums, { batchSize: sums.length < 10_000 ? 32 : 128, seed: 1 });
const updates = epochs * batches.length;
for await (const event of train(model, batches, {
  optimizer: new Adam(model),
  schedule: (update) => 4e-3 * (1 - update / updates),
  clipGradNorm: 1,
  epochs,
})) {
  if (event.kind !== "epoch") continue;
  const { exact } = model.evaluate(valid);
  console.log(`epoch ${event.epoch}  loss ${event.loss.toFixed(4)}  exact ${(100 * exact).toFixed(1)}%`);
}
for (const { source, target } of valid.slice(0, 5)) {
  const best = model.hypotheses(source, { beamWidth: 3 }).map(({ text }) => text);
  console.log(`${source} = ${target}: ${best.join(", ")}`);
}
