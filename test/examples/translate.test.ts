import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../cli/command.js";
import { parseSvg } from "../inspect/svg.js";
import { outputOf } from "./run.js";

const scratch = temporaryFolder();

it("translate.mjs learns a small grammar, shows its best translations and draws where it looks", async () => {
  const picture = resolve(scratch, "attention.svg");
  const output = await outputOf("translate.mjs", "--svg", picture);
  const score = (name: string) => Number(new RegExp(`^${name} +([\\d.]+)`, "m").exec(output)?.[1]);
  // The sentences were not seen, and each has neighbours that differ in one word.
  expect(score("the model")).toBeGreaterThan(85);
  expect(score("the model")).toBeGreaterThan(score("most similar pair"));
  const best = [...output.matchAll(/^ +(-[\d.]+) {2}\S.*$/gm)].map(([, logProbability]) => Number(logProbability));
  expect(best).toHaveLength(5);
  expect(best.every((value) => value < 0)).toBe(true);
  const svg = readFileSync(picture, "utf8");
  parseSvg(svg);
  expect(svg).toContain("&lt;end&gt;");
});

it("translate.mjs learns from files, and says where there are some", async () => {
  const file = resolve(scratch, "pairs.tsv");
  writeFileSync(file, "I see.\tJe vois.\nYou see.\tTu vois.\n".repeat(20));
  const output = await outputOf("translate.mjs", "--data", file, "--eval", file, "--epochs", "20", "--text", "I see.");
  expect(output).toMatch(/^ +-[\d.]+ {2}Je vois\.$/m);
  expect(await outputOf("translate.mjs", "--help")).toContain("https://www.manythings.org/anki/");
});

it("addition.mjs learns to add", async () => {
  const output = await outputOf("addition.mjs", "--sums", "2000", "--epochs", "6");
  const losses = [...output.matchAll(/^epoch \d+ {2}loss ([\d.]+) {2}exact [\d.]+%$/gm)].map(([, loss]) =>
    Number(loss),
  );
  expect(losses).toHaveLength(6);
  // A guess among ten digits and the end is ln 11 = 2.4 nats.
  expect(losses[5]).toBeLessThan(1.6);
  const sums = [...output.matchAll(/^(\d+)\+(\d+) = (\d+): \d*, \d*, \d*$/gm)];
  expect(sums).toHaveLength(5);
  for (const [, a, b, sum] of sums) expect(Number(sum)).toBe(Number(a) + Number(b));
  expect(await outputOf("addition.mjs", "--help")).toContain("node examples/addition.mjs [");
});
