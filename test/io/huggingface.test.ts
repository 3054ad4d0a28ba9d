import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  Adam,
  CharTokenizer,
  GRU,
  HybridClassifier,
  LanguageModel,
  LoadError,
  LSTM,
  NaiveBayes,
  readModelFile,
  save,
  Tagger,
  TextClassifier,
  TokenizerError,
  TransformerLanguageModel,
  Translator,
  tokenizerFromJSON,
  train,
} from "../../ts/index.js";
import { huggingFaceReader, readTokenizer } from "../../ts/io/huggingface.js";
import { NASTY, randomNumbers } from "../text/strings.js";

type Case = [text: string, ids: number[], decoded: string];

/** Files, and what the Python package `tokenizers` encodes and decodes with them (test/fixtures/tokenizers/make.py). */
const fixture = JSON.parse(readFileSync("test/fixtures/tokenizers/encodings.json", "utf8")) as Record<
  string,
  { file: Record<string, unknown>; cases: Case[] }
>;
/** Pre-tokenizers, and what pieces they make of texts. */
const ways = JSON.parse(readFileSync("test/fixtures/tokenizers/pieces.json", "utf8")) as [
  way: object,
  cases: [text: string, pieces: string[]][],
][];
interface Parts {
  added_tokens: { id: number }[];
  model: { vocab: Record<string, number> };
  pre_tokenizer: { pretokenizers: { pattern: { Regex: string } }[] };
}
const fileOf = (name: string) => structuredClone(fixture[name]!.file) as unknown as Parts;

