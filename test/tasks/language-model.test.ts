import { describe, expect, it } from "vitest";
import { createCore } from "../../ts/core/core.js";
import { type Batch, lanes } from "../../ts/data/lanes.js";
import { ArgumentError, LoadError } from "../../ts/errors.js";
import { generate } from "../../ts/infer/generate.js";
import { save } from "../../ts/io/model-file.js";
import { writeSafetensors } from "../../ts/io/safetensors.js";
import { GRU } from "../../ts/nn/gru.js";
import { uniform } from "../../ts/nn/initializers.js";
import { LSTM } from "../../ts/nn/lstm.js";
import { RNN } from "../../ts/nn/rnn.js";
import { CarriedState } from "../../ts/nn/state.js";
import { LanguageModel } from "../../ts/tasks/language-model.js";
import { Ids } from "../../ts/tensor/ids.js";
import { CharTokenizer } from "../../ts/text/char-tokenizer.js";
import { WordTokenizer } from "../../ts/text/word-tokenizer.js";
import { AdamW } from "../../ts/train/adamw.js";
import { train } from "../../ts/train/loop.js";

const text = "the quick brown fox jumps over the lazy dog. ".repeat(40);
const tokenizer = CharTokenizer.from(text);

describe("LanguageModel", () => {
  it("has PyTorch's names", () => {
    const names = (options: object) =>
      new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 3, ...options }).namedParameters().map(([name]) => name);
    const layer = (k: number) => ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map((name) => `rnn.${name}_l${k}`);
    expect(names({})).toEqual([...layer(0), "head.weight", "head.bias"]);
    expect(names({ embeddingSize: 2, numLayers: 2 })).toEqual([
      "embedding.weight",
      ...layer(0),
      ...layer(1),
      "head.weight",
      "head.bias",
    ]);
  });

  it("learns a sentence by heart, says it, and comes back from its file", async () => {
    const model = new LanguageModel({ tokenizer, cell: GRU, hiddenSize: 48, embeddingSize: 16 }).init({ seed: 1 });
    const data = lanes(tokenizer.encode(text), { batchSize: 8, seqLen: 24, validation: 0.1 });
    const optimizer = new AdamW(model, { lr: 0.01 });
    const end = await train(model, data.train, { optimizer, clipGradNorm: 5, updates: 250, valid: data.valid }).done;
    expect(end.validLoss).toBeLessThan(0.2);
    const say = (speaker: LanguageModel) =>
      [...generate(speaker, "the quick", { temperature: 0, maxTokens: 36 })].join("");
    expect(say(model)).toBe(" brown fox jumps over the lazy dog. ");
    const again = LanguageModel.from(save(model));
    expect(say(again)).toBe(say(model));
    expect(again.evaluate(text)).toBe(model.evaluate(text));
  });

  it("learns the same with recomputation, which is not in its file", () => {
    const [whole, parts] = [undefined, 4].map((recompute) => {
      const options = { tokenizer, cell: LSTM, hiddenSize: 9, numLayers: 2, dropout: 0.2, recompute };
      const model = new LanguageModel(options).init({ seed: 3 });
      expect(model.rnn.recompute).toBe(recompute ?? 0);
      const [batch] = lanes(tokenizer.encode(text), { batchSize: 3, seqLen: 11 }).train;
      const optimizer = new AdamW(model, { lr: 0.01 });
      const file = save(model);
      const update = () => optimizer.update(() => model.loss(batch as Batch, new CarriedState())).loss;
      return { file, losses: [update(), update(), update()] };
    });
    expect(parts?.file).toEqual(whole?.file);
    expect(parts?.losses[0]).toBe(whole?.losses[0]);
    parts?.losses.forEach((loss, i) => expect(loss).toBeCloseTo(whole?.losses[i] as number, 5));
  });

  it("evaluates exactly", () => {
    const model = new LanguageModel({ tokenizer, cell: RNN, hiddenSize: 6 }).init({
      seed: 2,
      initializer: uniform(-1, 1),
    });
    const sample = text.slice(0, 300);
    const tokens = tokenizer.encode(sample);
    // From the definition, in 64 bits, of the logits of the whole text.
    const { data } = model.run(() => model.forward(new Ids(tokens, [1, tokens.length])).logits);
    const V = tokenizer.size;
    let total = 0;
    for (let t = 0; t + 1 < tokens.length; t++) {
      const row = [...data.subarray(t * V, t * V + V)];
      total += Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0)) - row[tokens[t + 1]!]!;
    }
    const expected = total / (tokens.length - 1);
    expect(model.evaluate(sample)).toBeCloseTo(expected, 5);
    expect(model.evaluate(tokens)).toBe(model.evaluate(sample));
    // Lanes lack context at their starts, which changes little here and covers the padding.
    expect(Math.abs(model.evaluate(sample, { batchSize: 7 }) - expected)).toBeLessThan(0.1);
  });

  it("keeps the state from batch to batch unless the data say otherwise", async () => {
    const model = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 4 }).init({
      seed: 5,
      initializer: uniform(-2, 2),
    });
    const data = lanes(tokenizer.encode(text.slice(0, 61)), { batchSize: 1, seqLen: 20 });
    const optimizer = new AdamW(model, { lr: 0 });
    const losses: number[] = [];
    for await (const event of train(model, data.train, { optimizer, epochs: 2 })) {
      if (event.kind === "update") losses.push(event.loss);
    }
    // With rate 0 the epochs are the same, and together they are the whole text read once.
    expect(losses.slice(3)).toEqual(losses.slice(0, 3));
    const mean = (losses[0]! + losses[1]! + losses[2]!) / 3;
    expect(model.evaluate(text.slice(0, 61))).toBeCloseTo(mean, 5);
  });

  it("takes no more memory however long it trains", async () => {
    const core = createCore();
    const model = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 8, numLayers: 2, dropout: 0.1 }).init({
      core,
    });
    const data = lanes(tokenizer.encode(text), { batchSize: 4, seqLen: 10, validation: 0.1 });
    const optimizer = new AdamW(model);
    const used: number[][] = [];
    for await (const { kind } of train(model, data.train, {
      optimizer,
      clipGradNorm: 1,
      updates: 2000,
      valid: data.valid,
      validEvery: 100,
      reportEvery: 100,
    })) {
      if (kind === "valid") used.push([core.persistentBytes, core.raw.memory.buffer.byteLength, core.arenaUsed]);
    }
    expect(new Set(used.map(String)).size).toBe(1);
    expect(used.length).toBe(20);
  });

  it("trains one bias on request, the other stays zero", () => {
    const model = new LanguageModel({ tokenizer, cell: RNN, hiddenSize: 4, numLayers: 2, singleBias: true });
    model.init({ seed: 1, initializer: uniform(-1, 1) });
    const optimizer = new AdamW(model, { lr: 0.1 });
    const batch = lanes(tokenizer.encode(text), { batchSize: 2, seqLen: 5 }).train.batch(0);
    optimizer.update(() => model.loss(batch, new CarriedState()));
    const dict = model.stateDict();
    for (const layer of [0, 1]) {
      expect([...dict.get(`rnn.bias_hh_l${layer}`)!.data]).toEqual([0, 0, 0, 0]);
      expect(optimizer.stateDict().steps.has(`rnn.bias_ih_l${layer}`)).toBe(true);
      expect(optimizer.stateDict().steps.has(`rnn.bias_hh_l${layer}`)).toBe(false);
    }
  });

  it("ties its weights on request", () => {
    const model = new LanguageModel({
      tokenizer,
      cell: LSTM,
      hiddenSize: 6,
      embeddingSize: 6,
      tieWeights: true,
    }).init();
    expect(model.head.weight).toBe(model.embedding!.weight);
    expect(LanguageModel.from(save(model)).stateDict()).toEqual(model.stateDict());
    expect(() => new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 6, tieWeights: true })).toThrow(ArgumentError);
  });

  it("works with words", () => {
    const words = WordTokenizer.from(text);
    const model = new LanguageModel({ tokenizer: words, cell: GRU, hiddenSize: 4, embeddingSize: 3 }).init({ seed: 1 });
    const again = LanguageModel.from(save(model));
    expect([...generate(again, "the \u{1f600}", { maxTokens: 10, seed: 2 })].join("")).toBe(
      [...generate(model, "the \u{1f600}", { maxTokens: 10, seed: 2 })].join(""),
    );
  });
});

