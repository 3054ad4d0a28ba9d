import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lanes } from "../../ts/data/lanes.js";
import { CarriedState, type RecurrentState } from "../../ts/nn/state.js";
import { LanguageModel } from "../../ts/tasks/language-model.js";
import { charRnn, minCharRnn, presets, quick, zarembaSmall } from "../../ts/tasks/presets.js";
import { mul } from "../../ts/tensor/binary.js";
import type { Initializer } from "../../ts/tensor/parameter.js";
import { gradients } from "../../ts/tensor/record.js";
import { CharTokenizer } from "../../ts/text/char-tokenizer.js";
import { WordTokenizer } from "../../ts/text/word-tokenizer.js";
import { Adagrad } from "../../ts/train/adagrad.js";
import { train } from "../../ts/train/loop.js";
import { cases, misses } from "../train/corpus.js";

const text = readFileSync(join(process.env["UNROLLED_DATA"]!, "tiny-shakespeare/input.txt"), "utf8").slice(0, 20_000);

/** min-char-rnn's lossFun in 64 bits: loss, gradients and last state of T characters. */
function lossFunction(model: LanguageModel, inputs: ArrayLike<number>, targets: ArrayLike<number>, h0: Float64Array) {
  const value = (name: string) => Float64Array.from(model.stateDict().get(name)!.data);
  const [wxh, whh, bh] = [value("rnn.weight_ih_l0"), value("rnn.weight_hh_l0"), value("rnn.bias_ih_l0")];
  const [why, by] = [value("head.weight"), value("head.bias")];
  const [H, V, T] = [bh.length, by.length, inputs.length];
  const states = [h0];
  const outputs: Float64Array[] = [];
  let loss = 0;
  for (let t = 0; t < T; t++) {
    const before = states[t]!;
    const h = bh.map((bias, i) => {
      let sum = bias + wxh[i * V + inputs[t]!]!;
      for (let j = 0; j < H; j++) sum += whh[i * H + j]! * before[j]!;
      return Math.tanh(sum);
    });
    const weights = by.map((bias, k) => Math.exp(h.reduce((sum, hj, j) => sum + why[k * H + j]! * hj, bias)));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    outputs.push(weights.map((weight) => weight / total));
    loss -= Math.log(outputs[t]![targets[t]!]!);
    states.push(h);
  }
  const grads = new Map(
    [
      ["rnn.weight_ih_l0", wxh],
      ["rnn.weight_hh_l0", whh],
      ["rnn.bias_ih_l0", bh],
      ["head.weight", why],
      ["head.bias", by],
    ].map(([name, like]) => [name as string, new Float64Array((like as Float64Array).length)]),
  );
  const [dwxh, dwhh, dbh, dwhy, dby] = [...grads.values()] as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  let next = new Float64Array(H);
  for (let t = T - 1; t >= 0; t--) {
    const [h, before] = [states[t + 1]!, states[t]!];
    const dy = outputs[t]!.slice();
    dy[targets[t]!]! -= 1;
    const dh = next;
    dy.forEach((d, k) => {
      dby[k]! += d;
      for (let j = 0; j < H; j++) {
        dwhy[k * H + j]! += d * h[j]!;
        dh[j]! += d * why[k * H + j]!;
      }
    });
    next = new Float64Array(H);
    for (let i = 0; i < H; i++) {
      const d = dh[i]! * (1 - h[i]! * h[i]!);
      dbh[i]! += d;
      dwxh[i * V + inputs[t]!]! += d;
      for (let j = 0; j < H; j++) {
        dwhh[i * H + j]! += d * before[j]!;
        next[j]! += d * whh[i * H + j]!;
      }
    }
  }
  return { loss, grads, h: states[T]! };
}

