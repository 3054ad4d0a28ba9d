import { describe, expect, it } from "vitest";
import { createCore } from "../../ts/core/core.js";
import { lanes } from "../../ts/data/lanes.js";
import { ArgumentError } from "../../ts/errors.js";
import { compareInt8 } from "../../ts/infer/compare-int8.js";
import { Session, type Streamable } from "../../ts/infer/session.js";
import { CompiledRNN } from "../../ts/nn/cells/fused-equations.js";
import { defineJordan } from "../../ts/nn/cells/jordan.js";
import { PeepholeLSTM } from "../../ts/nn/cells/lstm-variants.js";
import { GRU } from "../../ts/nn/gru.js";
import { uniform } from "../../ts/nn/initializers.js";
import { LSTM } from "../../ts/nn/lstm.js";
import type { Module } from "../../ts/nn/module.js";
import { RNN } from "../../ts/nn/rnn.js";
import { CarriedState } from "../../ts/nn/state.js";
import { Bidirectional } from "../../ts/nn/wiring/bidirectional.js";
import { LanguageModel } from "../../ts/tasks/language-model.js";
import { SGD } from "../../ts/train/sgd.js";
import { randomNumbers } from "../text/strings.js";
import { models, tokenizer } from "./streamed-models.js";

const random = randomNumbers(11);
const vectors = Array.from({ length: 12 }, () => Float32Array.from({ length: 3 }, () => 2 * random() - 1));
const tokens = Int32Array.from({ length: 12 }, (_, t) => (t * t * 3) % 5);

/** A trained model's weights are larger than those it starts with. */
const initializer = uniform(-0.9, 0.9);
const inputOf = (model: Module, t: number) => (model instanceof LanguageModel ? tokens[t]! : vectors[t]!);

/** Replaces each weight that is multiplied by the value that its 8 bits stand for, in double precision. */
function roundWeights(model: Module): void {
  for (const parameter of model.parameters()) {
    const [rows, columns] = parameter.shape as [number, number?];
    if (columns === undefined) continue;
    const values = parameter.toArray();
    for (let row = 0; row < rows; row++) {
      const part = values.subarray(row * columns, (row + 1) * columns);
      const scale = part.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
      part.forEach((value, i) => {
        part[i] = scale * Math.round(value / scale);
      });
    }
    parameter.write(values);
  }
}

