/** Principal components, maps of words and words along axes. */
import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";
import { numbers } from "../tensor/reference.js";
import { parseSvg } from "./svg.js";

/** Eigenvalues and eigenvectors (columns) of a symmetric matrix, by Jacobi's rotations. */
function jacobi(given: readonly (readonly number[])[]): { value: number; vector: number[] }[] {
  const a = given.map((row) => [...row]);
  const n = a.length;
  const v = a.map((_, i) => a.map((_, j) => Number(i === j)));
  for (let sweep = 0; sweep < 60; sweep++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (Math.abs(a[p]![q]!) < 1e-300) continue;
        const theta = Math.atan2(2 * a[p]![q]!, a[q]![q]! - a[p]![p]!) / 2;
        const [c, s] = [Math.cos(theta), Math.sin(theta)];
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[k]![p]!, a[k]![q]!];
          [a[k]![p], a[k]![q]] = [c * x - s * y, s * x + c * y];
          const [vx, vy] = [v[k]![p]!, v[k]![q]!];
          [v[k]![p], v[k]![q]] = [c * vx - s * vy, s * vx + c * vy];
        }
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[p]![k]!, a[q]![k]!];
          [a[p]![k], a[q]![k]] = [c * x - s * y, s * x + c * y];
        }
      }
    }
  }
  return a.map((row, i) => ({ value: row[i]!, vector: v.map((line) => line[i]!) })).sort((x, y) => y.value - x.value);
}

describe("principalComponents", () => {
  const [N, D] = [23, 5];
  const data = numbers(N * D, 3).map((value, i) => value * (1 + (i % D)) + (i % D));
  const means = Array.from({ length: D }, (_, d) => data.reduce((sum, x, i) => sum + (i % D === d ? x / N : 0), 0));
  const centred = data.map((value, i) => value - means[i % D]!);
  const covariance = means.map((_, i) =>
    means.map((_, j) => centred.reduce((sum, x, at) => sum + (at % D === i ? x * centred[at - i + j]! : 0), 0)),
  );

  it("are the eigenvectors of the covariance", () => {
    const expected = jacobi(covariance);
    const total = expected.reduce((sum, { value }) => sum + value, 0);
    const { points, explained } = u.principalComponents(data, D, 3);
    explained.forEach((part, k) => expect(part).toBeCloseTo(expected[k]!.value / total, 10));
    for (let k = 0; k < 3; k++) {
      const { vector } = expected[k]!;
      const largest = vector.reduce((best, x) => (Math.abs(x) > Math.abs(best) ? x : best), 0);
      for (let row = 0; row < N; row++) {
        const along = vector.reduce((sum, x, d) => sum + x * centred[row * D + d]!, 0) * Math.sign(largest);
        expect(points[row * 3 + k]).toBeCloseTo(along, 6);
      }
    }
  });

  it("have answers for few points, and name what is wrong", () => {
    expect([...u.principalComponents([1, 2, 1, 2], 2).points]).toEqual([0, 0, 0, 0]);
    expect(u.principalComponents([1, 2, 1, 2], 2).explained).toEqual([0, 0]);
    expect(u.principalComponents([], 2).points.length).toBe(0);
    const line = u.principalComponents([0, 0, 3, 4], 2);
    [-2.5, 0, 2.5, 0].forEach((value, i) => expect(line.points[i]).toBeCloseTo(value, 9));
    expect(line.explained[0]).toBeCloseTo(1, 12);
    expect(() => u.principalComponents([1, 2, 3], 2)).toThrow(u.ShapeError);
    expect(() => u.principalComponents([1, 2], 2, 3)).toThrow(/count/);
    expect(() => u.principalComponents([1, Number.NaN], 2)).toThrow(/data must be finite/);
  });
});

const vectors = new u.WordVectors(
  ["he", "she", "king", "queen", "pie", "tea"],
  Float32Array.of(1, 0, 0, -1, 0, 0, 2, 3, 0, -2, 3, 0, 0, 0, 5, 0, 0, 1),
  3,
);

