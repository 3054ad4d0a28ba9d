/** Translators: they learn, are saved, and answer whatever comes. */
import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";

const core = u.createCore();
const nouns = [
  ["cat", "chat"],
  ["dog", "chien"],
  ["bird", "oiseau"],
] as const;
const verbs = [
  ["sees", "voit"],
  ["has", "a"],
  ["eats", "mange"],
] as const;
const pairs: u.TextPair[] = nouns.flatMap(([subject, sujet]) =>
  verbs.flatMap(([verb, verbe]) =>
    nouns.map(([object, objet]) => ({
      source: `the ${subject} ${verb} the ${object}`,
      target: `le ${sujet} ${verbe} le ${objet}`,
    })),
  ),
);
const tokenizer = u.WordTokenizer.from(pairs.map(({ source }) => source));
const targetTokenizer = u.WordTokenizer.from(pairs.map(({ target }) => target));
const base = { tokenizer, targetTokenizer, cell: u.GRU, hiddenSize: 24, embeddingSize: 12 };

const kinds: readonly [string, Partial<u.TranslatorOptions>][] = [
  ["Cho", { contextAtEveryStep: true, tieWeights: true, labelSmoothing: 0.05 }],
  ["Luong with input feeding", { attention: u.GeneralAttention, inputFeeding: true, bidirectional: true }],
  ["Bahdanau with scheduled sampling", { attention: u.AdditiveAttention, attend: "before", teacherForcing: 0.9 }],
];

describe.each(kinds)("%s", (_, options) => {
  const model = new u.Translator({ ...base, ...options }).init({ seed: 1, core });

  it("learns, and a file of it translates the same", async () => {
    const batches = model.batches(pairs, { batchSize: 9, seed: 1 });
    await u.train(model, batches, { optimizer: new u.Adam(model, { lr: 0.01 }), epochs: 250, clipGradNorm: 5 }).done;
    const { exact, bleu, loss } = model.evaluate(pairs);
    expect(exact).toBeGreaterThan(0.9);
    expect(bleu.score).toBeGreaterThan(90);
    expect(loss).toBeLessThan(0.3);
    const texts = pairs.map(({ source }) => source);
    const again = u.Translator.from(u.save(model), { core });
    expect(again.translateAll(texts)).toEqual(model.translateAll(texts));
    // Greedy search one by one, and beams: the same model, by another way.
    expect(texts.slice(0, 3).map((text) => model.translate(text))).toEqual(model.translateAll(texts.slice(0, 3)));
    const best = model.hypotheses(texts[4]!, { beamWidth: 3 });
    expect(best).toHaveLength(3);
    expect(best[0]!.text).toBe(pairs[4]!.target);
    // What the search multiplied is what teacher forcing gives, for each of them.
    for (const { text, logProbability } of best) {
      const [batch] = model.batches([{ source: texts[4]!, target: text }], { batchSize: 1 });
      expect(logProbability).toBeCloseTo(-batch!.count * (model.run(() => model.loss(batch!).item()) as number), 3);
    }
    // Side by side with shorter and longer ones.
    const mixed = ["the cat", ...texts.slice(0, 4), "dog", ""];
    expect(model.translateAll(mixed, { beamWidth: 3, maxTokens: 12 })).toEqual(
      mixed.map((text) => model.translate(text, { beamWidth: 3, maxTokens: 12 })),
    );
  });

  it("answers for no text, unseen words and emoji", () => {
    const odd = ["", "zebra", "🦆".repeat(50)];
    expect(model.translateAll(odd, { maxTokens: 6 })).toEqual(
      odd.map((text) => model.translate(text, { maxTokens: 6 })),
    );
    expect(model.translateAll([])).toEqual([]);
  });
});

it("shows where it looks", () => {
  const model = new u.Translator({ ...base, attention: u.DotAttention, window: 2 }).init({ seed: 1, core });
  const { weights, source, target } = model.alignment(pairs[0]!);
  expect(weights.shape).toEqual([target.length, source.length]);
  expect(source).toEqual(["the", " cat", " sees", " the", " cat", "<end>"]);
  expect(target.at(-1)).toBe("<end>");
  const none = new u.Translator(base).init({ core });
  expect(() => none.alignment(pairs[0]!)).toThrow(/attention/);
});

it("puts the word it looks at where it knows none", () => {
  const words = u.VocabularyTokenizer.from("the cat sees it");
  const model = new u.Translator({ ...base, tokenizer: words, targetTokenizer: words, attention: u.DotAttention });
  model.init({ seed: 4, core, initializer: u.uniform(-1, 1) });
  const bias = model.network.head.bias!;
  bias.write(Float32Array.from({ length: bias.size }, (_, id) => (id === words.unknown ? 99 : 0)));
  const source = "the Zoe sees Yves";
  const { weights } = model.alignment({ source, target: "<unk> <unk> <unk>" });
  const most = [0, 1, 2].map((step) => {
    const row = [...weights.data.subarray(step * 5, step * 5 + 4)];
    return source.split(" ")[row.indexOf(Math.max(...row))];
  });
  expect(model.translate(source, { maxTokens: 3 })).toBe(most.join(" "));
  const blind = new u.Translator({ ...base, tokenizer: words, targetTokenizer: words }).init({ core });
  blind.network.head.bias!.write(bias.toArray());
  expect(blind.translate(source, { maxTokens: 2 })).toBe("<unk> <unk>");
});

it("reads the first tokens of a text of any length", () => {
  const model = new u.Translator({ ...base, attention: u.DotAttention, maxLength: 50 }).init({ seed: 1, core });
  const long = "the cat ".repeat(125_000);
  expect(model.translate(long, { maxTokens: 5 })).toBe(model.translate("the cat ".repeat(25), { maxTokens: 5 }));
});

it("names what is wrong", () => {
  expect(() => new u.Translator({ ...base, window: 2 })).toThrow(/window/);
  expect(() => new u.Translator({ ...base, teacherForcing: 2 })).toThrow(/teacherForcing/);
  expect(() => new u.Translator({ ...base, labelSmoothing: -1 })).toThrow(/labelSmoothing/);
  const model = new u.Translator(base).init({ core });
  expect(() => model.translate("a", { beamWidth: 0 })).toThrow(/beamWidth/);
  expect(() => model.translateAll(["a"], { maxTokens: 0 })).toThrow(/maxTokens/);
  const broken = Object.assign(Object.create(model) as u.Translator, {
    config: () => ({ ...model.config(), targetTokenizer: 3 }),
  });
  expect(() => u.Translator.from(u.save(broken))).toThrow(/targetTokenizer/);
});
