import { describe, expect, it } from "vitest";
import { type IdExample, type PaddedBatch, paddedBatches } from "../../ts/data/padded.js";
import { ArgumentError, DataError } from "../../ts/errors.js";
import { Linear } from "../../ts/nn/linear.js";
import { crossEntropy } from "../../ts/nn/losses/cross-entropy.js";
import { LSTM } from "../../ts/nn/lstm.js";
import { Module } from "../../ts/nn/module.js";
import { oneHot } from "../../ts/tensor/embedding.js";
import type { Ids } from "../../ts/tensor/ids.js";
import { reshape } from "../../ts/tensor/shape.js";
import { type PlainTensor, type Tensor, tensor } from "../../ts/tensor/tensor.js";
import { type BatchSource, train } from "../../ts/train/loop.js";
import { SGD } from "../../ts/train/sgd.js";
import { Random } from "../reference/random.js";

const rows = (data: ArrayLike<number>, width: number) =>
  Array.from({ length: data.length / width }, (_, row) => Array.from(data).slice(row * width, (row + 1) * width));

/** Sequences of their own number, with targets for each step. */
const numbered = (lengths: readonly number[]): IdExample[] =>
  lengths.map((length, number) => ({
    inputs: new Int32Array(length).fill(number),
    targets: Array.from({ length }, (_, t) => t),
  }));

