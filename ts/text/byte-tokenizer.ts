import { BYTES, ByteTokens, bytesOf } from "./byte-tokens.js";
import { checkKind, type TokenDecoder, type Tokenizer, type TokenizerJSON } from "./tokenizer.js";

/**
 * One token per byte of a text in UTF-8, 256 in all whatever the language; ids are the bytes. A lone surrogate, which
 * UTF-8 lacks, has the three bytes that WTF-8 gives it (https://simonsapin.github.io/wtf-8/), so that decoding gives
 * exactly the text back, whatever the text.
 */
export class ByteTokenizer implements Tokenizer {
  readonly kind = "byte";
  readonly size = BYTES;
  readonly tokens: readonly string[];
  readonly #tokens = new ByteTokens(Array.from({ length: BYTES }, (_, byte) => Uint8Array.of(byte)));

  /** The one that there is: it has no options. */
  constructor() {
    this.tokens = this.#tokens.names;
  }

  /** Reads what `toJSON` wrote. Throws `TokenizerError` for anything else. */
  static fromJSON(json: unknown): ByteTokenizer {
    checkKind(json, "byte");
    return new ByteTokenizer();
  }

  encode(text: string): Int32Array {
    return Int32Array.from(bytesOf(text));
  }

  decode(ids: ArrayLike<number>): string {
    return this.#tokens.decode(ids);
  }

  decoder(): TokenDecoder {
    return this.#tokens.decoder();
  }

  toJSON(): TokenizerJSON {
    return { kind: this.kind };
  }
}
