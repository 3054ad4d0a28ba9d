/** Text as it comes: whole, in pieces, as bytes, from a stream. */
import { DataError, DTypeError } from "../errors.js";

type Piece = string | Uint8Array;

/**
 * A text: a string, its UTF-8 bytes, or pieces of either that come one after the other, as from an array, a generator,
 * a `ReadableStream` (`response.body`, `file.stream()`) or a Node stream. Pieces may end anywhere, inside a character
 * too.
 */
export type TextSource = Piece | Iterable<Piece> | AsyncIterable<Piece> | ReadableStream<Piece>;

/** Lines and columns, both from 1; a column is a code point. */
class Position {
  #line = 1;
  #column = 1;

  advance(text: string): void {
    let from = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
      from = end + 1;
      this.#line++;
      this.#column = 1;
    }
    this.#column += codePoints(text.slice(from));
  }

  toString(): string {
    return at(this.#line, this.#column);
  }
}

/** `line 3, column 14`. @internal */
export function at(line: number, column: number): string {
  return `line ${line}, column ${column}`;
}

/** Code points of a text. @internal */
export function codePoints(text: string): number {
  let count = text.length;
  // The second half of a pair is no code point of its own.
  for (const _pair of text.matchAll(/[\ud800-\udbff][\udc00-\udfff]/g)) count--;
  return count;
}

/**
 * The text in pieces, without a byte-order mark at its start.
 * @throws DataError naming line and column of bytes that are not UTF-8
 * @internal
 */
export async function* textPieces(source: TextSource): AsyncGenerator<string, void, undefined> {
  const position = new Position();
  let held: Uint8Array = new Uint8Array(0);
  let begun = false;
  for await (const piece of pieces(source)) {
    let text: string;
    if (typeof piece === "string") {
      if (held.length > 0) throw notUtf8(position);
      text = piece;
    } else if (piece instanceof Uint8Array) {
      const bytes = held.length === 0 ? piece : joined(held, piece);
      const whole = wholeCharacters(bytes);
      // A copy: whoever sends the bytes may use their buffer again.
      held = bytes.slice(whole);
      text = decode(bytes.subarray(0, whole), position);
    } else {
      throw new DTypeError("text source", "every piece", "string or Uint8Array", piece);
    }
    if (text === "") continue;
    position.advance(text);
    if (!begun && text.startsWith("\ufeff")) text = text.slice(1);
    begun = true;
    if (text !== "") yield text;
  }
  if (held.length > 0) throw notUtf8(position);
}

function pieces(source: TextSource): Iterable<Piece> | AsyncIterable<Piece> {
  if (typeof source === "string" || source instanceof Uint8Array) return [source];
  if (Symbol.asyncIterator in source || Symbol.iterator in source) return source as AsyncIterable<Piece>;
  return streamed(source as ReadableStream<Piece>);
}

/** The pieces of a stream: not every browser can iterate it. @internal */
export async function* streamed<T>(stream: ReadableStream<T>): AsyncGenerator<T, void, undefined> {
  const reader = stream.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } finally {
    await reader.cancel();
  }
}

/** @internal */
export function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Bytes up to a last character that may go on in the next piece. */
function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] as number;
    if (byte < 0x80) break;
    if (byte >= 0xc0) {
      const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return needed > back ? bytes.length - back : bytes.length;
    }
  }
  return bytes.length;
}

const UTF8 = { fatal: true, ignoreBOM: true };

function decode(bytes: Uint8Array, position: Position): string {
  try {
    return new TextDecoder("utf-8", UTF8).decode(bytes);
  } catch {
    // Byte by byte, as far as it goes.
    const decoder = new TextDecoder("utf-8", UTF8);
    let text = "";
    try {
      for (const byte of bytes) text += decoder.decode(Uint8Array.of(byte), { stream: true });
    } catch {}
    position.advance(text);
    throw notUtf8(position);
  }
}

function notUtf8(position: Position): DataError {
  return new DataError(`${position.toString()}: the text is not valid UTF-8`);
}
