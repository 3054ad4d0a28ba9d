/**
 * Files of word vectors, a piece at a time.
 *
 * Text: a word and its numbers a line, separated by spaces (GloVe: https://nlp.stanford.edu/projects/glove); word2vec's
 * text form has a line with the number of words and of numbers before. Binary: that line, then each word, a space and
 * its numbers as little-endian float32 (https://code.google.com/archive/p/word2vec).
 *
 * Nothing is allocated for what a file announces, only for what comes.
 */
import { ArgumentError, DataError } from "../errors.js";
import { WordVectors } from "../text/word-vectors.js";
import { type ByteSource, bytePieces } from "./byte-source.js";
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
 * @throws DataError naming the line: another number of numbers, one that is none or too large for float32, bytes that
 *   are not UTF-8, fewer or more words than the file announces, or no words at all
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
    if (found.read === announced) throw new DataError(`line ${line}: another word, expected ${announced}`);
    const values = fields.slice(words).map((field, i) => {
      const value = field === "" ? Number.NaN : Math.fround(Number(field));
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
 * @throws DataError naming the byte: a first line that is none, a word without an end or not in UTF-8, a number that is
 *   not finite, or a file that ends too early
 */
export async function readBinaryWordVectors(source: ByteSource, options: WordVectorOptions = {}): Promise<WordVectors> {
  const found = new Collector("readBinaryWordVectors", options);
  const bytes = new Bytes(source);
  try {
    return await readBinary(bytes, found);
  } finally {
    await bytes.close();
  }
}

async function readBinary(bytes: Bytes, found: Collector): Promise<WordVectors> {
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
  readonly #pieces: AsyncGenerator<Uint8Array, void, undefined>;
  #held: Uint8Array = new Uint8Array(0);
  /** Of the next byte in the file. */
  offset = 0;

  constructor(source: ByteSource) {
    this.#pieces = bytePieces(source);
  }

  /** Gives the source back, read to its end or not. */
  async close(): Promise<void> {
    await this.#pieces.return(undefined);
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
      parts.push(value);
      added += value.length;
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

/**
 * The text form of word vectors, a line at a time: word2vec's, or GloVe's without its first line. The numbers have
 * as many digits as it takes for float32 to come back as it was.
 * @param options.header - whether the number of words and of numbers comes first; default true
 * @throws DataError for a word that no file of this kind can hold (empty, with a space or an end of line, or half of a surrogate pair), or a number
 *   that is not finite
 */
export function* writeWordVectors(
  vectors: WordVectors,
  options: { readonly header?: boolean } = {},
): Generator<string, void, undefined> {
  if (options.header ?? true) yield headerOf(vectors);
  for (const [word, vector] of checkedRows("writeWordVectors", vectors)) {
    yield `${word} ${Array.from(vector, shortest).join(" ")}\n`;
  }
}

/**
 * word2vec's binary form of word vectors, a word at a time, with a line feed after each vector.
 * @throws DataError as {@link writeWordVectors}
 */
export function* writeBinaryWordVectors(vectors: WordVectors): Generator<Uint8Array, void, undefined> {
  const encoder = new TextEncoder();
  yield encoder.encode(headerOf(vectors));
  for (const [word, vector] of checkedRows("writeBinaryWordVectors", vectors)) {
    const name = encoder.encode(`${word} `);
    const bytes = new Uint8Array(name.length + 4 * vector.length + 1);
    bytes.set(name);
    const view = new DataView(bytes.buffer, name.length);
    vector.forEach((value, i) => view.setFloat32(4 * i, value, true));
    bytes[bytes.length - 1] = 0x0a;
    yield bytes;
  }
}

/** Six to nine digits tell every float32 from its neighbours. */
function shortest(value: number): number {
  const short = [6, 7, 8].map((digits) => Number(value.toPrecision(digits)));
  return short.find((number) => Math.fround(number) === value) ?? Number(value.toPrecision(9));
}

const headerOf = ({ words, size }: WordVectors): string => `${words.length} ${size}\n`;

function* checkedRows(where: string, vectors: WordVectors): Generator<readonly [word: string, vector: Float32Array]> {
  const { words, size, data } = vectors;
  for (const [id, word] of words.entries()) {
    const vector = data.subarray(id * size, (id + 1) * size);
    if (word === "" || /[ \n\r\ud800-\udfff]/u.test(word)) {
      throw new DataError(
        `${where}: the word ${JSON.stringify(word)} cannot be written: empty, a blank, or half of a pair`,
      );
    }
    const broken = vector.findIndex((value) => !Number.isFinite(value));
    if (broken >= 0) {
      throw new DataError(`${where}: number ${broken + 1} of ${JSON.stringify(word)} is ${vector[broken]}`);
    }
    yield [word, vector];
  }
}