/** The largest difference of two arrays. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
}

describe("minCharRnn", () => {
  it("has min-char-rnn's gradients along its own trajectory", () => {
    const tokenizer = CharTokenizer.from(text);
    const model = new LanguageModel({ tokenizer, ...minCharRnn.model }).init({
      seed: 1,
      initializer: minCharRnn.initializer,
    });
    const data = lanes(tokenizer.encode(text), minCharRnn.lanes).train;
    const optimizer = minCharRnn.optimizer(model);
    const { lossScale = NaN, clipGradValue } = minCharRnn.training;
    expect(lossScale).toBe(25);
    const state = new CarriedState<RecurrentState>();
    const memory = new Map<string, Float64Array>();
    for (let update = 0; update < 25; update++) {
      const batch = data.batch(update);
      const before = model.stateDict();
      const h0 = batch.first ? new Float64Array(100) : Float64Array.from(state.toArrays()!["h"]!.data);
      const expected = lossFunction(model, batch.inputs.data, batch.targets.data, h0);
      const { loss, grads } = gradients(() => mul(model.loss(batch, state), lossScale));
      expect(Math.abs(loss - expected.loss)).toBeLessThan(1e-4 * expected.loss);
      expect(distance(state.toArrays()!["h"]!.data, expected.h)).toBeLessThan(1e-4);
      const trained = model.parameters().filter(({ trainable }) => trainable);
      expect(trained.map(({ name }) => name)).toEqual([...expected.grads.keys()]);
      for (const parameter of trained) {
        const wanted = expected.grads.get(parameter.name)!;
        const size = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        expect(distance(grads.get(parameter)!, wanted)).toBeLessThanOrEqual(1e-4 * size + 1e-6);
      }
      optimizer.applyGradients(grads, { clipGradValue });
      for (const parameter of trained) {
        const sums = memory.get(parameter.name) ?? new Float64Array(parameter.size);
        memory.set(parameter.name, sums);
        const old = before.get(parameter.name)!.data;
        // The rule, of our own gradients: where they are near zero, Adagrad's first steps magnify rounding.
        const wanted = grads.get(parameter)!.map((gradient, i) => {
          const clipped = Math.min(5, Math.max(-5, gradient));
          sums[i]! += clipped * clipped;
          return old[i]! - (0.1 * clipped) / Math.sqrt(sums[i]! + 1e-8);
        });
        expect(distance(parameter.toArray(), wanted)).toBeLessThan(1e-4);
      }
      expect([...model.stateDict().get("rnn.bias_hh_l0")!.data].every((value) => value === 0)).toBe(true);
    }
  });

  it.each(
    cases("train")
      .filter(({ op }) => op === "min_char_rnn")
      .map((given) => [given.id, given] as const),
  )("trains as %s", async (_id, given) => {
    const config = given.config as {
      text: string;
      vocab: string[];
      hidden_size: number;
      seq_len: number;
      steps: number;
      lr: number;
    };
    const tokenizer = new CharTokenizer(config.vocab);
    const model = new LanguageModel({ tokenizer, ...minCharRnn.model, hiddenSize: config.hidden_size }).init();
    const names = {
      Wxh: "rnn.weight_ih_l0",
      Whh: "rnn.weight_hh_l0",
      bh: "rnn.bias_ih_l0",
      Why: "head.weight",
      by: "head.bias",
    };
    for (const [name, ours] of Object.entries(names)) {
      model
        .parameters()
        .find((parameter) => parameter.name === ours)!
        .write(given.tensors.get(`param.${name}`)!.data);
    }
    const data = lanes(tokenizer.encode(config.text), { ...minCharRnn.lanes, seqLen: config.seq_len }).train;
    const run = train(model, data, {
      ...minCharRnn.training,
      optimizer: new Adagrad(model, { lr: config.lr, epsilon: 1e-8, epsilonInside: true }),
      lossScale: config.seq_len,
      smoothFrom: Math.log(config.vocab.length),
      updates: config.steps,
    });
    const losses: number[] = [];
    const smooth: number[] = [];
    for await (const event of run) {
      if (event.kind !== "update") continue;
      losses.push(event.loss * config.seq_len);
      smooth.push(event.smoothLoss * config.seq_len);
    }
    expect(misses(given, "out.losses", losses)).toEqual([]);
    expect(misses(given, "out.smooth", smooth)).toEqual([]);
    for (const [name, ours] of Object.entries(names)) {
      expect(misses(given, `final.${name}`, model.stateDict().get(ours)!.data)).toEqual([]);
    }
  });
});

describe("zarembaSmall", () => {
  it("has the first values, the sizes and the rates that the paper gives", () => {
    const tokenizer = WordTokenizer.from(text, { maxSize: 500 });
    const model = new LanguageModel({ tokenizer, ...zarembaSmall.model }).init({
      seed: 1,
      initializer: zarembaSmall.initializer,
    });
    const values = [...model.stateDict()].flatMap(([, { data }]) => [...data]);
    const most = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    expect(most).toBeLessThanOrEqual(0.1);
    expect(most).toBeGreaterThan(0.0999);
    // Embeddings, two layers with two biases each, the head: a vocabulary of 10,000 makes the paper's 4.65 million.
    const layer = 4 * 200 * (200 + 200 + 2);
    expect(values).toHaveLength(500 * 200 + 2 * layer + 500 * 200 + 500);
    expect(zarembaSmall.lanes).toEqual({ batchSize: 20, seqLen: 20 });
    expect(zarembaSmall.training).toMatchObject({ lossScale: 20, clipGradNorm: 5 });
    const rates = [1, 4, 5, 6, 13].map((epoch) => zarembaSmall.training.schedule!(0, epoch));
    expect(rates).toEqual([1, 1, 0.5, 0.25, 2 ** -9]);
    const optimizer = zarembaSmall.optimizer(model);
    expect([optimizer.constructor.name, optimizer.lr]).toEqual(["SGD", 1]);
  });
});

describe("charRnn", () => {
  it("starts from U(-0.08, 0.08), learns, and slows down after epoch 10", async () => {
    const tokenizer = CharTokenizer.from(text);
    const model = new LanguageModel({ tokenizer, ...charRnn.model }).init({
      seed: 1,
      initializer: charRnn.initializer,
    });
    for (const { data } of model.stateDict().values()) {
      expect(Math.max(...data.map(Math.abs))).toBeLessThanOrEqual(0.08);
    }
    expect([...model.stateDict().keys()].filter((name) => name.endsWith("l1")).length).toBe(4);
    const data = lanes(tokenizer.encode(text), { ...charRnn.lanes, validation: 0.05 });
    const optimizer = charRnn.optimizer(model);
    const end = await train(model, data.train, { ...charRnn.training, optimizer, valid: data.valid, updates: 20 }).done;
    // From ln V towards the entropy of single characters.
    expect(end.validLoss).toBeLessThan(3.5);
    const schedule = charRnn.training.schedule!;
    expect([schedule(0, 1), schedule(0, 10)]).toEqual([2e-3, 2e-3]);
    expect(schedule(0, 12)).toBeCloseTo(2e-3 * 0.97 * 0.97, 12);
  });

  it("draws the input weights of one-hot tokens wider than others, of embeddings not", () => {
    const tokenizer = CharTokenizer.from(text);
    const largest = (embeddingSize: number | undefined, initializer: Initializer, suffix: string) => {
      const model = new LanguageModel({ tokenizer, ...quick.model, embeddingSize }).init({ seed: 1, initializer });
      const [, { data }] = [...model.stateDict()].find(([name]) => name.endsWith(suffix))!;
      return Math.max(...data.map(Math.abs));
    };
    const bound = 1 / Math.sqrt(quick.model.hiddenSize);
    expect(largest(undefined, quick.initializer, "weight_ih_l0")).toBeGreaterThan(0.95);
    for (const other of ["weight_hh_l0", "weight_ih_l1", "bias_ih_l0"]) {
      expect(largest(undefined, quick.initializer, other)).toBeLessThanOrEqual(bound);
    }
    expect(largest(16, quick.initializerWithEmbeddings!, "weight_ih_l0")).toBeLessThanOrEqual(bound);
  });

  it("is found by name", () => {
    expect([...presets.keys()]).toEqual(["quick", "char-rnn", "min-char-rnn", "zaremba-small"]);
    expect(presets.get("char-rnn")).toBe(charRnn);
  });
});
