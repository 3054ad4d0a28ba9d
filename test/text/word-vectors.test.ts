/** Neighbours and analogies against their definitions in float64; the corpus has 3CosAdd. */
import { expect, it } from "vitest";
import * as u from "../../ts/index.js";
import { numbers } from "../tensor/reference.js";

const [V, D] = [30, 7];
const words = Array.from({ length: V }, (_, i) => `word${i}`);
const data = Float32Array.from(numbers(V * D, 4));
const vectors = new u.WordVectors(words, data, D);
const row = (id: number) => [...data.subarray(id * D, (id + 1) * D)];
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((total, value, i) => total + value * b[i]!, 0);
const cosine = (a: readonly number[], b: readonly number[]) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
const ranked = (score: (id: number) => number, without: readonly number[]) =>
  words
    .map((_, id) => ({ id, score: score(id) }))
    .filter(({ id }) => !without.includes(id))
    .sort((a, b) => b.score - a.score);

it("finds the nearest words by cosine", () => {
  const expected = ranked((id) => cosine(row(id), row(3)), [3]).slice(0, 4);
  const found = vectors.nearest("word3", 4);
  expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
  found.forEach(({ similarity }, i) => expect(similarity).toBeCloseTo(expected[i]!.score, 6));
  expect(vectors.nearest(vectors.vector("word3"), 1)[0]!.word).toBe("word3");
  expect(vectors.similarity("word3", "word4")).toBeCloseTo(cosine(row(3), row(4)), 6);
  expect(vectors.nearest("word3", 100).length).toBe(V - 1);
});

it("solves analogies by 3CosMul as Levy & Goldberg write it", () => {
  const shifted = (a: number, b: number) => (cosine(row(a), row(b)) + 1) / 2;
  const expected = ranked((x) => (shifted(x, 2) * shifted(x, 5)) / (shifted(x, 1) + 0.001), [1, 2, 5]).slice(0, 3);
  const found = vectors.analogy("word1", "word2", "word5", { method: "multiply", count: 3 });
  expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
  found.forEach(({ similarity }, i) => expect(similarity).toBeCloseTo(expected[i]!.score, 5));
});

it("counts the questions it answers", () => {
  // King - man + woman = queen, by construction.
  const made = new u.WordVectors(
    ["man", "woman", "king", "queen", "tree"],
    Float32Array.of(1, 0, 0, 1, 1, 5, 0, 6, -9, 1),
    2,
  );
  expect(made.analogy("man", "king", "woman")[0]!.word).toBe("queen");
  const questions = [
    ["man", "king", "woman", "queen"],
    ["man", "king", "woman", "tree"],
    ["man", "king", "woman", "goose"],
  ] as const;
  expect(made.analogyAccuracy(questions)).toEqual({ accuracy: 0.5, answered: 2, unknown: 1 });
  expect(made.analogyAccuracy([])).toEqual({ accuracy: Number.NaN, answered: 0, unknown: 0 });
});

it("names what is wrong", () => {
  expect(() => vectors.nearest("goose")).toThrow(/the word "goose" is not known/);
  expect(() => vectors.nearest([1, 2])).toThrow(u.ShapeError);
  expect(() => vectors.nearest("word1", 0)).toThrow(/count/);
  expect(() => vectors.analogy("word1", "word2", "word3", { method: "x" as "add" })).toThrow(/method/);
  expect(() => new u.WordVectors(["a", "a"], new Float32Array(2), 1)).toThrow(/"a" is there twice/);
  expect(() => new u.WordVectors(["a"], new Float32Array(2), 1)).toThrow(u.ShapeError);
});