describe("wordAxisTable", () => {
  const axes = { gender: { from: ["he"], to: ["she"] }, food: { to: ["pie", "tea"] } };

  it("puts the ends at -1 and 1, and others between", () => {
    const table = u.wordAxisTable(vectors, ["he", "she", "king", "queen", "pie"], axes);
    const gender = table.values.map(([value]) => value);
    const shade = 2 / Math.sqrt(13);
    [-1, 1, -shade, shade, 0].forEach((value, i) => expect(gender[i]).toBeCloseTo(value, 6));
    // The mean of all is (0, 6 / sqrt(13), 2) / 6: a plain calculation for "he", (1, 0, 0).
    const [y, z] = [1 / Math.sqrt(13), 1 / 3];
    const [dy, dz] = [-y, 1 - z];
    const expected = (-(y / 2) * dy - ((1 + z) / 2) * dz) / ((dy * dy + dz * dz) / 2);
    expect(table.values[0]![1]).toBeCloseTo(expected, 6);
    expect(table.values[4]![1]).toBeCloseTo(1, 6);
  });

  it("is printed and drawn", () => {
    const table = u.wordAxisTable(vectors, ["he", "queen"], axes);
    const lines = u.wordAxisText(table).split("\n");
    expect(lines[0]).toMatch(/^ +gender +food$/);
    expect(lines[2]).toMatch(/^queen +0\.55 +-\d\.\d\d$/);
    const svg = u.wordAxisSvg(table, "<axes>");
    parseSvg(svg);
    expect(svg).toContain("&lt;axes&gt;");
    expect(svg.match(/<rect /g)).toHaveLength(1 + 4);
    parseSvg(u.wordAxisSvg({ words: [], axes: [], values: [] }));
  });

  it("names what is wrong", () => {
    expect(() => u.wordAxisTable(vectors, ["goose"], axes)).toThrow(/"goose" is not known/);
    expect(() => u.wordAxisTable(vectors, ["he"], { x: { from: ["he"], to: ["he"] } })).toThrow(/axes\.x/);
    expect(() => u.wordAxisTable(vectors, ["he"], { x: { from: [], to: [] } })).toThrow(u.ArgumentError);
  });
});

describe("wordMapSvg", () => {
  const labels = (svg: string) =>
    [...svg.matchAll(/<text x="([\d.]+)" y="([\d.]+)" text-anchor="middle"[^>]*>([^<]*)</g)].map(
      ([, x, y, word = ""]) => ({
        word,
        left: Number(x) - (0.5 * 12 * word.length) / 2,
        right: Number(x) + (0.5 * 12 * word.length) / 2,
        top: Number(y) - 10,
        bottom: Number(y),
      }),
    );

  it("draws every word once, in its group's colour, inside of the picture", () => {
    const svg = u.wordMapSvg(vectors, { people: ["he", "she", "king", "queen"], "food & drink": ["pie", "tea"] });
    parseSvg(svg);
    expect(svg).toContain("food &amp; drink");
    expect(labels(svg).map(({ word }) => word)).toEqual(["he", "she", "king", "queen", "pie", "tea"]);
    for (const { left, right, top, bottom } of labels(svg)) {
      expect(Math.min(left, top)).toBeGreaterThan(0);
      expect(right).toBeLessThan(720);
      expect(bottom).toBeLessThan(540);
    }
  });

  it("keeps labels of near points apart", () => {
    const words = ["one", "two", "three", "four", "five", "far"];
    const near = words.slice(0, 5).flatMap((_, i) => [1, 0.001 * i]);
    const crowded = new u.WordVectors(words, Float32Array.of(...near, -1, 0), 2);
    const found = labels(u.wordMapSvg(crowded, { all: words }));
    for (const [i, a] of found.entries()) {
      for (const b of found.slice(i + 1)) {
        const apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
        expect(apart, `${a.word} ${b.word}`).toBe(true);
      }
    }
  });

  it("draws one word, and refuses none", () => {
    parseSvg(u.wordMapSvg(vectors, { all: ["he"] }));
    parseSvg(u.wordMapSvg(new u.WordVectors(["a", "b"], Float32Array.of(1, 2), 1), { all: ["a", "b"] }));
    expect(() => u.wordMapSvg(vectors, {})).toThrow(u.DataError);
    expect(() => u.wordMapSvg(vectors, { all: ["goose"] })).toThrow(/"goose"/);
  });
});
