/** The catalogue holds every cell, and docs/cells.md every row of the catalogue. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import * as u from "../../../ts/index.js";
import { catalogue } from "./catalogue.js";
import { rowOf } from "./page.js";
import { relativeTimes } from "./times.js";

const root = join(import.meta.dirname, "../../..");

it("docs/cells.md is what `node scripts/cells.mjs` writes, but for what is measured", () => {
  const lines = readFileSync(join(root, "docs/cells.md"), "utf8").split("\n");
  const rows = lines.filter((line) => line.startsWith("| ")).slice(2);
  const cells = rows.map((row) => row.slice(2, -2).split(" | "));
  expect(cells.map((row) => row.slice(0, 5))).toEqual(catalogue.map(rowOf));
  for (const [name, , , , , error] of cells) expect(Number(error), name).toBeLessThan(3e-6);
});

it("every file of ts/nn/cells is in the catalogue", () => {
  const files = readdirSync(join(root, "ts/nn/cells")).map((file) => `cells/${file}`);
  const known = new Set(catalogue.map(({ file }) => file));
  expect(files.filter((file) => !known.has(file))).toEqual([]);
});

it("every cell that the package exports is in the catalogue, under its own name", () => {
  const isLayer = (value: unknown): boolean =>
    typeof value === "function" && value !== u.RecurrentLayer && value.prototype instanceof u.RecurrentLayer;
  const exported = Object.entries(u).filter(([, value]) => isLayer(value));
  expect(exported.length).toBeGreaterThan(20);
  const known = new Set(catalogue.map(({ name }) => name));
  expect(exported.map(([name]) => name).filter((name) => !known.has(name))).toEqual([]);
  for (const [name, value] of exported) expect((value as { name: string }).name).toBe(name);
});

it("times are relative to that of LSTM", () => {
  const entries = catalogue.filter(({ name }) => ["LSTM", "LSTM, projected", "RGLRU"].includes(name));
  const sizes = { I: 3, H: 4, O: 5, P: 2 };
  const times = relativeTimes(entries, u.createCore(), { steps: 2, batch: 3, sizes, rounds: 3, seconds: 0 });
  expect([...times.keys()]).toEqual(entries.map(({ name }) => name));
  expect(times.get("LSTM")).toBe(1);
  for (const time of times.values()) expect(time).toBeGreaterThan(0);
});
