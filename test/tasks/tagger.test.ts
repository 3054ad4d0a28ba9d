/** Taggers of words: they learn, are saved, and answer whatever comes. */
import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";

const core = u.createCore();
const sentences = [
  ["yesterday Harry Potter met Hermione Granger", "O B-person I-person O B-person I-person"],
  ["she saw New York", "O O B-place I-place"],
  ["London saw Harry", "B-place O B-person"],
  ["Hermione Granger saw Paris", "B-person I-person O B-place"],
  ["he left", "O O"],
  ["Potter left London", "B-person O B-place"],
].map(([words, tags]) => ({ words: words!.split(" "), tags: tags!.split(" ") }));
const labels = ["O", "B-person", "I-person", "B-place", "I-place"];
const tokenizer = u.VocabularyTokenizer.from(
  sentences.map(({ words }) => words.join(" ")),
  { split: "treebank", lowerCase: true },
);
const alphabet = [...new Set(sentences.flatMap(({ words }) => [...words.join("")]))].join("");
const base = { tokenizer, labels, cell: u.LSTM, hiddenSize: 8 };
const everything = {
  ...base,
  alphabet,
  characterSize: 5,
  characterHiddenSize: 4,
  shapeSize: 3,
  crf: true,
  unknownDropout: 0.1,
};

describe.each([
  ["of words alone", base],
  ["with characters, shapes and a conditional random field", everything],
])("a tagger %s", (_, options) => {
  const model = new u.Tagger(options).init({ seed: 1, core });
  const tagsOf = (words: readonly string[]) => model.predict(words).words.map(({ tag }) => tag);

  it("learns, and a file of it predicts the same", async () => {
    const before = model.evaluate(sentences);
    const batches = model.batches(sentences, { batchSize: 4, seed: 1 });
    await u.train(model, batches, { optimizer: new u.Adam(model, { lr: 0.03 }), epochs: 60 }).done;
    const scores = model.evaluate(sentences);
    expect(scores.loss).toBeLessThan(before.loss / 10);
    expect(scores.accuracy).toBe(1);
    expect(scores.entities.total.f1).toBe(1);
    expect(scores.confusion.total).toBe(22);
    const found = model.predict("Yesterday, Harry Potter met Hermione Granger.");
    expect(found.words.map(({ word }) => word)).toEqual("Yesterday , Harry Potter met Hermione Granger .".split(" "));
    const again = u.Tagger.from(u.save(model), { core });
    expect(again.predict("Yesterday, Harry Potter met Hermione Granger.")).toEqual(found);
    expect(model.predict(sentences[0]!.words).spans).toEqual([
      { type: "person", start: 1, end: 3, text: "Harry Potter" },
      { type: "person", start: 4, end: 6, text: "Hermione Granger" },
    ]);
    // As the text has it, not with spaces between the words.
    const [place] = model.predict("she saw New\n York").spans;
    expect(place).toEqual({ type: "place", start: 2, end: 4, text: "New\n York" });
  });

  it("answers for nothing, emoji, unseen words and very long ones, each sentence by itself", () => {
    const odd = [[], ["🦆", "", "\u{1f986}Y"], ["x".repeat(1_000_000), "left"], ["Harry"], sentences[0]!.words];
    const together = model.predictAll(odd);
    odd.forEach((words, i) => {
      expect(together[i]!.words.map(({ word }) => word)).toEqual(words);
      const alone = model.predict(words);
      expect(alone.words.map(({ tag }) => tag)).toEqual(together[i]!.words.map(({ tag }) => tag));
      alone.words.forEach(({ probability }, t) => {
        expect(probability).toBeCloseTo(together[i]!.words[t]!.probability, 5);
        expect(probability).toBeGreaterThan(0);
      });
    });
    expect(model.predict("")).toEqual({ words: [], spans: [] });
    expect(model.predict([])).toEqual({ words: [], spans: [] });
    expect(model.predictAll([])).toEqual([]);
    expect(model.evaluate([{ words: [], tags: [] }, ...sentences]).confusion.total).toBe(22);
  });

  it("tags a text of a million characters", () => {
    const { words } = model.predict("Harry left ".repeat(100_000).slice(0, 1_000_000));
    expect(words).toHaveLength(181_819);
    // The pieces that it is read in are the same, except for the last.
    expect(words.slice(1000, 2000).map(({ tag }) => tag)).toEqual(tagsOf(words.slice(0, 1000).map(({ word }) => word)));
  });

  it("puts no tag where its scheme does not allow it", () => {
    const untrained = new u.Tagger(options).init({ seed: 3, core });
    const rules = u.tagRules(labels);
    for (const { words } of untrained.predictAll(sentences.map(({ words }) => words))) {
      words.forEach(({ tag }, t) => {
        const [to, from] = [labels.indexOf(tag), labels.indexOf(words[t - 1]?.tag ?? "O")];
        expect(rules.transitions[from * labels.length + to]).toBe(true);
      });
    }
  });
});

