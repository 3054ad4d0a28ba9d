// What the examples on data share: their options. `--data` and `--eval` name files; without them the example looks in the
// folder UNROLLED_DATA, and where that is not set either it uses a small generated set, so that it always runs.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

/**
 * Reads the command line; `--help` prints `usage` and ends.
 * @template {Record<string, { type: "string" | "boolean", default?: string | boolean }>} T
 * @param {string} usage
 * @param {T} more options besides --data, --eval and --help
 */
export function exampleOptions(usage, more) {
  const options = { data: { type: "string" }, eval: { type: "string" }, help: { type: "boolean" }, ...more };
  try {
    const values = /** @type {any} */ (parseArgs({ options: /** @type {any} */ (options) }).values);
    if (!values.help) return /** @type {Record<keyof T | "data" | "eval", string | undefined>} */ (values);
    console.log(usage);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    process.exit(2);
  }
  process.exit(0);
}

/**
 * A file of the command line; else that data set, if it is at hand; else undefined.
 * @param {string | undefined} path what was given
 * @param {string} [name] as "sst2/train.tsv"; default: there is no such data set
 */
export function examplePath(path, name) {
  const folder = process.env["UNROLLED_DATA"];
  if (path !== undefined || folder === undefined || name === undefined) return path;
  const file = join(folder, name);
  return existsSync(file) ? file : undefined;
}

/**
 * The text of a file of the command line; else of that data set, if it is at hand; else undefined.
 * @param {string | undefined} path what was given
 * @param {string} [name] as "sst2/train.tsv"
 */
export function exampleText(path, name) {
  const file = examplePath(path, name);
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    console.error(`${file}: ${error instanceof Error ? error.message : error}`);
    process.exit(1);
  }
}
