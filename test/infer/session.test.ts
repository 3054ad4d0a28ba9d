import { describe, expect, it } from "vitest";
import { createCore } from "../../ts/core/core.js";
import { ArgumentError } from "../../ts/errors.js";
import { Session } from "../../ts/infer/session.js";
import { GRU } from "../../ts/nn/gru.js";
import { LSTM } from "../../ts/nn/lstm.js";
import { RNN } from "../../ts/nn/rnn.js";
import { LanguageModel } from "../../ts/tasks/language-model.js";
import { Ids } from "../../ts/tensor/ids.js";
import { tensor } from "../../ts/tensor/tensor.js";
import { CharTokenizer } from "../../ts/text/char-tokenizer.js";
import { randomNumbers } from "../text/strings.js";

const cells = [
  ["RNN", RNN],
  ["LSTM", LSTM],
  ["GRU", GRU],
] as const;
const tokenizer = CharTokenizer.from("abcde");

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
