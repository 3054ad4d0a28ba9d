/** A network and naive Bayes together: their product, its weight, its file, and which words moved it. */
import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";

const core = u.createCore();
const labels = ["bad", "good", "so so"];
const words = { bad: ["awful", "dull"], good: ["fine", "superb"], "so so": ["average", "long"] };
const examples = Object.entries(words).flatMap(([label, [first = "", second = ""]]) =>
  ["a W film", "this film is W", "W , then W again"].flatMap((text) =>
    [first, second].map((word) => ({ text: text.replaceAll("W", word), label })),
  ),
);
const tokenizer = u.VocabularyTokenizer.from(
  examples.map(({ text }) => text),
  { split: "treebank" },
);
const network = new u.TextClassifier({ tokenizer, labels, cell: u.GRU, hiddenSize: 5, embeddingSize: 4 });
network.init({ seed: 3, core });
const bayes = u.NaiveBayes.from(examples, { tokenizer, labels, order: 2 });
const build = (weights?: u.HybridWeights) => new u.HybridClassifier({ network, bayes, weights });

describe("a hybrid classifier", () => {
  it("multiplies probabilities", () => {
    const text = "this dull film is fine";
    const [p, q] = [network.predict(text), bayes.predict(text)].map(({ probabilities }) =>
      probabilities.map(({ probability }) => probability),
    ) as [number[], number[]];
    for (const weights of [
      { network: 1, bayes: 0 },
      { network: 0.7, bayes: 0.3 },
      { network: 0, bayes: 2 },
    ]) {
      const products = p.map((value, k) => value ** weights.network * q[k]! ** weights.bayes);
      const total = products.reduce((sum, value) => sum + value);
      const found = build(weights).predict(text).probabilities;
      expect(found.map(({ label }) => label)).toEqual(labels);
      for (const [k, { probability }] of found.entries()) expect(probability).toBeCloseTo(products[k]! / total, 6);
    }
    expect(build().weights).toEqual({ network: 1, bayes: 0.2 });
  });

  it("finds the weights of the lowest loss", () => {
    // Half of the labels are wrong for naive Bayes, and the network has learned nothing.
    const wrong = examples.map(({ text, label }) => ({ text, label: labels[(labels.indexOf(label) + 1) % 3]! }));
    const mixture = [...examples, ...wrong];
    const { weights } = build().fitWeights(mixture);
    const lossAt = (network: number, bayes: number) => build({ network, bayes }).evaluate(mixture).loss;
    const least = lossAt(weights.network, weights.bayes);
    for (let network = 0; network <= 2; network += 0.2) {
      for (let bayes = 0; bayes <= 2; bayes += 0.2) expect(least).toBeLessThan(lossAt(network, bayes) + 1e-6);
    }
    expect(build().fitWeights(examples).weights.bayes).toBeGreaterThan(1.9);
    expect(build().fitWeights(wrong).weights.bayes).toBeLessThan(0.1);
  });

  it("is scored, and a file of it predicts the same", () => {
    const model = build({ network: 0.8, bayes: 0.4 });
    const scores = model.evaluate(examples);
    const found = model.predict(examples.map(({ text }) => text));
    const right = found.filter(({ label }, i) => label === examples[i]!.label).length;
    expect(scores.accuracy).toBeCloseTo(right / examples.length, 12);
    const logs = found.map(({ probabilities }, i) =>
      Math.log(probabilities[labels.indexOf(examples[i]!.label)]!.probability),
    );
    expect(scores.loss).toBeCloseTo(-logs.reduce((sum, value) => sum + value) / logs.length, 6);
    const again = u.HybridClassifier.from(u.save(model), { core: u.createCore() });
    expect(again.weights).toEqual(model.weights);
    expect(again.predict("a superb film")).toEqual(model.predict("a superb film"));
  });

  it("answers for texts of no length, of emoji, of unseen words and of any length", () => {
    const model = build();
    const texts = ["", "🦆🦆", "never seen", "fine ".repeat(200_000)];
    for (const { probabilities } of model.predict(texts)) {
      expect(probabilities.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 6);
    }
    expect(model.predict([])).toEqual([]);
  });

  it("names what is wrong", () => {
    const other = u.NaiveBayes.from(examples, { tokenizer, labels: [...labels].reverse() });
    expect(() => new u.HybridClassifier({ network, bayes: other })).toThrow(/of the labels bad, good, so so/);
    for (const bayes of [-0.1, 2.1, Number.NaN]) expect(() => build({ network: 1, bayes })).toThrow(/weights.bayes/);
    expect(() => build().evaluate([])).toThrow(u.DataError);
    expect(() => build().fitWeights([{ text: "", label: "none" }])).toThrow(/example 0: no label is "none"/);
    for (const change of [
      { naiveBayes: 3 },
      { naiveBayes: undefined },
      { weights: 2 },
      { weights: { network: "1", bayes: 1 } },
    ]) {
      const model = build();
      const config = { ...model.config(), ...change };
      Object.assign(model, { config: () => config });
      expect(() => u.HybridClassifier.from(u.save(model)), JSON.stringify(change)).toThrow(u.LoadError);
    }
    expect(() => u.HybridClassifier.from(u.save(network))).toThrow(/expected HybridClassifier/);
  });
});

