/** Embeddings that start from vectors trained elsewhere. */
import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";
import { numbers } from "../tensor/reference.js";

const [V, D, H, K] = [7, 5, 6, 3];
const data = numbers(V * D, 1);
const ids = u.ids([
  [1, 4, 0, 6],
  [2, 2, 5, 3],
]);
const classes = u.ids([2, 0]);

class Classifier extends u.Module {
  readonly encoder = new u.LSTM(D, H);
  readonly head = new u.Linear(H, K);
  readonly embed: u.Embedding;
  constructor(embed: u.Embedding) {
    super();
    this.embed = embed;
  }
  loss(): u.Tensor {
    const { output } = this.encoder.forward(this.embed.forward(ids));
    return u.crossEntropy(this.head.forward(u.mean(output, 1)), classes);
  }
}

const given = (options?: u.PretrainedOptions) =>
  new Classifier(u.Embedding.fromPretrained({ data, shape: [V, D] }, options)).init({ seed: 2 });

describe("Embedding.fromPretrained", () => {
  it("is frozen, and the rest learns as with a table that is tuned", () => {
    const [frozen, tuned] = [given(), given({ freeze: false })];
    const before = frozen.stateDict();
    expect([...before.get("embed.weight")!.data]).toEqual(data);
    for (const model of [frozen, tuned]) {
      const optimizer = new u.AdamW(model, { lr: 0.1, weightDecay: 0.1 });
      optimizer.update(() => model.loss());
    }
    const [after, other] = [frozen.stateDict(), tuned.stateDict()];
    for (const [name, value] of after) {
      if (name === "embed.weight") continue;
      expect(value, name).toEqual(other.get(name));
      expect(value, name).not.toEqual(before.get(name));
    }
    expect([...after.get("embed.weight")!.data]).toEqual(data);
    expect([...other.get("embed.weight")!.data]).not.toEqual(data);
  });

  it("thaws", () => {
    const model = given();
    model.embed.weight.trainable = true;
    new u.SGD(model, { lr: 0.1 }).update(() => model.loss());
    expect([...model.embed.weight.toArray()]).not.toEqual(data);
  });

  it("keeps a row for padding at zero", () => {
    const weight = given({ paddingIndex: 4 }).embed.weight.toArray();
    expect([...weight]).toEqual(data.map((value, i) => (Math.floor(i / D) === 4 ? 0 : value)));
  });

  it("names what is no matrix", () => {
    expect(() => u.Embedding.fromPretrained({ data, shape: [V, D - 1] })).toThrow(u.ShapeError);
    expect(() => u.Embedding.fromPretrained({ data, shape: [V * D] })).toThrow(u.ShapeError);
    expect(() => u.Embedding.fromPretrained({ data, shape: [V, D, 1] })).toThrow(/\[V, D\]/);
  });
});

describe("pretrained", () => {
  const vectors = new u.WordVectors(["duck", "Goose", "swan"], Float32Array.from(numbers(3 * D, 5, 1, 5)), D);

  it("gives words their vectors, looked up as they are and in lower case", () => {
    const words = ["<pad>", "Duck", "swan", "goose", "Goose"];
    const initializer = u.pretrained(vectors, words, { otherwise: u.constant(9) });
    const weight = new u.Embedding(words.length, D, { initializer, paddingIndex: 0 }).init().weight.toArray();
    const rows = words.map((_, row) => [...weight.slice(row * D, (row + 1) * D)]);
    const [zeros, nines] = [new Array<number>(D).fill(0), new Array<number>(D).fill(9)];
    const known = ["duck", "swan", "Goose"].map((word) => [...vectors.vector(word)]);
    expect(rows).toEqual([zeros, known[0], known[1], nines, known[2]]);
  });

  it("draws other words like the vectors, the same again from the same seed", () => {
    const words = Array.from({ length: 4000 }, (_, i) => `unseen ${i}`);
    const draw = (seed: number) =>
      new u.Embedding(words.length, D, { initializer: u.pretrained(vectors, words) }).init({ seed }).weight.toArray();
    const drawn = draw(3);
    const moments = (values: Float32Array) => {
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      return [mean, Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length)] as const;
    };
    const [expected, reached] = [moments(vectors.data), moments(drawn)];
    // Five standard errors of a mean of 20,000 numbers whose deviation is about 1.2.
    expect(Math.abs(reached[0] - expected[0])).toBeLessThan(0.045);
    expect(Math.abs(reached[1] - expected[1])).toBeLessThan(0.03);
    expect(draw(3)).toEqual(drawn);
    expect(draw(4)).not.toEqual(drawn);
  });

  it("names what does not fit", () => {
    const wrong = new u.Embedding(2, D, { initializer: u.pretrained(vectors, ["duck"]) });
    expect(() => wrong.init()).toThrow(u.ShapeError);
    expect(() => u.pretrained(new u.WordVectors([], new Float32Array(0), D), [])).toThrow(u.ArgumentError);
  });
});
