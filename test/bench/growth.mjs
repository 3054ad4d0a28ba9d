// One point of docs/growth.md, see scripts/growth.mjs: sizes as JSON in, the cost of an update as JSON out.
import {
  Adam,
  AdaptiveSoftmax,
  crossEntropy,
  Embedding,
  getCore,
  ids,
  Linear,
  LSTM,
  Module,
  oneHot,
  sampledSoftmaxLoss,
} from "unrolled";
import { Lcg, median } from "./timing.mjs";

const { steps, batchSize, hiddenSize, numLayers, vocabulary, head, recompute } = JSON.parse(process.argv[2] ?? "{}");
/** Above it ids have embeddings, below they are one-hot vectors. */
const oneHotLimit = 65;

class Model extends Module {
  embedding = vocabulary > oneHotLimit ? new Embedding(vocabulary, hiddenSize) : null;
  rnn = new LSTM(vocabulary > oneHotLimit ? hiddenSize : vocabulary, hiddenSize, { numLayers, recompute });
  head =
    head === "adaptive"
      ? new AdaptiveSoftmax(hiddenSize, vocabulary, { cutoffs: [vocabulary / 20, vocabulary / 4] })
      : new Linear(hiddenSize, vocabulary);

  /**
   * @param {import("unrolled").Ids} inputs (B, T)
   * @param {import("unrolled").Ids} targets (B, T)
   */
  loss(inputs, targets) {
    const { output } = this.rnn.forward(this.embedding?.forward(inputs) ?? oneHot(inputs, vocabulary));
    if (this.head instanceof AdaptiveSoftmax) return this.head.loss(output, targets);
    if (head === "full") return crossEntropy(this.head.forward(output), targets);
    const samples = Math.min(512, vocabulary);
    return sampledSoftmaxLoss(output, this.head.weight, this.head.bias, targets, { samples });
  }
}

const model = new Model().init({ seed: 1 });
const optimizer = new Adam(model, { lr: 1e-3 });
const random = new Lcg();
/** The lower a class the more often, by Zipf's law, as words are by frequency. */
const draw = () =>
  ids(
    Int32Array.from({ length: batchSize * steps }, () => Math.floor(vocabulary ** (random.unit() + 0.5)) - 1),
    [batchSize, steps],
  );
const [inputs, targets] = [draw(), draw()];
const update = () => optimizer.update(() => model.loss(inputs, targets));

for (const end = performance.now() + 300; performance.now() < end; ) update();
/** @type {number[]} */
const times = [];
for (const end = performance.now() + 500; performance.now() < end || times.length < 3; ) {
  const before = performance.now();
  update();
  times.push(performance.now() - before);
}
const mebibytes = getCore().f32.buffer.byteLength / 2 ** 20;
console.log(JSON.stringify({ milliseconds: median(times), mebibytes }));
