/** The quickest of the published experiments, so that the command stays runnable; `npm run reproduce` runs all. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const script = fileURLToPath(new URL("run.mjs", import.meta.url));
const run = (...args: string[]) => spawnSync(process.execPath, [script, ...args], { encoding: "utf8" });

it("prints a table of what the paper says and what was reached", () => {
  const { status, stdout } = run("cells", "reber", "gradient-distance");
  expect(stdout).toMatch(/^\| embedded Reber grammar \|.*\| 9 of 10 \| yes \|/m);
  expect(stdout).toMatch(/^\| gradient 99 steps back, tanh RNN \|.*\| yes \|/m);
  expect(stdout).toContain("4 of 4 reached");
  expect(status).toBe(0);
});

it("refuses what it does not know", () => {
  expect(run("nothing")).toMatchObject({ status: 2, stdout: "" });
  expect(run("cells", "nothing").stderr).toContain("the tasks of cells are adding, temporal-order");
});
