import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { confidenceInterval } from "../../ts/train/metrics/confidence.js";
import { fileIn, temporaryFolder, tiny, unrolled } from "../cli/command.js";
import { elementsOf, parseSvg } from "../inspect/svg.js";
import { outputOf } from "./run.js";

const scratch = temporaryFolder();

/** Without a comma, with one, the difference, and the sentence. */
function gardenPathsOf(output: string): { numbers: number[]; sentence: string }[] {
  return [...output.matchAll(/^ +([\d.]+) +([\d.]+) +(-?[\d.]+) {2}(\w.*\(,\).*)$/gm)].map(([, a, b, c, sentence]) => ({
    numbers: [a, b, c].map(Number),
    sentence: sentence ?? "",
  }));
}

describe("surprisal.mjs", () => {
  it("learns a small language, and is led up the garden path by it", async () => {
    const svg = resolve(scratch, "pair.svg");
    const output = await outputOf("surprisal.mjs", "--second", "The horse stopped", "--svg", svg);
    const perplexities = [...output.matchAll(/^update \d+ {2}perplexity ([\d.]+)$/gm)].map(([, value]) =>
      Number(value),
    );
    expect(perplexities).toHaveLength(5);
    // The sentences have about 70 different words.
    expect(perplexities.at(-1)).toBeLessThan(8);
    const words = output.split("\n\n")[1]?.split("\n") ?? [];
    expect(words[1]).toMatch(/^ +[\d.]+ {2}The +[\d.]+ {2}The$/);
    expect(words[3]).toMatch(/^ +[\d.]+ {2}raced +[\d.]+ {2}stopped$/);
    expect(output).toMatch(/^never seen in training: raced, past, barn$/m);
    const items = gardenPathsOf(output);
    const file = resolve(import.meta.dirname, "..", "..", "examples", "data", "garden-paths.json");
    const { items: written } = JSON.parse(readFileSync(file, "utf8")) as { items: { verb: string }[] };
    expect(written.length).toBeGreaterThanOrEqual(24);
    expect(items).toHaveLength(written.length);
    expect(new Set(items.map(({ sentence }) => sentence)).size).toBe(written.length);
    const effects = items.map(({ numbers: [ambiguous = NaN, comma = NaN, effect = NaN] }) => {
      expect(Math.abs(ambiguous - comma - effect)).toBeLessThan(0.016);
      return effect;
    });
    const [, mean, low, high] =
      /^mean effect ([\d.]+) bits, 95% confidence ([\d.]+) to ([\d.]+)$/m.exec(output)?.map(Number) ?? [];
    const expected = confidenceInterval(effects);
    expect(Math.abs((mean as number) - expected.mean)).toBeLessThan(0.02);
    expect(Math.abs((low as number) - expected.low)).toBeLessThan(0.03);
    expect(Math.abs((high as number) - expected.high)).toBeLessThan(0.03);
    expect(low).toBeGreaterThan(1);
    const picture = parseSvg(readFileSync(svg, "utf8"));
    expect(elementsOf(picture, "g")).toHaveLength(7 + 3);
  });

  it("takes a text and a model of the command, and leaves out garden paths of words that these lack", async () => {
    const story =
      "When the count left, the prince smiled.\n\nThe prince smiled. When the count left, he fell.\n\n".repeat(20);
    const text = fileIn(scratch, "story.txt", story);
    const model = resolve(scratch, "words.safetensors");
    const args = ["train", text, "--tokens", "word", ...tiny, "--updates", "20", "--out", model, "--quiet"];
    expect(await unrolled(args)).toEqual({ code: 0, stdout: "", stderr: "" });
    const output = await outputOf("surprisal.mjs", "--data", text, "--model", model);
    expect(output).toContain("never seen in training: horse, raced, past, barn, shot, in");
    expect(output).toContain("1 of 36 garden paths of known words");
    expect(gardenPathsOf(output).map(({ sentence }) => sentence)).toEqual(["When the count left(,) the prince smiled"]);
    expect(output).not.toContain("mean effect");
  });

  it("--help says where a text is to be had", async () => {
    const help = await outputOf("surprisal.mjs", "--help");
    expect(help).toContain("node examples/surprisal.mjs [");
    expect(help).toContain("www.gutenberg.org");
  });
});