describe("wordInfluence", () => {
  it("is what leaving a word out does to the odds", () => {
    const text = "this dull film is fine";
    const oddsOf = (of: string) => {
      const [bad = 0, ...others] = bayes.predict(of).probabilities.map(({ probability }) => probability);
      return Math.log(bad / others.reduce((sum, value) => sum + value));
    };
    const { label, probability, probabilities, words: found } = u.wordInfluence(bayes, text, { label: "bad" });
    expect(label).toBe("bad");
    expect(probability).toBeCloseTo(Math.exp(bayes.logProbabilities(text)[0]!), 12);
    expect(probabilities).toEqual(bayes.predict(text).probabilities);
    expect(found.map(({ word }) => word)).toEqual(text.split(" "));
    expect(found[1]!.weight).toBeCloseTo(oddsOf(text) - oddsOf("this film is fine"), 10);
    expect(found[1]!.weight).toBeGreaterThan(0);
    expect(found[4]!.weight).toBeLessThan(0);
    expect(u.wordInfluence(bayes, text).label).toBe(bayes.predict(text).label);
  });

  it("tells words apart where the model is certain", () => {
    const sure = u.wordInfluence(build({ network: 0, bayes: 2 }), "awful dull awful dull awful dull");
    expect(sure.probability).toBeGreaterThan(1 - 1e-6);
    for (const { weight } of sure.words) expect(weight).toBeGreaterThan(1);
  });

  it("takes marks and contractions for words, and characters where asked", () => {
    const split = (text: string, unit?: "words" | "characters") =>
      u.wordInfluence(network, text, { unit }).words.map(({ word }) => word);
    expect(split("It isn't dull.")).toEqual(["It", "is", "n't", "dull", "."]);
    expect(split("O’🦆", "characters")).toEqual(["O", "’", "🦆"]);
  });

  it("answers for any text", () => {
    for (const text of ["", "   "]) expect(u.wordInfluence(network, text).words).toEqual([]);
    expect(u.wordInfluence(network, "fine ".repeat(200_000), { most: 3 }).words).toHaveLength(3);
    expect(u.wordInfluence(build(), "🦆").words.map(({ word }) => word)).toEqual(["🦆"]);
    expect(() => u.wordInfluence(network, "fine", { label: "none" })).toThrow(/bad, good, so so/);
    expect(() => u.wordInfluence(network, "", { most: 0 })).toThrow(u.ArgumentError);
    expect(() => u.wordInfluence(network, "", { unit: "lines" as "words" })).toThrow(u.ArgumentError);
  });
});
