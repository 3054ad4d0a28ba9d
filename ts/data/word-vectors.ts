/**
 * Files of word vectors, a piece at a time.
 *
 * Text: a word and its numbers a line, separated by spaces (GloVe: https://nlp.stanford.edu/projects/glove); word2vec's
 * text form has a line with the number of words and of numbers before. Binary: that line, then each word, a space and
 * its numbers as little-endian float32 (https://code.google.com/archive/p/word2vec).
 */
import { ArgumentError, DataError } from "../errors.js";
import { WordVectors } from "../text/word-vectors.js";
import { readLines } from "./readers.js";
import type { TextSource } from "./text-source.js";

/** Options of {@link readWordVectors} and {@link readBinaryWordVectors}. */
export interface WordVectorOptions {
  /** Reads only so many words, the first ones, which are the most frequent in these files; default: all. */
  readonly maxWords?: number | undefined;
  /** Keeps only these words; default: all. */
  readonly only?: ReadonlySet<string> | undefined;
}

/** What is far beyond any such file. */
const MOST_NUMBERS = 0x1_0000;
const LONGEST_WORD = 0x1_0000;

/** Vectors as they come. */
class Collector {
  readonly #options: WordVectorOptions;
  readonly #words: string[] = [];
  readonly #seen = new Set<string>();
  #data = new Float32Array(1024);
  #read = 0;

  constructor(where: string, options: WordVectorOptions) {
    const { maxWords } = options;
    if (maxWords !== undefined && !(Number.isSafeInteger(maxWords) && maxWords >= 1)) {
      throw new ArgumentError(where, "maxWords", "a whole number from 1", maxWords);
    }
    this.#options = options;
  }

  /** No more words are wanted. */
  get full(): boolean {
    return this.#read >= (this.#options.maxWords ?? Infinity);
  }

  get read(): number {
    return this.#read;
  }

