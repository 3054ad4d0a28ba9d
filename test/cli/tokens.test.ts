import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { surprisal } from "../../ts/infer/surprisal.js";
import { LanguageModel } from "../../ts/tasks/language-model.js";
import { BpeTokenizer } from "../../ts/text/bpe-tokenizer.js";
import { WordTokenizer } from "../../ts/text/word-tokenizer.js";
import { fileIn, temporaryFolder, tiny, unrolled } from "./command.js";

const folder = temporaryFolder();
// "barn" occurs once, so that it is spelled.
const story = `${"When the dog barked, the cat ran away.\nThe dog saw the cat.\n".repeat(40)}A barn.\n`;
const text = fileIn(folder, "story.txt", story);
const model = join(folder, "words.safetensors");
const words = ["--tokens", "word", "--vocabulary", "400"];
let log = "";

beforeAll(async () => {
  const args = ["train", text, ...words, ...tiny, "--tie-weights", "--lr", "0.01", "--updates", "60", "--out", model];
  const { code, stdout, stderr } = await unrolled(args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  log = stdout;
});

describe("models of words", () => {
  it("are trained on tokens, with embeddings as large as a layer, and report perplexity", () => {
    const tokenizer = WordTokenizer.from(story, { maxSize: 400, minCount: 2 });
    const lm = LanguageModel.from(readFileSync(model));
    expect(lm.tokenizer.tokens).toEqual(tokenizer.tokens);
    expect(lm.embedding?.weight.shape).toEqual([tokenizer.size, 16]);
    const count = tokenizer.encode(story).length;
    expect(log).toContain(
      `story.txt: ${story.length.toLocaleString("en")} characters, ${count} tokens of kind word, ${tokenizer.size} different`,
    );
    const lines = [...log.matchAll(/^update .* loss ([\d.]+) nats, perplexity ([\d.]+) {2}[\d,]+ tokens\/s$/gm)];
    expect(lines.length).toBeGreaterThan(0);
    for (const [, nats, perplexity] of lines) {
      expect(Math.abs(Math.exp(Number(nats)) / Number(perplexity) - 1)).toBeLessThan(0.05);
    }
    expect(log).toMatch(/^update 60 {2}validation [\d.]+ nats, perplexity [\d.]+$/m);
    expect(log).not.toContain("bits a character");
  });

  it("sample text that was written in words, and show what they are", async () => {
    const sample = await unrolled(["sample", model, "--prompt", "When the dog", "--length", "40", "--seed", "1"]);
    expect(sample).toMatchObject({ code: 0, stderr: "" });
    expect(sample.stdout).toMatch(/^When the dog/);
    expect(sample.stdout).toMatch(/ (the|cat|ran|barked|saw)\b/);
    const { stdout } = await unrolled(["info", model]);
    expect(stdout).toMatch(/^tokenizer +word, \d+ tokens: " the" .*" dog"/m);
    expect(stdout).toMatch(/head\.weight +is embedding\.weight/);
  });

  it("have surprisals of words, of those that are spelled too", async () => {
    const said = JSON.parse((await unrolled(["surprisal", model, "the dog saw a stable.", "--json"])).stdout) as {
      words: { text: string; bits: number }[];
      tokens: { text: string }[];
      bitsPerToken: number;
    };
    expect(said.words.map((word) => word.text)).toEqual(["the", "dog", "saw", "a", "stable."]);
    expect(said.tokens.length).toBeGreaterThan(9);
    const lm = LanguageModel.from(readFileSync(model));
    expect(said.bitsPerToken).toBeCloseTo(surprisal(lm, "the dog saw a stable.").bitsPerToken, 6);
    const { stdout } = await unrolled(["surprisal", model, "The dog"]);
    expect(stdout).toMatch(/^total [\d.]+ bits: 2 words, 2 tokens\nmean .* bits a word, [\d.]+ bits a token$/m);
  });

  it("go on from a checkpoint to the same bytes", async () => {
    const train = (...args: string[]) => unrolled(["train", text, ...args, "--quiet"]);
    const whole = join(folder, "whole.safetensors");
    const halves = join(folder, "halves.safetensors");
    const options = [...words, ...tiny, "--validate-every", "4"];
    expect((await train(...options, "--updates", "8", "--out", whole)).code).toBe(0);
    expect((await train(...options, "--updates", "4", "--out", halves)).code).toBe(0);
    expect(await train("--resume", halves, "--updates", "8")).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(readFileSync(halves).equals(readFileSync(whole))).toBe(true);
  });

  it("may be of subwords", async () => {
    const path = join(folder, "subwords.safetensors");
    const args = ["--tokens", "subword", "--vocabulary", "300", ...tiny, "--updates", "10", "--out", path];
    const { code, stdout, stderr } = await unrolled(["train", text, ...args]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const tokenizer = BpeTokenizer.from(story, { maxSize: 300 });
    expect(LanguageModel.from(readFileSync(path)).tokenizer.tokens).toEqual(tokenizer.tokens);
    expect(stdout).toContain(`${tokenizer.encode(story).length.toLocaleString("en")} tokens of kind bpe`);
    const { words: found } = JSON.parse((await unrolled(["surprisal", path, "The cat ran.", "--json"])).stdout) as {
      words: { text: string }[];
    };
    expect(found.map((word) => word.text)).toEqual(["The", "cat", "ran."]);
    expect((await unrolled(["info", path])).stdout).toMatch(/^tokenizer +bpe, \d+ tokens: "/m);
  });

  it("refuse what makes no sense", async () => {
    const refused = async (args: string[], message: string) => {
      const { code, stdout, stderr } = await unrolled(["train", text, ...args]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toContain(message);
    };
    await refused(["--vocabulary", "500"], "--vocabulary takes --tokens other than char");
    await refused(["--tokens", "words"], "did you mean word?");
    await refused([...words, "--embedding", "8", "--tie-weights"], "--embedding 128");
  });
});
