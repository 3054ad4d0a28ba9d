/** Bytes as they come: whole, in pieces, from a stream. */
import { streamed } from "./text-source.js";

/** Bytes: all of them, a `Blob` or `File`, or pieces of any size, as from `response.body` or a Node stream. */
export type ByteSource =
  | Uint8Array
  | Blob
  | Iterable<Uint8Array>
  | AsyncIterable<Uint8Array>
  | ReadableStream<Uint8Array>;

/** The pieces of bytes; to end it early ends the source. @internal */
export async function* bytePieces(source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
  if (source instanceof Uint8Array) yield source;
  else if (source instanceof Blob) yield* streamed(source.stream());
  else if (Symbol.asyncIterator in source || Symbol.iterator in source) yield* source;
  else yield* streamed(source);
}