it("finds tags of IOB1 where they are its scheme", () => {
  const named = { ...base, labels: ["O", "I-person", "B-person"] };
  const words = ["he", "left", "London", "she", "saw", "Paris"];
  // Scores that prefer B at every word.
  const tagsOf = (model: u.Tagger) => {
    model.init({ seed: 1, core, initializer: u.constant(0) });
    model.head.bias?.write([0, 1, 2]);
    return model.predict(words).words.map(({ tag }) => tag);
  };
  const model = new u.Tagger({ ...named, scheme: "IOB1" });
  expect(tagsOf(model)).toEqual(["I-person", ...Array(5).fill("B-person")]);
  expect(tagsOf(new u.Tagger(named))).toEqual(Array(6).fill("B-person"));
  expect(u.Tagger.from(u.save(model), { core }).config()["scheme"]).toBe("IOB1");
  expect(() => new u.Tagger({ ...named, scheme: "IOB2" as "BIO" })).toThrow(/scheme/);
});

it("cuts what it trains on, too, into pieces of maxLength", () => {
  const model = new u.Tagger({ ...everything, maxLength: 2 }).init({ seed: 1, core });
  const batch = model.batches(sentences.slice(0, 1), { batchSize: 9 }).batch(0);
  expect(batch.inputs).toEqual([
    ["yesterday", "Harry"],
    ["Potter", "met"],
    ["Hermione", "Granger"],
  ]);
  expect(batch.tags.map((tags) => [...tags])).toEqual([
    [0, 1],
    [2, 0],
    [1, 2],
  ]);
  expect(batch.count).toBe(6);
  expect(model.predict(sentences[0]!.words).words).toHaveLength(6);
});

it("takes words for unknown ones while training only", () => {
  const model = new u.Tagger({ ...base, unknownDropout: 0.999 }).init({ seed: 1, core });
  const [batch] = model.batches(sentences.slice(0, 1), { batchSize: 1 });
  const unknown = { ...batch!, inputs: [batch!.inputs[0]!.map(() => "never seen")] };
  const { loss, grads } = u.gradients(() => model.loss(batch!), {
    core,
    seed: 4,
    parameters: [model.embedding.weight],
  });
  expect(loss).toBeCloseTo(
    model.run(() => model.loss(unknown).item()),
    5,
  );
  expect(model.run(() => model.loss(batch!).item())).not.toBeCloseTo(loss, 5);
  const slopes = grads.get(model.embedding.weight)!;
  const rows = tokenizer.tokens.map((_, row) => slopes.subarray(row * 8, (row + 1) * 8).some((slope) => slope !== 0));
  expect(rows.flatMap((used, row) => (used ? [row] : []))).toEqual([tokenizer.unknown]);
});

it("finds more where O is scored lower", () => {
  const scores = [-5, 5].map((recallBias) => {
    const model = new u.Tagger({ ...everything, recallBias }).init({ seed: 1, core });
    const loaded = u.Tagger.from(u.save(model), { core });
    expect(loaded.predictAll(sentences.map(({ words }) => words))).toEqual(
      model.predictAll(sentences.map(({ words }) => words)),
    );
    return model.evaluate(sentences);
  });
  const outside = scores.map(({ confusion }) => labels.reduce((sum, _, target) => sum + confusion.at(target, 0), 0));
  expect(outside).toEqual([22, 0]);
  // The loss is that of the scores as they are.
  for (const { loss } of scores) expect(loss).toBe(scores[0]!.loss);
});

it("reads characters and shapes of words that it does not know", () => {
  const model = new u.Tagger(everything).init({ seed: 1, core });
  const logits = (word: string) => [...model.run(() => model.forward([[word]])).data];
  expect(logits("Ron")).not.toEqual(logits("Rom"));
  expect(logits("RON")).not.toEqual(logits("ron"));
  const plain = new u.Tagger(base).init({ seed: 1, core });
  expect([...plain.run(() => plain.forward([["Ron"]])).data]).toEqual([
    ...plain.run(() => plain.forward([["rom"]])).data,
  ]);
});

