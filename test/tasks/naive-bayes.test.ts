/** Naive Bayes beside a worked example of a textbook, and beside its equations written out. */
import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";

/** Table 13.1 of Manning, Raghavan & Schütze 2008; a tokenizer of whole words. */
const china = ["Chinese Beijing Chinese", "Chinese Chinese Shanghai", "Chinese Macao"].map((text) => ({
  text,
  label: "China",
}));
const examples = [...china, { text: "Tokyo Japan Chinese", label: "other" }];
const labels = ["China", "other"];

/** One token a word, ids by first occurrence, words that never occurred as id 99. */
function words(texts: readonly { text: string }[]): u.Tokenizer {
  const known = [...new Set(texts.flatMap(({ text }) => text.split(" ")))];
  return {
    ...u.CharTokenizer.from("a"),
    kind: "char",
    tokens: known,
    size: known.length,
    encode: (text: string) =>
      Int32Array.from(text.split(" ").filter(Boolean), (word) => (known.indexOf(word) + 100) % 100),
  } as unknown as u.Tokenizer;
}

const build = (options: Partial<u.NaiveBayesOptions> = {}) =>
  u.NaiveBayes.from(examples, { tokenizer: words(examples), labels, ...options });

describe("naive Bayes", () => {
  it("is the example 13.1 of Manning et al.", () => {
    // P(China | d5) ~ 3/4 (3/7)^3 1/14 1/14 = 0.0003 and P(other | d5) ~ 1/4 (2/9)^3 2/9 2/9 = 0.0001.
    const [yes, no] = [(3 / 4) * (3 / 7) ** 3 * (1 / 14) ** 2, (1 / 4) * (2 / 9) ** 5];
    const found = build().predict("Chinese Chinese Chinese Tokyo Japan");
    expect(found.label).toBe("China");
    expect(found.probability).toBeCloseTo(yes / (yes + no), 12);
    expect(found.probabilities.map(({ label }) => label)).toEqual(labels);
  });

  it("counts n-grams, smoothed by any number", () => {
    // Seven unigrams less two: Chinese Beijing Shanghai Macao Tokyo Japan; bigrams: CB BC CC CS CM TJ JC.
    const [size, a] = [6 + 7, 0.5];
    const yes = (3 / 4) * ((5 + a) / (8 + 5 + a * size)) * ((1 + a) / (8 + 5 + a * size)) ** 2;
    const no = (1 / 4) * ((1 + a) / (3 + 2 + a * size)) * (a / (3 + 2 + a * size)) ** 2;
    // Chinese, Macao, Chinese Macao
    const [china] = build({ order: 2, smoothing: a }).logProbabilities("Chinese Macao");
    expect(china).toBeCloseTo(Math.log(yes / (yes + no)), 12);
  });

  it("leaves out what it never saw, and then says what is common", () => {
    const model = build({ order: 2 });
    for (const text of ["", "🦆", "Paris London"]) {
      expect(model.predict(text).probability, text).toBeCloseTo(3 / 4, 12);
    }
    expect(model.predict("Paris Tokyo")).toEqual(model.predict("Tokyo"));
    expect(model.predict([])).toEqual([]);
  });

  it("answers for a million characters", () => {
    const tokenizer = u.CharTokenizer.from("ab");
    const model = u.NaiveBayes.from(
      [
        { text: "aab", label: "x" },
        { text: "abb", label: "y" },
      ],
      { tokenizer, labels: ["x", "y"], order: 2 },
    );
    expect(model.predict("ab".repeat(500_000)).probability).toBeCloseTo(0.5, 6);
    expect(model.predict("a".repeat(1_000_000))).toMatchObject({ label: "x", probability: 1 });
  });

  it("is scored as the networks are", () => {
    const model = build();
    const { accuracy, confusion, loss } = model.evaluate(examples);
    const logs = examples.map(({ text, label }) => model.logProbabilities(text)[labels.indexOf(label)]!);
    expect(loss).toBeCloseTo(-logs.reduce((sum, value) => sum + value) / 4, 12);
    expect(accuracy).toBe(confusion.accuracy);
    expect(confusion.total).toBe(4);
    expect(() => model.evaluate([])).toThrow(u.DataError);
  });

  it("is the same from its JSON", () => {
    const tokenizer = u.CharTokenizer.from(examples.map(({ text }) => text).join(" "), { unknown: "skip" });
    const model = u.NaiveBayes.from(examples, { tokenizer, labels, order: 3, smoothing: 0.25 });
    const again = u.NaiveBayes.fromJSON(JSON.parse(JSON.stringify(model)));
    expect(again.predict("Tokyo - nose")).toEqual(model.predict("Tokyo - nose"));
    expect(JSON.stringify(again)).toBe(JSON.stringify(model));
  });

  it("names what is wrong", () => {
    expect(() => build({ order: 0 })).toThrow(/order/);
    expect(() => build({ smoothing: 0 })).toThrow(/smoothing/);
    expect(() => build({ labels: ["China"] })).toThrow(/labels/);
    expect(() => build({ labels: ["China", "else"] })).toThrow(/example 3: no label is "other"/);
    expect(() => build({ labels: [...labels, "third"] })).toThrow(/no text has the label "third"/);
    const tokenizer = u.CharTokenizer.from(examples.map(({ text }) => text).join(" "), { unknown: "skip" });
    const json = JSON.parse(JSON.stringify(u.NaiveBayes.from(examples, { tokenizer, labels }))) as object;
    const broken: Record<string, unknown> = {
      labels: [["x"], "x", [1, 2], undefined],
      order: ["2", 0, Number.NaN],
      smoothing: [-1, null, "1"],
      texts: [[3], [3, 0], [3, 1.5], {}],
      counts: [[], { "1": [1] }, { "1": [1, -1] }, { "1": "1" }, null],
      tokenizer: [null, { kind: "none" }],
    };
    for (const [field, values] of Object.entries(broken)) {
      for (const value of values as unknown[]) {
        const read = () => u.NaiveBayes.fromJSON({ ...json, [field]: value });
        expect(read, `${field} ${JSON.stringify(value)}`).toThrow(u.LoadError);
      }
    }
    for (const value of [null, [], "", 3]) expect(() => u.NaiveBayes.fromJSON(value)).toThrow(u.LoadError);
  });
});
