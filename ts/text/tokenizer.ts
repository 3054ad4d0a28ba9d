import { TokenizerError } from "../errors.js";

/**
 * Text to token ids and back. Every tokenizer here keeps the promise `decode(encode(text)) === text` for any string
 * that it encodes without an error, `unknown` options and `VocabularyTokenizer` aside, which do not keep everything.
 */
export interface Tokenizer {
  /** What `toJSON` writes as `kind`, and {@link tokenizerFromJSON} reads. */
  readonly kind: string;
  /** Number of tokens; ids are 0 .. size - 1. */
  readonly size: number;
  /** What each id stands for, to be shown to people. */
  readonly tokens: readonly string[];
  /** Ids of a text. Throws `TokenizerError` when the vocabulary lacks a character and has no way around it. */
  encode(text: string): Int32Array;
  /** Text of ids. Throws `TokenizerError` for an id outside 0 .. size - 1. */
  decode(ids: ArrayLike<number>): string;
  /** Decodes ids as they arrive: a character that several ids make up comes out with the last of them. */
  decoder(): TokenDecoder;
  /** Plain JSON data from which `fromJSON` makes the same tokenizer. */
  toJSON(): TokenizerJSON;
}

/** See {@link Tokenizer.decoder}. */
export interface TokenDecoder {
  /** The text that this id completes; possibly empty. */
  push(id: number): string;
  /** What is left when no more ids come: U+FFFD for a broken character, else nothing. */
  end(): string;
}

/** A tokenizer as JSON data. */
export interface TokenizerJSON {
  /** Which tokenizer it is. */
  readonly kind: string;
  readonly [field: string]: unknown;
}

/** The text of each id, joined. Through a buffer of UTF-16 units: millions of small string concatenations would be many times slower. */
export function joinTokens(ids: ArrayLike<number>, textOf: (id: number) => string): string {
  const units = new Uint16Array(4096);
  let text = "";
  let size = 0;
  for (let i = 0; i < ids.length; i++) {
    const token = textOf(ids[i] as number);
    for (let at = 0; at < token.length; at++) {
      if (size === units.length) {
        text += stringOf(units);
        size = 0;
      }
      units[size++] = token.charCodeAt(at);
    }
  }
  return text + stringOf(units.subarray(0, size));
}

/** A string of UTF-16 units, lone surrogates included; of few units, as each becomes an argument. */
function stringOf(units: Uint16Array): string {
  return String.fromCharCode.apply(null, units as unknown as number[]);
}

/** The token of an id. Throws `TokenizerError` when there is none. */
export function tokenOf<T>(tokens: readonly T[], id: number): T {
  const token = tokens[id];
  if (token === undefined) throw new TokenizerError(`no token has id ${id}: ids are 0 to ${tokens.length - 1}`);
  return token;
}

/** Reads a field of tokenizer JSON that must be an array of distinct strings. */
export function distinctStrings(json: TokenizerJSON, field: string): string[] {
  const value = json[field];
  if (!Array.isArray(value)) throw new TokenizerError(`tokenizer JSON: ${field} must be an array of strings`);
  const seen = new Set<string>();
  for (const item of value as unknown[]) {
    if (typeof item !== "string" || item === "") {
      throw new TokenizerError(`tokenizer JSON: ${field} holds ${JSON.stringify(item)}, expected a non-empty string`);
    }
    if (seen.has(item)) throw new TokenizerError(`tokenizer JSON: ${field} holds ${JSON.stringify(item)} twice`);
    seen.add(item);
  }
  return [...seen];
}

/** Checks the `kind` of tokenizer JSON. */
export function checkKind(json: unknown, kind: string): asserts json is TokenizerJSON {
  const found = typeof json === "object" && json !== null ? (json as { kind?: unknown }).kind : undefined;
  if (found !== kind) throw new TokenizerError(`tokenizer JSON: expected kind ${kind}, got ${JSON.stringify(found)}`);
}
