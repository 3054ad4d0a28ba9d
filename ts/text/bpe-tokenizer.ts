import { ArgumentError, TokenizerError } from "../errors.js";
import { type BpeMerge, learnMerges, MAX_TOKEN_BYTES } from "./bpe-training.js";
import { BYTES, ByteTokens, bytesOf } from "./byte-tokens.js";
import { count } from "./counts.js";
import { Heap } from "./heap.js";
import { eachPiece } from "./pieces.js";
import { checkKind, type TokenDecoder, type Tokenizer, type TokenizerJSON } from "./tokenizer.js";

/** Options of {@link BpeTokenizer.from}. */
export interface BpeTokenizerOptions {
  /** Tokens at most, the 256 bytes included; a few thousand suit texts of some megabytes. */
  readonly maxSize: number;
  /** A pair of symbols that occurs less often is not merged. Default 2. */
  readonly minCount?: number | undefined;
}

/** Tokens at most: keys of pairs are exact numbers. */
const MAX_SIZE = 0x100_0000;

/** Pieces whose ids are kept, so that frequent words are merged once. */
const KEPT_PIECES = 0x8000;
/** UTF-16 units of such a piece at most. */
const KEPT_LENGTH = 32;

/**
 * Byte-pair encoding (Sennrich, Haddow & Birch 2016) of bytes, as GPT-2 has it: a text is cut into words, each with the
 * space before it, numbers, marks and blanks (the rule at `eachPiece`, pieces.ts, as in {@link WordTokenizer}); each
 * of these is spelled in WTF-8 bytes, and then pairs of neighbours are merged, those that were learned first before others.
 * Frequent words become one token, rare ones a few; decoding gives exactly the text back, whatever the text.
 *
 * Ids: 0-255 the bytes, then the merges in the order in which they were learned.
 */
export class BpeTokenizer implements Tokenizer {
  readonly kind = "bpe";
  readonly tokens: readonly string[];
  readonly size: number;
  /** The pairs of ids that become one; merge k becomes id 256 + k. */
  readonly merges: readonly BpeMerge[];
  readonly #tokens: ByteTokens;
  /** What the pair (left, right) becomes, by left * size + right. */
  readonly #merged = new Map<number, number>();
  readonly #kept = new Map<string, readonly number[]>();

  /**
   * Learns the merges from a text, or texts.
   * @throws ArgumentError
   */
  static from(text: string | Iterable<string>, { maxSize, minCount = 2 }: BpeTokenizerOptions): BpeTokenizer {
    if (!(Number.isInteger(maxSize) && maxSize >= BYTES && maxSize <= MAX_SIZE)) {
      throw new ArgumentError("BpeTokenizer.from", "maxSize", `a whole number from ${BYTES} to ${MAX_SIZE}`, maxSize);
    }
    if (!(minCount >= 1)) throw new ArgumentError("BpeTokenizer.from", "minCount", "at least 1", minCount);
    const words = new Map<string, number>();
    for (const part of typeof text === "string" ? [text] : text) eachPiece(part, (piece) => count(words, piece));
    return new BpeTokenizer(learnMerges(words, maxSize - BYTES, minCount));
  }

  /**
   * Reads what `toJSON` wrote.
   * @throws TokenizerError for anything else
   */
  static fromJSON(json: unknown): BpeTokenizer {
    checkKind(json, "bpe");
    const { merges } = json;
    if (!Array.isArray(merges)) throw new TokenizerError("tokenizer JSON: merges must be an array of pairs of ids");
    return new BpeTokenizer(merges as BpeMerge[]);
  }

  /**
   * @param merges - in the order in which they apply, each of ids that are bytes or earlier merges
   * @throws TokenizerError for anything else, a pair that comes twice, and a token of more than 128 bytes
   */
  constructor(merges: readonly BpeMerge[]) {
    this.size = BYTES + merges.length;
    if (this.size > MAX_SIZE) throw new TokenizerError(`${merges.length} merges, expected at most ${MAX_SIZE - BYTES}`);
    const bytes = Array.from({ length: BYTES }, (_, byte) => Uint8Array.of(byte));
    merges.forEach((merge: unknown, index) => {
      const [left, right] = Array.isArray(merge) && merge.length === 2 ? (merge as unknown[]) : [];
      const [first, second] = [bytes[left as number], bytes[right as number]];
      const refuse = (expected: string) => new TokenizerError(`merge ${index}: ${JSON.stringify(merge)}, ${expected}`);
      if (typeof left !== "number" || typeof right !== "number" || first === undefined || second === undefined) {
        throw refuse(`expected two ids below ${BYTES + index}`);
      }
      const key = left * this.size + right;
      if (this.#merged.has(key)) throw refuse("which is there twice");
      if (first.length + second.length > MAX_TOKEN_BYTES) throw refuse(`a token of more than ${MAX_TOKEN_BYTES} bytes`);
      this.#merged.set(key, BYTES + index);
      const both = new Uint8Array(first.length + second.length);
      both.set(first);
      both.set(second, first.length);
      bytes.push(both);
    });
    this.merges = merges;
    this.#tokens = new ByteTokens(bytes);
    this.tokens = this.#tokens.names;
  }

  encode(text: string): Int32Array {
    const ids: number[] = [];
    eachPiece(text, (piece) => {
      let symbols = this.#kept.get(piece);
      if (symbols === undefined) {
        symbols = this.#merge(bytesOf(piece));
        if (piece.length <= KEPT_LENGTH && this.#kept.size < KEPT_PIECES) this.#kept.set(piece, symbols);
      }
      for (const id of symbols) ids.push(id);
    });
    return Int32Array.from(ids);
  }

  /** The ids of a piece. The heap has the pairs that can be merged, by rank and then position, as one number each. */
  #merge(bytes: Uint8Array): number[] {
    const { length } = bytes;
    const symbols = Int32Array.from(bytes);
    const before = Int32Array.from(bytes, (_, at) => at - 1);
    const after = Int32Array.from(bytes, (_, at) => (at + 1 < length ? at + 1 : -1));
    const heap = new Heap<number>((a, b) => a < b);
    const mergedAt = (at: number): number | undefined => {
      const next = after[at] as number;
      return next < 0 ? undefined : this.#merged.get((symbols[at] as number) * this.size + (symbols[next] as number));
    };
    const offer = (at: number): void => {
      const merged = mergedAt(at);
      if (merged !== undefined) heap.push(merged * 0x1_0000_0000 + at);
    };
    for (let at = 0; at + 1 < length; at++) offer(at);
    for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
      const merged = Math.floor(top / 0x1_0000_0000);
      const at = top - merged * 0x1_0000_0000;
      // A neighbour may have been merged away since.
      if (symbols[at] === -1 || mergedAt(at) !== merged) continue;
      const second = after[at] as number;
      const next = after[second] as number;
      symbols[at] = merged;
      symbols[second] = -1;
      after[at] = next;
      if (next >= 0) before[next] = at;
      offer(at);
      if ((before[at] as number) >= 0) offer(before[at] as number);
    }
    return Array.from(symbols).filter((symbol) => symbol >= 0);
  }

  decode(ids: ArrayLike<number>): string {
    return this.#tokens.decode(ids);
  }

  decoder(): TokenDecoder {
    return this.#tokens.decoder();
  }

  toJSON(): TokenizerJSON {
    return { kind: this.kind, merges: this.merges };
  }
}
