import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../cli/command.js";
import { outputOf } from "./run.js";

const scratch = temporaryFolder();

it("char-samples.mjs shows noise that turns into words", async () => {
  const page = resolve(scratch, "samples.html");
  const output = await outputOf("char-samples.mjs", "--out", page);
  const rows = [...output.matchAll(/^update (\d+) {2}validation loss ([\d.]+) {2}words known (\d+)%$/gm)];
  expect(rows.map(([, update]) => Number(update))).toEqual([0, 1, 2, 5, 10, 20, 50, 100, 200, 400]);
  const [losses, words] = [2, 3].map((column) => rows.map((row) => Number(row[column]))) as [number[], number[]];
  // 27 different characters start at ln 27 = 3.3 nats.
  expect(losses[0]).toBeGreaterThan(3);
  expect(losses.at(-1)).toBeLessThan(1);
  expect(words[0]).toBeLessThan(20);
  expect(words.at(-1)).toBeGreaterThan(60);
  expect(readFileSync(page, "utf8").match(/<article>/g)).toHaveLength(rows.length);
});
