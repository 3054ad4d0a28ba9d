/** Encoders and decoders; the conformance corpus has the plain forms, here is what depends on the step before. */
import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";
import { numbers } from "../tensor/reference.js";

const core = u.createCore();
const [B, T, S, E, H, source, target] = [3, 4, 5, 2, 6, 7, 8];
const lengths = Int32Array.of(4, 1, 3);
const idsOf = (rows: number, steps: number, size: number, seed: number) =>
  new u.Ids(Int32Array.from(numbers(rows * steps, seed, 0, size), Math.floor), [rows, steps]);
const read = idsOf(B, T, source, 1);
const given = idsOf(B, S, target, 2);

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((total, value, i) => total + value * b[i]!, 0);

/** A GRU decoder with dot attention in float64, for the memory and first state of one row. */
function reference(
  values: u.StateDict,
  memory: readonly (readonly number[])[],
  first: readonly number[],
  inputs: readonly number[],
  attend: "after" | "before",
): number[] {
  const matrix = (name: string) => {
    const { data, shape } = values.get(name)!;
    return Array.from({ length: shape[0]! }, (_, i) => [...data.subarray(i * shape[1]!, (i + 1) * shape[1]!)]);
  };
  const vector = (name: string) => [...values.get(name)!.data];
  const times = (name: string, x: readonly number[]) => matrix(name).map((row) => dot(row, x));
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  const context = (q: readonly number[]) => {
    const e = memory.map((m) => Math.exp(dot(q, m)));
    const total = e.reduce((a, b) => a + b, 0);
    return Array.from({ length: H }, (_, j) => memory.reduce((sum, m, t) => sum + (e[t]! / total) * m[j]!, 0));
  };
  let h = [...first];
  let fed = Array<number>(values.get("combine.weight")!.shape[0]!).fill(0);
  return inputs.flatMap((id) => {
    const before = context(h);
    const x = [...matrix("targetEmbedding.weight")[id]!, ...(attend === "before" ? before : fed)];
    const [a, b] = [times("decoder.weight_ih_l0", x), times("decoder.weight_hh_l0", h)];
    const [p, q] = [vector("decoder.bias_ih_l0"), vector("decoder.bias_hh_l0")];
    h = h.map((old, i) => {
      const gate = (k: number) => sigmoid(a[k * H + i]! + p[k * H + i]! + b[k * H + i]! + q[k * H + i]!);
      const n = Math.tanh(a[2 * H + i]! + p[2 * H + i]! + gate(0) * (b[2 * H + i]! + q[2 * H + i]!));
      return (1 - gate(1)) * n + gate(1) * old;
    });
    const top = times("combine.weight", [...(attend === "before" ? before : context(h)), ...h]).map(Math.tanh);
    fed = top;
    return times("head.weight", top).map((value, k) => value + vector("head.bias")[k]!);
  });
}

const base = { sourceSize: source, targetSize: target, cell: u.GRU, hiddenSize: H, embeddingSize: E } as const;
const attention = (query: number, memory: number) => new u.DotAttention(query, memory);

it.each([
  ["Luong with input feeding", { attend: "after", inputFeeding: true }],
  ["Luong with input feeding, tied", { attend: "after", inputFeeding: true, tieWeights: true }],
  ["Bahdanau", { attend: "before" }],
] as const)("equals the equations: %s", (_, options) => {
  const model = new u.EncoderDecoder({ ...base, attention, ...options }).init({ seed: 3, core });
  const { logits, encoded } = model.run((m) => ({
    logits: m.forward(read, lengths, given).logits,
    encoded: m.encode(read, lengths),
  }));
  const values = model.stateDict();
  if ("tieWeights" in options) expect(values.get("head.weight")).toEqual(values.get("targetEmbedding.weight"));
  for (let row = 0; row < B; row++) {
    const memory = Array.from({ length: lengths[row]! }, (_, t) => [
      ...encoded.memory!.memory.data.subarray((row * T + t) * H, (row * T + t + 1) * H),
    ]);
    const first = [...encoded.state["h"]!.data.subarray(row * H, (row + 1) * H)];
    const inputs = [...given.data.subarray(row * S, (row + 1) * S)];
    const expected = reference(values, memory, first, inputs, options.attend);
    expected.forEach((value, i) => expect(logits.data[row * S * target + i]).toBeCloseTo(value, 5));
  }
});

