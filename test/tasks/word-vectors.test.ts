/** Training of word vectors; the losses themselves are compared in the conformance corpus. */
import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";
import { expectClose, numbers } from "../tensor/reference.js";

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

  it("GloVe", async () => {
    const model = new u.GloVe(8, 6).init({ seed: 1 });
    const optimizer = new u.Adagrad(model, { lr: 0.1 });
    const pairs = u.coOccurrenceBatches(u.coOccurrences(ids, { window: 2 }), { batchSize: 40, seed: 1 });
    await u.train(model, pairs, { optimizer, epochs: 80 }).done;
    expect(together(model.wordVectors(words))).toBe(8);
  });
});

describe("trainWordVectors", () => {
  const trained = async (model: u.SkipGram | u.ContinuousBagOfWords, options: u.WordVectorTrainingOptions = {}) => {
    const reports: u.WordVectorProgress[] = [];
    const common = { window: 2, batchSize: 64, subsample: 0, lr: 0.1, epochs: 20, reportEvery: 10, ...options };
    for await (const report of u.trainWordVectors(model, ids, common)) reports.push(report);
    return reports;
  };

  it.each([
    ["skip-gram", () => new u.SkipGram(8, 6)],
    ["CBOW", () => new u.ContinuousBagOfWords(8, 6)],
  ])("%s brings words together that are found together, the same from the same seed", async (_, make) => {
    const model = make().init({ seed: 1 });
    const reports = await trained(model);
    expect(together(model.wordVectors(words))).toBe(8);
    // Six right or wrong answers, at first by chance.
    expect(reports[0]!.loss).toBeLessThan(6 * Math.log(2) + 0.01);
    expect(reports.at(-1)!.loss).toBeLessThan(reports[0]!.loss);
    expect(reports.length).toBe(20 * 3);
    expect(reports.at(-1)).toMatchObject({ epoch: 20, done: 1 });
    expect(reports.at(-1)!.lr).toBeCloseTo(0.1 / (20 * 25), 6);
    const [again, other] = [make().init({ seed: 1 }), make().init({ seed: 1 })];
    await trained(again);
    await trained(other, { seed: 2 });
    expect(again.stateDict()).toEqual(model.stateDict());
    expect(other.stateDict()).not.toEqual(model.stateDict());
  });

  it.each([
    [
      "skip-gram",
      () => new u.SkipGram(5, 7),
      () => u.skipGramBatches(Int32Array.of(3, 1), { batchSize: 1, negatives: 2 }),
    ],
    [
      "CBOW",
      () => new u.ContinuousBagOfWords(5, 7),
      () => u.bagOfWordsBatches(Int32Array.of(3, 1), { batchSize: 1, negatives: 2 }),
    ],
  ])("%s makes the steps of SGD on its own loss", async (_, make, batches) => {
    const options = { lr: 0.5, epochs: 1, batchSize: 1, negatives: 2, subsample: 0, window: 1 };
    const [fast, slow] = [make(), make()];
    const start = new Map(
      slow.namedParameters().map(([name, { shape }], i) => [name, { shape, data: numbers(35, i + 1) }]),
    );
    fast.loadStateDict(start);
    slow.loadStateDict(start);
    const reports: u.WordVectorProgress[] = [];
    for await (const report of u.trainWordVectors(fast, Int32Array.of(3, 1), { ...options, reportEvery: 1 })) {
      reports.push(report);
    }
    // The same draws: windows of a size of 1, batches of a pair.
    const source = batches();
    const optimizer = new u.SGD(slow, { lr: 0.5 });
    const losses = reports.map(({ lr }, i) => {
      optimizer.lr = lr;
      const batch = source.batch(i);
      return optimizer.update(() =>
        slow instanceof u.SkipGram ? slow.loss(batch as u.SkipGramBatch) : slow.loss(batch as u.BagOfWordsBatch),
      ).loss;
    });
    expect(reports.map(({ lr }) => lr)).toEqual([0.5, 0.25]);
    reports.forEach(({ loss }, i) => expect(loss).toBeCloseTo(losses[i]!, 5));
    for (const [name, { data }] of fast.stateDict()) expectClose(data, slow.stateDict().get(name)!.data, 1e-6, name);
  });

  it("ends when it is told to", async () => {
    const controller = new AbortController();
    const model = new u.SkipGram(8, 6).init();
    let reports = 0;
    for await (const _ of u.trainWordVectors(model, ids, { signal: controller.signal, batchSize: 8, reportEvery: 1 })) {
      if (++reports === 3) controller.abort();
    }
    expect(reports).toBe(3);
  });

  it("names what is wrong, before anything changes", async () => {
    const model = new u.SkipGram(8, 6).init();
    const before = model.stateDict();
    const run = (text: Int32Array, options: u.WordVectorTrainingOptions = {}) =>
      u.trainWordVectors(model, text, options).next();
    await expect(run(Int32Array.of(1, 2, 8))).rejects.toThrow(/ids\[2\] must be below 8/);
    await expect(run(Int32Array.of(1, -1, 2))).rejects.toThrow(u.DataError);
    await expect(run(new Int32Array(0))).rejects.toThrow(u.DataError);
    await expect(run(ids, { lr: Number.NaN })).rejects.toThrow(/lr/);
    await expect(run(ids, { negatives: 0 })).rejects.toThrow(/negatives/);
    await expect(run(ids, { subsample: -1 })).rejects.toThrow(/threshold/);
    await expect(u.trainWordVectors(new u.SkipGram(8, 6), ids).next()).rejects.toThrow(u.NotInitializedError);
    model.vectors.trainable = false;
    await expect(run(ids)).rejects.toThrow(/vectors must be trainable/);
    expect(model.stateDict()).toEqual(before);
  });
});

