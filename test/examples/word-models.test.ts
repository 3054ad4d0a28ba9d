/** The models of the next word, on sentences that the example makes up. */
import { expect, it } from "vitest";
import { outputOf } from "./run.js";

it("word-models.mjs measures every kind of model, and what a word costs as the context grows", async () => {
  const output = await outputOf("word-models.mjs", "--words", "9000", "--epochs", "3");
  const perplexities = new Map(
    Array.from((output.split("\n\n")[1] ?? "").matchAll(/^(.{28}) *([\d.]+)$/gm), ([, name = "", value]) => [
      name.trim(),
      Number(value),
    ]),
  );
  expect([...perplexities.keys()]).toEqual([
    "1-gram, Kneser-Ney",
    "2-gram, Kneser-Ney",
    "3-gram, Kneser-Ney",
    "5-gram, Kneser-Ney",
    "bag of 5 words",
    "feed-forward net, 5 words",
    "LSTM",
    "transformer, 2 layers",
  ]);
  const of = (name: string) => perplexities.get(name)!;
  // Which word class comes next, a bigram knows. A bag of words does not know which of its words was the last.
  expect(of("2-gram, Kneser-Ney")).toBeLessThan(of("1-gram, Kneser-Ney") / 2);
  expect(of("bag of 5 words")).toBeLessThan(of("1-gram, Kneser-Ney"));
  expect(of("feed-forward net, 5 words")).toBeLessThan(of("bag of 5 words"));
  // It alone need not look back to know the subject.
  expect(of("LSTM")).toBeLessThan(of("5-gram, Kneser-Ney"));
  expect(of("transformer, 2 layers")).toBeLessThan(of("bag of 5 words"));
  expect(output).toMatch(/^transformer, 2 layers: update \d+ of \d+, perplexity [\d.]+$/m);
  const times = [...output.matchAll(/^(32|64|256|1000) +(\d+) +(\d+)$/gm)].map(([, words]) => Number(words));
  expect(times).toEqual([32, 64, 256, 1000]);
});

it("word-models.mjs --help says where the Penn Treebank is", async () => {
  expect(await outputOf("word-models.mjs", "--help")).toContain("simple-examples.tgz");
});
