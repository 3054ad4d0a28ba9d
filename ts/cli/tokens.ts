/** What a text is cut into: the tokenizers that the commands know by name, and how their tokens are spoken of. */
import { BpeTokenizer } from "../text/bpe-tokenizer.js";
import { CharTokenizer } from "../text/char-tokenizer.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { WordTokenizer } from "../text/word-tokenizer.js";

/** Makes a tokenizer from a text. */
export interface TokenKind {
  readonly name: string;
  /** @param size - tokens at most; not for characters */
  readonly from: (text: string, size: number) => Tokenizer;
}

/** Tokens of a vocabulary by default, those of Mikolov's Penn Treebank. */
export const DEFAULT_VOCABULARY = 10_000;

export const characters: TokenKind = { name: "char", from: (text) => CharTokenizer.from(text) };

/** A word that occurs once is left to its characters, so that the model learns to spell as well. */
const words: TokenKind = { name: "word", from: (text, maxSize) => WordTokenizer.from(text, { maxSize, minCount: 2 }) };

const subwords: TokenKind = { name: "subword", from: (text, maxSize) => BpeTokenizer.from(text, { maxSize }) };

export const tokenKinds: ReadonlyMap<string, TokenKind> = new Map(
  [characters, words, subwords].map((kind) => [kind.name, kind] as const),
);

/** What one token is called, by the `kind` of the tokenizer. */
export function unitOf(kind: string): "character" | "token" {
  return kind === characters.name ? "character" : "token";
}
