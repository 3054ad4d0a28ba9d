/** Feed-forward nets, bags of words and transformers as language models: their equations, states, files and answers. */
import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";
import { affine, layerNorm, type Matrix, transformerLayer } from "../nn/attention/transformer-reference.js";
import { expectClose } from "../tensor/reference.js";

const core = u.createCore();
const words = ["the", "cat", "sat", "on", "a", "mat", "and", "slept"];
const sentence = "the cat sat on a mat and the cat slept on the mat and a cat sat";
const tokenizer = new u.VocabularyTokenizer(words, { split: "spaces" });
const V = tokenizer.size;

const builders = {
  FeedForwardLanguageModel: (more: Partial<u.NextTokenOptions> = {}) =>
    new u.FeedForwardLanguageModel({ tokenizer, window: 3, embeddingSize: 5, hiddenSize: 8, ...more }),
  BagOfWordsLanguageModel: (more: Partial<u.NextTokenOptions> = {}) =>
    new u.BagOfWordsLanguageModel({ tokenizer, window: 4, embeddingSize: 8, ...more }),
  TransformerLanguageModel: (more: Partial<u.NextTokenOptions> = {}) =>
    new u.TransformerLanguageModel({ tokenizer, size: 8, numLayers: 2, heads: 2, context: 5, ...more }),
  "TransformerLanguageModel, learned positions": (more: Partial<u.NextTokenOptions> = {}) =>
    new u.TransformerLanguageModel({ tokenizer, size: 8, heads: 2, context: 5, positions: "learned", ...more }),
  "TransformerLanguageModel, sinusoidal positions": (more: Partial<u.NextTokenOptions> = {}) =>
    new u.TransformerLanguageModel({ tokenizer, size: 8, heads: 2, context: 5, positions: "sinusoidal", ...more }),
};
const classes = {
  FeedForwardLanguageModel: u.FeedForwardLanguageModel,
  BagOfWordsLanguageModel: u.BagOfWordsLanguageModel,
  TransformerLanguageModel: u.TransformerLanguageModel,
  "TransformerLanguageModel, learned positions": u.TransformerLanguageModel,
  "TransformerLanguageModel, sinusoidal positions": u.TransformerLanguageModel,
};

