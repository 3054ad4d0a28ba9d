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

it("answers many questions as it answers one, over more words than it reads at a time", () => {
  const many = Array.from({ length: 5000 }, (_, id) => `w${id}`);
  const large = new u.WordVectors(many, Float32Array.from(numbers(5000 * D, 9)), D);
  const id = (i: number, step: number) => `w${(i * step + step) % 5000}`;
  const questions = Array.from({ length: 300 }, (_, i) => [id(i, 7), id(i, 11), id(i, 13)] as const);
  for (const method of ["add", "multiply"] as const) {
    const found = large.analogies(questions, { method, count: 2 });
    expect(found.length).toBe(300);
    for (const i of [0, 17, 255, 256, 299]) {
      const [a, b, c] = questions[i]!;
      expect(found[i]).toEqual(large.analogy(a, b, c, { method, count: 2 }));
    }
    expect(found.some(([first]) => first!.id >= 4096)).toBe(true);
  }
  const at = (word: string) => [...large.unitVector(word)];
  const [a, b, c] = questions[299]!.map(at) as [number[], number[], number[]];
  const target = b.map((value, i) => value - a[i]! + c[i]!);
  const scores = many.map((word) => (questions[299]!.includes(word) ? -2 : cosine(at(word), target)));
  expect(large.analogy(...questions[299]!)[0]!.similarity).toBeCloseTo(Math.max(...scores), 6);
});

it("counts the questions it answers", () => {
  // King - man + woman = queen, by construction.
  const made = new u.WordVectors(
    ["man", "woman", "king", "queen", "tree"],
    Float32Array.of(1, 0, 0, 1, 1, 5, 0, 6, -9, 1),
    2,
  );
  expect(made.analogy("man", "king", "woman")[0]!.word).toBe("queen");
  const questions: u.AnalogyQuestion[] = [
    { category: "royal", words: ["man", "king", "woman", "queen"] },
    { category: "other", words: ["man", "king", "woman", "tree"] },
    { category: "royal", words: ["man", "king", "woman", "goose"] },
    { category: "royal", words: ["Man", "King", "Woman", "Queen"] },
    { category: "birds", words: ["duck", "goose", "swan", "tree"] },
  ];
  const nothing = { accuracy: Number.NaN, right: 0, answered: 0, unknown: 0 };
  expect(made.analogyAccuracy(questions)).toEqual({
    accuracy: 0.5,
    right: 1,
    answered: 2,
    unknown: 3,
    categories: [
      { category: "royal", accuracy: 1, right: 1, answered: 1, unknown: 2 },
      { category: "other", accuracy: 0, right: 0, answered: 1, unknown: 0 },
      { category: "birds", ...nothing, unknown: 1 },
    ],
  });
  const { right, answered } = made.analogyAccuracy(questions, { lowerCase: true });
  expect([right, answered]).toEqual([2, 3]);
  expect(made.analogyAccuracy([])).toEqual({ ...nothing, categories: [] });
});

it("has answers where there is nothing to say", () => {
  const none = new u.WordVectors([], new Float32Array(0), D);
  expect(none.nearest(new Float32Array(D))).toEqual([]);
  const zeros = new u.WordVectors(["a", "b", "c", "d"], new Float32Array(8), 2);
  expect(zeros.similarity("a", "b")).toBe(0);
  expect(zeros.nearest("a", 1)).toEqual([{ word: "b", id: 1, similarity: 0 }]);
  expect(zeros.analogy("a", "b", "c")).toEqual([{ word: "d", id: 3, similarity: 0 }]);
  const three = new u.WordVectors(["a", "b", "c"], Float32Array.from(numbers(6, 1)), 2);
  expect(three.analogy("a", "b", "c")).toEqual([]);
});

it("names what is wrong", () => {
  expect(() => vectors.nearest("goose")).toThrow(/the word "goose" is not known/);
  expect(() => vectors.nearest([1, 2])).toThrow(u.ShapeError);
  expect(() => vectors.nearest("word1", 0)).toThrow(/count/);
  expect(() => vectors.analogy("word1", "word2", "word3", { method: "x" as "add" })).toThrow(/method/);
  expect(() => new u.WordVectors(["a", "a"], new Float32Array(2), 1)).toThrow(/"a" is there twice/);
  expect(() => new u.WordVectors(["a"], new Float32Array(2), 1)).toThrow(u.ShapeError);
});