  /** Of a word that is there twice the first is kept, as the programs that made these files do. */
  push(word: string, values: ArrayLike<number>): void {
    this.#read++;
    if (this.#seen.has(word) || this.#options.only?.has(word) === false) return;
    this.#seen.add(word);
    const from = this.#words.push(word) * values.length - values.length;
    if (from + values.length > this.#data.length) {
      const larger = new Float32Array(Math.max(2 * this.#data.length, from + values.length));
      larger.set(this.#data);
      this.#data = larger;
    }
    this.#data.set(values, from);
  }

  finish(size: number): WordVectors {
    return new WordVectors(this.#words, this.#data.slice(0, this.#words.length * size), size);
  }
}

/**
 * Word vectors of GloVe's or word2vec's text form.
 * @throws DataError naming the line: another number of numbers, one that is none, bytes that are not UTF-8, a file that
 *   ends before the number of words it announces, or no words at all
 */
export async function readWordVectors(source: TextSource, options: WordVectorOptions = {}): Promise<WordVectors> {
  const found = new Collector("readWordVectors", options);
  let announced: number | undefined;
  let size = 0;
  let line = 0;
  for await (const text of readLines(source)) {
    line++;
    const fields = text.trimEnd().split(" ");
    if (line === 1 && fields.length === 2 && fields.every((field) => /^[0-9]+$/.test(field))) {
      [announced, size] = fields.map(Number) as [number, number];
      checkSize(size, "line 1");
      continue;
    }
    if (fields.length === 1 && fields[0] === "") continue;
    if (size === 0) {
      size = fields.length - 1;
      checkSize(size, `line ${line}`);
    }
    // Some words of GloVe have spaces in them.
    const words = fields.length - size;
    if (words < 1) throw new DataError(`line ${line}: ${fields.length - 1} numbers, expected ${size}`);
    const values = fields.slice(words).map((field, i) => {
      const value = field === "" ? Number.NaN : Number(field);
      if (Number.isFinite(value)) return value;
      throw new DataError(`line ${line}: number ${i + 1} is ${JSON.stringify(field.slice(0, 40))}`);
    });
    found.push(fields.slice(0, words).join(" "), values);
    if (found.full) break;
  }
  if (size === 0) throw new DataError(`line ${line + 1}: the file has no word vectors`);
  if (!found.full && announced !== undefined && found.read < announced) {
    throw new DataError(`line ${line + 1}: the file ends after ${found.read} words, expected ${announced}`);
  }
  return found.finish(size);
}

/**
 * Word vectors of word2vec's binary form.
 * @param source - the bytes, or pieces of them
 * @throws DataError naming the byte: a first line that is none, a word without an end or not in UTF-8, a number that is
 *   not finite, or a file that ends too early
 */
export async function readBinaryWordVectors(
  source: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  options: WordVectorOptions = {},
): Promise<WordVectors> {
  const found = new Collector("readBinaryWordVectors", options);
  const bytes = new Bytes(source instanceof Uint8Array ? [source] : source);
  const header = await bytes.until(0x0a, 64);
  const [, count, width] = /^([0-9]{1,15}) ([0-9]{1,15})\s*$/.exec(text(header ?? new Uint8Array(0), 0)) ?? [];
  if (count === undefined) throw new DataError("byte 0: expected a line with the number of words and of numbers");
  const size = Number(width);
  checkSize(size, "byte 0");
  while (found.read < Number(count) && !found.full) {
    const start = bytes.offset;
    const word = await bytes.until(0x20, LONGEST_WORD);
    const values = word === null ? null : await bytes.take(4 * size);
    if (word === null || values === null) {
      throw new DataError(`byte ${start}: the file ends in word ${found.read + 1}, expected ${count} words`);
    }
    // The program writes a line feed after each vector, other writers do not.
    const from = word[0] === 0x0a ? 1 : 0;
    const view = new DataView(values.buffer, values.byteOffset);
    const vector = Float32Array.from({ length: size }, (_, i) => view.getFloat32(4 * i, true));
    const broken = vector.findIndex((value) => !Number.isFinite(value));
    if (broken >= 0) throw new DataError(`byte ${bytes.offset - 4 * (size - broken)}: the number is ${vector[broken]}`);
    found.push(text(word.subarray(from), start + from), vector);
  }
  return found.finish(size);
}

function checkSize(size: number, place: string): void {
  if (!(size >= 1 && size <= MOST_NUMBERS)) {
    throw new DataError(`${place}: vectors of ${size} numbers, expected 1 to ${MOST_NUMBERS}`);
  }
}

function text(bytes: Uint8Array, offset: number): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new DataError(`byte ${offset}: the text is not valid UTF-8`);
  }
}

/** Bytes of a stream, as many at a time as are asked for. */
class Bytes {
  readonly #pieces: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array(0);
  /** Of the next byte in the file. */
  offset = 0;

  constructor(pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) {
    this.#pieces = Symbol.asyncIterator in pieces ? pieces[Symbol.asyncIterator]() : pieces[Symbol.iterator]();
  }

  /** Bytes up to this one, which is left out; null at the end of the file. @throws DataError past `most` */
  async until(byte: number, most: number): Promise<Uint8Array | null> {
    for (let from = 0; ; ) {
      const end = this.#held.indexOf(byte, from);
      if (end > most || (end < 0 && this.#held.length > most)) {
        throw new DataError(`byte ${this.offset}: no end within ${most} bytes`);
      }
      if (end >= 0) {
        const found = this.#remove(end + 1);
        return found.subarray(0, end);
      }
      from = this.#held.length;
      if (!(await this.#more(1))) return null;
    }
  }

  async take(count: number): Promise<Uint8Array | null> {
    return this.#held.length >= count || (await this.#more(count - this.#held.length)) ? this.#remove(count) : null;
  }

  #remove(count: number): Uint8Array {
    const removed = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(count);
    this.offset += count;
    return removed;
  }

  /** At least so many bytes more; false when there are none. */
  async #more(count: number): Promise<boolean> {
    const parts = [this.#held];
    let added = 0;
    while (added < count) {
      const { done, value } = await this.#pieces.next();
      if (done === true) break;
      parts.push(value as Uint8Array);
      added += (value as Uint8Array).length;
    }
    const all = new Uint8Array(this.#held.length + added);
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    this.#held = all;
    return added >= count;
  }
}
