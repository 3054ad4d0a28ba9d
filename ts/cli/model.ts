/** Model files as the commands read them. */
import { isUnrolledError } from "../errors.js";
import { FileError, loadFile } from "../node/files.js";
import { LanguageModel } from "../tasks/language-model.js";
import { cells } from "./cells.js";

/**
 * The language model of a file.
 * @throws FileError that names the file, for whatever is wrong with it
 */
export async function loadModel(path: string): Promise<LanguageModel> {
  const bytes = await loadFile(path);
  return named(path, () => LanguageModel.from(bytes, { cells: cells.values() }));
}

/** Puts the name of the file, and what it should be, into the errors of reading its content. */
export function named<T>(path: string, read: () => T, as = "a model"): T {
  try {
    return read();
  } catch (error) {
    if (isUnrolledError(error)) throw new FileError(path, `${path} cannot be used as ${as}: ${error.message}`, error);
    throw error;
  }
}
