import { describe, expect, it, vi } from "vitest";
import { createCore } from "../../ts/core/core.js";
import { ArgumentError, ShapeError } from "../../ts/errors.js";
import { Session, type Streamable } from "../../ts/infer/session.js";
import { CompiledGRU } from "../../ts/nn/cells/fused-equations.js";
import { defineJordan } from "../../ts/nn/cells/jordan.js";
import { PeepholeLSTM } from "../../ts/nn/cells/lstm-variants.js";
import { GRU } from "../../ts/nn/gru.js";
import { uniform } from "../../ts/nn/initializers.js";
import { LSTM } from "../../ts/nn/lstm.js";
import type { Module } from "../../ts/nn/module.js";
import { RecurrentLayer } from "../../ts/nn/recurrent.js";
import { RNN } from "../../ts/nn/rnn.js";
import type { RecurrentState } from "../../ts/nn/state.js";
import { LanguageModel } from "../../ts/tasks/language-model.js";
import { add, mul } from "../../ts/tensor/binary.js";
import { Ids } from "../../ts/tensor/ids.js";
import { sum } from "../../ts/tensor/reduce.js";
import { full, tensor } from "../../ts/tensor/tensor.js";
import { SGD } from "../../ts/train/sgd.js";
import { randomNumbers } from "../text/strings.js";
import { models, tokenizer } from "./streamed-models.js";

const cells = [
  ["RNN", RNN],
  ["LSTM", LSTM],
  ["GRU", GRU],
] as const;

describe("Session", () => {
  it.each(cells)("steps of a %s are the sequence, bit for bit", (_name, cell) => {
    const layer = new cell(3, 5, { numLayers: 2 }).init({ seed: 1 });
    const random = randomNumbers(7);
    const x = Float32Array.from({ length: 6 * 3 }, () => random() - 0.5);
    const whole = layer.run(() => layer.forward(tensor(x, [1, 6, 3])).output).data;
    const session = new Session(layer);
    const steps = Array.from({ length: 6 }, (_, t) => [...session.step(x.slice(t * 3, t * 3 + 3))]);
    expect(steps.flat()).toEqual([...whole]);
  });

  it.each(cells)("steps of a language model of %s are its logits, fed singly or together", (_name, cell) => {
    const model = new LanguageModel({ tokenizer, cell, hiddenSize: 6, embeddingSize: 4, dropout: 0.5 }).init({
      seed: 2,
    });
    const tokens = Int32Array.of(0, 3, 1, 4, 4, 2);
    const { data } = model.run(() => model.forward(new Ids(tokens, [1, 6])).logits);
    const session = new Session(model);
    const into = new Float32Array(5);
    tokens.forEach((id, t) => {
      expect(session.step(id, into)).toBe(into);
      expect([...into]).toEqual([...data.subarray(t * 5, t * 5 + 5)]);
    });
    session.reset();
    expect([...session.feed(tokens)!]).toEqual([...data.subarray(25)]);
    expect(session.feed(new Int32Array(0))).toBeUndefined();
  });

  it("feeds more than one call takes", () => {
    const model = new LanguageModel({ tokenizer, cell: GRU, hiddenSize: 4 }).init({ seed: 3 });
    const tokens = Int32Array.from({ length: 600 }, (_, i) => (i * i) % 5);
    const { data } = model.run(() => model.forward(new Ids(tokens, [1, 600])).logits);
    expect([...new Session(model).feed(tokens)!]).toEqual([...data.subarray(599 * 5)]);
  });

  it("branches, saves, restores and resets", () => {
    const model = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 4 }).init({ seed: 4 });
    const session = new Session(model);
    const fresh = session.step(1);
    session.step(2);
    const branch = session.branch();
    const saved = session.save();
    const next = session.step(3);
    expect(branch.step(3)).toEqual(next);
    session.step(0);
    session.restore(saved);
    expect(session.step(3)).toEqual(next);
    session.reset();
    expect(session.save()).toBeUndefined();
    expect(session.step(1)).toEqual(fresh);
    expect(session.branch().step(2)).not.toEqual(fresh);
  });

  it("takes memory once", () => {
    const core = createCore();
    const model = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 4 }).init({ seed: 4, core });
    const before = core.persistentBytes;
    const session = new Session(model);
    const into = new Float32Array(5);
    session.step(0, into);
    session.step(0, into);
    const held = core.persistentBytes;
    for (let i = 0; i < 2000; i++) session.step(i % 5, into);
    expect(core.persistentBytes).toBe(held);
    session.dispose();
    const packed = core.persistentBytes - before;
    session.step(0, into);
    session.dispose();
    expect(core.persistentBytes - before).toBe(packed);
  });

  it("refuses ids and buffers that do not fit, and goes on", () => {
    const model = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 4 }).init({ seed: 4 });
    const session = new Session(model);
    expect(() => session.step(5)).toThrow(ArgumentError);
    expect(() => session.step(-1)).toThrow(ArgumentError);
    session.reset();
    expect(() => session.step(0, new Float32Array(4))).toThrow(/into/);
    session.reset();
    expect(session.step(0).length).toBe(5);
  });
});

