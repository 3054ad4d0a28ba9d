/**
 * Ways to split a text into words, without tables of the runtime, so everywhere the same. White space separates and is
 * lost.
 */
import { codePointAt } from "./code-points.js";
import { eachPiece, isBlank } from "./pieces.js";

/** See {@link VocabularyOptions.split}. */
export type WordSplit = "spaces" | "words" | "treebank" | "french";

/** Each way by its name. */
export const WORD_SPLITS: ReadonlyMap<WordSplit, (text: string) => string[]> = new Map([
  ["spaces", spaces],
  ["words", words],
  ["treebank", treebank],
  ["french", french],
]);

function spaces(text: string): string[] {
  const found: string[] = [];
  let start = -1;
  for (let at = 0; at <= text.length; at++) {
    const ends = at === text.length || isBlank(text.charCodeAt(at));
    if (!ends && start < 0) start = at;
    if (!ends || start < 0) continue;
    found.push(text.slice(start, at));
    start = -1;
  }
  return found;
}

function words(text: string): string[] {
  const found: string[] = [];
  eachPiece(text, (piece) => {
    const word = piece.startsWith(" ") ? piece.slice(1) : piece;
    if (word !== "" && !isBlank(codePointAt(word, 0))) found.push(word);
  });
  return found;
}

const OPENING = /* @__PURE__ */ new Set("([{<\"'`“‘«$£€#");
const CLOSING = /* @__PURE__ */ new Set(")]}>\"'`”’».,;:!?%…");
/** Without the apostrophe, which elision leaves at the end of a word. */
const FRENCH_CLOSING = /* @__PURE__ */ new Set(/* @__PURE__ */ [...CLOSING].filter((mark) => mark !== "'"));
/** What is split off the end of a word, the apostrophe of either form. */
const CONTRACTION = /^(.+?)(n['’]t|['’](?:s|d|m|re|ve|ll))$/i;
const SPLIT_OFF = /^(?:n['’]t|['’](?:s|d|m|re|ve|ll))$/i;
const PLACEHOLDER = /^(?:<[a-z]+>|-[lr][rcs]b-)$/i;

/**
 * As the Penn Treebank, in short: marks at either end of what spaces separate are words, a mark that repeats is one
 * (`...`, `--`), what is inside stays (`well-made`, `3.5`), and contractions are split (`do n't`, `it 's`). What is split
 * already stays as it is.
 */
function treebank(text: string): string[] {
  return withoutMarks(text, CLOSING, (inside) => {
    const [, stem, contraction] = CONTRACTION.exec(inside) ?? [];
    return stem === undefined ? [inside] : [stem, contraction as string];
  });
}

/**
 * French: marks at either end are words, an elided word ends with its apostrophe, always the straight one
 * (`l' homme`, `qu' est`), and what follows a hyphen begins with it (`est -il`, `peut -être`).
 */
function french(text: string): string[] {
  return withoutMarks(text.replaceAll("’", "'"), FRENCH_CLOSING, (inside) => inside.match(/-?[^-']+'?|[-']/g) ?? []);
}

/** What spaces separate, marks at either end of it split off, and what is left of it split further. */
function withoutMarks(text: string, closing: ReadonlySet<string>, split: (inside: string) => string[]): string[] {
  return spaces(text).flatMap((chunk) => {
    if (PLACEHOLDER.test(chunk)) return [chunk];
    let first = 0;
    let last = chunk.length;
    const before: string[] = [];
    const after: string[] = [];
    while (first < last && OPENING.has(chunk.charAt(first)) && !SPLIT_OFF.test(chunk.slice(first, last))) {
      const end = endOfRepeat(chunk, first);
      before.push(chunk.slice(first, end));
      first = end;
    }
    while (last > first && closing.has(chunk.charAt(last - 1))) {
      let start = last - 1;
      while (start > first && chunk.charAt(start - 1) === chunk.charAt(last - 1)) start--;
      after.push(chunk.slice(start, last));
      last = start;
    }
    return [...before, ...split(chunk.slice(first, last)).filter((word) => word !== ""), ...after.reverse()];
  });
}

function endOfRepeat(text: string, start: number): number {
  let end = start + 1;
  while (end < text.length && text.charAt(end) === text.charAt(start)) end++;
  return end;
}

/**
 * Words as a text to be read: no space before closing marks and contractions, none after opening brackets. In French none
 * after an elision and before a hyphen either, but one before double marks.
 */
export function joinWords(split: WordSplit, tokens: Iterable<string>): string {
  const closing = split === "french" ? ")]}.,…" : ")]}.,;:!?%…";
  let text = "";
  let glued = true;
  for (const token of tokens) {
    const mark = token.charAt(0);
    let attached = false;
    if (split !== "spaces") attached = SPLIT_OFF.test(token) || (mark !== "" && closing.includes(mark));
    if (split === "french" && mark === "-" && token.length > 1) attached = true;
    text += glued || attached ? token : ` ${token}`;
    glued = split !== "spaces" && token.length === 1 && "([{".includes(token);
    if (split === "french" && token.length > 1 && token.endsWith("'")) glued = true;
  }
  return text;
}
