import { ArgumentError, TokenizerError } from "../errors.js";
import { count, mostFrequent } from "./counts.js";
import {
  checkKind,
  distinctStrings,
  type TokenDecoder,
  type Tokenizer,
  type TokenizerJSON,
  tokenOf,
} from "./tokenizer.js";
import { joinWords, WORD_SPLITS, type WordSplit } from "./word-splits.js";

/** Options of a {@link VocabularyTokenizer}. */
export interface VocabularyOptions {
  /**
   * What a word is. "spaces": what white space separates, as in texts that are split already; "words": runs of letters,
   * of digits, and single marks; "treebank": as the Penn Treebank, marks apart and contractions split (`do n't`);
   * "french": marks, elided words and what follows a hyphen apart (`l' a -t -il`).
   * Default "words".
   */
  readonly split?: WordSplit | undefined;
  /** Whether words are lower-cased first; default false. */
  readonly lowerCase?: boolean | undefined;
}

/** Options of {@link VocabularyTokenizer.from}. */
export interface VocabularyFromOptions extends VocabularyOptions {
  /** Tokens at most, the four special ones included; the most frequent words are kept. Default: no limit. */
  readonly maxSize?: number | undefined;
  /** A word that occurs less often is unknown. Default 1. */
  readonly minCount?: number | undefined;
}

const SPECIAL = ["<pad>", "<bos>", "<eos>", "<unk>"] as const;

/**
 * A closed vocabulary of words: any other word is `<unk>`, and spaces are not kept, so that a text does not come back
 * exactly as it was (see {@link WordTokenizer} for one that gives any text back). For texts that are classified, tagged
 * or translated, and for those whose vocabulary is given, as the Penn Treebank's.
 *
 * Ids: 0 `<pad>`, 1 `<bos>`, 2 `<eos>`, 3 `<unk>`, then the words, the most frequent first. A word of the text that reads
 * like one of these four, as `<unk>` does in the Penn Treebank, is that token.
 */
export class VocabularyTokenizer implements Tokenizer {
  readonly kind = "vocabulary";
  readonly tokens: readonly string[];
  readonly size: number;
  /** Id of padding. */
  readonly pad = 0;
  /** Id of the token before a sequence. */
  readonly bos = 1;
  /** Id of the token after a sequence. */
  readonly eos = 2;
  /** Id of all words outside the vocabulary. */
  readonly unknown = 3;
  /** What a word is. */
  readonly split: WordSplit;
  /** Whether words are lower-cased first. */
  readonly lowerCase: boolean;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #split: (text: string) => string[];

  /**
   * The vocabulary of texts.
   * @throws ArgumentError
   */
  static from(texts: string | Iterable<string>, options: VocabularyFromOptions = {}): VocabularyTokenizer {
    const { maxSize = Number.MAX_SAFE_INTEGER, minCount = 1, ...others } = options;
    if (!(maxSize >= SPECIAL.length))
      throw new ArgumentError("VocabularyTokenizer.from", "maxSize", `at least ${SPECIAL.length}`, maxSize);
    if (!(minCount >= 1)) throw new ArgumentError("VocabularyTokenizer.from", "minCount", "at least 1", minCount);
    const empty = new VocabularyTokenizer([], others);
    const counts = new Map<string, number>();
    for (const text of typeof texts === "string" ? [texts] : texts) {
      for (const word of empty.words(text)) count(counts, word);
    }
    for (const special of SPECIAL) counts.delete(special);
    const frequent = new Map([...counts].filter(([, times]) => times >= minCount));
    return new VocabularyTokenizer(mostFrequent(frequent, maxSize - SPECIAL.length), others);
  }

  /**
   * Reads what `toJSON` wrote.
   * @throws TokenizerError for anything else
   */
  static fromJSON(json: unknown): VocabularyTokenizer {
    checkKind(json, "vocabulary");
    const { split, lowerCase } = json;
    if (!WORD_SPLITS.has(split as WordSplit) || typeof lowerCase !== "boolean") {
      throw new TokenizerError(
        `tokenizer JSON: split must be one of ${[...WORD_SPLITS.keys()].join(", ")} and lowerCase true or false, ` +
          `got ${JSON.stringify(split)} and ${JSON.stringify(lowerCase)}`,
      );
    }
    return new VocabularyTokenizer(distinctStrings(json, "words"), { split: split as WordSplit, lowerCase });
  }

  /**
   * @param words - those that are known, all different and none of the special tokens
   * @throws ArgumentError, TokenizerError
   */
  constructor(words: readonly string[], { split = "words", lowerCase = false }: VocabularyOptions = {}) {
    const splitter = WORD_SPLITS.get(split);
    if (splitter === undefined) {
      throw new ArgumentError("VocabularyTokenizer", "split", `one of ${[...WORD_SPLITS.keys()].join(", ")}`, split);
    }
    this.split = split;
    this.lowerCase = lowerCase;
    this.#split = splitter;
    this.tokens = [...SPECIAL, ...words];
    this.size = this.tokens.length;
    const ids = new Map<string, number>();
    this.tokens.forEach((token, id) => {
      if (ids.has(token)) throw new TokenizerError(`a vocabulary holds ${JSON.stringify(token)} twice`);
      ids.set(token, id);
    });
    this.#ids = ids;
  }

  /** The words of a text, known or not, as they are looked up. */
  words(text: string): string[] {
    return this.#split(this.lowerCase ? text.toLowerCase() : text);
  }

  /** The id of one word, {@link unknown} for those outside the vocabulary. */
  idOf(word: string): number {
    return this.#ids.get(word) ?? this.unknown;
  }

  encode(text: string): Int32Array {
    return Int32Array.from(this.words(text), (word) => this.idOf(word));
  }

  /** The words with spaces between them; but for texts split by spaces, none before closing marks and contractions. */
  decode(ids: ArrayLike<number>): string {
    return this.join(Array.from(ids, (id) => tokenOf(this.tokens, id)));
  }

  /** The same of words that need not be known. */
  join(words: Iterable<string>): string {
    return joinWords(this.split, words);
  }

  decoder(): TokenDecoder {
    let last: string | undefined;
    return {
      push: (id) => {
        const before = last;
        const token = tokenOf(this.tokens, id);
        last = token;
        return before === undefined ? token : joinWords(this.split, [before, token]).slice(before.length);
      },
      end: () => "",
    };
  }

  toJSON(): TokenizerJSON {
    const { kind, split, lowerCase } = this;
    return { kind, split, lowerCase, words: this.tokens.slice(SPECIAL.length) };
  }
}
