import { expect, it } from "vitest";
import { ArgumentError, ShapeError } from "../../ts/errors.js";
import { MixtureSampler } from "../../ts/infer/mixture-sampling.js";

const DRAWS = 20_000;

/** Means, and the means of products: the moments of draws. */
function moments(rows: readonly (readonly number[])[]) {
  const mean = rows[0]!.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length);
  const product = (i: number, j: number) =>
    rows.reduce((sum, row) => sum + (row[i]! - mean[i]!) * (row[j]! - mean[j]!), 0) / rows.length;
  return { mean, product };
}

it.each([0, 1.5])("has the moments of the mixture, bias %s", (bias) => {
  // Two components in two dimensions; the moments of a mixture, and Graves 2013, equations 61 and 62.
  const [logits, means, scales] = [
    [0.2, -0.4],
    [
      [-1, 2],
      [3, 0.5],
    ],
    [
      [-0.5, 0.1],
      [-1, 0.3],
    ],
  ] as const;
  const sampler = new MixtureSampler({ bias, seed: 3 });
  const output = Float32Array.from([...logits, ...means.flat(), ...scales.flat()]);
  const { mean, product } = moments(Array.from({ length: DRAWS }, () => [...sampler.sample(output, 2)]));
  const raw = logits.map((logit) => Math.exp(logit * (1 + bias)));
  const weights = raw.map((weight) => weight / (raw[0]! + raw[1]!));
  for (const d of [0, 1]) {
    const expected = weights[0]! * means[d]![0] + weights[1]! * means[d]![1];
    const second = [0, 1].reduce(
      (sum, k) => sum + weights[k]! * (means[d]![k]! ** 2 + Math.exp(2 * (scales[d]![k]! - bias))),
      0,
    );
    const variance = second - expected ** 2;
    // Five standard deviations of a mean; the variance's own is at most that of a heavy-tailed one here.
    expect(Math.abs(mean[d]! - expected)).toBeLessThan(5 * Math.sqrt(variance / DRAWS));
    expect(Math.abs(product(d, d) / variance - 1)).toBeLessThan(0.06);
  }
});

it("draws strokes with their correlation and their lifted pens", () => {
  const output = Float32Array.of(-1, 0, 0.5, -0.5, 0.2, -0.3, 0.7);
  const sampler = new MixtureSampler({ seed: 5 });
  const strokes = Array.from({ length: DRAWS }, () => sampler.sampleStroke(output));
  const { mean, product } = moments(strokes.map(({ x, y, lifted }) => [x, y, lifted ? 1 : 0]));
  const near = (value: number, expected: number) => expect(Math.abs(value - expected)).toBeLessThan(0.04);
  near(mean[0]!, 0.5);
  near(mean[1]!, -0.5);
  near(mean[2]!, 1 / (1 + Math.E));
  near(Math.sqrt(product(0, 0)) / Math.exp(0.2), 1);
  near(Math.sqrt(product(1, 1)) / Math.exp(-0.3), 1);
  near(product(0, 1) / Math.sqrt(product(0, 0) * product(1, 1)), Math.tanh(0.7));
  expect(new MixtureSampler({ seed: 5 }).sampleStroke(output)).toEqual(strokes[0]);
});

it("refuses what makes no distribution", () => {
  const sampler = new MixtureSampler();
  expect(() => sampler.sample(new Float32Array(7), 2)).toThrow(ShapeError);
  expect(() => sampler.sample(new Float32Array(0), 1)).toThrow(ShapeError);
  expect(() => sampler.sampleStroke(new Float32Array(8))).toThrow(ShapeError);
  expect(() => sampler.sample(Float32Array.of(NaN, 0, 0), 1)).toThrow(ArgumentError);
  expect(() => new MixtureSampler({ bias: -1 })).toThrow(ArgumentError);
});
