/**
 * How a text is split, on code points and without tables of the runtime, so everywhere the same:
 * - a space (U+0020) belongs to the word, number or mark after it, or, if another blank or nothing follows, to the run below;
 * - a run of the same blank (space, tab, line feed, carriage return, any other Unicode white space) is one piece;
 * - a word is a run of letters: A-Z, a-z, `_`, and every code point from U+00AA that is not listed otherwise, combining marks and the
 *   joiners U+200C and U+200D included; an apostrophe (' or U+2019) between two of them belongs to it;
 * - a number is a run of 0-9;
 * - a mark is one code point: other ASCII, Latin-1 signs below U+00C0 and U+00D7, U+00F7, the blocks of general punctuation and
 *   symbols (U+2010-U+2BFF, U+2E00-U+2E7F, U+3000-U+303F, U+FE30-U+FE6F, U+FF01-U+FF20), a lone surrogate, and also each
 *   ideograph or kana (U+2E80-U+A4CF, U+F900-U+FAFF, U+20000 up) and each emoji (U+1F000-U+1FAFF), as these stand without spaces.
 */
import { codePointAt } from "./code-points.js";

const SPACE = 0x20;

const BLANK = 0;
const LETTER = 1;
const DIGIT = 2;
const MARK = 3;

/** Ranges that are not letters, ascending: first, last, class. What lies between them is letters. */
const CLASSES: readonly (readonly [number, number, number])[] = [
  [0x0000, 0x0008, MARK],
  [0x0009, 0x000d, BLANK],
  [0x000e, 0x001f, MARK],
  [0x0020, 0x0020, BLANK],
  [0x0021, 0x002f, MARK],
  [0x0030, 0x0039, DIGIT],
  [0x003a, 0x0040, MARK],
  [0x005b, 0x005e, MARK],
  [0x0060, 0x0060, MARK],
  [0x007b, 0x0084, MARK],
  [0x0085, 0x0085, BLANK],
  [0x0086, 0x009f, MARK],
  [0x00a0, 0x00a0, BLANK],
  [0x00a1, 0x00a9, MARK],
  [0x00ab, 0x00b4, MARK],
  [0x00b6, 0x00b9, MARK],
  [0x00bb, 0x00bf, MARK],
  [0x00d7, 0x00d7, MARK],
  [0x00f7, 0x00f7, MARK],
  [0x1680, 0x1680, BLANK],
  [0x2000, 0x200a, BLANK],
  [0x2010, 0x2027, MARK],
  [0x2028, 0x2029, BLANK],
  [0x202a, 0x202e, MARK],
  [0x202f, 0x202f, BLANK],
  [0x2030, 0x205e, MARK],
  [0x205f, 0x205f, BLANK],
  [0x2060, 0x2bff, MARK],
  [0x2e00, 0x2fff, MARK],
  [0x3000, 0x3000, BLANK],
  [0x3001, 0xa4cf, MARK],
  [0xd800, 0xdfff, MARK],
  [0xf900, 0xfaff, MARK],
  [0xfe30, 0xfe6f, MARK],
  [0xff01, 0xff20, MARK],
  [0x1f000, 0x1faff, MARK],
  [0x20000, 0x10ffff, MARK],
];

/** Class of every code point of the basic plane; built at the first use. */
let basicClasses: Uint8Array | undefined;

function classOf(codePoint: number): number {
  if (basicClasses === undefined) {
    basicClasses = new Uint8Array(0x10000).fill(LETTER);
    for (const [first, last, kind] of CLASSES) basicClasses.fill(kind, first, Math.min(last, 0xffff) + 1);
  }
  if (codePoint < 0x10000) return basicClasses[codePoint] as number;
  return codePoint >= 0x20000 || (codePoint >= 0x1f000 && codePoint <= 0x1faff) ? MARK : LETTER;
}

/** Whether a code point is white space. */
export function isBlank(codePoint: number): boolean {
  return classOf(codePoint) === BLANK;
}

function isApostrophe(codePoint: number): boolean {
  return codePoint === 0x27 || codePoint === 0x2019;
}

/** Cuts a text into the pieces of the rule above; they concatenate to the text. */
export function eachPiece(text: string, visit: (piece: string) => void): void {
  let start = 0;
  while (start < text.length) {
    let at = start;
    let codePoint = codePointAt(text, at);
    if (codePoint === SPACE && at + 1 < text.length && classOf(codePointAt(text, at + 1)) !== BLANK) {
      codePoint = codePointAt(text, ++at);
    }
    const kind = classOf(codePoint);
    at += codePoint > 0xffff ? 2 : 1;
    if (kind === BLANK) {
      while (at < text.length && text.charCodeAt(at) === codePoint) at++;
      // The last space of a run goes with the word after it.
      if (codePoint === SPACE && at < text.length && classOf(codePointAt(text, at)) !== BLANK && at - start > 1) at--;
    } else if (kind !== MARK) {
      at = endOfRun(text, at, kind);
    }
    visit(text.slice(start, at));
    start = at;
  }
}

/** The index after a run of letters or digits that goes on at `at`. */
function endOfRun(text: string, at: number, kind: number): number {
  while (at < text.length) {
    const codePoint = codePointAt(text, at);
    if (classOf(codePoint) === kind) at += codePoint > 0xffff ? 2 : 1;
    else if (kind === LETTER && isApostrophe(codePoint) && startsLetter(text, at + 1)) at++;
    else break;
  }
  return at;
}

function startsLetter(text: string, at: number): boolean {
  return at < text.length && classOf(codePointAt(text, at)) === LETTER;
}
