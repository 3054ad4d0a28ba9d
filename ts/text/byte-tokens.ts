/** Tokens that are bytes of WTF-8 (see code-points.ts), not always whole characters. */
import { ByteDecoder, eachCodePoint, encodeCodePoint, SurrogateHolder } from "./code-points.js";
import { joinTokens, type TokenDecoder, tokenOf } from "./tokenizer.js";

/** Values of a byte. */
export const BYTES = 256;

/** A byte as it is shown: `<0A>`. */
export function byteName(byte: number): string {
  return `<${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

/** The bytes of a text. */
export function bytesOf(text: string): Uint8Array {
  let size = 0;
  const bytes = new Uint8Array(3 * text.length);
  eachCodePoint(text, (codePoint) =>
    encodeCodePoint(codePoint, (byte) => {
      bytes[size++] = byte;
    }),
  );
  return bytes.slice(0, size);
}

/** Tokens of one or more bytes each, back to text. @internal */
export class ByteTokens {
  /** The text of a token; where it is no whole characters, its bytes in hexadecimal: `<E2><82>`. */
  readonly names: readonly string[];
  readonly #bytes: readonly Uint8Array[];
  /** Whether a token is whole characters, so that its name is its text. */
  readonly #whole: readonly boolean[];

  constructor(bytes: readonly Uint8Array[]) {
    this.#bytes = bytes;
    const texts = bytes.map(wholeText);
    this.#whole = texts.map((text) => text !== undefined);
    this.names = texts.map((text, id) => text ?? Array.from(bytes[id] as Uint8Array, byteName).join(""));
  }

  decode(ids: ArrayLike<number>): string {
    const decoder = this.decoder();
    return joinTokens(ids, (id) => decoder.push(id)) + decoder.end();
  }

  decoder(): TokenDecoder {
    const decoder = new ByteDecoder();
    const holder = new SurrogateHolder();
    return {
      push: (id) => {
        const name = tokenOf(this.names, id);
        if (this.#whole[id]) return holder.push(decoder.end() + name);
        let text = "";
        for (const byte of this.#bytes[id] as Uint8Array) text += decoder.push(byte);
        return holder.push(text);
      },
      end: () => holder.end() + decoder.end(),
    };
  }
}

/** The text of bytes that are whole characters. */
function wholeText(bytes: Uint8Array): string | undefined {
  const decoder = new ByteDecoder();
  let text = "";
  for (const byte of bytes) text += decoder.push(byte);
  text += decoder.end();
  const again = bytesOf(text);
  return again.length === bytes.length && again.every((byte, i) => byte === bytes[i]) ? text : undefined;
}