describe("the stream of a session", () => {
  const random = randomNumbers(8);
  const vectors = Array.from({ length: 9 }, () => Float32Array.from({ length: 3 }, () => 2 * random() - 1));
  const inputOf = (model: Module, t: number) => (model instanceof LanguageModel ? (t * t) % 5 : vectors[t % 9]!);

  /** The first `count` steps of the model's `forward`, over the whole sequence. */
  function whole(model: Module, count: number): number[] {
    const inputs = Array.from({ length: count }, (_, t) => inputOf(model, t));
    const layer = model as RecurrentLayer<RecurrentState>;
    const shape = layer.batchFirst === false ? [count, 1, 3] : [1, count, 3];
    const result =
      model instanceof LanguageModel
        ? model.run(() => model.forward(new Ids(Int32Array.from(inputs as number[]), [1, count])).logits)
        : layer.run(
            () =>
              layer.forward(
                tensor(
                  (inputs as Float32Array[]).flatMap((x) => [...x]),
                  shape,
                ),
              ).output,
          );
    return [...result.data];
  }

  it.each(Object.entries(models))("is the sequence, bit for bit: %s", (_, make) => {
    const model = make().init({ seed: 5, initializer: uniform(-0.9, 0.9) }) as Streamable;
    const expected = whole(model, 9);
    const forward = vi.spyOn(RecurrentLayer.prototype, "forward");
    try {
      const [session, other] = [new Session(model), new Session(model)];
      const results = Array.from({ length: 9 }, (_, t) => {
        other.step(inputOf(model, t + 1));
        return [...session.step(inputOf(model, t))];
      });
      expect(results.flat()).toEqual(expected);
      expect(forward).not.toHaveBeenCalled();
    } finally {
      forward.mockRestore();
    }
  });

  it.each(Object.entries(models))("sees weights as they are: %s", (_, make) => {
    const model = make().init({ seed: 6 }) as Module & Streamable;
    const session = new Session(model);
    // A session that has seen nothing of the weights before, at the same state.
    const expectFresh = (what: string) => {
      const fresh = new Session(model);
      fresh.restore(session.save());
      expect(session.step(inputOf(model, 2)), what).toEqual(fresh.step(inputOf(model, 2)));
    };
    // So that every state comes from a step: those of wirings come back after some.
    for (let t = 2; t < 9; t++) session.step(inputOf(model, t));
    const state = session.save();
    let before = session.step(inputOf(model, 1));
    const changed = (what: string) => {
      session.restore(state);
      const after = session.step(inputOf(model, 1));
      expect(after, what).not.toEqual(before);
      expectFresh(what);
      before = after;
    };
    for (const parameter of model.parameters()) {
      parameter.write(parameter.toArray().map((value) => value + 0.125));
      changed(`a write to ${parameter.name}`);
    }
    const optimizer = new SGD(model, { lr: 0.5 });
    optimizer.update(() =>
      model.parameters().reduce((total, parameter) => add(total, sum(mul(parameter, parameter))), full([], 0)),
    );
    changed("an update");
  });

  it("sees parameters that take the place of others", () => {
    const model = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 5 }).init({ seed: 7 });
    const other = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 5 }).init({ seed: 8 });
    const [session, expected] = [new Session(model), new Session(other)];
    session.step(1);
    for (const name of ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"] as const) {
      model.rnn[name] = other.rnn[name]!;
    }
    model.head.weight = other.head.weight;
    model.head.bias = other.head.bias;
    session.reset();
    expect(session.step(1)).toEqual(expected.step(1));
  });

  it("refuses what is no input, with the state unchanged", () => {
    const model = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 4 }).init({ seed: 4 });
    const [session, other] = [new Session(model), new Session(model)];
    session.step(1);
    other.step(1);
    for (const input of [5, -1, 1.5, Number.NaN]) expect(() => session.step(input)).toThrow(ArgumentError);
    expect(() => session.step(new Float32Array(5))).toThrow();
    expect(() => session.step(1, new Float32Array(4))).toThrow(/into/);
    expect(session.step(2)).toEqual(other.step(2));
    const layer = new GRU(3, 4).init({ seed: 4 });
    const steps = new Session(layer);
    expect(() => steps.step(new Float32Array(2))).toThrow(ShapeError);
    expect(() => steps.step(1)).toThrow();
    const first = steps.step(vectors[0]!);
    steps.restore({ h: { data: new Float32Array(5), shape: [1, 1, 5] } });
    expect(() => steps.step(vectors[0]!)).toThrow(ShapeError);
    steps.reset();
    expect(steps.step(vectors[0]!)).toEqual(first);
    layer.dispose();
    expect(() => steps.step(vectors[0]!)).toThrow();
  });

  it("goes on from what other calls left, with compiled layers", () => {
    const options = { tokenizer, cell: PeepholeLSTM, hiddenSize: 6, numLayers: 2 };
    const model = new LanguageModel(options).init({ seed: 5, initializer: uniform(-0.9, 0.9) });
    const tokens = Int32Array.of(0, 3, 1, 4, 4, 2);
    const steps = new Session(model);
    const expected = [...tokens].map((id) => [...steps.step(id)]);
    const session = new Session(model);
    session.step(0);
    expect([...session.feed(tokens.subarray(1, 4))!]).toEqual(expected[3]);
    const branch = session.branch();
    expect([...session.step(4)]).toEqual(expected[4]);
    expect([...session.feed(tokens.subarray(5))!]).toEqual(expected[5]);
    expect([...branch.step(4)]).toEqual(expected[4]);
    session.reset();
    expect([...session.step(0)]).toEqual(expected[0]);
  });

  it("takes a step in the middle of an update, and leaves no dropout behind", () => {
    const layer = new CompiledGRU(3, 5, { recurrentDropout: 0.5, zoneout: { h: 0.2 } }).init({ seed: 5 });
    const expected = new Session(layer).step(vectors[0]!);
    const session = new Session(layer);
    new SGD(layer, { lr: 0 }).update(() => {
      const { output } = layer.forward(tensor([...vectors[0]!], [1, 1, 3]));
      expect(session.step(vectors[0]!)).toEqual(expected);
      return sum(output);
    });
    session.reset();
    expect(session.step(vectors[0]!)).toEqual(expected);
  });

  it("leaves cells alone that the core has no program of", () => {
    const softmax = new (defineJordan({ outputActivation: "softmax" }))(3, 5, { outputSize: 4 });
    const layer = softmax.init({ seed: 5 });
    const expected = layer.run(() => layer.forward(tensor([...vectors[0]!], [1, 1, 3])).output).data;
    expect([...new Session(layer as unknown as Streamable).step(vectors[0]!)]).toEqual([...expected]);
  });

  it("leaves models alone that are more than their parts", () => {
    class Doubled extends LanguageModel {
      override forward(ids: Ids, options: { readonly state?: RecurrentState | undefined } = {}) {
        const { logits, state } = super.forward(ids, options);
        return { logits: mul(logits, 2), state };
      }
    }
    const options = { tokenizer, cell: GRU, hiddenSize: 4 };
    const [plain, doubled] = [new LanguageModel(options), new Doubled(options)].map((model) => model.init({ seed: 1 }));
    expect([...new Session(doubled!).step(3)]).toEqual([...new Session(plain!).step(3)].map((x) => 2 * x));
  });
});
