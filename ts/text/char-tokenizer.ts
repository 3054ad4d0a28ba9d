import { TokenizerError } from "../errors.js";
import { CODE_POINT_LIMIT, codePointAt, codePointName, eachCodePoint, SurrogateHolder } from "./code-points.js";
import {
  checkKind,
  distinctStrings,
  joinTokens,
  type TokenDecoder,
  type Tokenizer,
  type TokenizerJSON,
  tokenOf,
} from "./tokenizer.js";

/**
 * What to do with a character that the vocabulary lacks: throw `TokenizerError`, leave it out, or encode it as one more
 * token, which decodes to the given text.
 */
export type UnknownCharacter = "error" | "skip" | { readonly token: string };

/** Options of {@link CharTokenizer}. */
export interface CharTokenizerOptions {
  /** Default `"error"`. */
  readonly unknown?: UnknownCharacter;
}

/**
 * One token per character, that is, per Unicode code point: an emoji outside the basic plane is one token, a letter
 * with a combining mark two, CR LF two, a lone surrogate one. Nothing is normalised, so decoding gives exactly the text
 * back.
 */
export class CharTokenizer implements Tokenizer {
  readonly kind = "char";
  readonly tokens: readonly string[];
  readonly size: number;
  private readonly unknown: UnknownCharacter;
  /** Ids of the code points below 0x10000, up to the largest that has one; -1 where there is none. */
  private readonly basicIds: Int32Array;
  private readonly otherIds = new Map<number, number>();

  /** The vocabulary of a text: its distinct characters in code point order. */
  static from(text: string | Iterable<string>, options: CharTokenizerOptions = {}): CharTokenizer {
    const seen = new Uint8Array(CODE_POINT_LIMIT);
    for (const part of typeof text === "string" ? [text] : text) {
      eachCodePoint(part, (codePoint) => {
        seen[codePoint] = 1;
      });
    }
    const characters: string[] = [];
    for (let codePoint = seen.indexOf(1); codePoint >= 0; codePoint = seen.indexOf(1, codePoint + 1)) {
      characters.push(String.fromCodePoint(codePoint));
    }
    return new CharTokenizer(characters, options);
  }

  /** Reads what `toJSON` wrote. Throws `TokenizerError` for anything else. */
  static fromJSON(json: unknown): CharTokenizer {
    checkKind(json, "char");
    const unknown = json["unknown"] ?? "error";
    const token = (unknown as { token?: unknown }).token;
    if (unknown !== "error" && unknown !== "skip" && typeof token !== "string") {
      throw new TokenizerError(
        `tokenizer JSON: unknown is ${JSON.stringify(unknown)}, expected error, skip or a token`,
      );
    }
    return new CharTokenizer(distinctStrings(json, "characters"), { unknown: unknown as UnknownCharacter });
  }

  /**
   * @param characters - The vocabulary, ids in this order: distinct, one code point each.
   * @throws TokenizerError for anything else
   */
  constructor(characters: readonly string[], options: CharTokenizerOptions = {}) {
    this.unknown = options.unknown ?? "error";
    this.tokens = typeof this.unknown === "object" ? [...characters, this.unknown.token] : [...characters];
    this.size = this.tokens.length;
    const codePoints = characters.map((character) => {
      const codePoint = character.codePointAt(0);
      if (codePoint === undefined || character.length !== (codePoint > 0xffff ? 2 : 1)) {
        throw new TokenizerError(`a character vocabulary holds ${JSON.stringify(character)}, expected one character`);
      }
      return codePoint;
    });
    const largest = codePoints.reduce(
      (most, codePoint) => (codePoint < 0x10000 ? Math.max(most, codePoint) : most),
      -1,
    );
    this.basicIds = new Int32Array(largest + 1).fill(-1);
    codePoints.forEach((codePoint, id) => {
      if (this.idOf(codePoint) >= 0) {
        throw new TokenizerError(`a character vocabulary holds ${JSON.stringify(characters[id])} twice`);
      }
      if (codePoint < 0x10000) this.basicIds[codePoint] = id;
      else this.otherIds.set(codePoint, id);
    });
  }

  encode(text: string): Int32Array {
    const ids = new Int32Array(text.length);
    let count = 0;
    for (let at = 0; at < text.length; at++) {
      const codePoint = codePointAt(text, at);
      let id = this.idOf(codePoint);
      if (id < 0) {
        if (this.unknown === "error") {
          const character = JSON.stringify(String.fromCodePoint(codePoint));
          throw new TokenizerError(
            `unknown character ${character} (${codePointName(codePoint)}) at position ${at}: ` +
              `it is not among the ${this.size} characters of the vocabulary`,
          );
        }
        id = typeof this.unknown === "object" ? this.size - 1 : -1;
      }
      if (id >= 0) ids[count++] = id;
      if (codePoint > 0xffff) at++;
    }
    return count === ids.length ? ids : ids.slice(0, count);
  }

  decode(ids: ArrayLike<number>): string {
    return joinTokens(ids, (id) => tokenOf(this.tokens, id));
  }

  /** Holds a high surrogate back until the next token, as the two may be one character for whoever prints them. */
  decoder(): TokenDecoder {
    const holder = new SurrogateHolder();
    return { push: (id) => holder.push(tokenOf(this.tokens, id)), end: () => holder.end() };
  }

  toJSON(): TokenizerJSON {
    const known = typeof this.unknown === "object" ? this.size - 1 : this.size;
    return { kind: this.kind, characters: this.tokens.slice(0, known), unknown: this.unknown };
  }

  private idOf(codePoint: number): number {
    return (codePoint < 0x10000 ? this.basicIds[codePoint] : this.otherIds.get(codePoint)) ?? -1;
  }
}
