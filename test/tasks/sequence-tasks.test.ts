/** Classifiers of texts: they learn, are saved, and answer whatever comes. */
import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";

const core = u.createCore();
const good = ["fine", "lovely", "superb", "great"];
const bad = ["awful", "dull", "poor", "bad"];
const texts = [...good, ...bad].flatMap((word, i) =>
  ["a NAME film", "this film is NAME", "NAME and long", "so NAME !"].map((text) => ({
    text: text.replace("NAME", word),
    label: i < 4 ? "good" : "bad",
  })),
);

describe.each(["last", "mean", "max", "attention"] as const)("a classifier that pools by %s", (pooling) => {
  const build = () =>
    new u.TextClassifier({
      tokenizer: u.WordTokenizer.from(texts.map(({ text }) => text)),
      labels: ["good", "bad"],
      cell: u.GRU,
      hiddenSize: 7,
      embeddingSize: 6,
      pooling,
      classWeights: [1, 2],
    }).init({ seed: 2, core });
  const model = build();

  it("learns, and a file of it predicts the same", async () => {
    const before = model.evaluate(texts);
    const batches = u.paddedBatches(model.examples(texts), { batchSize: 8, seed: 1 });
    await u.train(model, batches, { optimizer: new u.Adam(model, { lr: 0.02 }), epochs: 12 }).done;
    const scores = model.evaluate(texts);
    expect(scores.loss).toBeLessThan(before.loss / 2);
    expect(scores.accuracy).toBeGreaterThan(0.9);
    expect(scores.confusion.total).toBe(texts.length);
    const found = model.predict("this film is superb");
    expect(found.label).toBe("good");
    expect(found.probabilities.map(({ label }) => label)).toEqual(["good", "bad"]);
    const again = u.TextClassifier.from(u.save(model), { core });
    expect(again.predict("this film is superb")).toEqual(found);
  });

  it("answers for texts of no length, of any length, of emoji and of unseen words, each by itself", () => {
    const odd = ["", "🦆🦆", "never seen", "fine ".repeat(30)];
    const together = model.predict(odd);
    odd.forEach((text, i) => {
      const alone = model.predict(text);
      expect(alone.probability).toBeCloseTo(together[i]!.probability, 5);
      expect(alone.probabilities.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 5);
    });
    const bias = [...model.head.bias!.toArray()];
    const empty = model.predict("").probabilities.map(({ probability }) => Math.log(probability));
    if (pooling !== "last") expect(empty[0]! - empty[1]!).toBeCloseTo(bias[0]! - bias[1]!, 4);
    expect(model.predict([])).toEqual([]);
  });
});

it("reads only the first maxLength tokens", () => {
  const options = {
    tokenizer: u.CharTokenizer.from("ab"),
    labels: ["x", "y"],
    cell: u.LSTM,
    hiddenSize: 3,
    maxLength: 4,
  };
  const model = new u.TextClassifier(options).init({ seed: 1, core });
  expect(model.predict("abab".repeat(250_000))).toEqual(model.predict("abab"));
});

it("weighs classes in the loss that is trained on", () => {
  const options = { tokenizer: u.CharTokenizer.from("ab"), labels: ["x", "y"], cell: u.LSTM, hiddenSize: 3 };
  const plain = new u.TextClassifier(options).init({ seed: 1, core });
  const weighted = new u.TextClassifier({ ...options, classWeights: [1, 3] }).init({ seed: 1, core });
  const [batch] = u.paddedBatches(
    plain.examples([
      { text: "ab", label: "x" },
      { text: "b", label: "y" },
    ]),
    { batchSize: 2 },
  );
  const each = ["x", "y"].map((label, i) => plain.evaluate([{ text: ["ab", "b"][i]!, label }]).loss);
  expect(weighted.run(() => weighted.loss(batch!).item())).toBeCloseTo((each[0]! + 3 * each[1]!) / 4, 5);
});

it("names what is wrong", () => {
  const base = { tokenizer: u.CharTokenizer.from("ab"), labels: ["x", "y"], cell: u.GRU, hiddenSize: 3 };
  expect(() => new u.TextClassifier({ ...base, labels: ["x"] })).toThrow(/labels/);
  expect(() => new u.TextClassifier({ ...base, pooling: "sum" as "max" })).toThrow(/pooling/);
  expect(() => new u.TextClassifier({ ...base, classWeights: [1] })).toThrow(u.ShapeError);
  const model = new u.TextClassifier(base).init({ core });
  expect(() => model.examples([{ text: "a", label: "z" }])).toThrow(/example 0: no label is "z"/);
  const vocabulary = new u.VocabularyTokenizer(["a"]);
  const tagger = new u.Tagger({ ...base, tokenizer: vocabulary }).init({ core });
  for (const [file, read] of [
    [u.save(tagger), u.TextClassifier],
    [u.save(model), u.Tagger],
  ] as const) {
    expect(() => read.from(file)).toThrow(/expected (TextClassifier|Tagger)/);
  }
  const config = { ...model.config(), pooling: "sum" };
  const broken = Object.assign(Object.create(model) as u.TextClassifier, { config: () => config });
  expect(() => u.TextClassifier.from(u.save(broken))).toThrow(/pooling of the TextClassifier is "sum"/);
});

describe("a classifier that starts from word vectors", () => {
  const tokenizer = u.WordTokenizer.from("fine dull long");
  const rows = tokenizer.tokens.flatMap((token, id) => (/[a-z]{2}/.test(token) ? [[token, id] as const] : []));
  const vectors = new u.WordVectors(
    rows.map(([token]) => token),
    Float32Array.from({ length: rows.length * 5 }, (_, i) => i / 7),
    5,
  );
  const build = (freezeEmbedding: boolean) =>
    new u.TextClassifier({
      tokenizer,
      labels: ["x", "y"],
      cell: u.GRU,
      hiddenSize: 6,
      wordDropout: 0.3,
      vectors,
      embeddingInitializer: u.constant(0.25),
      freezeEmbedding,
    }).init({ seed: 1, core });
  const texts = ["fine long fine", "dull long dull"].map((text, i) => ({ text, label: ["x", "y"][i]! }));
  const rowOf = (model: u.TextClassifier, id: number) => [
    ...model.embedding.weight.toArray().subarray(id * 5, id * 5 + 5),
  ];

  it.each([true, false])("which training leaves alone: %s", async (freeze) => {
    const model = build(freeze);
    for (const [word, id] of rows) expect(rowOf(model, id)).toEqual([...vectors.vector(word)]);
    expect(
      rowOf(
        model,
        tokenizer.tokens.findIndex((token) => !vectors.has(token)),
      ),
    ).toEqual(Array(5).fill(0.25));
    const before = model.embedding.weight.toArray();
    const batches = u.paddedBatches(model.examples(texts), { batchSize: 2 });
    await u.train(model, batches, { optimizer: new u.Adam(model, { lr: 0.05 }), epochs: 10 }).done;
    expect(before.every((value, i) => value === model.embedding.weight.toArray()[i])).toBe(freeze);
    const again = u.TextClassifier.from(u.save(model), { core });
    expect(again.embedding).toMatchObject({ embeddingSize: 5, dropout: 0.3 });
    expect(again.predict("fine dull")).toEqual(model.predict("fine dull"));
  });
});
