/**
 * Words as points: neighbours and analogies. The scores of all words are products in the core, for many questions at once.
 *
 * "a is to b as c is to ?", by the cosines to unit vectors (Levy & Goldberg 2014, "Linguistic regularities in sparse and
 * explicit word representations"):
 *
 *     3CosAdd (Mikolov et al. 2013):   cos(x, b - a + c)
 *     3CosMul:                         s(x, b) s(x, c) / (s(x, a) + 0.001)     with s = (cos + 1) / 2
 */
import { getCore } from "../core/core.js";
import { ArgumentError, DataError, ShapeError } from "../errors.js";
import { runScope } from "../tensor/scope.js";

/** A word and how close it is. */
export interface Neighbour {
  /** The word. */
  readonly word: string;
  /** Row of its vector. */
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

/** Options of {@link WordVectors.analogyAccuracy}. */
export interface AnalogyAccuracyOptions extends Pick<AnalogyOptions, "method"> {
  /** Whether questions are put in lower case, as the words of some vectors are; default false. */
  readonly lowerCase?: boolean;
}

/** a is to b as c is to d, and what kind of question it is. */
export interface AnalogyQuestion {
  /** a is to b as c is to d. */
  readonly words: readonly [a: string, b: string, c: string, d: string];
  /** What it is about, as its file says. */
  readonly category?: string;
}

/** How many questions were answered, and how well. */
export interface AnalogyScore {
  /** Of those answered; NaN when there are none. */
  readonly accuracy: number;
  /** Those whose best answer is d. */
  readonly right: number;
  /** Questions whose words all have vectors. */
  readonly answered: number;
  /** Questions with a word that has no vector, which are left out. */
  readonly unknown: number;
}

/** The score of all questions, and of each category in the order of their first questions. */
export interface AnalogyAccuracy extends AnalogyScore {
  /** Of each category. */
  readonly categories: readonly (AnalogyScore & { readonly category: string })[];
}

/** Questions whose scores are computed together, and words at a time: 4 MB of scores. */
const [QUESTIONS, WORDS] = [256, 4096];

/** Words and a vector for each. */
export class WordVectors {
  /** Word of each row. */
  readonly words: readonly string[];
  /** D, numbers of a vector. */
  readonly size: number;
  /** Row-major (V, D). */
  readonly data: Float32Array;
  readonly #ids: ReadonlyMap<string, number>;
  /** One over the length of each vector; 0 for one of zeros. */
  readonly #scales: Float32Array;

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
    this.#scales = Float32Array.from(words, (_, id) => {
      const length = lengthOf(this.#row(id));
      return length > 0 ? 1 / length : 0;
    });
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
    return this.#row(this.idOf(word)).slice();
  }

  /** A copy of a word's vector with length 1 (D); zeros stay zeros. @throws DataError for a word that is not known */
  unitVector(word: string): Float32Array {
    return this.#unit(this.idOf(word));
  }

  /** Cosine of the angle between two words, 0 where one has no length. @throws DataError for a word that is not known */
  similarity(a: string, b: string): number {
    return dot(this.unitVector(a), this.unitVector(b));
  }

  /**
   * The words closest to a word, itself left out, or to a vector (D).
   * @throws DataError for a word that is not known, ShapeError for a vector of another size
   */
  nearest(to: string | ArrayLike<number>, count = 10): Neighbour[] {
    const without = typeof to === "string" ? [this.idOf(to)] : [];
    const vector = typeof to === "string" ? this.vector(to) : to;
    if (vector.length !== this.size) throw new ShapeError("WordVectors", "the vector", [this.size], [vector.length]);
    return this.#best([unit(vector)], 1, [without], count, ([cosine]) => cosine as number)[0] as Neighbour[];
  }

  /**
   * What is to c as b is to a, those three left out: `analogy("man", "king", "woman")` should be queen.
   * @throws DataError for a word that is not known
   */
  analogy(a: string, b: string, c: string, options: AnalogyOptions = {}): Neighbour[] {
    return this.analogies([[a, b, c]], options)[0] as Neighbour[];
  }

  /**
   * The answers to many questions, as {@link analogy} gives them, in much less time.
   * @throws DataError for a word that is not known
   */
  analogies(
    questions: readonly (readonly [a: string, b: string, c: string])[],
    options: AnalogyOptions = {},
  ): Neighbour[][] {
    const { method = "add", count = 1 } = options;
    if (method !== "add" && method !== "multiply") {
      throw new ArgumentError("WordVectors.analogy", "method", '"add" or "multiply"', method);
    }
    const ids = questions.map((words) => words.map((word) => this.idOf(word)));
    const units = ids.map((three) => three.map((id) => this.#unit(id)) as [Float32Array, Float32Array, Float32Array]);
    if (method === "add") {
      const targets = units.map(([a, b, c]) => unit(b.map((value, i) => value - (a[i] as number) + (c[i] as number))));
      return this.#best(targets, 1, ids, count, ([cosine]) => cosine as number);
    }
    return this.#best(units.flat(), 3, ids, count, ([toA, toB, toC]) => {
      const shifted = (cosine: number | undefined): number => ((cosine as number) + 1) / 2;
      return (shifted(toB) * shifted(toC)) / (shifted(toA) + 0.001);
    });
  }

  /**
   * The part of questions whose best answer is d. A question with an unknown word is left out and counted apart, as in
   * the program of Mikolov et al.
   * @param questions - as `readAnalogies` reads them
   */
  analogyAccuracy(questions: Iterable<AnalogyQuestion>, options: AnalogyAccuracyOptions = {}): AnalogyAccuracy {
    const { lowerCase = false, ...answering } = options;
    const counts = new Map<string, { right: number; answered: number; unknown: number }>();
    const answerable: { words: AnalogyQuestion["words"]; score: { right: number; answered: number } }[] = [];
    for (const { words: given, category = "" } of questions) {
      const words = (lowerCase ? given.map((word) => word.toLowerCase()) : given) as AnalogyQuestion["words"];
      const score = counts.get(category) ?? { right: 0, answered: 0, unknown: 0 };
      counts.set(category, score);
      if (words.every((word) => this.has(word))) answerable.push({ words, score });
      else score.unknown++;
    }
    const answers = this.analogies(
      answerable.map(({ words: [a, b, c] }) => [a, b, c]),
      answering,
    );
    answerable.forEach(({ words, score }, i) => {
      score.answered++;
      if (answers[i]?.[0]?.word === words[3]) score.right++;
    });
    const scores = [...counts].map(([category, score]) => ({
      category,
      accuracy: score.right / score.answered,
      ...score,
    }));
    const total = (what: "right" | "answered" | "unknown"): number =>
      scores.reduce((sum, score) => sum + score[what], 0);
    const [right, answered] = [total("right"), total("answered")];
    return { accuracy: right / answered, right, answered, unknown: total("unknown"), categories: scores };
  }

  #row(id: number): Float32Array {
    return this.data.subarray(id * this.size, (id + 1) * this.size);
  }

  #unit(id: number): Float32Array {
    return this.#row(id).map((value) => value * (this.#scales[id] as number));
  }

  /**
   * For each question, the words with the highest scores first, of equal ones the lower id.
   * @param directions - vectors of length 1, `each` for a question
   * @param without - ids left out of the answers to a question
   * @param score - of a word, by its cosines to the directions of a question; the array is used again
   */
  #best(
    directions: readonly Float32Array[],
    each: number,
    without: readonly (readonly number[])[],
    count: number,
    score: (cosines: Float32Array) => number,
  ): Neighbour[][] {
    if (!(Number.isSafeInteger(count) && count >= 1)) {
      throw new ArgumentError("WordVectors", "count", "a whole number from 1", count);
    }
    const found = without.map((): Neighbour[] => []);
    const cosines = new Float32Array(each);
    for (let first = 0; first < found.length; first += QUESTIONS) {
      const asked = directions.slice(first * each, (first + QUESTIONS) * each);
      this.#products(asked, (products, from, rows) => {
        for (let question = 0; question < asked.length / each; question++) {
          const best = found[first + question] as Neighbour[];
          const left = without[first + question] as readonly number[];
          for (let row = 0; row < rows; row++) {
            const id = from + row;
            for (let k = 0; k < each; k++) {
              cosines[k] = (products[(question * each + k) * rows + row] as number) * (this.#scales[id] as number);
            }
            const similarity = score(cosines);
            if (best.length === count && !(similarity > (best[count - 1] as Neighbour).similarity)) continue;
            if (left.includes(id)) continue;
            let at = best.length;
            while (at > 0 && (best[at - 1] as Neighbour).similarity < similarity) at--;
            best.splice(at, 0, { word: this.words[id] as string, id, similarity });
            if (best.length > count) best.pop();
          }
        }
      });
    }
    return found;
  }

  /** Calls `visit` with the products of all directions by some words at a time, (directions, rows), from word `from` on. */
  #products(
    directions: readonly Float32Array[],
    visit: (products: Float32Array, from: number, rows: number) => void,
  ): void {
    const core = getCore();
    const { size, words } = this;
    runScope(core, () => {
      const most = Math.min(WORDS, words.length);
      const [left, right, products] = [directions.length * size, most * size, directions.length * most].map(
        (elements) => core.arenaAlloc(elements * 4),
      ) as [number, number, number];
      directions.forEach((direction, i) => core.f32.set(direction, (left >>> 2) + i * size));
      for (let from = 0; from < words.length; from += WORDS) {
        const rows = Math.min(WORDS, words.length - from);
        core.f32.set(this.data.subarray(from * size, (from + rows) * size), right >>> 2);
        const status = core.raw.ur_matmul(left, right, products, 1, directions.length, size, rows, 0, 1, 0, 0, 0);
        core.checkStatus(status, "WordVectors");
        visit(core.f32.subarray(products >>> 2, (products >>> 2) + directions.length * rows), from, rows);
      }
    });
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += (a[i] as number) * (b[i] as number);
  return total;
}

const lengthOf = (vector: Float32Array): number => Math.sqrt(dot(vector, vector));

/** The vector of length 1 in the same direction; zeros stay zeros. */
function unit(values: ArrayLike<number>): Float32Array {
  const vector = Float32Array.from(values);
  const length = lengthOf(vector);
  return length > 0 ? vector.map((value) => value / length) : vector;
}
