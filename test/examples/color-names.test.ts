import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { fileIn, temporaryFolder } from "../cli/command.js";
import { parseSvg } from "../inspect/svg.js";
import { outputOf } from "./run.js";

const scratch = temporaryFolder();

it("color-names.mjs learns what the words for colours mean", async () => {
  const picture = resolve(scratch, "colors.svg");
  const output = await outputOf("color-names.mjs", "--out", picture);
  const [, error, mean] = /error of a name's colour ([\d.]+), of the mean colour ([\d.]+)/.exec(output) ?? [];
  expect(Number(error)).toBeLessThan(0.6 * Number(mean));
  const [red = 0, green = 0, blue = 0] = (/#(..)(..)(..) {2}Light Green$/m.exec(output) ?? [])
    .slice(1)
    .map((hex) => Number.parseInt(hex, 16));
  expect(green).toBeGreaterThan(Math.max(red, blue));
  for (const title of ["made up", "colours of names", "names of colours"]) expect(output).toContain(`\n${title}\n`);
  const drawing = readFileSync(picture, "utf8");
  parseSvg(drawing);
  expect(drawing.match(/<g>/g)).toHaveLength(24);
});

it("color-names.mjs takes a table", async () => {
  const table = fileIn(
    scratch,
    "table.csv",
    `name,hex\n${Array.from({ length: 60 }, (_, i) => `"Paint, No. ${i}",#0000${(i + 16).toString(16)}`).join("\n")}\n`,
  );
  const output = await outputOf("color-names.mjs", "--data", table, "--epochs", "1", "--hidden", "8");
  expect(output).toContain("57 colours to learn from, 3 to measure on");
});
