/** Word vectors trained elsewhere as the first value of an embedding. */
import { ArgumentError, ShapeError } from "../errors.js";
import type { Initializer } from "../tensor/parameter.js";
import type { WordVectors } from "../text/word-vectors.js";
import { normal } from "./initializers.js";

/** Options of {@link pretrained}. */
export interface PretrainedVectorOptions {
  /**
   * Draws the rows of words without a vector; default N(m, s), mean and standard deviation of all numbers of the vectors,
   * so that both kinds of rows are of a size. Kim 2014, "Convolutional neural networks for sentence classification".
   */
  readonly otherwise?: Initializer;
}

/**
 * The vector of `words[i]` in row i of an embedding, where there is one.
 *
 * ```ts
 * const embed = new Embedding(words.length, vectors.size, { initializer: pretrained(vectors, words), freeze: true });
 * ```
 *
 * @param words - a word for each row: what a tokenizer has, by id. A word not found is looked up in lower case too
 * @throws ArgumentError for vectors without words; from `init`, ShapeError for a table of another size
 */
export function pretrained(
  vectors: WordVectors,
  words: readonly string[],
  options: PretrainedVectorOptions = {},
): Initializer {
  if (vectors.words.length === 0) throw new ArgumentError("pretrained", "vectors", "of one word or more", "none");
  const otherwise = options.otherwise ?? likeThese(vectors.data);
  return (parameter, seed, stream) => {
    const { shape, name } = parameter;
    if (shape.length !== 2 || shape[0] !== words.length || shape[1] !== vectors.size) {
      throw new ShapeError("pretrained", name, [words.length, vectors.size], shape);
    }
    otherwise(parameter, seed, stream);
    const first = parameter.pointer >>> 2;
    words.forEach((word, row) => {
      const known = [word, word.toLowerCase()].find((form) => vectors.has(form));
      if (known !== undefined) parameter.core.f32.set(vectors.vector(known), first + row * vectors.size);
    });
  };
}

/** Normal, with mean and standard deviation of these numbers. */
function likeThese(values: Float32Array): Initializer {
  const mean = values.reduce((total, value) => total + value, 0) / values.length;
  const variance = values.reduce((total, value) => total + (value - mean) * (value - mean), 0) / values.length;
  return normal(mean, Math.sqrt(variance));
}
