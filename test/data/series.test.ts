import { describe, expect, it } from "vitest";
import { seriesWindows } from "../../ts/data/series.js";
import { ArgumentError, DataError } from "../../ts/errors.js";
import { Linear } from "../../ts/nn/linear.js";
import { mseLoss } from "../../ts/nn/losses/regression.js";
import { reshape } from "../../ts/tensor/shape.js";
import { tensor } from "../../ts/tensor/tensor.js";
import { train } from "../../ts/train/loop.js";
import { SGD } from "../../ts/train/sgd.js";

describe("seriesWindows", () => {
  it("gives every window with what follows it", () => {
    const windows = seriesWindows([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], { batchSize: 2, seqLen: 3, horizon: 2, stride: 2 });
    expect([windows.windows, windows.length]).toEqual([3, 2]);
    expect(
      Array.from(windows, ({ inputs, targets, starts, count }) => [
        [...inputs.data],
        [...targets.data],
        [...starts],
        count,
      ]),
    ).toEqual([
      [[0, 1, 2, 2, 3, 4], [3, 4, 5, 6], [0, 2], 4],
      [[4, 5, 6], [7, 8], [4], 2],
    ]);
    expect([windows.batch(0).inputs.shape, windows.batch(0).targets.shape]).toEqual([
      [2, 3, 1],
      [2, 2, 1],
    ]);
  });

  it("uses the last step, and no step beyond it", () => {
    for (let steps = 5; steps < 40; steps++) {
      for (const stride of [1, 2, 3, 7]) {
        const { windows } = seriesWindows(new Float32Array(steps), { batchSize: 4, seqLen: 3, horizon: 2, stride });
        let fit = 0;
        for (let start = 0; start + 5 <= steps; start += stride) fit++;
        expect(windows).toBe(fit);
      }
    }
  });

  it("predicts the features that are asked for", () => {
    const series = Array.from({ length: 6 }, (_, t) => [t, 10 + t, 20 + t]);
    const { inputs, targets } = seriesWindows(series, { batchSize: 5, seqLen: 4, targetFeatures: [2, 0] }).batch(0);
    expect([inputs.shape, targets.shape]).toEqual([
      [2, 4, 3],
      [2, 1, 2],
    ]);
    expect([...inputs.data.subarray(0, 12)]).toEqual([0, 10, 20, 1, 11, 21, 2, 12, 22, 3, 13, 23]);
    expect([...targets.data]).toEqual([24, 4, 25, 5]);
  });

  it("shuffles windows by the seed and the epoch", () => {
    const series = Float32Array.from({ length: 50 }, (_, t) => t);
    const windows = seriesWindows(series, { batchSize: 7, seqLen: 4, seed: 1 });
    const starts = (epoch: number) => Array.from(windows.epoch(epoch), (batch) => [...batch.starts]).flat();
    expect(starts(0)).not.toEqual(starts(1));
    for (const epoch of [0, 1]) {
      expect(starts(epoch).sort((a, b) => a - b)).toEqual(Array.from({ length: 46 }, (_, start) => start));
      for (const { inputs, targets, starts: at } of windows.epoch(epoch)) {
        at.forEach((start, row) => expect([inputs.data[row * 4], targets.data[row]]).toEqual([start, start + 4]));
      }
    }
  });

  it("trains a linear model on a linear recurrence", async () => {
    // x[t] = 2 cos(0.3) x[t-1] - x[t-2] is what every sinusoid of that frequency obeys.
    const series = Float32Array.from({ length: 80 }, (_, t) => Math.sin(0.3 * t + 0.7));
    const model = new Linear(2, 1, { bias: false }).init({ seed: 1 });
    const data = seriesWindows(series, { batchSize: 8, seqLen: 2, seed: 3 });
    await train(model, data, {
      optimizer: new SGD(model, { lr: 0.3, momentum: 0.9 }),
      epochs: 60,
      loss: (linear, { inputs, targets }) =>
        mseLoss(
          linear.forward(tensor(inputs.data, [targets.shape[0]!, 2])),
          reshape(tensor(targets.data), [targets.shape[0]!, 1]),
        ),
    }).done;
    const [older, newer] = model.parameters()[0]!.toArray();
    expect(older).toBeCloseTo(-1, 3);
    expect(newer).toBeCloseTo(2 * Math.cos(0.3), 3);
  });

  it("names what is wrong", () => {
    const make = (series: unknown, options = {}) =>
      seriesWindows(series as number[], { batchSize: 2, seqLen: 3, horizon: 2, ...options });
    expect(() => make([1, 2, 3, 4])).toThrow(/takes 5 steps \(seqLen 3 \+ horizon 2\), got 4/);
    expect(() => make([[1, 2], [3, 4], [5], [6, 7], [8, 9]])).toThrow(/step 2 has 1 features, expected 2/);
    expect(() => make([1, 2, NaN, 4, 5])).toThrow(/step 2, feature 0 is NaN, expected a finite number/);
    expect(() => make([[], [], [], [], []])).toThrow(DataError);
    for (const bad of [{ seqLen: 0 }, { horizon: 0 }, { stride: 1.5 }, { batchSize: 0 }, { targetFeatures: [1] }]) {
      expect(() => make([1, 2, 3, 4, 5], bad)).toThrow(ArgumentError);
    }
  });
});
