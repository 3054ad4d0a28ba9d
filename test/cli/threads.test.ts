/** `unrolled train --threads`: several threads, and still the same bytes for the same command. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { fileIn, temporaryFolder, unrolled, verse } from "./command.js";

const folder = temporaryFolder();
const text = fileIn(folder, "verse.txt", verse);
const at = (name: string): string => join(folder, `${name}.safetensors`);
const recipe = ["--batch-size", "5", "--seq-len", "8", "--hidden", "10", "--dropout", "0.3", "--quiet"];
const train = (...args: string[]) => unrolled(["train", text, ...args]);

it("goes on from a checkpoint with as many threads, and ends with the bytes of a run in one piece", async () => {
  const started = await train(...recipe, "--threads", "3", "--updates", "12", "--out", at("parts"));
  expect(started).toMatchObject({ code: 0, stderr: "" });
  expect(await train("--resume", at("parts"), "--updates", "30", "--quiet")).toMatchObject({ code: 0, stderr: "" });
  await train(...recipe, "--threads", "3", "--updates", "30", "--out", at("whole"));
  expect(readFileSync(at("parts.checkpoint")).equals(readFileSync(at("whole.checkpoint")))).toBe(true);
  await train(...recipe, "--updates", "30", "--out", at("alone"));
  expect(readFileSync(at("alone")).equals(readFileSync(at("whole")))).toBe(false);
});

it("refuses more threads than lanes", async () => {
  expect(await train(...recipe, "--threads", "6")).toMatchObject({
    code: 2,
    stderr: "unrolled: --threads is 6, but there are 5 lanes to share: see --batch-size; see unrolled train --help\n",
  });
});
