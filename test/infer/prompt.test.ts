/** A prompt that was read once: what goes on from it is what goes on from the whole text. */
import { describe, expect, it } from "vitest";
import { createCore, getCore } from "../../ts/core/core.js";
import { LoadError } from "../../ts/errors.js";
import { generate } from "../../ts/infer/generate.js";
import { loadPrompt, readPrompt, savePrompt } from "../../ts/infer/prompt.js";
import { writeSafetensors } from "../../ts/io/safetensors.js";
import { GRU } from "../../ts/nn/gru.js";
import { LSTM } from "../../ts/nn/lstm.js";
import { LanguageModel, type RecurrentClass } from "../../ts/tasks/language-model.js";
import { CharTokenizer } from "../../ts/text/char-tokenizer.js";

const tokenizer = CharTokenizer.from("abcdefgh .\n");
const make = (cell: RecurrentClass, seed = 3) =>
  new LanguageModel({ tokenizer, cell, hiddenSize: 6, numLayers: 2, embeddingSize: 5 }).init({ seed });
const settings = { maxTokens: 40, temperature: 1.2, repetitionPenalty: 1.3, repetitionWindow: 9, seed: 4 };

describe("a prompt that was read", () => {
  it.each([
    ["LSTM", LSTM],
    ["GRU", GRU],
  ] as const)("goes on as the whole text does, from memory and from its file (%s)", (_, cell) => {
    const lm = make(cell);
    const whole = [...generate(lm, "head face bed. cab", settings)].join("");
    const head = readPrompt(lm, "head ");
    const both = readPrompt(lm, "face bed.", head);
    const read = loadPrompt(lm, savePrompt(lm, both));
    expect(read).toEqual(both);
    for (const after of [both, read]) {
      expect([...generate(lm, " cab", { ...settings, after })].join("")).toBe(whole);
      // Nothing of it was used up, and with nothing more to read its own logits are taken.
      const rest = readPrompt(lm, " cab", after);
      expect([...generate(lm, "", { ...settings, after: rest })].join("")).toBe(whole);
    }
  });

  it("of nothing is read as a line feed, and leaves no memory behind", () => {
    const lm = make(LSTM);
    const [first, second] = ["", "\n"].map((prompt) => [...generate(lm, prompt, { maxTokens: 20, seed: 1 })].join(""));
    const before = getCore().persistentBytes;
    const after = readPrompt(lm, "");
    expect([...generate(lm, "", { maxTokens: 20, seed: 1, after })].join("")).toBe(first);
    expect(second).toBe(first);
    expect(getCore().persistentBytes).toBe(before);
  });

  it("is refused by another model and by the same one after it has changed", () => {
    const lm = make(LSTM);
    const bytes = savePrompt(lm, readPrompt(lm, "bad"));
    expect(() => loadPrompt(make(LSTM, 8), bytes)).toThrow(/another model has read/);
    expect(() => loadPrompt(make(GRU), bytes)).toThrow(/another model has read/);
    const same = make(LSTM).init({ seed: 3, core: createCore() });
    expect(loadPrompt(same, bytes).tokens).toEqual(tokenizer.encode("bad"));
    lm.head.bias?.write(new Float32Array(tokenizer.size).fill(0.5));
    expect(() => loadPrompt(lm, bytes)).toThrow(LoadError);
  });

  it("is refused with a LoadError when its file was cut anywhere or is another one", () => {
    const lm = make(GRU);
    const bytes = savePrompt(lm, readPrompt(lm, "a cab"));
    for (let length = 0; length < bytes.length; length++) {
      expect(() => loadPrompt(lm, bytes.slice(0, length))).toThrow(LoadError);
    }
    expect(() => loadPrompt(lm, writeSafetensors([]))).toThrow(/not the state of a prompt/);
    const text = new TextDecoder("latin1").decode(bytes);
    const edited = (from: string, to: string): Uint8Array => {
      expect(to).toHaveLength(from.length);
      expect(text).toContain(from);
      return Uint8Array.from(text.replace(from, to), (character) => character.charCodeAt(0));
    };
    const later = edited('"unrolled.prompt":"1"', '"unrolled.prompt":"2"');
    expect(() => loadPrompt(lm, later)).toThrow(/version 2, this package reads 1/);
    expect(() => loadPrompt(lm, edited('"logits"', '"logots"'))).toThrow(/logots is not expected/);
    const broken = Uint8Array.from(bytes);
    broken.fill(0xff, bytes.length - 4);
    expect(() => loadPrompt(lm, broken)).toThrow(LoadError);
  });
});
