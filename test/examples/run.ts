import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { expect } from "vitest";

/** The folder of the examples. */
const folder = resolve(import.meta.dirname, "..", "..", "examples");

/** What an example prints. Data sets of this machine are not used, unless they are named. */
export async function outputOf(name: string, ...args: string[]): Promise<string> {
  const { UNROLLED_DATA: _, ...env } = process.env;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [resolve(folder, name), ...args], { env });
  expect(stderr).toBe("");
  return stdout;
}
