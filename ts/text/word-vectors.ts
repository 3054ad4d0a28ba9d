/**
 * Words as points: neighbours and analogies.
 *
 * "a is to b as c is to ?", by the cosines to unit vectors (Levy & Goldberg 2014, "Linguistic regularities in sparse and
 * explicit word representations"):
 *
 *     3CosAdd (Mikolov et al. 2013):   cos(x, b - a + c)
 *     3CosMul:                         s(x, b) s(x, c) / (s(x, a) + 0.001)     with s = (cos + 1) / 2
 */
import { ArgumentError, DataError, ShapeError } from "../errors.js";

/** A word and how close it is. */
export interface Neighbour {
  readonly word: string;
  readonly id: number;
  /** Cosine, or the score of 3CosMul. */
  readonly similarity: number;
}

/** Options of {@link WordVectors.analogy}. */
export interface AnalogyOptions {
  /** 3CosAdd, the default, or 3CosMul. */
  readonly method?: "add" | "multiply";
  /** Words at most; default 1. */
  readonly count?: number;
}

/** Words and a vector for each. */
export class WordVectors {
  readonly words: readonly string[];
  /** D, numbers of a vector. */
  readonly size: number;
  /** Row-major (V, D). */
  readonly data: Float32Array;
  readonly #ids: ReadonlyMap<string, number>;
  /** The same with rows of length 1; rows of zeros stay. */
  readonly #unit: Float32Array;

  /**
   * @param data - (V, D), kept, not copied
   * @throws ShapeError when there is not one vector a word, DataError for a word that is there twice
   */
  constructor(words: readonly string[], data: Float32Array, size: number) {
    if (!(Number.isSafeInteger(size) && size >= 1)) {
      throw new ArgumentError("WordVectors", "size", "a whole number from 1", size);
    }
    if (data.length !== words.length * size) {
      throw new ShapeError("WordVectors", `data of ${data.length} values`, [words.length, size], [data.length]);
    }
    this.words = words;
    this.size = size;
    this.data = data;
    this.#ids = new Map(words.map((word, id) => [word, id]));
    if (this.#ids.size !== words.length) {
      const twice = words.find((word, id) => this.#ids.get(word) !== id);
      throw new DataError(`WordVectors: the word ${JSON.stringify(twice)} is there twice`);
    }
    this.#unit = new Float32Array(data.length);
    for (let id = 0; id < words.length; id++) this.#unit.set(unit(this.#row(data, id)), id * size);
  }

  /** Whether a word has a vector. */
  has(word: string): boolean {
    return this.#ids.has(word);
  }

  /** @throws DataError for a word that is not known */
  idOf(word: string): number {
    const id = this.#ids.get(word);
    if (id === undefined) throw new DataError(`WordVectors: the word ${JSON.stringify(word)} is not known`);
    return id;
  }

  /** A copy of a word's vector (D). @throws DataError for a word that is not known */
  vector(word: string): Float32Array {
    return this.#row(this.data, this.idOf(word)).slice();
  }

  /** Cosine of the angle between two words, 0 where one has no length. @throws DataError for a word that is not known */
  similarity(a: string, b: string): number {
    return dot(this.#row(this.#unit, this.idOf(a)), this.#row(this.#unit, this.idOf(b)));
  }

  /**
   * The words closest to a word, itself left out, or to a vector (D).
   * @throws DataError for a word that is not known, ShapeError for a vector of another size
   */
  nearest(to: string | ArrayLike<number>, count = 10): Neighbour[] {
    if (typeof to === "string") {
      const id = this.idOf(to);
      return this.#best((row) => dot(row, this.#row(this.#unit, id)), [id], count);
    }
    if (to.length !== this.size) throw new ShapeError("WordVectors", "the vector", [this.size], [to.length]);
    const direction = unit(to);
    return this.#best((row) => dot(row, direction), [], count);
  }

  /**
   * What is to c as b is to a, those three left out: `analogy("man", "king", "woman")` should be queen.
   * @throws DataError for a word that is not known
   */
  analogy(a: string, b: string, c: string, options: AnalogyOptions = {}): Neighbour[] {
    const { method = "add", count = 1 } = options;
    if (method !== "add" && method !== "multiply") {
      throw new ArgumentError("WordVectors.analogy", "method", '"add" or "multiply"', method);
    }
    const ids = [a, b, c].map((word) => this.idOf(word));
    const [from, to, other] = ids.map((id) => this.#row(this.#unit, id)) as [Float32Array, Float32Array, Float32Array];
    if (method === "add") {
      const target = unit(to.map((value, i) => value - (from[i] as number) + (other[i] as number)));
      return this.#best((row) => dot(row, target), ids, count);
    }
    const shifted = (row: Float32Array, word: Float32Array): number => (dot(row, word) + 1) / 2;
    const score = (row: Float32Array): number =>
      (shifted(row, to) * shifted(row, other)) / (shifted(row, from) + 0.001);
    return this.#best(score, ids, count);
  }

  /**
   * The part of questions a, b, c, d whose best answer is d. A question with an unknown word is left out, as in the
   * program of Mikolov et al.
   * @returns NaN accuracy when none is left
   */
  analogyAccuracy(
    questions: Iterable<readonly [a: string, b: string, c: string, d: string]>,
    options: Pick<AnalogyOptions, "method"> = {},
  ): { readonly accuracy: number; readonly answered: number; readonly unknown: number } {
    let right = 0;
    let answered = 0;
    let unknown = 0;
    for (const question of questions) {
      if (!question.every((word) => this.has(word))) {
        unknown++;
        continue;
      }
      const [a, b, c, d] = question;
      if (this.analogy(a, b, c, options)[0]?.word === d) right++;
      answered++;
    }
    return { accuracy: right / answered, answered, unknown };
  }

  #row(of: Float32Array, id: number): Float32Array {
    return of.subarray(id * this.size, (id + 1) * this.size);
  }

  /** Highest scores first, of equal ones the lower id. */
  #best(score: (row: Float32Array) => number, without: readonly number[], count: number): Neighbour[] {
    if (!(Number.isSafeInteger(count) && count >= 1)) {
      throw new ArgumentError("WordVectors", "count", "a whole number from 1", count);
    }
    const best: Neighbour[] = [];
    for (let id = 0; id < this.words.length; id++) {
      if (without.includes(id)) continue;
      const similarity = score(this.#row(this.#unit, id));
      if (best.length === count && !(similarity > (best[count - 1] as Neighbour).similarity)) continue;
      let at = best.length;
      while (at > 0 && (best[at - 1] as Neighbour).similarity < similarity) at--;
      best.splice(at, 0, { word: this.words[id] as string, id, similarity });
      if (best.length > count) best.pop();
    }
    return best;
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += (a[i] as number) * (b[i] as number);
  return total;
}

/** The vector of length 1 in the same direction; zeros stay zeros. */
function unit(values: ArrayLike<number>): Float32Array {
  const vector = Float32Array.from(values);
  const length = Math.sqrt(dot(vector, vector));
  return length > 0 ? vector.map((value) => value / length) : vector;
}