it("takes for a word the mean of its tokens' embeddings where the tokenizer has subwords", () => {
  const [E, words] = [5, ["banana", "", "abba", "b"]];
  const options = { ...base, embeddingSize: E };
  const characters = u.CharTokenizer.from("abn");
  const subwords = new u.Tagger({ ...options, tokenizer: characters }).init({ seed: 2, core });
  const known = new u.VocabularyTokenizer(["banana", "abba", "b"]);
  const whole = new u.Tagger({ ...options, tokenizer: known }).init({ seed: 3, core });
  const values = new Map([...subwords.stateDict()].filter(([name]) => name !== "embedding.weight"));
  const table = subwords.embedding.weight.toArray();
  const rows = known.tokens.flatMap((word) => {
    const ids = /^[abn]+$/.test(word) ? [...characters.encode(word)] : [];
    return Array.from({ length: E }, (_, k) => ids.reduce((sum, id) => sum + table[id * E + k]! / ids.length, 0));
  });
  whole.loadStateDict(values.set("embedding.weight", { data: Float32Array.from(rows), shape: [known.size, E] }));
  const logits = (model: u.Tagger) => model.run((m) => m.forward([words, ["b"]])).data;
  // Nothing is known of "" to either: it is <unk> to one, and has no tokens for the other.
  logits(subwords).forEach((value, i) => expect(value).toBeCloseTo(logits(whole)[i]!, 6));
  const gradient = (model: u.Tagger) => {
    const batch = model.batches([{ words, tags: labels.slice(1) }], { batchSize: 1 }).batch(0);
    const table = model.embedding.weight;
    return u.gradients(() => model.loss(batch), { parameters: [table], core }).grads.get(table)!;
  };
  // "n" is in one word alone, 2 of 6 letters.
  const [byLetter, byWord] = [gradient(subwords), gradient(whole)];
  const [letter, word] = [characters.encode("n")[0]!, known.idOf("banana")];
  for (let k = 0; k < E; k++) expect(byLetter[letter * E + k]).toBeCloseTo(byWord[word * E + k]! / 3, 6);
});

it("learns with subwords, splits texts as it is told, and a file predicts the same", async () => {
  const texts = sentences.map(({ words }) => words.join(" "));
  const tokenizer = u.BpeTokenizer.from(texts, { maxSize: 280 });
  const model = new u.Tagger({ ...base, tokenizer, split: "treebank", crf: true }).init({ seed: 1, core });
  const batches = model.batches(sentences, { batchSize: 3, seed: 1 });
  await u.train(model, batches, { optimizer: new u.Adam(model, { lr: 0.02 }), epochs: 60 }).done;
  expect(model.evaluate(sentences).entities.total.f1).toBe(1);
  const text = "she didn't see Hermione Granger \u{1f600}\u{1f600}";
  const found = model.predict(text);
  expect(found.words.map(({ word }) => word)).toEqual([
    "she",
    "did",
    "n't",
    "see",
    "Hermione",
    "Granger",
    "\u{1f600}\u{1f600}",
  ]);
  const again = u.Tagger.from(u.save(model), { core });
  expect(again.split).toBe("treebank");
  expect(again.predict(text)).toEqual(found);
  expect(model.predict(["x".repeat(100_000), "London"]).words).toHaveLength(2);
});

it("names what is wrong", () => {
  const tagger = new u.Tagger(base).init({ core });
  expect(() => tagger.batches([{ words: ["a"], tags: [] }], { batchSize: 1 })).toThrow(/example 0: 0 tags for 1 words/);
  expect(() => tagger.batches([{ words: ["a"], tags: ["z"] }], { batchSize: 1 })).toThrow(/no tag is "z"/);
  expect(() => tagger.batches([], { batchSize: 1 })).toThrow(u.DataError);
  expect(() => new u.Tagger({ ...base, labels: ["O"] })).toThrow(/labels/);
  expect(() => new u.Tagger({ ...base, alphabet: "aa" })).toThrow(/alphabet/);
  expect(() => new u.Tagger({ ...base, alphabet: "" })).toThrow(/alphabet/);
  expect(() => new u.Tagger({ ...base, maxLength: 0 })).toThrow(/maxLength/);
  expect(() => new u.Tagger({ ...base, recallBias: Number.NaN })).toThrow(/recallBias/);
  expect(() => new u.Tagger({ ...base, unknownDropout: 2 })).toThrow(/unknownDropout/);
  expect(() => new u.Tagger({ ...base, shapeSize: -1 })).toThrow(u.ArgumentError);
  const damaged = (change: Record<string, unknown>) => {
    const other = new u.Tagger(base).init({ core });
    const config = { ...other.config(), ...change };
    return u.save(Object.assign(other, { config: () => config }));
  };
  expect(() => u.Tagger.from(damaged({ alphabet: 3 }))).toThrow(/alphabet of the Tagger is 3/);
  expect(() => u.Tagger.from(damaged({ labels: ["O"] }))).toThrow(/two names or more/);
  expect(() => u.Tagger.from(damaged({ crf: true }))).toThrow(/crf/);
  expect(() => u.Tagger.from(damaged({ split: "commas" }))).toThrow(/split/);
  const characters = Object.assign(tagger, { tokenizer: u.CharTokenizer.from("ab") });
  expect(() => u.Tagger.from(u.save(characters))).toThrow(/"embedding.weight" has shape/);
  const subwords = { ...base, tokenizer: u.CharTokenizer.from("ab") };
  expect(() => new u.Tagger({ ...subwords, unknownDropout: 0.1 })).toThrow(/unknownDropout/);
  const ofCharacters = new u.Tagger(subwords).init({ core });
  expect(() => ofCharacters.predict(["abc"])).toThrow(u.TokenizerError);
});
