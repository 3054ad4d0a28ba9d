/** Model files as the commands read them. */
import { isUnrolledError } from "../errors.js";
import { huggingFaceReader } from "../io/huggingface.js";
import { type ModelFile, readModelFile } from "../io/model-file.js";
import { FileError, loadFile } from "../node/files.js";
import { LanguageModel } from "../tasks/language-model.js";
import { cells } from "./cells.js";

/**
 * The language model of a file.
 * @throws FileError that names the file, for whatever is wrong with it
 */
export async function loadModel(path: string): Promise<LanguageModel> {
  const file = await readModel(path, await loadFile(path));
  return named(path, () => LanguageModel.from(file, { cells: cells.values() }));
}

/**
 * What a model file holds, its tokenizer too if the package for it is installed.
 * @throws FileError that names the file, for whatever is wrong with it
 */
export async function readModel(path: string, bytes: Uint8Array): Promise<ModelFile> {
  const tokenizers = await huggingFaceReader().then(
    (reader) => [reader],
    () => [],
  );
  return named(path, () => readModelFile(bytes, { tokenizers }));
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
