/** BLEU against what sacreBLEU computed: test/fixtures/bleu.py. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { Bleu, tokenize13a } from "../../../ts/index.js";

interface Corpus {
  readonly hypotheses: readonly string[];
  readonly references: readonly (readonly string[])[];
  readonly score: number;
  readonly precisions: readonly number[];
  readonly brevityPenalty: number;
  readonly hypothesisLength: number;
  readonly referenceLength: number;
}

const path = join(import.meta.dirname, "../../fixtures/bleu.json");
const { tokens, corpora } = JSON.parse(readFileSync(path, "utf8")) as {
  readonly tokens: readonly (readonly [line: string, tokens: string])[];
  readonly corpora: readonly Corpus[];
};

it.each(tokens)("tokenises %j", (line, expected) => {
  expect(tokenize13a(line).join(" ")).toBe(expected);
});

it.each(corpora.map((corpus, i) => [i, corpus] as const))("scores corpus %i", (_, corpus) => {
  const bleu = new Bleu();
  corpus.hypotheses.forEach((line, i) =>
    bleu.add(
      line,
      corpus.references.map((answers) => answers[i]!),
    ),
  );
  const { score, precisions, brevityPenalty, hypothesisLength, referenceLength } = bleu.value;
  expect(score).toBeCloseTo(corpus.score, 9);
  precisions.forEach((precision, i) => expect(precision).toBeCloseTo(corpus.precisions[i]!, 9));
  expect(brevityPenalty).toBeCloseTo(corpus.brevityPenalty, 12);
  expect([hypothesisLength, referenceLength]).toEqual([corpus.hypothesisLength, corpus.referenceLength]);
});

it("takes one reference as a string, and needs one", () => {
  expect(new Bleu().add("a b c d", "a b c d").value.score).toBeCloseTo(100, 9);
  expect(new Bleu().value.score).toBe(0);
  expect(() => new Bleu().add("a", [])).toThrow(/references must be one or more/);
});
