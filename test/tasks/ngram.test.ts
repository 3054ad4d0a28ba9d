/** N-gram models against Kneser-Ney smoothing as Chen & Goodman 1999 write it, over sentences and in plain maps. */
import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";
import { numbers } from "../tensor/reference.js";

const core = u.createCore();
const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const tokenizer = u.CharTokenizer.from(`${letters}.`);
const end = tokenizer.encode(".")[0]!;

/** Sentences of letters, each mostly the next one, or a frequent one; every sentence ends with a full stop. */
function sentences(count: number, seed: number): string[] {
  const draws = numbers(count * 40, seed, 0, 1);
  let at = 0;
  return Array.from({ length: count }, () => {
    let [sentence, letter] = ["", 0];
    while (draws[at++]! > 0.12 && sentence.length < 18) {
      letter = draws[at++]! < 0.5 ? (letter + 1) % letters.length : Math.floor(draws[at++]! ** 6 * letters.length);
      sentence += letters[letter];
    }
    return `${sentence}.`;
  });
}

/** p(w | h) by the definition. Sentences are padded in front with their end, as `<s>`. */
function kneserNey(texts: readonly string[], order: number, modified: boolean, bounded: boolean) {
  const lines = bounded ? texts.map((text) => `.${text}`) : [texts.join("")];
  const grams = new Map<string, number>();
  for (const line of lines) {
    for (let from = 0; from < line.length; from++) {
      for (let to = from + 1; to <= Math.min(line.length, from + order); to++) {
        // The end in front is a context, but nothing that is predicted.
        if (bounded && from === 0 && to === 1) continue;
        const gram = line.slice(from, to);
        grams.set(gram, (grams.get(gram) ?? 0) + 1);
      }
    }
  }
  const before = new Map<string, Set<string>>();
  for (const gram of grams.keys()) {
    const shorter = gram.slice(1);
    before.set(shorter, (before.get(shorter) ?? new Set()).add(gram[0]!));
  }
  const count = (gram: string): number => {
    const padded = bounded && gram.startsWith(".") && gram.length > 1;
    return (gram.length === order || padded ? grams.get(gram) : before.get(gram)?.size) ?? 0;
  };
  const counts = new Map([...grams.keys()].map((gram) => [gram, count(gram)]));
  const discount = (length: number, c: number): number => {
    if (c === 0) return 0;
    const n = [1, 2, 3, 4].map(
      (wanted) => [...counts].filter(([gram, value]) => gram.length === length && value === wanted).length,
    );
    const [n1, n2, n3, n4] = n as [number, number, number, number];
    const Y = n1 / (n1 + 2 * n2);
    if (!modified) return Y > 0 && Y < 1 ? Y : 0.5;
    const D = [1 - 2 * Y * (n2 / n1), 2 - 3 * Y * (n3 / n2), 3 - 4 * Y * (n4 / n3)];
    const valid = D.every((d, i) => d > 0 && d <= i + 1);
    return (valid ? D : [0.5, 1, 1.5])[Math.min(c, 3) - 1]!;
  };
  const words = [...`${letters}.`];
  const discounts = Array.from({ length: order + 1 }, (_, length) => [0, 1, 2, 3].map((c) => discount(length, c)));
  const D = (length: number, c: number) => discounts[length]![Math.min(c, 3)]!;
  const p = (word: string, context: string): number => {
    const lower = context === "" ? 1 / words.length : p(word, context.slice(1));
    const c = (w: string) => counts.get(context + w) ?? 0;
    const total = words.reduce((sum, w) => sum + c(w), 0);
    if (total === 0) return lower;
    const length = context.length + 1;
    const saved = words.reduce((sum, w) => sum + D(length, c(w)), 0);
    return (c(word) - D(length, c(word)) + saved * lower) / total;
  };
  return { words, p, discounts };
}

describe.each([
  [1, true, true],
  [2, false, true],
  [3, true, true],
  [4, true, false],
  [4, false, true],
] as const)("order %i, three discounts: %s, sentences: %s", (order, modified, bounded) => {
  const training = sentences(300, 4);
  const model = new u.NGramModel({ tokenizer, order, modified, boundary: bounded ? end : undefined });
  model.fit(training.join(""));
  const { words, p, discounts } = kneserNey(training, order, modified, bounded);
  const held = sentences(5, 9);

  it("has the probabilities of the definition, which sum to one", () => {
    // Real discounts, not those of texts that are too short.
    if (order > 1) expect(discounts[order]![1]).not.toBe(0.5);
    for (const sentence of held) {
      for (let at = 1; at <= sentence.length; at++) {
        const whole = `.${sentence.slice(0, at - 1)}`;
        const context = whole.slice(Math.max(0, whole.length - order + 1));
        const found = model.probabilities(whole);
        expect(found.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 12);
        for (const word of words) {
          const [id] = tokenizer.encode(word);
          expect(found[id!], `p(${word} | ${whole})`).toBeCloseTo(p(word, order === 1 ? "" : context), 12);
          expect(model.probability(id!, whole)).toBeCloseTo(found[id!]!, 14);
        }
      }
    }
  });

  it("evaluates a text by them", () => {
    const text = `.${held.join("")}`;
    let total = 0;
    for (let at = 1; at < text.length; at++) {
      const before = text.slice(bounded ? text.lastIndexOf(".", at - 1) : 0, at);
      total -= Math.log(p(text[at]!, order === 1 ? "" : before.slice(Math.max(0, before.length - order + 1))));
    }
    expect(model.evaluate(text)).toBeCloseTo(total / (text.length - 1), 10);
    // A guess is ln 53 = 3.97 nats.
    if (order > 1) expect(model.evaluate(text)).toBeLessThan(3);
  });
});

