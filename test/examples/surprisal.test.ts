import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { confidenceInterval } from "../../ts/train/metrics/confidence.js";
import { fileIn, temporaryFolder, tiny, unrolled } from "../cli/command.js";
import { elementsOf, parseSvg } from "../inspect/svg.js";
import { outputOf } from "./run.js";

const scratch = temporaryFolder();

/** Without a comma, with one, the difference, that of the control, the difference of both, and the sentence. */
function gardenPathsOf(output: string): { numbers: number[]; sentence: string }[] {
  return [...output.matchAll(/^((?: +-?[\d.]+){5}) {2}(\w.*\(,\).*)$/gm)].map(([, numbers = "", sentence = ""]) => ({
    numbers: numbers.trim().split(/ +/).map(Number),
    sentence,
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
    // The sentences have about 90 different words.
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
    for (const { numbers } of items) {
      const [ambiguous, comma, effect, control, difference] = numbers as [number, number, number, number, number];
      expect(Math.abs(ambiguous - comma - effect)).toBeLessThan(0.016);
      expect(Math.abs(effect - control - difference)).toBeLessThan(0.016);
    }
    const interval = (name: string, column: number) => {
      const line = new RegExp(`^mean ${name} (-?[\\d.]+) bits, 95% confidence (-?[\\d.]+) to (-?[\\d.]+)$`, "m");
      const [, mean = NaN, low = NaN, high = NaN] = line.exec(output)?.map(Number) ?? [];
      const expected = confidenceInterval(items.map(({ numbers }) => numbers[column] as number));
      expect(Math.abs(mean - expected.mean)).toBeLessThan(0.02);
      expect(Math.abs(low - expected.low)).toBeLessThan(0.03);
      expect(Math.abs(high - expected.high)).toBeLessThan(0.03);
      return { mean, low };
    };
    // In this language nothing but a garden path makes the comma matter.
    expect(interval("effect", 2).low).toBeGreaterThan(1);
    expect(interval("control", 3).mean).toBeLessThan(0.5);
    expect(interval("difference", 4).low).toBeGreaterThan(0.8);
    const picture = parseSvg(readFileSync(svg, "utf8"));
    expect(elementsOf(picture, "g")).toHaveLength(7 + 3);
  });

  it("takes a text and a model of the command, and leaves out garden paths of words that these lack", async () => {
    const story =
      "When the count left, the prince smiled.\n\nThe prince arrived. When the count left, he fell.\n\n".repeat(20);
    const text = fileIn(scratch, "story.txt", story);
    const model = resolve(scratch, "words.safetensors");
    const args = ["train", text, "--tokens", "word", ...tiny, "--updates", "20", "--out", model, "--quiet"];
    expect(await unrolled(args)).toEqual({ code: 0, stdout: "", stderr: "" });
    const output = await outputOf("surprisal.mjs", "--data", text, "--eval", text, "--model", model);
    expect(output).toMatch(/: perplexity \d+\.\d a token$/m);
    expect(output).toContain("never seen in training: horse, raced, past, barn, shot, in");
    expect(output).toContain("1 of 36 garden paths of known words");
    expect(gardenPathsOf(output).map(({ sentence }) => sentence)).toEqual([
      "When the count left/arrived(,) the prince smiled",
    ]);
    expect(output).not.toContain("mean effect");
  });

  it("--help says where a text is to be had", async () => {
    const help = await outputOf("surprisal.mjs", "--help");
    expect(help).toContain("node examples/surprisal.mjs [");
    expect(help).toContain("www.gutenberg.org");
  });
});
