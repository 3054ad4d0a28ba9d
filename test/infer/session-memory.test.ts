// In a file of its own: what else has run in the engine decides how it compiles the loop.
import { describe, expect, it } from "vitest";
import { createCore } from "../../ts/core/core.js";
import { Session } from "../../ts/infer/session.js";
import { PeepholeLSTM } from "../../ts/nn/cells/lstm-variants.js";
import { LSTM } from "../../ts/nn/lstm.js";
import { LanguageModel } from "../../ts/tasks/language-model.js";
import { CharTokenizer } from "../../ts/text/char-tokenizer.js";

const tokenizer = CharTokenizer.from("abcde");

describe("the stream of a session", () => {
  it.each([
    ["fused", "float32", LSTM],
    ["compiled", "float32", PeepholeLSTM],
    ["compiled", "int8", PeepholeLSTM],
  ] as const)("takes no memory in a hundred thousand steps: %s, %s", (_, weights, cell) => {
    const core = createCore();
    const model = new LanguageModel({ tokenizer, cell, hiddenSize: 6, numLayers: 2 }).init({ seed: 4, core });
    const [session, into] = [new Session(model, { weights }), new Float32Array(5)];
    const run = (steps: number) => {
      for (let i = 0; i < steps; i++) session.step(i % 5, into);
    };
    const held = () => [core.arenaUsed, core.arenaCapacity, core.persistentBytes];
    run(100);
    const before = held();
    run(100_000);
    // Once the engine has compiled it: an object a step, of two words, would be 320 kB in each of these.
    let flat = 0;
    for (let batch = 0; batch < 60 && flat < 3; batch++) {
      const heap = process.memoryUsage().heapUsed;
      run(20_000);
      flat = Math.abs(process.memoryUsage().heapUsed - heap) < 1e5 ? flat + 1 : 0;
    }
    expect(flat).toBe(3);
    expect(held()).toEqual(before);
  });
});