describe.each(Object.keys(builders) as (keyof typeof builders)[])("%s", (name) => {
  const build = (more?: Partial<u.NextTokenOptions>) =>
    builders[name](more).init({ seed: 3, core }) as u.NextTokenModel;
  const ids = u.ids(tokenizer.encode(sentence).slice(0, 14), [2, 7]);

  it.each([false, true])(
    "sees nothing of what is to come, and in parts what it sees in the whole (adaptive: %s)",
    (adaptive) => {
      const model = build(adaptive ? { cutoffs: [5] } : {});
      const whole = model.run((m) => m.forward(ids).logits);
      expect(whole.shape).toEqual([2, 7, V]);
      const column = (data: Int32Array, from: number, to: number) =>
        u.ids(Int32Array.from([...data.subarray(from, to), ...data.subarray(7 + from, 7 + to)]), [2, to - from]);
      for (const split of [1, 3, 6]) {
        const [first, second] = model.run((m) => {
          const before = m.forward(column(ids.data, 0, split));
          return [before.logits, m.forward(column(ids.data, split, 7), { state: before.state }).logits];
        });
        for (let row = 0; row < 2; row++) {
          const expected = whole.data.slice(row * 7 * V, (row + 1) * 7 * V);
          const parts = [
            ...first!.data.slice(row * split * V, (row + 1) * split * V),
            ...second!.data.slice(row * (7 - split) * V, (row + 1) * (7 - split) * V),
          ];
          expectClose(parts, expected, 2e-6, `row ${row} in parts of ${split}`);
        }
      }
      const changed = ids.data.slice();
      changed[6] = (changed[6]! + 1) % V;
      const other = model.run((m) => m.forward(u.ids(changed, [2, 7])).logits).data;
      expectClose(other.slice(0, 6 * V), whole.data.slice(0, 6 * V), 0, "before the change");
      expect(other.slice(6 * V, 7 * V)).not.toEqual(whole.data.slice(6 * V, 7 * V));
      expectClose(other.slice(7 * V), whole.data.slice(7 * V), 0, "another row");
      if (adaptive) {
        for (let row = 0; row < 14; row++) {
          const total = whole.data.slice(row * V, (row + 1) * V).reduce((sum, logit) => sum + Math.exp(logit), 0);
          expect(total).toBeCloseTo(1, 5);
        }
      }
    },
  );

  it.each([false, true])("has a loss that is the mean of -ln p, also over batches (adaptive: %s)", (adaptive) => {
    const model = build(adaptive ? { cutoffs: [5] } : {});
    const tokens = tokenizer.encode(sentence);
    const { data } = model.run((m) =>
      u.logSoftmax(m.forward(u.ids(tokens.slice(0, -1), [1, tokens.length - 1])).logits),
    );
    const expected = -tokens.slice(1).reduce((sum, id, t) => sum + data[t * V + id]!, 0) / (tokens.length - 1);
    expect(model.evaluate(sentence)).toBeCloseTo(expected, 5);
    const carried = new u.CarriedState();
    const losses = [...u.evaluationLanes(tokens, { batchSize: 1, seqLen: 5 })].map((_, i, { length }) => {
      const batch = u.evaluationLanes(tokens, { batchSize: 1, seqLen: 5 }).batch(i);
      expect(length).toBe(4);
      return (model.run(() => model.loss(batch, carried).item()) as number) * batch.count;
    });
    expect(losses.reduce((sum, loss) => sum + loss, 0) / (tokens.length - 1)).toBeCloseTo(expected, 5);
    carried.dispose();
  });

  it("has a gradient that is the difference of losses", () => {
    const model = build({ cutoffs: [5] });
    const batch = u.lanes(tokenizer.encode(sentence), { batchSize: 2, seqLen: 7 }).train.batch(0);
    const carried = new u.CarriedState();
    const lossOf = () => model.run(() => model.loss(batch, carried).item()) as number;
    const { grads } = u.gradients(() => model.loss(batch, carried), { parameters: model.parameters(), core });
    for (const parameter of model.parameters()) {
      const values = parameter.toArray();
      const gradient = grads.get(parameter)!;
      // Along the gradient itself the loss changes by its squared norm.
      const norm = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
      const step = 5e-3;
      const moved = (sign: number) => {
        parameter.write(values.map((value, i) => value + (sign * step * gradient[i]!) / norm));
        return lossOf();
      };
      const slope = (moved(1) - moved(-1)) / (2 * step);
      parameter.write(values);
      expect(Math.abs(slope - norm), parameter.name).toBeLessThan(2e-4 + 0.02 * norm);
    }
    carried.dispose();
  });

  it("learns, and its file is the same model", async () => {
    const model = build({ dropout: 0.1, cutoffs: [6] });
    const data = u.lanes(tokenizer.encode(`${sentence} `.repeat(8)), { batchSize: 2, seqLen: 16 }).train;
    await u.train(model, data, { optimizer: new u.Adam(model, { lr: 0.02 }), epochs: 30 }).done;
    // A guess is ln 12 = 2.48 nats.
    const loss = model.evaluate(sentence);
    expect(loss).toBeLessThan(name === "BagOfWordsLanguageModel" ? 1.8 : 1);
    const again = classes[name].from(u.save(model), { core });
    expect(again.evaluate(sentence)).toBe(loss);
    expect(again.config()).toEqual(JSON.parse(JSON.stringify((model as typeof again).config())));
    const text = (from: u.NextTokenModel) => [...u.generate(from, "the cat", { maxTokens: 12, seed: 5 })].join("");
    expect(text(again)).toBe(text(model));
    expect(text(again).trim().split(" ")).toHaveLength(12);
    const { bits } = u.surprisal(model, "cat sat", { context: "the" });
    const { data: logits } = model.run((m) =>
      u.logSoftmax(m.forward(u.ids(tokenizer.encode("the cat"), [1, 2])).logits),
    );
    expect(bits[0]! * Math.LN2).toBeCloseTo(-logits[tokenizer.idOf("cat")]!, 4);
    expect(bits[1]! * Math.LN2).toBeCloseTo(-logits[V + tokenizer.idOf("sat")]!, 4);
    const other = u.save(new u.LanguageModel({ tokenizer, cell: u.RNN, hiddenSize: 2 }).init({ core }));
    expect(() => classes[name].from(other)).toThrow(u.LoadError);
  });

  it("answers for texts of no length, long ones, emoji and unseen words", () => {
    const model = build();
    expect([...u.generate(model, "", { maxTokens: 3 })].join("")).not.toBe("");
    expect(() => model.evaluate("")).toThrow(u.DataError);
    expect(model.evaluate("🦆 the")).toBe(model.evaluate("unseen the"));
    const long = "the cat sat ".repeat(2000);
    expect(Math.abs(model.evaluate(long) - model.evaluate(long, { batchSize: 4 }))).toBeLessThan(1e-2);
    expect(() => model.run((m) => m.forward(u.ids([[V]])).logits)).toThrow(u.ArgumentError);
    expect(() => model.run((m) => m.forward(u.ids([[1]]), { state: { h: u.zeros([1, 1, 2]) } }).logits)).toThrow(
      u.ShapeError,
    );
  });
});