describe("LanguageModel.from", () => {
  const good = new LanguageModel({ tokenizer: CharTokenizer.from("abc"), cell: LSTM, hiddenSize: 2 }).init({ seed: 1 });
  /** What becomes of a file with these changes to its description. */
  const category = (change: object, config: object = {}) => {
    const own = { version: 1, kind: "LanguageModel", tokenizer: good.tokenizer.toJSON() };
    const description = { ...own, config: { ...good.config(), ...config }, ...change };
    const bytes = writeSafetensors(good.stateDict(), [["unrolled", JSON.stringify(description)]]);
    const core = createCore();
    const before = core.persistentBytes;
    try {
      LanguageModel.from(bytes, { core });
      return "accepted";
    } catch (error) {
      expect(core.persistentBytes).toBe(before);
      return error instanceof LoadError ? error.category : String(error);
    }
  };

  it("refuses other kinds and impossible configurations, without taking memory", () => {
    expect(category({})).toBe("accepted");
    expect(category({ kind: "Classifier" })).toBe("foreign");
    expect(category({ tokenizer: undefined })).toBe("value");
    for (const config of [
      { cell: "__proto__" },
      { hiddenSize: "2" },
      { hiddenSize: undefined },
      { hiddenSize: -1 },
      { numLayers: 1e9 },
      { dropout: 7 },
      { tieWeights: true },
      { singleBias: 1 },
    ]) {
      expect(category({}, config)).toBe("value");
    }
    expect(category({}, { hiddenSize: 1e9 })).toBe("shape");
    expect(category({}, { numLayers: 2 })).toBe("missing_tensor");
  });

  it("refuses a PyTorch file with a clear word", () => {
    expect(() => LanguageModel.from(writeSafetensors(good.stateDict()))).toThrow(/another program/);
  });
});
