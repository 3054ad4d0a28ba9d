// A model of one's own (many-to-many, aligned): a bidirectional LSTM that tags every number of a sequence as a peak (larger
// than both neighbours) or not. The sequences have different lengths, so they are padded, and what is padding is ignored.
//   node examples/tagger.mjs
import { AdamW, crossEntropy, Embedding, ids, Linear, LSTM, Module } from "unrolled";

const vocabulary = 20;
const ignored = -1;

class Tagger extends Module {
  embed = new Embedding(vocabulary, 16);
  encoder = new LSTM(16, 32, { bidirectional: true });
  head = new Linear(64, 2);

  /**
   * Logits of the tags, (B, T, 2).
   * @param {import("unrolled").Ids} tokens (B, T)
   * @param {Int32Array} lengths of each row
   */
  forward(tokens, lengths) {
    const { output } = this.encoder.forward(this.embed.forward(tokens), { lengths });
    return this.head.forward(output);
  }
}

// A generator of our own, so that every run is the same.
let state = 1;
const below = (/** @type {number} */ limit) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
};

/** Sequences of 5 to 12 numbers, their lengths, and a tag for each number. */
function batch(rows = 32, steps = 12) {
  const lengths = Int32Array.from({ length: rows }, () => 5 + below(steps - 4));
  const tokens = [...lengths].map((length) =>
    Array.from({ length: steps }, (_, t) => (t < length ? below(vocabulary) : 0)),
  );
  const tags = tokens.map((row, i) => {
    const at = (/** @type {number} */ t) => (t < 0 || t >= (lengths[i] ?? 0) ? -1 : (row[t] ?? 0));
    return row.map((value, t) => (t < (lengths[i] ?? 0) ? Number(value > at(t - 1) && value > at(t + 1)) : ignored));
  });
  return { tokens: ids(tokens), lengths, tags: ids(tags) };
}

const tagger = new Tagger().init({ seed: 1 });
const optimizer = new AdamW(tagger, { lr: 1e-2 });
for (let update = 1; update <= 300; update++) {
  const { tokens, lengths, tags } = batch();
  const { loss } = optimizer.update(
    () => crossEntropy(tagger.forward(tokens, lengths), tags, { ignoreIndex: ignored }),
    { clipGradNorm: 5 },
  );
  if (update % 50 === 0) console.log(`update ${update}  loss ${loss.toFixed(4)}`);
}

const { tokens, lengths, tags } = batch(200);
const { data } = tagger.run((model) => model.forward(tokens, lengths));
let right = 0;
let counted = 0;
tags.data.forEach((tag, i) => {
  if (tag === ignored) return;
  counted++;
  if (Number((data[2 * i + 1] ?? 0) > (data[2 * i] ?? 0)) === tag) right++;
});
console.log(`accuracy on new sequences: ${((100 * right) / counted).toFixed(1)}%`);
