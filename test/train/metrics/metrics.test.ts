import { describe, expect, it } from "vitest";
import { ArgumentError, DataError, ShapeError } from "../../../ts/errors.js";
import { ids } from "../../../ts/tensor/ids.js";
import { Accuracy } from "../../../ts/train/metrics/accuracy.js";
import { ConfusionMatrix } from "../../../ts/train/metrics/confusion.js";
import { MeanAbsoluteError, MeanAbsoluteScaledError } from "../../../ts/train/metrics/forecast.js";
import { Likelihood } from "../../../ts/train/metrics/likelihood.js";

const CLASSES = 7;
const COUNT = 60;
/** A fixed sequence without a pattern, in [0, 1). */
const noise = (i: number) => (Math.sin(i * 12.9898) * 43758.5453) % 1;
const targets = Int32Array.from({ length: COUNT }, (_, i) => Math.floor(Math.abs(noise(i)) * 5));
// Classes 5 and 6 are never targets; 6 is never predicted either.
const scores = Float32Array.from({ length: COUNT * CLASSES }, (_, i) => {
  const [row, column] = [Math.floor(i / CLASSES), i % CLASSES];
  return column === 6 ? -9 : noise(i + 1000) + (column === targets[row] ? 0.6 : 0);
});
const rows = Array.from({ length: COUNT }, (_, i) => [...scores.subarray(i * CLASSES, (i + 1) * CLASSES)]);
const predicted = rows.map((row) => row.indexOf(Math.max(...row)));
const part = (from: number, to: number) => ({
  data: scores.slice(from * CLASSES, to * CLASSES),
  shape: [to - from, CLASSES],
});

describe("Accuracy", () => {
  for (const topK of [1, 2, 5]) {
    it(`is the fraction of targets among the ${topK} highest, over batches`, () => {
      const inTop = (row: number[], target: number) => {
        const order = row.map((_, i) => i).sort((a, b) => row[b]! - row[a]! || a - b);
        return order.slice(0, topK).includes(target);
      };
      const metric = new Accuracy({ topK });
      metric.add(part(0, 17), targets.slice(0, 17)).add(part(17, COUNT), ids(targets.slice(17)));
      expect(metric.value).toBe(rows.filter((row, i) => inTop(row, targets[i]!)).length / COUNT);
      expect(metric.count).toBe(COUNT);
      metric.reset();
      expect(metric.value).toBeNaN();
    });
  }

  it("breaks ties as argmax does, and leaves ignored targets out", () => {
    const tied = { data: Float32Array.of(2, 2, 1, 2, 2, 1, 5, 0, 0), shape: [3, 3] };
    expect(new Accuracy().add(tied, [0, 1, -100]).value).toBe(1 / 2);
    expect(new Accuracy({ topK: 2 }).add(tied, [0, 1, -100]).value).toBe(1);
    expect(new Accuracy().add({ data: Float32Array.of(NaN, NaN), shape: [1, 2] }, [0]).value).toBe(0);
  });

  it("names what does not fit", () => {
    expect(() => new Accuracy({ topK: 0 })).toThrow(ArgumentError);
    expect(() => new Accuracy().add(part(0, 3), [1])).toThrow(ShapeError);
    expect(() => new Accuracy().add(part(0, 1), [7])).toThrow(/from 0 to 6, got 7/);
  });
});

