import { describe, expect, it } from "vitest";
import { evaluationLanes, IGNORED_TARGET, type Lanes, lanes } from "../../ts/data/lanes.js";
import { ArgumentError, DataError } from "../../ts/errors.js";

/** Tokens that are their own position. */
const count = (n: number) => Int32Array.from({ length: n }, (_, i) => i);
const rows = (data: Int32Array, width: number) =>
  Array.from({ length: data.length / width }, (_, row) => [...data.subarray(row * width, (row + 1) * width)]);

/** Every (input, target) pair that counts, and the counts' sum. */
function pairs(source: Lanes) {
  const found: [number, number][] = [];
  let total = 0;
  for (const { inputs, targets, count } of source) {
    total += count;
    targets.data.forEach((target, i) => {
      if (target !== IGNORED_TARGET) found.push([inputs.data[i]!, target]);
    });
  }
  expect(found.length).toBe(total);
  return found.sort(([, a], [, b]) => a - b);
}

describe("lanes", () => {
  it("lays contiguous lanes side by side", () => {
    const { train, valid } = lanes(count(20), { batchSize: 2, seqLen: 3 });
    expect(valid).toBeUndefined();
    expect([train.length, train.targetCount]).toEqual([3, 18]);
    const seen = Array.from(train, ({ inputs, targets, first, count: real }) => ({
      inputs: rows(inputs.data, 3),
      targets: rows(targets.data, 3),
      first,
      real,
    }));
    expect(seen).toEqual([
      {
        inputs: [
          [0, 1, 2],
          [9, 10, 11],
        ],
        targets: [
          [1, 2, 3],
          [10, 11, 12],
        ],
        first: true,
        real: 6,
      },
      {
        inputs: [
          [3, 4, 5],
          [12, 13, 14],
        ],
        targets: [
          [4, 5, 6],
          [13, 14, 15],
        ],
        first: false,
        real: 6,
      },
      {
        inputs: [
          [6, 7, 8],
          [15, 16, 17],
        ],
        targets: [
          [7, 8, 9],
          [16, 17, 18],
        ],
        first: false,
        real: 6,
      },
    ]);
  });

  it("starts an epoch afresh or carries on, as told", () => {
    const firsts = (carryOverEpochs: boolean) => {
      const { train } = lanes(count(9), { batchSize: 1, seqLen: 4, carryOverEpochs });
      return [0, 1, 2, 3, 4].map((index) => train.batch(index).first);
    };
    expect(firsts(false)).toEqual([true, false, true, false, true]);
    expect(firsts(true)).toEqual([true, false, false, false, false]);
    const { train } = lanes(count(9), { batchSize: 1, seqLen: 4 });
    expect([...train.batch(2).inputs.data]).toEqual([0, 1, 2, 3]);
    expect(Array.from(train.epoch(3), (batch) => batch.first)).toEqual([true, false]);
  });

  it("windows of one lane are min-char-rnn's: p + T + 1 > n starts over", () => {
    for (const n of [9, 10, 12, 13, 14]) {
      const positions = [];
      for (let p = 0; p + 4 + 1 <= n; p += 4) positions.push(p);
      const { train } = lanes(count(n), { batchSize: 1, seqLen: 4 });
      expect(Array.from(train, ({ inputs }) => inputs.data[0])).toEqual(positions);
    }
  });

  it("keeps the end for validation and covers it exactly", () => {
    for (const [n, batchSize, seqLen] of [
      [103, 3, 4],
      [101, 4, 7],
      [200, 16, 50],
      [41, 1, 1],
    ] as const) {
      const tokens = count(n);
      const split = lanes(tokens, { batchSize: Math.min(batchSize, 3), seqLen: Math.min(seqLen, 10), validation: 0.2 });
      const valid = Math.floor(0.2 * n);
      const expected = Array.from({ length: valid }, (_, i) => [n - valid + i - 1, n - valid + i]);
      expect(pairs(split.valid!)).toEqual(expected);
      expect(Math.max(...pairs(split.train).map(([, target]) => target))).toBeLessThan(n - valid);
    }
  });

  it("reuses its arrays", () => {
    const { train } = lanes(count(20), { batchSize: 2, seqLen: 3 });
    expect(train.batch(0).inputs).toBe(train.batch(1).inputs);
  });

  it("says how many tokens are needed and how many there are", () => {
    expect(() => lanes(count(6), { batchSize: 2, seqLen: 3 })).toThrow(DataError);
    expect(() => lanes(count(6), { batchSize: 2, seqLen: 3 })).toThrow(/at least 7 tokens, got 6/);
    expect(() => lanes(count(8), { batchSize: 2, seqLen: 3, validation: 0.5 })).toThrow(/got 4 for training \(4 more/);
    expect(lanes(count(7), { batchSize: 2, seqLen: 3 }).train.length).toBe(1);
    for (const bad of [{ batchSize: 0 }, { seqLen: 1.5 }, { validation: 1 }, { validation: NaN }]) {
      expect(() => lanes(count(99), { batchSize: 2, seqLen: 3, ...bad })).toThrow(ArgumentError);
    }
  });
});

describe("evaluationLanes", () => {
  it("has every token but the first as a target once, however it divides", () => {
    for (const n of [2, 3, 5, 10, 64, 65, 100]) {
      for (const batchSize of [1, 2, 3, 7, 64]) {
        for (const seqLen of [1, 4, 10, 1000]) {
          const found = pairs(evaluationLanes(count(n), { batchSize, seqLen }));
          expect(found).toEqual(Array.from({ length: n - 1 }, (_, i) => [i, i + 1]));
        }
      }
    }
  });

  it("pads at the ends of lanes only", () => {
    const source = evaluationLanes(count(6), { batchSize: 2, seqLen: 2 });
    expect(Array.from(source, ({ targets }) => rows(targets.data, 2))).toEqual([
      [
        [1, 2],
        [4, 5],
      ],
      [
        [3, IGNORED_TARGET],
        [IGNORED_TARGET, IGNORED_TARGET],
      ],
    ]);
  });

  it("refuses a single token", () => {
    expect(() => evaluationLanes(count(1), { batchSize: 1, seqLen: 1 })).toThrow(DataError);
  });
});
