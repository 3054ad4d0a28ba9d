import { TokenizerError } from "../errors.js";
import { BpeTokenizer } from "./bpe-tokenizer.js";
import { ByteTokenizer } from "./byte-tokenizer.js";
import { CharTokenizer } from "./char-tokenizer.js";
import type { Tokenizer } from "./tokenizer.js";
import { VocabularyTokenizer } from "./vocabulary-tokenizer.js";
import { WordTokenizer } from "./word-tokenizer.js";

/** Makes tokenizers of one kind from JSON data. */
export interface TokenizerReader {
  /** The `kind` of their JSON data. */
  readonly kind: string;
  /** The tokenizer that wrote these data. Throws `TokenizerError` when they are not a tokenizer's of that kind. */
  fromJSON(json: unknown): Tokenizer;
}

/** Of the package's own. */
const READERS: readonly TokenizerReader[] = [
  { kind: "char", fromJSON: (json) => CharTokenizer.fromJSON(json) },
  { kind: "byte", fromJSON: (json) => ByteTokenizer.fromJSON(json) },
  { kind: "bpe", fromJSON: (json) => BpeTokenizer.fromJSON(json) },
  { kind: "word", fromJSON: (json) => WordTokenizer.fromJSON(json) },
  { kind: "vocabulary", fromJSON: (json) => VocabularyTokenizer.fromJSON(json) },
];

/**
 * Makes the tokenizer that wrote this JSON data. Throws `TokenizerError` when the data are not a tokenizer's.
 * @param more - readers of kinds besides those of the package
 */
export function tokenizerFromJSON(json: unknown, more: Iterable<TokenizerReader> = []): Tokenizer {
  const kind = typeof json === "object" && json !== null ? (json as { kind?: unknown }).kind : undefined;
  const readers = [...READERS, ...more];
  const reader = readers.find((known) => known.kind === kind);
  if (reader !== undefined) return reader.fromJSON(json);
  const kinds = readers.map((known) => known.kind);
  throw new TokenizerError(
    `tokenizer JSON: kind is ${JSON.stringify(kind)}, expected ${kinds.slice(0, -1).join(", ")} or ${kinds.at(-1)}` +
      (kind === "huggingface" ? "; give its reader, of unrolled/huggingface" : ""),
  );
}
