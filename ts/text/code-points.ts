/**
 * Code points of JavaScript strings, and their bytes.
 *
 * A string may hold lone surrogates, which UTF-8 cannot express: the bytes here are WTF-8
 * (https://simonsapin.github.io/wtf-8/), which is UTF-8 plus three-byte forms of lone surrogates, so that every string
 * has bytes and gets itself back.
 */

/** One past the last code point. */
export const CODE_POINT_LIMIT = 0x110000;

const REPLACEMENT = 0xfffd;

/** A code point as people write it: `U+0041`. */
export function codePointName(codePoint: number): string {
  return `U+${codePoint.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** Calls `visit(codePoint)` for every code point; a lone surrogate is a code point of its own. */
export function eachCodePoint(text: string, visit: (codePoint: number) => void): void {
  for (let at = 0; at < text.length; at++) {
    const codePoint = codePointAt(text, at);
    if (codePoint > 0xffff) at++;
    visit(codePoint);
  }
}

/** `text.codePointAt(at)`, for an index known to be inside the text. */
export function codePointAt(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  if (unit < 0xd800 || unit > 0xdbff || at + 1 >= text.length) return unit;
  const low = text.charCodeAt(at + 1);
  return low >= 0xdc00 && low <= 0xdfff ? ((unit - 0xd800) << 10) + (low - 0xdc00) + 0x10000 : unit;
}

/** True when the text ends in a high surrogate, which what follows may complete to one character. */
export function endsInHighSurrogate(text: string): boolean {
  const unit = text.charCodeAt(text.length - 1);
  return unit >= 0xd800 && unit <= 0xdbff;
}

/** Holds a high surrogate back until what follows it, as the two may be one character for whoever prints them. */
export class SurrogateHolder {
  private held = "";

  /** The text with what was held before it, without a high surrogate at its end. */
  push(text: string): string {
    const whole = this.held + text;
    this.held = endsInHighSurrogate(whole) ? whole.slice(-1) : "";
    return this.held === "" ? whole : whole.slice(0, -1);
  }

  /** What is held when nothing follows. */
  end(): string {
    const { held } = this;
    this.held = "";
    return held;
  }
}

/** Calls `emit(byte)` for each WTF-8 byte of a code point. */
export function encodeCodePoint(codePoint: number, emit: (byte: number) => void): void {
  if (codePoint < 0x80) emit(codePoint);
  else if (codePoint < 0x800) {
    emit(0xc0 | (codePoint >> 6));
    emit(0x80 | (codePoint & 0x3f));
  } else if (codePoint < 0x10000) {
    emit(0xe0 | (codePoint >> 12));
    emit(0x80 | ((codePoint >> 6) & 0x3f));
    emit(0x80 | (codePoint & 0x3f));
  } else {
    emit(0xf0 | (codePoint >> 18));
    emit(0x80 | ((codePoint >> 12) & 0x3f));
    emit(0x80 | ((codePoint >> 6) & 0x3f));
    emit(0x80 | (codePoint & 0x3f));
  }
}

/**
 * Reads WTF-8 a byte at a time: a sequence may come in pieces. Bytes that cannot continue or start a character become
 * U+FFFD, one for each maximal part of a character, as in the WHATWG decoder.
 */
export class ByteDecoder {
  private codePoint = 0;
  private missing = 0;
  private low = 0x80;
  private high = 0xbf;

  /** The characters that this byte completes: mostly none or one, two after a broken sequence. */
  push(byte: number): string {
    if (this.missing > 0) {
      if (byte >= this.low && byte <= this.high) {
        this.low = 0x80;
        this.high = 0xbf;
        this.codePoint = (this.codePoint << 6) | (byte & 0x3f);
        return --this.missing === 0 ? String.fromCodePoint(this.codePoint) : "";
      }
      return this.end() + this.push(byte);
    }
    if (byte < 0x80) return String.fromCharCode(byte);
    if (byte >= 0xc2 && byte <= 0xdf) this.expect(byte & 0x1f, 1);
    else if (byte >= 0xe0 && byte <= 0xef) this.expect(byte & 0x0f, 2, byte === 0xe0 ? 0xa0 : 0x80);
    else if (byte >= 0xf0 && byte <= 0xf4) {
      this.expect(byte & 0x07, 3, byte === 0xf0 ? 0x90 : 0x80, byte === 0xf4 ? 0x8f : 0xbf);
    } else return String.fromCharCode(REPLACEMENT);
    return "";
  }

  /** Ends the bytes: U+FFFD when they stop inside a character, else nothing. */
  end(): string {
    const broken = this.missing > 0;
    this.missing = 0;
    this.low = 0x80;
    this.high = 0xbf;
    return broken ? String.fromCharCode(REPLACEMENT) : "";
  }

  private expect(bits: number, missing: number, low = 0x80, high = 0xbf): void {
    this.codePoint = bits;
    this.missing = missing;
    this.low = low;
    this.high = high;
  }
}