describe("paddedBatches", () => {
  it("pads ids and targets of steps to the longest of the batch", () => {
    const examples = [
      { inputs: [5, 6], targets: [1, 0] },
      { inputs: [7, 8, 9, 4], targets: [2, 2, -1, 0] },
      { inputs: [3], targets: [1] },
    ];
    const [first, second] = [...paddedBatches(examples, { batchSize: 2, padValue: 11, ignoreIndex: -1 })];
    expect(rows(first!.inputs.data, 4)).toEqual([
      [5, 6, 11, 11],
      [7, 8, 9, 4],
    ]);
    expect(rows(first!.mask.data, 4)).toEqual([
      [1, 1, 0, 0],
      [1, 1, 1, 1],
    ]);
    expect(rows(first!.targets.data, 4)).toEqual([
      [1, 0, -1, -1],
      [2, 2, -1, 0],
    ]);
    expect([...first!.lengths]).toEqual([2, 4]);
    expect(first!.count).toBe(5);
    expect([second!.inputs.shape, [...second!.inputs.data], [...second!.examples]]).toEqual([[1, 1], [3], [2]]);
  });

  it("pads on the left, rows of features, and one target a sequence", () => {
    const examples = [
      {
        inputs: [
          [1, 2, 3],
          [4, 5, 6],
        ],
        targets: 4,
      },
      { inputs: [[7, 8, 9]], targets: -100 },
    ];
    const batch = paddedBatches(examples, { batchSize: 5, padding: "left", padValue: -0.5 }).batch(0);
    expect(batch.inputs.shape).toEqual([2, 2, 3]);
    expect(rows(batch.inputs.data, 6)).toEqual([
      [1, 2, 3, 4, 5, 6],
      [-0.5, -0.5, -0.5, 7, 8, 9],
    ]);
    expect(rows(batch.mask.data, 2)).toEqual([
      [1, 1],
      [0, 1],
    ]);
    expect([[...batch.targets.data], batch.targets.shape, batch.count]).toEqual([[4, -100], [2], 1]);
  });

  it("takes examples without targets and without steps", () => {
    const batch = paddedBatches([{ inputs: [] }, { inputs: [3, 1] }], { batchSize: 2 }).batch(0);
    expect([rows(batch.inputs.data, 2), [...batch.lengths], batch.targets.size, batch.count]).toEqual([
      [
        [0, 0],
        [3, 1],
      ],
      [0, 2],
      0,
      2,
    ]);
    const empty = paddedBatches([{ inputs: [] }], { batchSize: 2 }).batch(0);
    expect(empty.inputs.shape).toEqual([1, 0]);
  });

  it("goes through every example once an epoch, in another order each, the same for the same seed", () => {
    const random = new Random(3);
    const examples = numbered(Array.from({ length: 53 }, () => 1 + random.below(30)));
    for (const bucketBatches of [1, 3, Infinity]) {
      const batches = paddedBatches(examples, { batchSize: 4, seed: 9, bucketBatches });
      const again = paddedBatches(examples, { batchSize: 4, seed: 9, bucketBatches });
      const other = paddedBatches(examples, { batchSize: 4, seed: 10, bucketBatches });
      const order = (source: typeof batches, epoch: number) =>
        Array.from(source.epoch(epoch), (batch) => [...batch.examples]).flat();
      const orders = [0, 1, 2].map((epoch) => order(batches, epoch));
      for (const seen of orders) expect(seen.slice().sort((a, b) => a - b)).toEqual(examples.map((_, index) => index));
      expect(orders[0]).not.toEqual(orders[1]);
      expect(order(other, 0)).not.toEqual(orders[0]);
      // By number in any order: what resuming a run asks for.
      expect([...again.batch(2 * 14 + 5).examples]).toEqual([...batches.batch(2 * 14 + 5).examples]);
      expect(order(again, 1)).toEqual(orders[1]);
    }
  });

  it("makes buckets of similar length", () => {
    const random = new Random(4);
    const examples = numbered(Array.from({ length: 120 }, () => 1 + random.below(60)));
    const padded = (bucketBatches: number) => {
      let total = 0;
      for (const { mask, lengths } of paddedBatches(examples, { batchSize: 6, seed: 2, bucketBatches }))
        total += mask.size - lengths.reduce((sum, length) => sum + length, 0);
      return total;
    };
    // Sorted wholly, neighbours differ by little; a pool of five batches comes close to it.
    expect(padded(Infinity)).toBeLessThan(padded(5));
    expect(padded(5)).toBeLessThan(padded(1) / 3);
    const sorted = Array.from(paddedBatches(examples, { batchSize: 6, bucketBatches: Infinity }), ({ lengths }) => [
      ...lengths,
    ]).flat();
    expect(sorted).toEqual(examples.map(({ inputs }) => inputs.length).sort((a, b) => a - b));
    const shuffledLengths = Array.from(
      paddedBatches(examples, { batchSize: 6, bucketBatches: Infinity, seed: 1 }),
      ({ lengths }) => [...lengths],
    ).flat();
    expect(shuffledLengths).not.toEqual(sorted);
  });

  it("leaves out a smaller last batch when told to", () => {
    const examples = numbered([1, 2, 3, 4, 5, 6, 7]);
    const batches = paddedBatches(examples, { batchSize: 3, seed: 1, dropLast: true, bucketBatches: 9 });
    expect(batches.length).toBe(2);
    expect(Array.from(batches, ({ examples: drawn }) => drawn.length)).toEqual([3, 3]);
    const dropped = new Set(examples.map((_, index) => index));
    for (let epoch = 0; epoch < 20; epoch++) {
      for (const batch of batches.epoch(epoch)) for (const example of batch.examples) dropped.delete(example);
    }
    expect(dropped.size).toBe(0);
  });

  it("names the example that does not fit", () => {
    const make = (examples: readonly unknown[], options = {}) =>
      paddedBatches(examples as IdExample[], { batchSize: 2, ...options });
    const good = { inputs: [1, 2], targets: [0, 1] };
    expect(() => make([good, { inputs: [1], targets: [0, 1] }])).toThrow(
      /example 1: 2 targets, expected 1, one a step/,
    );
    expect(() => make([good, { inputs: [1], targets: 3 }])).toThrow(
      /example 1: targets of the sequence, expected of steps/,
    );
    expect(() => make([good, { inputs: [1] }])).toThrow(/example 1: targets absent/);
    expect(() => make([{ inputs: [1, 2.5] }])).toThrow(/example 0: step 1 is 2.5, expected a 32-bit integer/);
    expect(() => make([{ inputs: [1, [2, 3]] }])).toThrow(/example 0, step 1: 2 features, expected an id/);
    expect(() => make([{ inputs: [[1, 2], [3]] }])).toThrow(/step 1: 1 features, expected 2 features/);
    expect(() => make([{ inputs: [[1, 2], []] }])).toThrow(/step 1: 0 features, expected 2 features/);
    expect(() => make([{ inputs: [[1, 2], 3] }])).toThrow(/step 1: an id, expected 2 features/);
    expect(() => make([{ inputs: [1], targets: 0.5 }])).toThrow(/example 0: target is 0.5/);
    expect(() => make([])).toThrow(DataError);
    expect(() => make([good], { dropLast: true })).toThrow(/1 examples, expected 2 for a whole batch/);
    for (const bad of [{ batchSize: 0 }, { bucketBatches: 0.5 }, { padding: "top" }, { padValue: 0.5 }, { seed: 0.5 }])
      expect(() => make([good], bad)).toThrow(ArgumentError);
    expect(() => make([good], { weights: [1] })).toThrow(/seed must be given together with weights/);
    for (const weights of [[1, 2], [-1], [NaN], [0]]) {
      expect(() => make([good], { seed: 1, weights })).toThrow(ArgumentError);
    }
  });
});

