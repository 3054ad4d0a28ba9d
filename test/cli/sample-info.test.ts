import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { compareInt8 } from "../../ts/infer/compare-int8.js";
import { generate } from "../../ts/infer/generate.js";
import { save } from "../../ts/io/model-file.js";
import { LSTM } from "../../ts/nn/lstm.js";
import { TextClassifier } from "../../ts/tasks/classifier.js";
import { LanguageModel } from "../../ts/tasks/language-model.js";
import { Translator } from "../../ts/tasks/translator.js";
import { BpeTokenizer } from "../../ts/text/bpe-tokenizer.js";
import { CharTokenizer } from "../../ts/text/char-tokenizer.js";
import { VocabularyTokenizer } from "../../ts/text/vocabulary-tokenizer.js";
import { fileIn, temporaryFolder, tiny, unrolled, verse } from "./command.js";

const folder = temporaryFolder();
const text = fileIn(folder, "verse.txt", verse);
const model = join(folder, "model.safetensors");

beforeAll(async () => {
  expect((await unrolled(["train", text, ...tiny, "--updates", "80", "--out", model, "--quiet"])).code).toBe(0);
});

describe("unrolled sample", () => {
  it("prints the prompt and what generate makes of it", async () => {
    const args = [
      "--prompt",
      "the ",
      "--length",
      "90",
      "--temperature",
      "0.7",
      "--top-k",
      "9",
      "--top-p",
      "0.95",
      "--seed",
      "5",
    ];
    const { code, stdout } = await unrolled(["sample", model, ...args]);
    const options = { maxTokens: 90, temperature: 0.7, topK: 9, topP: 0.95, seed: 5 };
    const expected = [...generate(LanguageModel.from(readFileSync(model)), "the ", options)].join("");
    expect(code).toBe(0);
    // As the model made it: what goes to a pipe is not altered.
    expect(stdout).toBe(`the ${expected}\n`);
  });

  it("draws another text each time without a seed, the same with one", async () => {
    const sample = async (...args: string[]): Promise<string> =>
      (await unrolled(["sample", model, "--length", "60", ...args])).stdout;
    expect(await sample()).not.toBe(await sample());
    expect(await sample("--seed", "3")).toBe(await sample("--seed", "3"));
  });

  it("ends before --stop", async () => {
    const { stdout } = await unrolled([
      "sample",
      model,
      "--stop",
      "n",
      "--length",
      "2000",
      "--temperature",
      "1",
      "--seed",
      "1",
    ]);
    expect(stdout).not.toContain("n\n");
    expect(stdout.slice(0, -1)).not.toContain("n");
    expect(stdout.length).toBeLessThan(2000);
  });

  it("goes on from a saved prompt, as often as wanted, as from the whole text", async () => {
    const state = join(folder, "prompt.state");
    const further = join(folder, "further.state");
    const draw = ["--seed", "4", "--repetition-window", "12"];
    const sample = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await unrolled(["sample", model, ...draw, ...args]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      return stdout.slice(0, -1);
    };
    const penalty = "--repetition-penalty=1.2";
    const whole = await sample(penalty, "--prompt", "the rain in spain", "--length", "50");
    expect(await sample("--prompt", "the rain ", "--save-state", state, "--length", "0")).toBe("the rain ");
    const branch = [penalty, "--state", state, "--prompt", "in spain", "--length", "50"];
    expect(`the rain ${await sample(...branch)}`).toBe(whole);
    expect(`the rain ${await sample(...branch, "--save-state", further)}`).toBe(whole);
    expect(`the rain in spain${await sample(penalty, "--state", further, "--length", "50")}`).toBe(whole);
    expect(await sample("--prompt", "the rain in spain", "--length", "50", "--repetition-penalty=9")).not.toBe(whole);
  });

  it("reports JSON lines whose texts are the text", async () => {
    const plain = await unrolled(["sample", model, "--length", "300", "--seed", "2"]);
    const { stdout } = await unrolled(["sample", model, "--length", "300", "--seed", "2", "--json"]);
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { kind: string; text?: string; characters?: number });
    expect(events[0]).toEqual({ kind: "start", model, prompt: "", seed: 2 });
    expect(events.at(-1)).toMatchObject({ kind: "end", characters: 300 });
    expect(events.flatMap(({ text = "" }) => text).join("")).toBe(plain.stdout.slice(0, -1));
  });

  it("multiplies 8-bit weights, and says what they change", async () => {
    const args = ["sample", model, "--int8", "--length", "200", "--seed", "2"];
    const { code, stdout, stderr } = await unrolled(args);
    expect(code).toBe(0);
    const lm = LanguageModel.from(readFileSync(model));
    const text = [...generate(lm, "", { maxTokens: 200, temperature: 0.8, seed: 2, weights: "int8" })].join("");
    expect(stdout).toBe(`${text}\n`);
    const changes = compareInt8(lm, lm.tokenizer.encode(text));
    expect(stderr).toBe(`on this text, ${changes}\n`);
    expect(changes.rmsError).toBeGreaterThan(0);
    const { stdout: json } = await unrolled([...args, "--json"]);
    const end = JSON.parse(json.trimEnd().split("\n").at(-1)!);
    expect(end).toMatchObject({ kind: "end", characters: 200, int8: JSON.parse(JSON.stringify(changes)) });
    const nothing = await unrolled(["sample", model, "--int8", "--length", "0"]);
    expect(nothing).toMatchObject({ code: 0, stdout: "\n", stderr: "" });
  });

  it("says nothing when its reader has gone", async () => {
    const outcome = await unrolled(["sample", model, "--length", "1000000000"], {
      onOutput: (_, child) => child.stdout?.destroy(),
    });
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("unrolled info", () => {
  it("shows the architecture, the parameters and how they were trained", async () => {
    const { code, stdout } = await unrolled(["info", model]);
    const size = new Set(verse).size;
    // LSTM: 4 gates of 16 units over one-hot input, with two biases; the head.
    const parameters = 64 * size + 64 * 16 + 2 * 64 + size * 16 + size;
    expect(code).toBe(0);
    expect(stdout).toMatch(/LanguageModel: cell LSTM, hiddenSize 16, numLayers 1/);
    expect(stdout).toContain(`char, ${size} tokens`);
    expect(stdout).toContain(`${parameters.toLocaleString("en")} in 6 tensors`);
    expect(stdout).toMatch(new RegExp(`rnn\\.weight_ih_l0 +\\[64, ${size}\\] +F32 `));
    expect(stdout).toMatch(/preset quick, updates 80, validationLoss [\d.]+, batchSize 4, seqLen 16, seed 1/);
  });

  it("says the same in JSON", async () => {
    const { stdout } = await unrolled(["info", model, "--json"]);
    const info = JSON.parse(stdout) as Record<string, unknown>;
    expect(info).toMatchObject({
      file: model,
      bytes: readFileSync(model).length,
      kind: "LanguageModel",
      config: { cell: "LSTM", hiddenSize: 16, numLayers: 1 },
      tokenizer: { kind: "char", size: new Set(verse).size },
      training: { preset: "quick", updates: 80, seed: 1 },
    });
    const tensors = info["tensors"] as { shape: number[]; count: number; bytes: number }[];
    for (const { shape, count, bytes } of tensors) {
      expect(shape.reduce((product, length) => product * length, 1)).toBe(count);
      expect(bytes).toBe(4 * count);
    }
    expect(tensors.reduce((sum, { count }) => sum + count, 0)).toBe(info["parameters"]);
  });

  it("cuts what is long, and has all of it in JSON", async () => {
    const labels = Array.from({ length: 500 }, (_, i) => `label${i}`);
    const classifier = new TextClassifier({ tokenizer: CharTokenizer.from("ab"), labels, cell: LSTM, hiddenSize: 2 });
    const file = join(folder, "classifier.safetensors");
    writeFileSync(file, save(classifier.init()));
    const [short, json] = await Promise.all([unrolled(["info", file]), unrolled(["info", file, "--json"])]);
    expect(short.stdout).toMatch(
      /^labels {6}500: label0, label1, label2, label3, label4, label5, label6, label7, \.\.\.$/m,
    );
    expect(short.stdout).toMatch(/^tokenizer {3}char, 2 tokens: "ab"$/m);
    expect(JSON.parse(json.stdout)).toMatchObject({ config: { labels } });
  });

  it("shows both tokenizers of a translator", async () => {
    const tokenizer = VocabularyTokenizer.from("a cat a dog");
    const targetTokenizer = BpeTokenizer.from("un chat un chien", { maxSize: 259 });
    const translator = new Translator({ tokenizer, targetTokenizer, cell: LSTM, hiddenSize: 2 });
    const file = join(folder, "translator.safetensors");
    writeFileSync(file, save(translator.init()));
    const { stdout } = await unrolled(["info", file]);
    expect(stdout).toMatch(/^model {7}Translator: cell LSTM, hiddenSize 2/m);
    expect(stdout).toMatch(/^tokenizer {3}vocabulary, 7 tokens: "cat" "dog"$/m);
    expect(stdout).toMatch(/^targetTokenizer bpe, 259 tokens: "un" /m);
    expect(stdout).not.toContain("merges");
  });
});
