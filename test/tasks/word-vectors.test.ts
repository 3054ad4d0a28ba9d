/** Training of word vectors; the losses themselves are compared in the conformance corpus. */
import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";
import { numbers } from "../tensor/reference.js";

/** Words 0 to 3 are found near each other, and so are 4 to 7. */
const ids = Int32Array.from(numbers(1600, 7, 0, 4), (value, i) => Math.floor(value) + (Math.floor(i / 20) % 2) * 4);
const words = Array.from({ length: 8 }, (_, i) => `w${i}`);
const options = { batchSize: 64, window: 2, seed: 3 };

function together(vectors: u.WordVectors): number {
  const near = words.filter((word, i) =>
    vectors.nearest(word, 3).every(({ id }) => Math.floor(id / 4) === Math.floor(i / 4)),
  );
  return near.length;
}

describe("words that are found together come to lie together", () => {
  it("skip-gram", async () => {
    const model = new u.SkipGram(8, 6).init({ seed: 1 });
    await u.train(model, u.skipGramBatches(ids, options), { optimizer: new u.Adam(model, { lr: 0.02 }), epochs: 8 })
      .done;
    expect(together(new u.WordVectors(words, model.vectors.toArray(), 6))).toBe(8);
  });

  it("CBOW", async () => {
    const model = new u.ContinuousBagOfWords(8, 6).init({ seed: 1 });
    const optimizer = new u.Adam(model, { lr: 0.02 });
    await u.train(model, u.bagOfWordsBatches(ids, options), { optimizer, epochs: 8 }).done;
    expect(together(new u.WordVectors(words, model.vectors.toArray(), 6))).toBe(8);
  });

  it("GloVe", () => {
    const model = new u.GloVe(8, 6).init({ seed: 1 });
    const optimizer = new u.Adagrad(model, { lr: 0.1 });
    const pairs = u.coOccurrences(ids, { window: 2 });
    for (let i = 0; i < 200; i++) optimizer.update(() => model.loss(pairs));
    expect(together(model.wordVectors(words))).toBe(8);
  });
});

it("draws windows, neighbours and negatives as word2vec does, the same again from the same seed", () => {
  const source = u.skipGramBatches(ids, { ...options, negatives: 3 });
  expect(source.length).toBe(25);
  const frequency = new Float64Array(8);
  let pairs = 0;
  for (let i = 0; i < source.length; i++) {
    const { centers, contexts, negatives, count } = source.batch(i);
    expect([contexts.size, ...negatives.shape]).toEqual([centers.size, count, 3]);
    for (const id of negatives.data) frequency[id]!++;
    pairs += count;
  }
  // 1600 words see 1 or 2 words to each side, half of them either way: about 3 each.
  expect(pairs).toBeGreaterThan(4500);
  expect(pairs).toBeLessThan(5100);
  const counts = words.map((_, id) => ids.filter((value) => value === id).length ** 0.75);
  const total = counts.reduce((a, b) => a + b, 0);
  counts.forEach((count, id) => expect(Math.abs(frequency[id]! / (3 * pairs) - count / total)).toBeLessThan(0.015));
  expect(source.batch(26)).toEqual(u.skipGramBatches(ids, { ...options, negatives: 3 }).batch(26));
  expect(source.batch(1)).not.toEqual(source.batch(26));
});

it("counts co-occurrences by distance", () => {
  const { words: i, contexts: j, counts } = u.coOccurrences([0, 1, 2, 0, -1, 3], { window: 2 });
  const found = Object.fromEntries([...counts].map((count, n) => [`${i.data[n]}${j.data[n]}`, count]));
  expect(found).toEqual({ "01": 1.5, "10": 1.5, "12": 1, "21": 1, "02": 1.5, "20": 1.5, "03": 0.5, "30": 0.5 });
});

it("leaves out the places where a bag has fewer words", () => {
  const model = new u.ContinuousBagOfWords(8, 6).init({ seed: 1 });
  const logits = (data: number[], size: number) =>
    [...model.run((m) => m.forward(new u.Ids(Int32Array.from(data), [1, size]))).data].map((value) => value.toFixed(5));
  expect(logits([2, -1, 5, -1], 4)).toEqual(logits([2, 5], 2));
  expect(() => logits([-1, -1], 2)).toThrow(/contexts\[0\] must be a word or more/);
});

it("names what is wrong", () => {
  const model = new u.GloVe(8, 6).init({ seed: 1 });
  const pairs = u.coOccurrences(ids, { window: 1 });
  const run = (batch: u.CoOccurrences) => model.run((m) => m.loss(batch).item());
  expect(() => run({ ...pairs, counts: pairs.counts.map(() => 0) })).toThrow(/counts\[0\]/);
  expect(() => run({ ...pairs, counts: Float32Array.of(1) })).toThrow(u.ShapeError);
  expect(() => u.skipGramBatches(Int32Array.of(1), options)).toThrow(/a text of 1 words/);
  expect(() => u.skipGramBatches(Int32Array.of(1, -2), options)).toThrow(/ids\[1\]/);
  expect(() => u.skipGramBatches(ids, { ...options, window: 0 })).toThrow(/window/);
});
