import { TokenizerError } from "../errors.js";
import { BpeTokenizer } from "./bpe-tokenizer.js";
import { ByteTokenizer } from "./byte-tokenizer.js";
import { CharTokenizer } from "./char-tokenizer.js";
import type { Tokenizer } from "./tokenizer.js";
import { VocabularyTokenizer } from "./vocabulary-tokenizer.js";
import { WordTokenizer } from "./word-tokenizer.js";

/** Makes the tokenizer that wrote this JSON data. Throws `TokenizerError` when the data are not a tokenizer's. */
export function tokenizerFromJSON(json: unknown): Tokenizer {
  const kind = typeof json === "object" && json !== null ? (json as { kind?: unknown }).kind : undefined;
  if (kind === "char") return CharTokenizer.fromJSON(json);
  if (kind === "byte") return ByteTokenizer.fromJSON(json);
  if (kind === "bpe") return BpeTokenizer.fromJSON(json);
  if (kind === "word") return WordTokenizer.fromJSON(json);
  if (kind === "vocabulary") return VocabularyTokenizer.fromJSON(json);
  throw new TokenizerError(
    `tokenizer JSON: kind is ${JSON.stringify(kind)}, expected char, byte, bpe, word or vocabulary`,
  );
}