const variants: readonly [string, Partial<u.EncoderDecoderOptions>][] = [
  ["plain", {}],
  ["Cho", { contextAtEveryStep: true }],
  ["Sutskever", { cell: u.LSTM, reverseSource: true, numLayers: 2 }],
  ["two directions", { bidirectional: true, numLayers: 2, attention: (q, m) => new u.AdditiveAttention(q, m) }],
  ["tied", { tieWeights: true }],
  ["Luong", { cell: u.LSTM, attention }],
  ["Luong, tied", { attention, tieWeights: true }],
  ["local", { attention: (q, m) => new u.LocalAttention(new u.GeneralAttention(q, m), 2) }],
  ["input feeding", { attention, inputFeeding: true }],
  ["Bahdanau", { bidirectional: true, attend: "before", attention: (q, m) => new u.AdditiveAttention(q, m) }],
];

describe.each(variants)("%s", (_, options) => {
  const model = new u.EncoderDecoder({ ...base, ...options }).init({ seed: 4, core });

  it("gives the same step by step as at once", () => {
    const { whole, parts } = model.run((m) => {
      const encoded = m.encode(read, lengths);
      let state = encoded.state;
      const parts: u.Tensor[] = [];
      for (let t = 0; t < S; t++) {
        const column = Int32Array.from({ length: B }, (_, row) => given.data[row * S + t]!);
        const step = m.decode(new u.Ids(column, [B, 1]), encoded, state);
        state = step.state;
        parts.push(step.logits);
      }
      return { whole: m.decode(given, encoded).logits, parts: u.concat(parts, 1) };
    });
    whole.data.forEach((value, i) => expect(parts.data[i]).toBeCloseTo(value, 5));
  });

  it("does not see what is past the lengths, and reaches every parameter", () => {
    const other = new u.Ids(read.data.slice(), read.shape);
    other.data[T + 2] = (other.data[T + 2]! + 1) % source;
    const logits = (ids: u.Ids) => model.run((m) => m.forward(ids, lengths, given).logits.toArray());
    expect(logits(other)).toEqual(logits(read));
    const { grads } = u.gradients(() => u.crossEntropy(model.forward(read, lengths, given).logits, given), {
      parameters: model.parameters(),
    });
    for (const [parameter, gradient] of grads) {
      expect(
        gradient.some((value) => value !== 0),
        (parameter as u.Parameter).name,
      ).toBe(true);
    }
  });
});

it("feeds what it chose itself where no teacher does", () => {
  const model = new u.EncoderDecoder({ ...base, attention }).init({ seed: 5, core });
  const first = new u.Ids(Int32Array.of(1, 2, 3), [B, 1]);
  const others = idsOf(B, S, target, 9);
  for (let row = 0; row < B; row++) others.data[row * S] = first.data[row]!;
  const run = (inputs: u.Ids) =>
    u.gradients(
      () => {
        const { logits } = model.forward(read, lengths, inputs, { teacherForcing: 0 });
        losses.push(logits.toArray());
        return u.sum(logits);
      },
      { core },
    );
  const losses: Float32Array[] = [];
  // Only the first inputs are alike.
  const same = new u.Ids(
    given.data.map((id, i) => (i % S === 0 ? others.data[i]! : id)),
    given.shape,
  );
  run(others);
  run(same);
  expect(losses[1]).toEqual(losses[0]);
});

it("names options that do not go together", () => {
  const make = (options: Partial<u.EncoderDecoderOptions>) => () => new u.EncoderDecoder({ ...base, ...options });
  expect(make({ inputFeeding: true })).toThrow(/inputFeeding/);
  expect(make({ reverseSource: true, attention })).toThrow(/reverseSource/);
  expect(make({ attend: "never" as "after" })).toThrow(/attend/);
  expect(make({ dropout: 2 })).toThrow(/dropout/);
  const model = new u.EncoderDecoder(base).init({ core });
  expect(() => model.run((m) => m.encode(new u.Ids(new Int32Array(0), [1, 0])).state)).toThrow(/the source/);
});