it("a bag of words knows no order, a feed-forward net does", () => {
  const logits = (model: u.NextTokenModel, text: string) => {
    const ids = tokenizer.encode(text);
    return model.run((m) => m.forward(u.ids(ids, [1, ids.length])).logits).data.slice(-V);
  };
  const bag = builders.BagOfWordsLanguageModel().init({ seed: 1, core });
  expectClose(logits(bag, "the cat sat on"), logits(bag, "sat on the cat"), 1e-6, "the same bag");
  const net = builders.FeedForwardLanguageModel().init({ seed: 1, core });
  expect(logits(net, "cat sat on")).not.toEqual(logits(net, "sat cat on"));
  // What is before the window is not seen.
  expectClose(logits(net, "mat cat sat on"), logits(net, "slept cat sat on"), 0, "the same window");
});

it("models of windows equal their equations", () => {
  const value = (model: u.Module, name: string) => [...model.stateDict().get(name)!.data];
  const net = builders.FeedForwardLanguageModel().init({ seed: 2, core });
  const bag = builders.BagOfWordsLanguageModel().init({ seed: 2, core });
  const ids = tokenizer.encode("the cat sat on a mat");
  const affine = (model: u.Module, name: string, x: readonly number[]) =>
    value(model, `${name}.bias`).map((b, j) =>
      x.reduce((sum, v, k) => sum + v * value(model, `${name}.weight`)[j * x.length + k]!, b),
    );
  const expected = (t: number) => {
    const rows = (model: u.Module, width: number, at: number[]) =>
      at.map((i) =>
        value(model, "embedding.weight").slice((i < 0 ? V : ids[i]!) * width, (i < 0 ? V + 1 : ids[i]! + 1) * width),
      );
    const places = rows(net, 5, [t - 2, t - 1, t]).flat();
    const seen = [t - 3, t - 2, t - 1, t].filter((i) => i >= 0);
    const vectors = rows(bag, 8, seen);
    const mean = vectors[0]!.map((_, k) => vectors.reduce((sum, row) => sum + row[k]!, 0) / seen.length);
    return [affine(net, "head", affine(net, "hidden", places).map(Math.tanh)), affine(bag, "head", mean)];
  };
  const found = [net, bag].map(
    (model: u.NextTokenModel) => model.run((m) => m.forward(u.ids(ids, [1, 6])).logits).data,
  );
  for (let t = 0; t < 6; t++) {
    expected(t).forEach((logits, i) => {
      expectClose(found[i]!.slice(t * V, (t + 1) * V), logits, 1e-5, `${i}, step ${t}`);
    });
  }
});

it("a transformer with tied weights has one table, and refuses clusters beside it", () => {
  const options = { tokenizer, size: 8, heads: 2, context: 4, tieWeights: true };
  const model = new u.TransformerLanguageModel(options).init({ core });
  expect((model.head as u.Linear).weight).toBe(model.embedding.weight);
  const again = u.TransformerLanguageModel.from(u.save(model), { core });
  expect(again.evaluate(sentence)).toBe(model.evaluate(sentence));
  expect(() => new u.TransformerLanguageModel({ ...options, cutoffs: [4] })).toThrow(u.ArgumentError);
});

it("sinusoidal positions are those of the paper", () => {
  const [positions, size] = [[0, 1, 2, 37, 511, 1_000_000], 7];
  const model = new u.SinusoidalPositions(size).init({ core });
  const { data, shape } = model.run((m) => m.forward(u.ids([positions.slice(0, 3), positions.slice(3)])));
  expect(shape).toEqual([2, 3, size]);
  const expected = positions.flatMap((p) =>
    Array.from({ length: size }, (_, k) => (k % 2 ? Math.cos : Math.sin)(p / 10000 ** ((k - (k % 2)) / size))),
  );
  expectClose(data, expected, 1e-6, "vectors");
  expect(() => model.run((m) => m.forward(u.ids([3, -1])))).toThrow(u.ArgumentError);
  expect(() => new u.SinusoidalPositions(0)).toThrow(u.ArgumentError);
});

