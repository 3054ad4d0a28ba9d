import { describe, expect, it } from "vitest";
import { ArgumentError, TokenizerError } from "../../ts/errors.js";
import { generate } from "../../ts/infer/generate.js";
import type { TextModel } from "../../ts/infer/prompt.js";
import { LSTM } from "../../ts/nn/lstm.js";
import { Module } from "../../ts/nn/module.js";
import type { RecurrentState } from "../../ts/nn/state.js";
import { LanguageModel } from "../../ts/tasks/language-model.js";
import type { Ids } from "../../ts/tensor/ids.js";
import { Parameter } from "../../ts/tensor/parameter.js";
import { type Tensor, tensor, zeros } from "../../ts/tensor/tensor.js";
import { CharTokenizer } from "../../ts/text/char-tokenizer.js";
import type { Tokenizer } from "../../ts/text/tokenizer.js";
import { WordTokenizer } from "../../ts/text/word-tokenizer.js";

/** Says one text by heart, whatever it is fed: after the prompt come the tokens of the script, one a step. */
class Parrot extends Module implements TextModel {
  readonly weight = new Parameter([1]);
  readonly tokenizer: Tokenizer;
  readonly fed: number[] = [];
  readonly #script: Int32Array;
  #said = -1;

  constructor(tokenizer: Tokenizer, script: string | Int32Array) {
    super();
    this.tokenizer = tokenizer;
    this.#script = typeof script === "string" ? tokenizer.encode(script) : script;
    this.init();
  }

  forward(ids: Ids): { logits: Tensor; state: RecurrentState } {
    this.fed.push(...ids.data);
    this.#said++;
    const row = new Float32Array(this.tokenizer.size).fill(-100);
    row[this.#script[this.#said % this.#script.length]!] = 100;
    const logits = new Float32Array(ids.size * row.length);
    logits.set(row, logits.length - row.length);
    return { logits: tensor(logits, [1, ids.size, row.length]), state: { h: zeros([1]) } };
  }
}

const say = (parrot: Parrot, prompt: string, options: object = {}) => [...generate(parrot, prompt, options)];
const chars = CharTokenizer.from("abcdefghijklmnopqrstuvwxyz .\n");

describe("generate", () => {
  it("feeds the prompt and then what it said, up to maxTokens", () => {
    const parrot = new Parrot(chars, "hello world");
    expect(say(parrot, "ab", { maxTokens: 5 })).toEqual(["h", "e", "l", "l", "o"]);
    // The last token is not fed: nothing follows it.
    expect(parrot.fed).toEqual([...chars.encode("abhell")]);
    expect(say(new Parrot(chars, "hello"), "x", { maxTokens: 0 })).toEqual([]);
  });

  it("starts an empty prompt as after a line feed", () => {
    const parrot = new Parrot(chars, "hi");
    expect(say(parrot, "", { maxTokens: 2 })).toEqual(["h", "i"]);
    expect(parrot.fed[0]).toBe(chars.encode("\n")[0]);
    const without = new Parrot(CharTokenizer.from("abc"), "cab");
    expect(say(without, "", { maxTokens: 4 }).join("").slice(1)).toBe("cab");
  });

  it("stops before a stop string that spans pieces, the earliest of several", () => {
    const script = "the cat. the end. of it";
    const text = (stop: string | string[]) => say(new Parrot(chars, script), "a", { stop, maxTokens: 23 }).join("");
    expect(text("the end")).toBe("the cat. ");
    expect(text("t")).toBe("");
    expect(text(["zzz", "end", "cat"])).toBe("the ");
    expect(text(". of")).toBe("the cat. the end");
    // A beginning that leads nowhere comes out after all.
    expect(text("cats")).toBe(script);
    expect(text("of itx")).toBe(script);
  });

  it("holds nothing back that no stop string can begin with", () => {
    expect(say(new Parrot(chars, "aabab"), "a", { stop: "abc", maxTokens: 5 })).toEqual(["a", "ab", "ab"]);
  });

  it("puts characters of several tokens together", () => {
    const bytes = WordTokenizer.from("");
    const text = "né \u{1f600}!";
    expect(say(new Parrot(bytes, text), "x", { maxTokens: 8 })).toEqual(["n", "é", " ", "\u{1f600}", "!"].slice(0, 4));
    // Cut short inside a character.
    expect(say(new Parrot(bytes, "\u{1f600}"), "x", { maxTokens: 3 })).toEqual(["\ufffd"]);
    const stopped = say(new Parrot(bytes, text), "x", { maxTokens: 9, stop: "\u{1f600}" });
    expect(stopped.join("")).toBe("né ");
  });

  it("gives the same text for the same seed", () => {
    const model = new LanguageModel({ tokenizer: chars, cell: LSTM, hiddenSize: 8 }).init({ seed: 1 });
    const text = (seed: number) => [...generate(model, "ab", { seed, maxTokens: 60, topP: 0.95 })].join("");
    expect(text(5)).toBe(text(5));
    expect(text(5)).not.toBe(text(6));
    expect(text(5).length).toBe(60);
  });

  it("lets two generators of one model go side by side", () => {
    const model = new LanguageModel({ tokenizer: chars, cell: LSTM, hiddenSize: 8 }).init({ seed: 1 });
    const alone = [...generate(model, "ab", { seed: 5, maxTokens: 20 })];
    const [one, two] = [1, 2].map(() => generate(model, "ab", { seed: 5, maxTokens: 20 })) as [
      Generator<string>,
      Generator<string>,
    ];
    for (const piece of alone) {
      expect(one.next().value).toBe(piece);
      expect(two.next().value).toBe(piece);
    }
  });

  it("refuses at the call what cannot be", () => {
    const parrot = new Parrot(chars, "a");
    expect(() => generate(parrot, "a#b")).toThrow(TokenizerError);
    expect(() => generate(parrot, "a#b")).toThrow(/"#" \(U\+0023\) at position 1/);
    for (const bad of [{ maxTokens: -1 }, { maxTokens: NaN }, { stop: "" }, { stop: ["a", ""] }, { temperature: -1 }]) {
      expect(() => generate(parrot, "a", bad)).toThrow(ArgumentError);
    }
  });
});