describe("a session with 8-bit weights", () => {
  it.each(Object.entries(models))("is near the model: %s", (_, make) => {
    const model = make().init({ seed: 5, initializer }) as Streamable;
    const inputs = Array.from({ length: 12 }, (_, t) => inputOf(model, t));
    const { rms, rmsError, maxError } = compareInt8(model, inputs);
    expect(rmsError).toBeLessThan(0.02 * rms);
    expect(rmsError).toBeGreaterThan(0);
    expect(maxError).toBeLessThan(0.1);
  });

  it("multiplies weights that are rounded by row", () => {
    const make = () => new RNN(4, 6, { bias: false }).init({ seed: 5, initializer });
    const [model, rounded] = [make(), make()];
    roundWeights(rounded);
    // From the zero state a first step has the product of the input alone; 127 and 64 are whole in its scale.
    const x = Float32Array.of(127, 0, -64, 1).map((value) => value / 127);
    const actual = new Session(model, { weights: "int8" }).step(x);
    const expected = new Session(rounded).step(x);
    actual.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 6));
    const plain = new Session(model).step(x);
    expect(Math.max(...plain.map((value, i) => Math.abs(value - expected[i]!)))).toBeGreaterThan(1e-4);
  });

  it("feeds, branches, saves, restores and resets", () => {
    const model = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 7 }).init({ seed: 4, initializer });
    const session = new Session(model, { weights: "int8" });
    const steps = [...tokens].map((id) => session.step(id));
    session.reset();
    expect(session.feed(tokens.subarray(0, 6))).toEqual(steps[5]);
    expect(session.feed(new Int32Array(0))).toBeUndefined();
    const branch = session.branch();
    const saved = session.save();
    expect(session.feed(tokens.subarray(6))).toEqual(steps[11]);
    expect(branch.step(tokens[6]!)).toEqual(steps[6]);
    session.restore(saved);
    expect(session.step(tokens[6]!)).toEqual(steps[6]);
    session.dispose();
    expect(session.step(tokens[0]!)).toEqual(steps[0]);
    expect(new Session(model).step(tokens[0]!)).not.toEqual(steps[0]);
    for (const input of [5, -1, 1.5]) expect(() => session.step(input)).toThrow(ArgumentError);
    expect(session.step(tokens[1]!)).toEqual(steps[1]);
  });

  it.each(Object.entries(models))("sees weights as they are: %s", (_, make) => {
    const model = make().init({ seed: 6, initializer }) as Streamable;
    const session = new Session(model, { weights: "int8" });
    // So that every state comes from a step: those of wirings come back after some.
    const eighth = (of: Session) => {
      for (let t = 0; t < 7; t++) of.step(inputOf(model, t));
      return of.step(inputOf(model, 7));
    };
    const first = () => {
      session.reset();
      return eighth(session);
    };
    let before = first();
    for (const parameter of model.parameters()) {
      parameter.write(parameter.toArray().map((value) => -2 * value + 0.125));
      const after = first();
      expect(after, parameter.name).not.toEqual(before);
      const fresh = new Session(model, { weights: "int8" });
      expect(eighth(fresh), parameter.name).toEqual(after);
      before = after;
    }
  });

  it.each([
    ["fused", LSTM],
    ["compiled", PeepholeLSTM],
  ])("keeps to its memory, and gives it back: %s", (_, cell) => {
    const core = createCore();
    const model = new LanguageModel({ tokenizer, cell, hiddenSize: 4 }).init({ seed: 4, core });
    const into = new Float32Array(5);
    const run = () => {
      const session = new Session(model, { weights: "int8" });
      session.step(0, into);
      session.reset();
      session.step(0, into);
      const held = core.persistentBytes;
      for (let i = 0; i < 2000; i++) session.step(i % 5, into);
      session.reset();
      session.step(0, into);
      expect(core.persistentBytes).toBe(held);
      session.dispose();
    };
    run();
    const before = core.persistentBytes;
    run();
    expect(core.persistentBytes).toBe(before);
  });

  it.each([
    ["fused", RNN],
    ["compiled", CompiledRNN],
  ])("refuses sums that may leave 32 bits, before it takes memory for them: %s", (_, Layer) => {
    const core = createCore();
    const wide = new Layer(2 ** 17 + 1, 1).init({ seed: 1, core });
    const [session, x] = [new Session(wide, { weights: "int8" }), new Float32Array(2 ** 17 + 1).fill(1)];
    expect(() => session.step(x)).toThrow(/weights.*131072/);
    const held = core.persistentBytes;
    expect(() => session.step(x)).toThrow(/weights.*131072/);
    expect(core.persistentBytes).toBe(held);
    session.dispose();
    expect(new Session(wide).step(x).length).toBe(1);
  });

  it("is for models whose steps are one call of the core", () => {
    const refused: Streamable[] = [
      new (defineJordan({ outputActivation: "softmax" }))(3, 5, { outputSize: 4 }).init({ seed: 1 }),
      new LSTM(3, 4, { bidirectional: true }).init({ seed: 1 }),
      new Bidirectional(new GRU(3, 4), new GRU(3, 4)).init({ seed: 1 }) as unknown as Streamable,
    ];
    for (const model of refused) expect(() => new Session(model, { weights: "int8" })).toThrow(/weights.*int8/);
    const lstm = new LSTM(3, 4).init({ seed: 1 });
    expect(() => new Session(lstm, { weights: "int4" as "int8" })).toThrow(ArgumentError);
  });
});

describe("compareInt8", () => {
  it("says what a trained model loses", () => {
    const model = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 16 }).init({ seed: 2 });
    const text = "abcdeabdceabcde".repeat(8);
    const ids = tokenizer.encode(text);
    const optimizer = new SGD(model, { lr: 2, momentum: 0.5 });
    const { train: data } = lanes(ids, { batchSize: 4, seqLen: 28 });
    for (let i = 0; i < 150; i++) {
      optimizer.update(() => model.loss(data.batch(0), new CarriedState()), { clipGradNorm: 1 });
    }
    const comparison = compareInt8(model, ids);
    const { crossEntropy, sameLargest } = comparison;
    expect(crossEntropy!.float32).toBeCloseTo(model.evaluate(text), 5);
    expect(crossEntropy!.float32).toBeLessThan(0.5);
    expect(Math.abs(crossEntropy!.int8 - crossEntropy!.float32)).toBeLessThan(0.02);
    expect(sameLargest).toBeGreaterThan(0.95);
    expect(String(comparison)).toContain(`${crossEntropy!.int8.toFixed(4)} nats a token, not`);
  });

  it("has no cross-entropy of vectors, nor of one token", () => {
    const layer = new GRU(3, 4).init({ seed: 1 });
    const comparison = compareInt8(layer, vectors);
    expect(comparison.crossEntropy).toBeNull();
    const change = ((100 * comparison.rmsError) / comparison.rms).toFixed(2);
    expect(String(comparison)).toMatch(new RegExp(`^8-bit weights change results by ${change}% .*of the steps$`));
    const model = new LanguageModel({ tokenizer, cell: GRU, hiddenSize: 4 }).init({ seed: 1 });
    expect(compareInt8(model, [3]).crossEntropy).toBeNull();
    expect(() => compareInt8(model, [])).toThrow(ArgumentError);
    expect(compareInt8(layer, [Float32Array.of(1, Number.NaN, 0)]).maxError).toBeNaN();
  });
});
