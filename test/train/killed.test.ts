/** A run that is killed (SIGKILL) at random moments and goes on from its checkpoint ends with the bytes of one that was not. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { randomNumbers } from "../text/strings.js";

const folder = mkdtempSync(join(tmpdir(), "unrolled-killed-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Optimizers x schedules x whether the state is carried. */
const COUNT = 10 * 11 * 2;

/** Runs them all, and kills the process some milliseconds after so many checkpoints; what it wrote, null where it was killed. */
function runAll(args: readonly string[], checkpoints = Infinity, delay = 0): Promise<string | null> {
  return new Promise((done, fail) => {
    const script = join(import.meta.dirname, "killed-runs.mjs");
    const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    let due = false;
    child.stdout.setEncoding("utf8").on("data", (data: string) => {
      output += data;
      if (due || output.length < checkpoints) return;
      due = true;
      setTimeout(() => child.kill("SIGKILL"), delay);
    });
    child.on("error", fail);
    child.on("close", (code) => done(code === 0 ? output : null));
  });
}

const finals = (output: string | null) => JSON.parse((output ?? "").trim().split("\n").at(-1) ?? "") as object;

it("every optimizer, schedule and state ends with the same bytes", async () => {
  const seed = Number(process.env["UNROLLED_SEED"] ?? Date.now() % 1e6);
  const random = randomNumbers(seed);
  const expected = finals(await runAll([]));
  expect(Object.keys(expected)).toHaveLength(COUNT);
  expect(new Set(Object.values(expected)).size).toBeGreaterThan(COUNT / 2);

  // The first kill is to find all of them under way; on a machine that is slow to deliver it, it is tried again.
  const files = (kind: string): number => readdirSync(folder).filter((name) => name.endsWith(kind)).length;
  let tries = 0;
  do {
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    await runAll([folder], COUNT + Math.floor((random() * COUNT) / 2), random() * 10);
  } while ((files(".checkpoint") < COUNT || files(".done") > 0) && ++tries < 10);
  expect([files(".checkpoint"), files(".done")], `seed ${seed}`).toEqual([COUNT, 0]);

  // Each writes six checkpoints: the others find most of them.
  let output: string | null = null;
  let kills = 1;
  for (; output === null && kills < 10; kills++) {
    output = await runAll([folder], kills < 4 ? 1 + Math.floor(random() * 2 * COUNT) : Infinity, random() * 10);
  }
  expect(kills, `seed ${seed}`).toBeGreaterThan(1);
  expect(finals(output), `seed ${seed}`).toEqual(expected);
});
