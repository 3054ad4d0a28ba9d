// Where the data sets are: the folder UNROLLED_DATA, or shared/data beside the project.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = process.env["UNROLLED_DATA"] ?? fileURLToPath(new URL("../../../../shared/data", import.meta.url));

/**
 * The path of a data file, as "sst2/train.tsv".
 * @param {string} name
 */
export function dataPath(name) {
  const path = join(folder, name);
  if (!existsSync(path)) throw new Error(`there is no ${path}; UNROLLED_DATA must name the folder of the data sets`);
  return path;
}

/**
 * The text of a data file.
 * @param {string} name
 */
export const dataText = (name) => readFileSync(dataPath(name), "utf8");