it("subsamples by frequency, and leaves ends of sentences", () => {
  const text = Int32Array.from({ length: 60_000 }, (_, i) => (i % 10 === 9 ? -1 : i % 10 === 8 ? 1 + (i % 7) : 0));
  const threshold = 0.01;
  const kept = u.subsample(text, { threshold, seed: 5 });
  const count = (of: Int32Array, id: number) => of.filter((other) => other === id).length;
  expect(count(kept, -1)).toBe(6000);
  for (const id of [0, 1, 4]) {
    const ratio = (threshold * 54_000) / count(text, id);
    const expected = Math.min(1, Math.sqrt(ratio) + ratio);
    // Five standard deviations of a count.
    const spread = 5 * Math.sqrt((expected * (1 - expected)) / count(text, id));
    expect(Math.abs(count(kept, id) / count(text, id) - expected)).toBeLessThanOrEqual(spread);
  }
  expect(u.subsample(text, { threshold, seed: 5 })).toEqual(kept);
  expect(u.subsample(text, { threshold, seed: 6 })).not.toEqual(kept);
  expect(() => u.subsample(text, { threshold: 0 })).toThrow(/threshold/);
});

it("reaches over no end of a sentence", () => {
  const text = Int32Array.of(0, 1, 2, -1, 3, 4, -1, 5);
  const found = new Set<string>();
  const sentence = [0, 0, 0, 1, 1, 2];
  const [pairs, bags] = [
    { batchSize: 3, window: 4, seed: 1 },
    { batchSize: 3, window: 4, seed: 1, negatives: 2 },
  ];
  const [skip, bag] = [u.skipGramBatches(text, pairs), u.bagOfWordsBatches(text, bags)];
  for (let index = 0; index < 40; index++) {
    const { centers, contexts } = skip.batch(index);
    centers.data.forEach((word, i) => found.add(`${word}${contexts.data[i]}`));
    const { contexts: around, targets, negatives } = bag.batch(index);
    expect(around.shape).toEqual([targets.size, 8]);
    expect(negatives!.shape).toEqual([targets.size, 2]);
    targets.data.forEach((word, row) => {
      const words = around.data.subarray(row * 8, row * 8 + 8).filter((id) => id >= 0);
      expect(words.length).toBeGreaterThan(0);
      for (const other of words) expect(sentence[other]).toBe(sentence[word]);
    });
  }
  expect([...found].sort()).toEqual(["01", "02", "10", "12", "20", "21", "34", "43"]);
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
  const { words: i, contexts: j, counts } = u.coOccurrences(Int32Array.of(0, 1, 2, 0, -1, 3, 0), { window: 2 });
  const found = Object.fromEntries([...counts].map((count, n) => [`${i.data[n]}${j.data[n]}`, count]));
  expect(found).toEqual({ "01": 1.5, "10": 1.5, "12": 1, "21": 1, "02": 1.5, "20": 1.5, "03": 1, "30": 1 });
  expect(u.coOccurrences(new Int32Array(0)).count).toBe(0);
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
  expect(() => u.skipGramBatches(ids, { ...options, window: 0 })).toThrow(/window/);
});