describe("ConfusionMatrix", () => {
  const matrix = new ConfusionMatrix(CLASSES).addScores(part(0, 23), targets.slice(0, 23));
  matrix.add(predicted.slice(23), targets.slice(23));
  const pairs = predicted.map((guess, i) => [targets[i]!, guess] as const);
  const count = (test: (target: number, guess: number) => boolean) => pairs.filter(([t, g]) => test(t, g)).length;
  /** sklearn.metrics.precision_recall_fscore_support of one label, zero_division 0. */
  const scored = (label: number) => {
    const right = count((t, g) => t === label && g === label);
    const precision = right / count((_, g) => g === label) || 0;
    const recall = right / count((t) => t === label) || 0;
    return { precision, recall, f1: (2 * precision * recall) / (precision + recall) || 0 };
  };

  it("counts", () => {
    for (let t = 0; t < CLASSES; t++)
      for (let g = 0; g < CLASSES; g++) expect(matrix.at(t, g)).toBe(count((a, b) => a === t && b === g));
    expect(matrix.total).toBe(COUNT);
    expect(matrix.accuracy).toBeCloseTo(count((t, g) => t === g) / COUNT, 14);
  });

  it("gives precision, recall and F1 of classes, macro and micro", () => {
    const present = [...new Set(pairs.flat())].sort();
    // Otherwise the test would not tell the two ways of averaging apart.
    expect(present).toEqual([0, 1, 2, 3, 4, 5]);
    for (const name of ["precision", "recall", "f1"] as const) {
      matrix.classes.forEach((scores, label) => expect(scores[name]).toBeCloseTo(scored(label)[name], 12));
      const mean = present.reduce((total, label) => total + scored(label)[name], 0) / present.length;
      expect(matrix.macro[name]).toBeCloseTo(mean, 12);
      expect(matrix.micro()[name]).toBeCloseTo(count((t, g) => t === g) / COUNT, 12);
    }
    // Without one class, as tagging leaves out "no entity".
    const some = [1, 2, 4];
    const right = count((t, g) => t === g && some.includes(t));
    const precision = right / count((_, g) => some.includes(g));
    const recall = right / count((t) => some.includes(t));
    const micro = matrix.micro(some);
    expect(micro.precision).toBeCloseTo(precision, 12);
    expect(micro.recall).toBeCloseTo(recall, 12);
    expect(micro.f1).toBeCloseTo((2 * precision * recall) / (precision + recall), 12);
    expect(matrix.classes.map(({ support }) => support)).toEqual(
      matrix.labels.map((_, label) => count((t) => t === label)),
    );
  });

  it("is a table for people", () => {
    const small = new ConfusionMatrix(["cat", "horse"]).add([0, 1, 1, 0], [0, 0, 1, -100]);
    expect(small.toString()).toBe("target  cat  horse\ncat       1      1\nhorse     0      1");
    small.reset();
    expect(small.total).toBe(0);
  });

  it("names what does not fit", () => {
    expect(() => new ConfusionMatrix(0)).toThrow(ArgumentError);
    expect(() => new ConfusionMatrix(2).add([0], [0, 1])).toThrow(ShapeError);
    expect(() => new ConfusionMatrix(2).add([2], [0])).toThrow(/prediction must be a whole number from 0 to 1/);
    expect(() => new ConfusionMatrix(2).add([0], [-1])).toThrow(/target/);
  });
});

describe("Likelihood", () => {
  it("is perplexity and bits over batches of different sizes", () => {
    const metric = new Likelihood().add(2.5, 3).add(1.25, 8).add(NaN, 0);
    const nats = (2.5 * 3 + 1.25 * 8) / 11;
    expect(metric.nats).toBeCloseTo(nats, 14);
    expect(metric.perplexity).toBeCloseTo(Math.exp(nats), 12);
    expect(metric.bits).toBeCloseTo(nats / Math.log(2), 14);
    expect(metric.bitsPerCharacter(40)).toBeCloseTo((nats * 11) / Math.log(2) / 40, 14);
    expect(metric.count).toBe(11);
    // A uniform guess among 8 has the perplexity 8, which is 3 bits.
    const uniform = new Likelihood().add(Math.log(8), 5);
    expect([uniform.perplexity, uniform.bits].map((value) => Number(value.toFixed(10)))).toEqual([8, 3]);
    metric.reset();
    expect(metric.nats).toBeNaN();
    expect(() => metric.add(1, -1)).toThrow(ArgumentError);
  });
});

describe("errors of forecasts", () => {
  const training = [3, 8, 4, 9, 6, 13, 7];
  const [actual, forecasts] = [
    [8, 15, 9, 12],
    [7, 12, 9.5, 16],
  ];

  it("are those of Hyndman & Koehler", () => {
    const error = (1 + 3 + 0.5 + 4) / 4;
    const add = (metric: MeanAbsoluteError | MeanAbsoluteScaledError) =>
      metric.add(forecasts!.slice(0, 3), actual!.slice(0, 3)).add(forecasts!.slice(3), actual!.slice(3)).value;
    expect(add(new MeanAbsoluteError())).toBe(error);
    expect(add(new MeanAbsoluteScaledError(training))).toBeCloseTo(error / ((5 + 4 + 5 + 3 + 7 + 6) / 6), 14);
    expect(add(new MeanAbsoluteScaledError(training, 2))).toBeCloseTo(error / ((1 + 1 + 2 + 4 + 1) / 5), 14);
  });

  it("name what does not fit", () => {
    expect(() => new MeanAbsoluteError().add([1], [1, 2])).toThrow(ShapeError);
    expect(() => new MeanAbsoluteScaledError([1, 2], 2)).toThrow(DataError);
    expect(() => new MeanAbsoluteScaledError([4, 4, 4])).toThrow(/naive error/);
    expect(() => new MeanAbsoluteScaledError([4, 5], 0)).toThrow(/season/);
  });
});
