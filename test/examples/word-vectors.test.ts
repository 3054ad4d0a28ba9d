import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readWordVectors } from "../../ts/index.js";
import { temporaryFolder } from "../cli/command.js";
import { parseSvg } from "../inspect/svg.js";
import { outputOf } from "./run.js";

const scratch = temporaryFolder();

it("word-vectors.mjs trains, completes, answers analogies and draws", async () => {
  const folder = join(scratch, "pictures");
  const output = await outputOf("word-vectors.mjs", "--out", folder);
  const losses = [...output.matchAll(/^epoch \d+ {2}loss ([\d.]+)/gm)].map(([, loss]) => Number(loss));
  expect(losses).toHaveLength(10);
  // One right and five wrong answers, by chance: 6 ln 2.
  expect(losses[9]).toBeLessThan(0.5 * 6 * Math.log(2));
  // One-hot vectors are orthogonal; those of orange and apple point the same way.
  expect(output).toMatch(/^orange +0\.00 +0\.00 +1\.00 +0\.00 +0\.00 .* 1\.00 +(0\.9\d|1\.00) +-?[\d.]+$/m);
  const rows = [...output.matchAll(/^(seen|unseen) +a glass of \w+ +(?:juice|milk) +([\d.]+) +([\d.]+)$/gm)];
  const column = (kind: string, i: number) => rows.filter(([, seen]) => seen === kind).map((row) => Number(row[i]));
  for (const i of [2, 3]) expect(Math.min(...column("seen", i))).toBeGreaterThan(0.9);
  expect(column("unseen", 3)).toHaveLength(6);
  expect(Math.min(...column("unseen", 3))).toBeGreaterThan(0.9);
  // A one-hot vector of its own says nothing of what is in the glass.
  const mean = column("unseen", 2).reduce((sum, p) => sum + p / 6, 0);
  expect(mean).toBeGreaterThan(0.2);
  expect(mean).toBeLessThan(0.8);
  expect(output).toContain("king - man + woman = queen (3CosAdd), queen (3CosMul)");
  expect(output).toContain("his - he + she = her (3CosAdd), her (3CosMul)");
  expect(output).toContain("paris - france + italy = rome (3CosAdd), rome (3CosMul)");
  const [, add, multiply] = /^total +([\d.]+)% +([\d.]+)% +60 +0$/m.exec(output) ?? [];
  expect(Math.min(Number(add), Number(multiply))).toBeGreaterThan(90);
  const gender = (word: string) =>
    Number(new RegExp(`^${word} +(-?[\\d.]+)`, "m").exec(output.split("along axes")[1]!)?.[1]);
  for (const word of ["man", "king", "boy"]) expect(gender(word)).toBeLessThan(-0.6);
  for (const word of ["woman", "queen"]) expect(gender(word)).toBeGreaterThan(0.6);
  for (const name of ["map.svg", "axes.svg"]) parseSvg(readFileSync(join(folder, name), "utf8"));
  const written = await readWordVectors(readFileSync(join(folder, "vectors.txt")));
  expect([written.words.length, written.size]).toEqual([Number(/words, (\d+) different/.exec(output)?.[1]), 24]);
});

it("word-vectors.mjs reads vectors and questions, and trains on a text", async () => {
  const [data, asked, text] = ["vectors.txt", "questions.txt", "text.txt"].map((name) => join(scratch, name));
  const people = ["man 1 0 0 1", "woman 0 1 0 1", "king 1 0 3 1", "queen 0 1 3 1", "boy 1 0 0 2", "girl 0 1 0 2"];
  const others = ["grandmother 0 1 0 -1", "grandfather 1 0 0 -1", "fruit 0 0 -1 0", "apple 0 0 -2 0.1"];
  writeFileSync(data!, [...people, ...others].join("\n"));
  writeFileSync(asked!, ": royalty\nMan King Woman Queen\nboy king girl queen\nman duke woman duchess\n");
  writeFileSync(text!, "The cat sat on the mat. The dog sat on the rug. ".repeat(200));
  const output = await outputOf("word-vectors.mjs", "--data", data!, "--eval", asked!, "--text", text!);
  expect(output).toContain("Skip-gram on 2400 words, 7 different");
  expect(output).toMatch(/^total +100\.0% +100\.0% +2 +1$/m);
  expect(output).toContain("king - man + woman = queen");
});