describe("readTokenizer", () => {
  it.each(Object.keys(fixture))("encodes and decodes as the library of Hugging Face: %s", async (name) => {
    const { file, cases } = fixture[name]!;
    const tokenizer = await readTokenizer(JSON.stringify(file));
    expect(cases.length).toBeGreaterThan(6);
    for (const [text, ids, decoded] of cases) {
      expect([...tokenizer.encode(text)], text).toEqual(ids);
      expect(tokenizer.decode(ids), text).toBe(decoded);
      const decoder = tokenizer.decoder();
      expect(ids.map((id) => decoder.push(id)).join("") + decoder.end(), text).toBe(decoded);
    }
  });

  it.each(ways)("cuts texts as the library of Hugging Face: %j", async (way, cases) => {
    const known = new Set(cases.flatMap(([, pieces]) => pieces));
    const vocab = Object.fromEntries(["[UNK]", ...known].map((piece, id) => [piece, id]));
    const model = { type: "WordLevel", vocab, unk_token: "[UNK]" };
    const tokenizer = await readTokenizer({
      model,
      pre_tokenizer: way,
      added_tokens: [],
      normalizer: null,
      post_processor: null,
      decoder: null,
    });
    for (const [text, pieces] of cases) {
      expect(
        [...tokenizer.encode(text)].map((id) => tokenizer.tokens[id]),
        text,
      ).toEqual(pieces);
    }
  });

  it("takes pieces and texts of any length with a Unigram model", async () => {
    const tokenizer = await readTokenizer(fixture["unigram"]!.file);
    const sentence = "it is a truth universally acknowledged ";
    const ids = tokenizer.encode(sentence.trimEnd());
    const whole = tokenizer.encode(sentence.repeat(10_000).trimEnd());
    expect(whole.length).toBe(10_000 * ids.length);
    expect(whole.every((id, i) => id === ids[i % ids.length])).toBe(true);
    // Without a space it is one piece.
    const piece = "ab".repeat(100_000);
    expect(tokenizer.decode(tokenizer.encode(piece)) === piece).toBe(true);
  });

  it("streams a character of several tokens when it is whole", async () => {
    const tokenizer = await readTokenizer(fixture["gpt2"]!.file);
    const ids = [...tokenizer.encode("\u{1f600}!")];
    expect(ids.length).toBeGreaterThan(3);
    const decoder = tokenizer.decoder();
    const pieces = ids.map((id) => decoder.push(id));
    expect(pieces.filter((piece) => piece !== "")).toEqual(["\u{1f600}", "!"]);
    decoder.push(ids[0]!);
    expect(decoder.end()).toBe("\ufffd");
    expect(decoder.end()).toBe("");
  });

  it("has the tokens of the file by id", async () => {
    const { file } = fixture["bert"]!;
    const tokenizer = await readTokenizer(file);
    const { vocab } = (file as { model: { vocab: Record<string, number> } }).model;
    expect(tokenizer.size).toBe(Object.keys(vocab).length);
    for (const [token, id] of Object.entries(vocab)) expect(tokenizer.tokens[id]).toBe(token);
    expect(() => tokenizer.decode([tokenizer.size])).toThrow(TokenizerError);
  });

  it("takes any text", async () => {
    for (const name of Object.keys(fixture)) {
      const tokenizer = await readTokenizer(fixture[name]!.file);
      for (const text of NASTY) expect(tokenizer.decode(tokenizer.encode(text)), name).toBeTypeOf("string");
    }
    const tokenizer = await readTokenizer(fixture["gpt4"]!.file);
    for (const text of ["a".repeat(100_000), " ".repeat(100_000), "\u{1f600}".repeat(20_000)]) {
      expect(tokenizer.decode(tokenizer.encode(text)) === text).toBe(true);
    }
  });

  it("makes language models that a file brings back", async () => {
    const tokenizer = await readTokenizer(fixture["gpt2"]!.file);
    const lm = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 5, embeddingSize: 4 }).init({ seed: 1 });
    const bytes = save(lm);
    expect(() => LanguageModel.from(bytes)).toThrow(/unrolled\/huggingface/);
    const again = LanguageModel.from(readModelFile(bytes, { tokenizers: [await huggingFaceReader()] }));
    expect([...again.tokenizer.encode("caf\u00e9 \u{1f600}")]).toEqual([...tokenizer.encode("caf\u00e9 \u{1f600}")]);
    expect(again.evaluate("a single man in want of a wife")).toBe(lm.evaluate("a single man in want of a wife"));
  });

  it("makes models of further tasks that a file brings back", async () => {
    const reader = await huggingFaceReader();
    const read = (bytes: Uint8Array) => readModelFile(bytes, { tokenizers: [reader] });
    const [gpt2, unigram] = [await readTokenizer(fixture["gpt2"]!.file), await readTokenizer(fixture["unigram"]!.file)];
    const pairs = [
      { source: "a single man", target: "un homme seul" },
      { source: "a wife", target: "une femme" },
    ];
    const sizes = { cell: GRU, hiddenSize: 16, embeddingSize: 12 };
    const translator = new Translator({ tokenizer: gpt2, targetTokenizer: unigram, ...sizes }).init({ seed: 1 });
    const batches = translator.batches(pairs, { batchSize: 2 });
    await train(translator, batches, { optimizer: new Adam(translator, { lr: 0.02 }), epochs: 200, clipGradNorm: 1 })
      .done;
    expect(translator.translateAll(pairs.map(({ source }) => source))).toEqual(pairs.map(({ target }) => target));
    const translated = save(translator);
    expect(Translator.from(read(translated)).translate("a wife")).toBe("une femme");
    const half = new Translator({ tokenizer: CharTokenizer.from("aw"), targetTokenizer: unigram, ...sizes }).init();
    expect(() => Translator.from(save(half))).toThrow(/targetTokenizer.*unrolled\/huggingface/);

    const labels = ["O", "B-thing"];
    for (const name of ["gpt2", "bert", "unigram", "wordLevel"]) {
      const tokenizer = await readTokenizer(fixture[name]!.file);
      const tagger = new Tagger({ tokenizer, labels, ...sizes, shapeSize: 2 }).init({ seed: 1 });
      const text = "It is a truth, caf\u00e9 \u{1f600}\u0000.";
      expect(Tagger.from(read(save(tagger))).predict(text)).toEqual(tagger.predict(text));
      expect(() => Tagger.from(save(tagger))).toThrow(/unrolled\/huggingface/);
    }

    const examples = [
      { text: "a single man", label: "one" },
      { text: "a wife", label: "two" },
    ];
    const bayes = NaiveBayes.from(examples, { tokenizer: gpt2, labels: ["one", "two"] });
    const network = new TextClassifier({ tokenizer: unigram, labels: ["one", "two"], ...sizes }).init({ seed: 1 });
    const hybrid = new HybridClassifier({ network, bayes });
    expect(HybridClassifier.from(read(save(hybrid))).predict("a man")).toEqual(hybrid.predict("a man"));
    expect(() => NaiveBayes.fromJSON(bayes.toJSON())).toThrow(LoadError);

    const transformer = new TransformerLanguageModel({ tokenizer: unigram, size: 8 }).init({ seed: 1 });
    expect(TransformerLanguageModel.from(read(save(transformer))).evaluate("a man")).toBe(
      transformer.evaluate("a man"),
    );
  });

  it("refuses what is no such file", async () => {
    for (const file of ["", "{", "[]", "null", "{}", '{"model":{}}', '{"model":{"vocab":{}},"added_tokens":{}}']) {
      await expect(readTokenizer(file)).rejects.toThrow(TokenizerError);
    }
    const reader = await huggingFaceReader();
    expect(() => tokenizerFromJSON({ kind: "huggingface", file: 1 }, [reader])).toThrow(TokenizerError);
    expect(() => reader.fromJSON({ kind: "char" })).toThrow(TokenizerError);
  });

  it("refuses ids that would make it large, and patterns that could take for ever", async () => {
    const far = fileOf("gpt2");
    far.added_tokens[0]!.id = 2 ** 31;
    await expect(readTokenizer(far)).rejects.toThrow(/id 2147483648, with \d+ tokens/);
    const negative = fileOf("gpt2");
    negative.model.vocab["a"] = -1;
    await expect(readTokenizer(negative)).rejects.toThrow(TokenizerError);
    const marked = fileOf("metaspace");
    Object.assign(marked.pre_tokenizer, { replacement: "" });
    await expect(readTokenizer(marked)).rejects.toThrow(/replacement of Metaspace/);
    for (const Regex of ["(a+)+b", "(?:a|a)*b", "([a-z]+)*$", "(a|aa){2,}c"]) {
      const slow = fileOf("gpt4");
      slow.pre_tokenizer.pretokenizers[0]!.pattern = { Regex };
      await expect(readTokenizer(slow)).rejects.toThrow(/repeats a group without bound/);
    }
    const harmless = fileOf("gpt4");
    harmless.pre_tokenizer.pretokenizers[0]!.pattern = { Regex: "[()+*]+|\\(\\)+|(?:a|b)?" };
    expect((await readTokenizer(harmless)).size).toBe(330);
  });

  it("throws its own errors only, whatever the file holds", async () => {
    const random = randomNumbers(3);
    const values = [null, 0, -1, 1e9, "", "a", [], {}, true, [[]], "\ud800", [["a", 1]]];
    let refused = 0;
    for (let round = 0; round < 300; round++) {
      const names = Object.keys(fixture);
      const file = fileOf(names[round % names.length]!);
      // Something in the file, anywhere but among the hundreds of tokens, becomes something else.
      let part = file as unknown as Record<string, unknown>;
      for (;;) {
        const keys = Object.keys(part);
        const key = keys[Math.floor(random() * keys.length)]!;
        const inner = part[key];
        if (typeof inner === "object" && inner !== null && Object.keys(inner).length > 0 && random() < 0.6) {
          part = inner as Record<string, unknown>;
        } else {
          part[key] = values[Math.floor(random() * values.length)];
          break;
        }
      }
      try {
        const tokenizer = await readTokenizer(file);
        tokenizer.decode(tokenizer.encode("It is a truth, caf\u00e9 \u{1f600}."));
      } catch (error) {
        expect(error).toBeInstanceOf(TokenizerError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(20);
    expect(refused).toBeLessThan(290);
  });
});