describe.each(["linear", "learned", "sinusoidal"] as const)("a transformer with %s positions", (positions) => {
  const [size, heads, context, numLayers, T] = [6, 3, 4, 2, 10];
  const model = new u.TransformerLanguageModel({ tokenizer, size, heads, context, numLayers, positions });
  model.init({ seed: 4, core });
  const ids = tokenizer.encode(sentence).slice(0, T);

  it("equals its equations, over several windows", () => {
    const values = model.stateDict();
    expect(values.has("positions.weight")).toBe(positions === "learned");
    const value = (name: string) => [...values.get(name)!.data];
    const row = (name: string, i: number) => value(name).slice(i * size, (i + 1) * size);
    const position = (t: number): number[] => {
      if (positions === "learned") return row("positions.weight", t % context);
      const angle = (k: number) => (t % context) / 10000 ** ((k - (k % 2)) / size);
      return Array.from({ length: size }, (_, k) => (k % 2 ? Math.cos(angle(k)) : Math.sin(angle(k))));
    };
    let x: Matrix = Array.from(ids, (id, t) => {
      const token = row("embedding.weight", id).map((v) => v * Math.sqrt(size));
      return positions === "linear" ? token : token.map((v, k) => v + position(t)[k]!);
    });
    for (let layer = 0; layer < numLayers; layer++) {
      const sight = { heads, context, windows: positions !== "linear" };
      x = transformerLayer(x, sight, (name) => value(`layers.${layer}.${name}`));
    }
    const expected = x.flatMap((v) =>
      affine(layerNorm(v, value("norm.weight"), value("norm.bias")), value("head.weight"), value("head.bias")),
    );
    expectClose(model.run((m) => m.forward(u.ids(ids, [1, T])).logits).data, expected, 2e-5, "logits");
  });

  it("steps as it reads the whole, past any window, and so does a search by beams", () => {
    const whole = model.run((m) => m.forward(u.ids(ids, [1, T])).logits);
    const steps = model.run((m) => {
      let state: u.RecurrentState | undefined;
      return Array.from(ids, (id) => {
        const result = m.forward(u.ids([[id]]), { state });
        state = result.state;
        return result.logits;
      });
    });
    expectClose(
      steps.flatMap(({ data }) => [...data]),
      whole.data,
      2e-6,
      "steps",
    );
    const prompt = tokenizer.encode("the cat");
    const [best] = u.beamSearch(model, prompt, { beamWidth: 3, maxTokens: 2 * context });
    expect(best!.tokens).toHaveLength(2 * context);
    const tokens = Int32Array.from([...prompt, ...best!.tokens]);
    const { data } = model.run((m) => u.logSoftmax(m.forward(u.ids(tokens, [1, tokens.length])).logits));
    const sum = best!.tokens.reduce((total, id, t) => total + data[(t + 1) * V + id]!, 0);
    expect(best!.logProbability).toBeCloseTo(sum, 4);
  });
});

it("files may not ask for what they do not hold", () => {
  const file = (model: u.Module & u.DescribedModel, change: object) => {
    const described = { ...model.config(), ...change };
    return u.save(Object.assign(Object.create(model) as typeof model, { config: () => described }));
  };
  const bag = builders.BagOfWordsLanguageModel().init({ core });
  for (const window of [1e9, 0, 1.5, "4"]) {
    expect(() => u.BagOfWordsLanguageModel.from(file(bag, { window }))).toThrow(u.LoadError);
  }
  for (const cutoffs of [[5, 4], [1e9], "4", [null]]) {
    expect(() => u.BagOfWordsLanguageModel.from(file(bag, { cutoffs }))).toThrow(u.LoadError);
  }
  const transformer = builders.TransformerLanguageModel().init({ core });
  for (const change of [{ heads: 3 }, { numLayers: 1e9 }, { size: 1e15 }, { context: 1 }, { positions: "rotary" }]) {
    expect(() => u.TransformerLanguageModel.from(file(transformer, change))).toThrow(u.LoadError);
  }
  const learned = builders["TransformerLanguageModel, learned positions"]().init({ core });
  for (const context of [4, 1e9]) {
    expect(() => u.TransformerLanguageModel.from(file(learned, { context }))).toThrow(/positions\.weight/);
  }
});
