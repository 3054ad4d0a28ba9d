import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../cli/command.js";
import { outputOf } from "./run.js";

const scratch = temporaryFolder();

describe("ner.mjs", () => {
  it("finds invented names that a dictionary does not, and the spans of a text", async () => {
    const output = await outputOf("ner.mjs", "--epochs", "4");
    const epochs = [...output.matchAll(/^epoch \d+ {2}loss ([\d.]+) .* F1 ([\d.]+)%$/gm)].map(([, ...found]) =>
      found.map(Number),
    );
    expect(epochs).toHaveLength(4);
    expect(epochs[3]?.[0]).toBeLessThan((epochs[0]?.[0] as number) / 5);
    const table = Number(/^all +[\d.]+ +[\d.]+ +([\d.]+) +\d+$/m.exec(output)?.[1]);
    expect(table).toBeCloseTo(epochs[3]?.[1] as number, 0);
    expect(table).toBeGreaterThan(90);
    // Names are drawn from many, so that few of them come again.
    expect(Number(/^dictionary: F1 ([\d.]+)%$/m.exec(output)?.[1])).toBeLessThan(20);
    expect(output.trimEnd().split("\n").slice(-2)).toEqual(["person: Harry Potter", "person: Hermione Granger"]);
  });

  it("reads files, with vectors", async () => {
    const file = (name: string, text: string) => {
      writeFileSync(resolve(scratch, name), text);
      return resolve(scratch, name);
    };
    const sentence = (place: string) => `I\tO\nlive\tO\nin\tO\n${place}\tB-place\n\nyou\tO\nlive\tO\n\n`;
    const data = file("train.conll", ["Paris", "Rome", "Bonn"].map(sentence).join(""));
    const dev = file("dev.conll", sentence("Oslo"));
    const vectors = file("vectors.txt", "live 0.1 0.2 0.3\noslo 0.4 0.5 -0.6\n");
    const output = await outputOf("ner.mjs", "--data", data, "--eval", dev, "--vectors", vectors, "--epochs", "2");
    expect(output).toContain("files: 6 sentences to train on, 2 to score");
    expect(output.match(/^epoch \d+ {2}loss [\d.]+ .*$/gm)).toHaveLength(2);
    expect(output).toContain("dictionary: F1 0.0%");
  });

  it("says how to run it, and what is missing", async () => {
    expect(await outputOf("ner.mjs", "--help")).toContain("node examples/ner.mjs [");
    await expect(outputOf("ner.mjs", "--data", "x.conll")).rejects.toThrow();
  });
});