/** Tells which of five ids a sequence began with. */
class First extends Module {
  readonly rnn = new LSTM(5, 7);
  readonly head = new Linear(7, 5);

  loss(x: Tensor, { lengths, targets }: { readonly lengths: Int32Array; readonly targets: Ids }): Tensor {
    const { state } = this.rnn.forward(x, { lengths });
    return crossEntropy(this.head.forward(reshape(state.h, [lengths.length, 7])), targets);
  }
}

describe("paddedBatches in train", () => {
  const random = new Random(5);
  const sequences = Array.from({ length: 64 }, () =>
    Array.from({ length: 2 + random.below(4) }, () => random.below(5)),
  );
  const asIds = sequences.map((inputs) => ({ inputs, targets: inputs[0] as number }));
  const asRows = sequences.map((inputs) => ({
    inputs: inputs.map((id) => Array.from({ length: 5 }, (_, k) => (k === id ? 1 : 0))),
    targets: inputs[0] as number,
  }));
  const order = { batchSize: 9, seed: 3, bucketBatches: 2 };

  async function trained<B>(
    data: BatchSource<B>,
    loss: (model: First, batch: B) => Tensor,
    options: { readonly updates: number; readonly resume?: Uint8Array },
  ) {
    const model = new First().init({ seed: 1 });
    const optimizer = new SGD(model, { lr: 0.5, momentum: 0.9 });
    const losses: number[] = [];
    const checkpoints: Uint8Array[] = [];
    for await (const event of train(model, data, { optimizer, loss, checkpointEvery: 30, ...options })) {
      if (event.kind === "update") losses.push(event.loss);
      if (event.kind === "checkpoint") checkpoints.push(event.bytes);
    }
    return { losses, checkpoints, weights: model.parameters().flatMap((parameter) => [...parameter.toArray()]) };
  }
  const onIds = (options: { readonly updates: number; readonly resume?: Uint8Array }) =>
    trained(
      paddedBatches(asIds, order),
      (model, batch: PaddedBatch<Ids>) => model.loss(oneHot(batch.inputs, 5), batch),
      options,
    );

  it("learns, and resumes in the middle of an epoch as if never stopped", async () => {
    const whole = await onIds({ updates: 300 });
    expect(whole.losses[0]).toBeGreaterThan(1.2);
    expect(whole.losses.at(-1)).toBeLessThan(0.1);
    const rest = await onIds({ updates: 300, resume: whole.checkpoints[0]! });
    expect(rest.losses).toEqual(whole.losses.slice(30));
    expect(rest.weights).toEqual(whole.weights);
  });

  it("gives for ids what it gives for their one-hot rows", async () => {
    const ofIds = await onIds({ updates: 25 });
    const ofRows = await trained(
      paddedBatches(asRows, order),
      (model, batch: PaddedBatch<PlainTensor>) => model.loss(tensor(batch.inputs.data, batch.inputs.shape), batch),
      { updates: 25 },
    );
    // Equal but for the order in which float32 gradients are summed.
    ofRows.losses.forEach((loss, update) => expect(loss).toBeCloseTo(ofIds.losses[update]!, 5));
    ofRows.weights.forEach((value, index) => expect(value).toBeCloseTo(ofIds.weights[index]!, 4));
  });

  it("has the loss of the sequences one by one: padding counts for nothing", () => {
    class Tagger extends Module {
      readonly rnn = new LSTM(5, 7, { bidirectional: true });
      readonly head = new Linear(14, 3);
    }
    const tagger = new Tagger().init({ seed: 2 });
    const tagged = sequences.slice(0, 11).map((inputs) => ({ inputs, targets: inputs.map((id) => id % 3) }));
    const loss = (examples: IdExample[]) => {
      const { inputs, lengths, targets, count } = paddedBatches(examples, { batchSize: 11 }).batch(0);
      const mean = tagger.run(({ rnn, head }) => {
        const { output } = rnn.forward(oneHot(inputs, 5), { lengths });
        return crossEntropy(head.forward(output), targets).item();
      }) as number;
      return { mean, count };
    };
    const together = loss(tagged);
    const alone = tagged.map((example) => loss([example]));
    const total = alone.reduce((sum, { count }) => sum + count, 0);
    expect(together.count).toBe(total);
    expect(together.mean).toBeCloseTo(alone.reduce((sum, { mean, count }) => sum + mean * count, 0) / total, 6);
  });
});
