import { describe, expect, it } from "vitest";
import { ArgumentError, confidenceInterval } from "../../../ts/index.js";

/** t: how many standard errors the interval of some values with mean 0 reaches. */
function quantile(level: number, freedom: number): number {
  const count = freedom + 1;
  // Half of them 1, half -1, and for odd counts a 0.
  const values = Array.from({ length: count }, (_, i) =>
    i === count - 1 && count % 2 === 1 ? 0 : i % 2 === 0 ? 1 : -1,
  );
  const { mean, high, standardError } = confidenceInterval(values, { level });
  expect(mean).toBe(0);
  return high / standardError;
}

describe("confidenceInterval", () => {
  // Printed tables of Student's t, for example Abramowitz & Stegun table 26.10 and R's qt.
  it.each([
    [0.95, 1, 12.7062047],
    [0.95, 2, 4.3026527],
    [0.95, 3, 3.1824463],
    [0.95, 4, 2.7764451],
    [0.95, 5, 2.5705818],
    [0.95, 10, 2.2281389],
    [0.95, 23, 2.0686576],
    [0.95, 30, 2.0422725],
    [0.95, 100, 1.9839715],
    [0.99, 7, 3.4994833],
    [0.5, 6, 0.7175582],
    [0.999, 1, 636.6192488],
  ])("reaches as far as the tables say: level %d, %d degrees of freedom", (level, freedom, t) => {
    expect(quantile(level, freedom) / t).toBeCloseTo(1, 7);
  });

  it("finds what R finds for Student's sleep data", () => {
    // t.test(extra ~ group, data = sleep, paired = TRUE): mean 1.58, 0.7001142 to 2.4598858, t = 4.0621.
    const differences = [1.2, 2.4, 1.3, 1.3, 0, 1, 1.8, 0.8, 4.6, 1.4];
    const { mean, low, high, standardError, count } = confidenceInterval(differences);
    expect(mean).toBeCloseTo(1.58, 12);
    expect(low).toBeCloseTo(0.7001142, 7);
    expect(high).toBeCloseTo(2.4598858, 7);
    expect(mean / standardError).toBeCloseTo(4.0621, 4);
    expect(count).toBe(10);
  });

  it("has no width for equal values, and refuses what has no interval", () => {
    expect(confidenceInterval([3, 3, 3])).toMatchObject({ mean: 3, low: 3, high: 3, standardError: 0 });
    for (const values of [[], [1], [1, Number.NaN], [1, Infinity]]) {
      expect(() => confidenceInterval(values)).toThrow(ArgumentError);
    }
    for (const level of [0, 1, -1, 2, Number.NaN]) {
      expect(() => confidenceInterval([1, 2], { level })).toThrow(/level/);
    }
  });
});
