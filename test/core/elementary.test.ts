import { describe, expect, it } from "vitest";
import { cosPi, exp, log, logAddExp, pow } from "../../ts/core/elementary.js";
import { Random } from "../reference/random.js";

/** Largest relative difference over many arguments from [low, high]. */
function worst(low: number, high: number, own: (x: number) => number, reference: (x: number) => number): number {
  const random = new Random(3);
  let largest = 0;
  for (let i = 0; i < 20_000; i++) {
    const x = low + ((high - low) * random.next()) / 2 ** 24;
    const expected = reference(x);
    largest = Math.max(largest, Math.abs(own(x) - expected) / Math.abs(expected));
  }
  return largest;
}

describe("elementary functions of doubles", () => {
  it("agree with the engine's to the last few bits", () => {
    const unit = 2 ** -52;
    expect(worst(-700, 700, exp, Math.exp)).toBeLessThan(4 * unit);
    expect(worst(-1, 1, exp, Math.exp)).toBeLessThan(4 * unit);
    expect(worst(1e-9, 3, log, Math.log)).toBeLessThan(4 * unit);
    expect(worst(3, 1e300, log, Math.log)).toBeLessThan(4 * unit);
    expect(
      worst(
        0.01,
        20,
        (x) => pow(x, -1.7),
        (x) => x ** -1.7,
      ),
    ).toBeLessThan(16 * unit);
    expect(
      worst(
        0,
        3,
        (x) => pow(x, 11),
        (x) => x ** 11,
      ),
    ).toBeLessThan(16 * unit);
    const random = new Random(4);
    for (let i = 0; i < 20_000; i++) {
      const x = (random.next() / 2 ** 24) * 8 - 4;
      expect(Math.abs(cosPi(x) - Math.cos(Math.PI * x))).toBeLessThan(8 * unit);
    }
  });

  it("have the limits of mathematics", () => {
    expect([exp(0), exp(Infinity), exp(-Infinity), exp(710), exp(-746), exp(NaN)]).toEqual([
      1,
      Infinity,
      0,
      Infinity,
      0,
      NaN,
    ]);
    expect(exp(709.7)).toBeCloseTo(Math.exp(709.7), -296);
    expect(exp(-745)).toBe(5e-324);
    expect([log(1), log(0), log(Infinity), log(-1), log(NaN)]).toEqual([0, -Infinity, Infinity, NaN, NaN]);
    expect(log(5e-324)).toBeCloseTo(-744.4400719213812, 12);
    expect([pow(0, 0.5), pow(0, 0), pow(2, 10), pow(9, 0.5)]).toEqual([0, 1, 1024, expect.closeTo(3, 14)]);
    expect([0, 0.5, 1, 1.5, 2, -3].map(cosPi)).toEqual([1, 0, -1, 0, 1, -1]);
    expect(logAddExp(-Infinity, -Infinity)).toBe(-Infinity);
    expect(logAddExp(-1000, -Infinity)).toBe(-1000);
    expect(logAddExp(-1000, -1001)).toBeCloseTo(-1000 + Math.log(1 + Math.exp(-1)), 12);
  });
});
