import { describe, expect, it } from "vitest";
import { createCore } from "../../ts/core/core.js";
import { type Batch, lanes } from "../../ts/data/lanes.js";
import { ArgumentError, LoadError } from "../../ts/errors.js";
import { generate } from "../../ts/infer/generate.js";
import { save } from "../../ts/io/model-file.js";
import { writeSafetensors } from "../../ts/io/safetensors.js";
import { GRU } from "../../ts/nn/gru.js";
import { constant, uniform } from "../../ts/nn/initializers.js";
import { LSTM } from "../../ts/nn/lstm.js";
import { RNN } from "../../ts/nn/rnn.js";
import { CarriedState } from "../../ts/nn/state.js";
import { LanguageModel } from "../../ts/tasks/language-model.js";
import { Ids } from "../../ts/tensor/ids.js";
import type { Parameter } from "../../ts/tensor/parameter.js";
import { gradients } from "../../ts/tensor/record.js";
import { sum } from "../../ts/tensor/reduce.js";
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

  it("adds smoothing and penalties while it trains, and only then", () => {
    const factors = { labelSmoothing: 0.1, activationPenalty: 1.5, temporalActivationPenalty: 0.7 };
    const model = new LanguageModel({ tokenizer, cell: GRU, hiddenSize: 6, embeddingSize: 5, ...factors });
    model.init({ seed: 3, initializer: uniform(-1, 1) });
    const [batch] = lanes(tokenizer.encode(text), { batchSize: 3, seqLen: 4 }).train as Iterable<Batch> as [Batch];
    const { output, logits } = model.run((m) => ({
      output: m.rnn.forward(m.embedding!.forward(batch.inputs)).output,
      logits: m.forward(batch.inputs).logits,
    }));
    // In 64 bits: Szegedy et al. 2016 for the smoothing, Merity et al. 2017 for the penalties.
    const V = tokenizer.size;
    let [plain, smooth] = [0, 0];
    batch.targets.data.forEach((target, i) => {
      const row = [...logits.data.subarray(i * V, i * V + V)];
      const total = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
      plain += (total - row[target]!) / 12;
      smooth += row.reduce((sum, logit) => sum + total - logit, 0) / V / 12;
    });
    const h = (b: number, t: number, k: number) => output.data[(b * 4 + t) * 6 + k]!;
    let [squares, changes] = [0, 0];
    for (let b = 0; b < 3; b++)
      for (let t = 0; t < 4; t++)
        for (let k = 0; k < 6; k++) {
          squares += h(b, t, k) ** 2 / 72;
          if (t > 0) changes += (h(b, t, k) - h(b, t - 1, k)) ** 2 / 54;
        }
    const expected = 0.9 * plain + 0.1 * smooth + 1.5 * squares + 0.7 * changes;
    const trained = new AdamW(model, { lr: 0 }).update(() => model.loss(batch, new CarriedState())).loss;
    expect(trained).toBeCloseTo(expected, 5);
    expect(model.run(() => model.loss(batch, new CarriedState()).item())).toBeCloseTo(plain, 5);
  });

  it.each([true, false])("drops with one mask a sequence when that is locked: %s", (lockedDropout) => {
    const few = CharTokenizer.from("abcdefgh");
    const size = few.size;
    const model = new LanguageModel({ tokenizer: few, cell: RNN, hiddenSize: size, dropout: 0.5, lockedDropout });
    model.init({ initializer: constant(0) });
    // Outputs of tanh 1 everywhere, which the head shows as they are.
    (model.rnn["bias_ih_l0"] as Parameter).write(new Float32Array(size).fill(1));
    model.head.weight.write(Float32Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0)));
    const ids = new Ids(new Int32Array(30), [3, 10]);
    let seen: Float32Array = new Float32Array();
    gradients(() => {
      const { logits } = model.forward(ids);
      seen = logits.toArray();
      return sum(logits);
    });
    const kept = 2 * Math.tanh(1);
    for (const value of seen) expect(value === 0 || Math.abs(value - kept) < 1e-5).toBe(true);
    const masks = Array.from({ length: 30 }, (_, row) => seen.slice(row * size, (row + 1) * size).join());
    const different = [0, 1, 2].map((b) => new Set(masks.slice(b * 10, b * 10 + 10)).size);
    if (lockedDropout) expect([different, new Set(masks).size]).toEqual([[1, 1, 1], 3]);
    else expect(Math.min(...different)).toBeGreaterThan(5);
  });

  it("hands the other options of AWD-LSTM on, and to its file", () => {
    const options = {
      ...{ tokenizer, cell: LSTM, hiddenSize: 7, numLayers: 2, embeddingSize: 7, tieWeights: true, dropout: 0.4 },
      ...{ inputDropout: 0.3, lockedDropout: true, embeddingDropout: 0.1, weightDropout: 0.5 },
      ...{ labelSmoothing: 0.05, activationPenalty: 2, temporalActivationPenalty: 1 },
    };
    const model = new LanguageModel(options).init({ seed: 1 });
    const again = LanguageModel.from(save(model));
    for (const { rnn, embedding, inputDropout } of [model, again]) {
      expect(rnn).toMatchObject({ weightDropout: 0.5, dropout: 0.4, lockedDropout: true });
      expect([embedding?.dropout, inputDropout]).toEqual([0.1, 0.3]);
    }
    expect(again.config()).toEqual(model.config());
    // Trained alike: each of them has its part in the update.
    const batch = lanes(tokenizer.encode(text), { batchSize: 3, seqLen: 9 }).train.batch(0);
    const losses = [model, again].map((lm) => {
      const optimizer = new AdamW(lm, { seed: 2 });
      return [1, 2].map(() => optimizer.update(() => lm.loss(batch, new CarriedState())).loss);
    });
    expect(losses[0]).toEqual(losses[1]);
    const names = ["inputDropout", "embeddingDropout", "weightDropout", "labelSmoothing", "activationPenalty"] as const;
    for (const name of [...names, "temporalActivationPenalty"] as const) {
      const without = new LanguageModel({ ...options, [name]: 0 }).init({ seed: 1 });
      const optimizer = new AdamW(without, { seed: 2 });
      expect(optimizer.update(() => without.loss(batch, new CarriedState())).loss).not.toBe(losses[0]![0]);
      expect(() => new LanguageModel({ ...options, [name]: -1 })).toThrow(ArgumentError);
    }
    const plain = { tokenizer, cell: LSTM, hiddenSize: 7 };
    expect(() => new LanguageModel({ ...plain, embeddingDropout: 0.1 })).toThrow(/unless embeddingSize is given/);
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
      { weightDropout: "0.5" },
      { inputDropout: 2 },
      { lockedDropout: 1 },
      { embeddingDropout: 0.5 },
      { labelSmoothing: -1 },
      { activationPenalty: -1 },
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
