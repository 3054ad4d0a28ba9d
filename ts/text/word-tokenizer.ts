import { ArgumentError, TokenizerError } from "../errors.js";
import { BYTES, byteName } from "./byte-tokens.js";
import { ByteDecoder, codePointAt, eachCodePoint, encodeCodePoint, SurrogateHolder } from "./code-points.js";
import { count, mostFrequent } from "./counts.js";
import { eachPiece } from "./pieces.js";
import {
  checkKind,
  distinctStrings,
  joinTokens,
  type TokenDecoder,
  type Tokenizer,
  type TokenizerJSON,
  tokenOf,
} from "./tokenizer.js";

/** Options of {@link WordTokenizer.from}. */
export interface WordTokenizerOptions {
  /** Tokens at most, the 256 bytes included; the most frequent are kept, characters before words. Default: no limit. */
  readonly maxSize?: number;
  /** A word that occurs less often is left to its characters. Default 1. */
  readonly minCount?: number;
}

/**
 * One token per word, with the space before it; everything else in pieces. Decoding gives exactly the text back,
 * whatever the text: a word outside the vocabulary is encoded by its characters, a character outside it by its (WTF-8)
 * bytes.
 *
 * How a text is split is said at `eachPiece` (pieces.ts).
 *
 * Ids: 0-255 the bytes, then characters in code point order, then words, the most frequent first.
 */
export class WordTokenizer implements Tokenizer {
  readonly kind = "word";
  readonly tokens: readonly string[];
  readonly size: number;
  private readonly characters: readonly string[];
  private readonly words: readonly string[];
  private readonly ids = new Map<string, number>();

  /** The vocabulary of a text: its characters, and its words by frequency. */
  static from(text: string | Iterable<string>, options: WordTokenizerOptions = {}): WordTokenizer {
    const { maxSize = Number.MAX_SAFE_INTEGER, minCount = 1 } = options;
    if (!(maxSize >= BYTES))
      throw new ArgumentError("WordTokenizer.from", "maxSize", `at least ${BYTES}, one token for each byte`, maxSize);
    if (!(minCount >= 1)) throw new ArgumentError("WordTokenizer.from", "minCount", "at least 1", minCount);
    const characterCounts = new Map<string, number>();
    const wordCounts = new Map<string, number>();
    for (const part of typeof text === "string" ? [text] : text) {
      eachPiece(part, (piece) => count(wordCounts, piece));
    }
    for (const [word, times] of wordCounts) {
      eachCodePoint(word, (codePoint) => count(characterCounts, String.fromCodePoint(codePoint), times));
    }
    const characters = mostFrequent(characterCounts, maxSize - BYTES);
    const words = new Map([...wordCounts].filter(([word, times]) => times >= minCount && !isCharacter(word)));
    return new WordTokenizer(characters.sort(byCodePoint), mostFrequent(words, maxSize - BYTES - characters.length));
  }

  /** Reads what `toJSON` wrote. Throws `TokenizerError` for anything else. */
  static fromJSON(json: unknown): WordTokenizer {
    checkKind(json, "word");
    return new WordTokenizer(distinctStrings(json, "characters"), distinctStrings(json, "words"));
  }

  /**
   * @param characters - One code point each, distinct.
   * @param words - As the splitting rule makes them, mostly with their leading space, distinct.
   * @throws TokenizerError for anything else
   */
  constructor(characters: readonly string[], words: readonly string[]) {
    this.characters = characters;
    this.words = words;
    const byteNames = Array.from({ length: BYTES }, (_, byte) => byteName(byte));
    this.tokens = [...byteNames, ...characters, ...words];
    this.size = this.tokens.length;
    for (let id = BYTES; id < this.size; id++) {
      const token = this.tokens[id] as string;
      if (this.ids.has(token)) throw new TokenizerError(`a word vocabulary holds ${JSON.stringify(token)} twice`);
      this.ids.set(token, id);
    }
  }

  encode(text: string): Int32Array {
    let ids = new Int32Array(Math.max(16, Math.ceil(text.length / 2)));
    let size = 0;
    const push = (id: number): void => {
      if (size === ids.length) {
        const larger = new Int32Array(size * 2);
        larger.set(ids);
        ids = larger;
      }
      ids[size++] = id;
    };
    eachPiece(text, (piece) => {
      const id = this.ids.get(piece);
      if (id !== undefined) return push(id);
      eachCodePoint(piece, (codePoint) => {
        const characterId = this.ids.get(String.fromCodePoint(codePoint));
        if (characterId !== undefined) push(characterId);
        else encodeCodePoint(codePoint, push);
      });
    });
    return ids.slice(0, size);
  }

  decode(ids: ArrayLike<number>): string {
    const decoder = this.decoder();
    return joinTokens(ids, (id) => decoder.push(id)) + decoder.end();
  }

  decoder(): TokenDecoder {
    const bytes = new ByteDecoder();
    const holder = new SurrogateHolder();
    return {
      push: (id) => {
        const token = tokenOf(this.tokens, id);
        return holder.push(id < BYTES ? bytes.push(id) : bytes.end() + token);
      },
      end: () => holder.end() + bytes.end(),
    };
  }

  toJSON(): TokenizerJSON {
    return { kind: this.kind, characters: this.characters, words: this.words };
  }
}

function byCodePoint(a: string, b: string): number {
  return codePointAt(a, 0) - codePointAt(b, 0);
}

function isCharacter(piece: string): boolean {
  return piece.length === (codePointAt(piece, 0) > 0xffff ? 2 : 1);
}
