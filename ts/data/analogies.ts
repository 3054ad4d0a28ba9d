/**
 * Files of analogy questions, as questions-words.txt of word2vec: four words a line, and a line `: category` before those
 * of a kind.
 */
import { DataError } from "../errors.js";
import type { AnalogyQuestion } from "../text/word-vectors.js";
import { readLines } from "./readers.js";
import type { TextSource } from "./text-source.js";

/**
 * The questions of a file, one at a time; blank lines are left out.
 * @throws DataError naming the line: other than four words, a category without a name, or bytes that are not UTF-8
 */
export async function* readAnalogies(source: TextSource): AsyncGenerator<AnalogyQuestion, void, undefined> {
  let category = "";
  let line = 0;
  for await (const text of readLines(source)) {
    line++;
    const words = text.split(/[ \t]+/).filter((word) => word !== "");
    if (words.length === 0) continue;
    if (words[0] === ":") {
      category = words.slice(1).join(" ");
      if (category === "") throw new DataError(`line ${line}: a category without a name`);
      continue;
    }
    if (words.length !== 4) throw new DataError(`line ${line}: ${words.length} words, expected 4`);
    yield { words: words as unknown as AnalogyQuestion["words"], category };
  }
}