describe("a fitted model", () => {
  const model = new u.NGramModel({ tokenizer, order: 4, boundary: end }).fit(sentences(300, 4).join(""));

  it("gives logits in parts as in the whole, and continues texts as recurrent models do", () => {
    const ids = tokenizer.encode("abc.defabcd.ab");
    const whole = model.run((m) => m.forward(new u.Ids(ids.slice(), [2, 7])).logits);
    const V = tokenizer.size;
    expect(whole.shape).toEqual([2, 7, V]);
    const parts = model.run((m) => {
      const at = (from: number, to: number) =>
        new u.Ids(Int32Array.from([...ids.slice(from, to), ...ids.slice(7 + from, 7 + to)]), [2, to - from]);
      const first = m.forward(at(0, 3));
      const second = m.forward(at(3, 7), { state: first.state });
      return [first.logits, second.logits];
    });
    const row = (t: number) =>
      t < 3 ? parts[0]!.data.slice(V * t, V * (t + 1)) : parts[1]!.data.slice(V * (t - 3), V * (t - 2));
    for (let t = 0; t < 7; t++) {
      expect(whole.data.slice(V * t, V * (t + 1))).toEqual(row(t));
      const expected = model.probabilities(ids.slice(0, t + 1));
      whole.data.slice(V * t, V * (t + 1)).forEach((logit, k) => expect(Math.exp(logit)).toBeCloseTo(expected[k]!, 6));
    }
    const text = [...u.generate(model, "ab", { seed: 3, maxTokens: 60 })].join("");
    expect(text).toHaveLength(60);
    expect([...u.generate(model, "ab", { seed: 3, maxTokens: 60 })].join("")).toBe(text);
    // Most letters are followed by the next one.
    const next = [...text].filter((letter, i) => letters.indexOf(letter) === letters.indexOf(text[i - 1]!) + 1);
    expect(next.length).toBeGreaterThan(12);
    const measured = u.surprisal(model, "abc", { context: "." });
    [..."abc"].forEach((letter, i) => {
      const p = model.probability(tokenizer.encode(letter)[0]!, `.${"abc".slice(0, i)}`);
      expect(measured.bits[i]).toBeCloseTo(-Math.log2(p), 5);
    });
  });

  it("is the same after saving", () => {
    const bytes = u.save(model);
    const again = u.NGramModel.from(bytes, { core });
    expect(again.core).toBe(core);
    expect([again.order, again.boundary, again.modified]).toEqual([4, end, true]);
    expect(again.evaluate("abcdefg.abba.")).toBe(model.evaluate("abcdefg.abba."));
    expect(u.save(again)).toEqual(bytes);
  });

  it("refuses files that are not its own", () => {
    const file = (config: object, data: Int32Array | Float32Array = Int32Array.of(1, 2, 3)) =>
      u.writeSafetensors(
        [["tokens", { data, shape: [data.length] }]],
        [["unrolled", JSON.stringify({ version: 1, kind: "NGramModel", tokenizer: tokenizer.toJSON(), config })]],
      );
    expect(u.NGramModel.from(file({ order: 2 })).order).toBe(2);
    expect(() => u.NGramModel.from(file({ order: 1e9 }))).toThrow(u.LoadError);
    expect(() => u.NGramModel.from(file({ order: 0 }))).toThrow(u.LoadError);
    expect(() => u.NGramModel.from(file({ boundary: tokenizer.size }))).toThrow(u.LoadError);
    expect(() => u.NGramModel.from(file({}, Int32Array.of(0, tokenizer.size)))).toThrow(u.LoadError);
    expect(() => u.NGramModel.from(file({}, Int32Array.of(0, -1)))).toThrow(u.LoadError);
    expect(() => u.NGramModel.from(file({}, Float32Array.of(0, 1)))).toThrow(u.LoadError);
    const other = new u.LanguageModel({ tokenizer, cell: u.RNN, hiddenSize: 2 }).init({ core });
    expect(() => u.NGramModel.from(u.save(other))).toThrow(u.LoadError);
    expect(() => new u.NGramModel({ tokenizer, order: 1.5 })).toThrow(u.ArgumentError);
    expect(() => model.probability(tokenizer.size, "a")).toThrow(u.ArgumentError);
  });
});

describe("texts of any kind", () => {
  it("of no length leave every token as probable as any other", () => {
    for (const boundary of [undefined, end]) {
      const model = new u.NGramModel({ tokenizer, boundary });
      expect([...model.probabilities("")].every((p) => Math.abs(p - 1 / tokenizer.size) < 1e-15)).toBe(true);
      expect(model.fit("").evaluate("ab")).toBeCloseTo(Math.log(tokenizer.size), 12);
      expect(() => model.evaluate("a")).toThrow(u.DataError);
    }
  });

  it("of words that were never seen, and of emoji", () => {
    const words = u.VocabularyTokenizer.from(["the cat sat", "the dog 🐕 sat"], { split: "spaces" });
    const model = new u.NGramModel({ tokenizer: words, order: 3 }).fit(words.encode("the cat sat the dog 🐕 sat"));
    const following = (text: string) => model.probabilities(text);
    expect(following("zebra 🦓").reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
    expect(following("zebra 🦓")).toEqual(following("yak"));
    expect(following("dog")[words.encode("🐕")[0]!]).toBeGreaterThan(0.3);
    expect(model.evaluate("the zebra 🦓 sat")).toBeGreaterThan(model.evaluate("the dog 🐕 sat"));
  });

  it("of a million characters", () => {
    const text = sentences(300, 4).join("").repeat(400).slice(0, 1_000_000);
    const model = new u.NGramModel({ tokenizer, order: 2 }).fit(text);
    expect(model.evaluate(text)).toBeLessThan(3);
  });
});
