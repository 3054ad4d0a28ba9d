/**
 * Readers of files of lines, a piece at a time: memory holds a line or a sentence, however long the file is.
 *
 * A line ends with LF or CR LF, the last one also without. Errors are `DataError` and name line and column, from 1;
 * columns are code points.
 */
import { ArgumentError, DataError } from "../errors.js";
import { checkTagScheme, convertTags, type TagScheme } from "../text/entity-tags.js";
import { checkCount } from "./check.js";
import { at, codePoints, type TextSource, textPieces } from "./text-source.js";

/** Options of {@link readLines}. */
export interface LineOptions {
  /** UTF-16 units of a line at most, a guard against files without lines; default 2^24. */
  readonly maxLength?: number | undefined;
}

/**
 * The lines of a text, without their ends.
 * @throws DataError for bytes that are not UTF-8, or a line longer than `maxLength`
 */
export async function* readLines(
  source: TextSource,
  options: LineOptions = {},
): AsyncGenerator<string, void, undefined> {
  for await (const text of rawLines(source, options)) yield text.endsWith("\r") ? text.slice(0, -1) : text;
}

/** The lines of a text without their LF, but with a CR before it. @internal */
export async function* rawLines(source: TextSource, options: LineOptions): AsyncGenerator<string, void, undefined> {
  const { maxLength = 0x100_0000 } = options;
  if (maxLength !== Infinity) checkCount("readLines", "maxLength", maxLength);
  let line = 1;
  let begun = "";
  for await (const piece of textPieces(source)) {
    let from = 0;
    for (let end = piece.indexOf("\n"); end >= 0; end = piece.indexOf("\n", from)) {
      const text = begun + piece.slice(from, end);
      if (text.length > maxLength) throw tooLong(line, maxLength);
      yield text;
      begun = "";
      from = end + 1;
      line++;
    }
    begun += piece.slice(from);
    if (begun.length > maxLength) throw tooLong(line, maxLength);
  }
  if (begun !== "") yield begun;
}

function tooLong(line: number, maxLength: number): DataError {
  return new DataError(`${at(line, maxLength + 1)}: the line is longer than maxLength, ${maxLength}`);
}

/**
 * The values of a text of JSON lines (https://jsonlines.org): one JSON text a line, blank lines left out.
 * @throws DataError at the first token that is wrong
 */
export async function* readJsonLines(
  source: TextSource,
  options: LineOptions = {},
): AsyncGenerator<unknown, void, undefined> {
  let line = 0;
  for await (const text of readLines(source, options)) {
    line++;
    if (/^[ \t]*$/.test(text)) continue;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      // Engines do not agree on what they say, and mostly leave out where.
      const offset = jsonErrorOffset(text);
      const character = String.fromCodePoint(text.codePointAt(offset) ?? 0);
      const found = offset >= text.length ? "it ends too early" : `unexpected ${JSON.stringify(character)}`;
      throw new DataError(`${at(line, 1 + codePoints(text.slice(0, offset)))}: not JSON: ${found}`);
    }
    yield value;
  }
}

const JSON_TOKENS = [
  /[[\]{},:]/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them in strings
  /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/,
  /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/,
  /true|false|null/,
];

/** Where a text stops being JSON (RFC 8259): the start of the first token that is wrong. @internal */
export function jsonErrorOffset(text: string): number {
  const tokens = new RegExp(JSON_TOKENS.map(({ source }) => source).join("|"), "y");
  const open: ("{" | "[")[] = [];
  let expected: "value" | "element" | "key" | "first key" | "colon" | "next" = "value";
  for (let offset = 0; ; ) {
    while (offset < text.length && " \t\n\r".includes(text[offset] as string)) offset++;
    tokens.lastIndex = offset;
    const token = tokens.exec(text)?.[0];
    if (token === undefined) return offset;
    const closes = token === "}" ? "{" : token === "]" ? "[" : undefined;
    if (closes !== undefined) {
      const empty = closes === "{" ? "first key" : "element";
      if (open.at(-1) !== closes || (expected !== "next" && expected !== empty)) return offset;
      open.pop();
      expected = "next";
    } else if (expected === "value" || expected === "element") {
      if (token === "," || token === ":") return offset;
      if (token === "{" || token === "[") open.push(token);
      expected = token === "{" ? "first key" : token === "[" ? "element" : "next";
    } else if (expected === "key" || expected === "first key") {
      if (!token.startsWith('"')) return offset;
      expected = "colon";
    } else if (expected === "colon") {
      if (token !== ":") return offset;
      expected = "value";
    } else {
      if (token !== "," || open.length === 0) return offset;
      expected = open.at(-1) === "{" ? "key" : "value";
    }
    offset += token.length;
  }
}

/** Options of {@link readConll}. */
export interface ConllOptions extends LineOptions {
  /** What separates columns; default: a tab where the first row has one, otherwise any run of spaces. */
  readonly separator?: string | undefined;
  /** Lines that begin with it are left out, `"#"` in CoNLL-U; default: none, as tokens may begin with anything. */
  readonly comment?: string | undefined;
  /**
   * Scheme that the tags of the last column come in, whatever the file's is: those of CoNLL-2003 are IOB1. See
   * {@link convertTags}. Default: as they are.
   */
  readonly scheme?: TagScheme | undefined;
}

/** A sentence of a CoNLL file. */
export interface ConllSentence {
  /** `columns[k][t]` is column k of token t; the first column mostly holds the tokens, the last one their tags. */
  readonly columns: readonly (readonly string[])[];
  /** The line that it begins at, from 1. */
  readonly line: number;
}

/**
 * The sentences of a CoNLL file: one token a line, its columns side by side, and a blank line after each sentence.
 * (Tjong Kim Sang and De Meulder 2003, "Introduction to the CoNLL-2003 shared task".)
 * @throws DataError for a row that has not as many columns as the first one, or an empty column; ArgumentError
 */
export async function* readConll(
  source: TextSource,
  options: ConllOptions = {},
): AsyncGenerator<ConllSentence, void, undefined> {
  const { comment, scheme } = options;
  if (scheme !== undefined) checkTagScheme("readConll", "scheme", scheme);
  if (options.separator === "") throw new ArgumentError("readConll", "separator", "a character or more", "");
  let separator: string | RegExp | undefined = options.separator;
  let width = 0;
  let line = 0;
  let columns: string[][] = [];
  let start = 0;
  const sentence = (): ConllSentence => {
    const tags = columns.at(-1) as string[];
    const converted = scheme === undefined ? tags : convertTags(tags, scheme);
    return { columns: [...columns.slice(0, -1), converted], line: start };
  };
  for await (const text of readLines(source, options)) {
    line++;
    if (/^[ \t]*$/.test(text)) {
      if (columns.length > 0) yield sentence();
      columns = [];
      continue;
    }
    if (comment !== undefined && text.startsWith(comment)) continue;
    separator ??= text.includes("\t") ? "\t" : / +/;
    const fields = text.split(separator);
    if (width === 0) width = fields.length;
    const empty = fields.indexOf("");
    if (empty >= 0 || fields.length !== width) {
      const good = empty >= 0 ? empty : Math.min(fields.length, width);
      const before = offsetOfField(text, separator, good);
      const what =
        empty >= 0 ? `column ${good + 1} of the row is empty` : `${fields.length} columns, expected ${width}`;
      throw new DataError(`${at(line, 1 + codePoints(text.slice(0, before)))}: ${what}`);
    }
    if (columns.length === 0) {
      columns = fields.map(() => []);
      start = line;
    }
    fields.forEach((field, column) => columns[column]?.push(field));
  }
  if (columns.length > 0) yield sentence();
}

/** Where field `number` begins; the end of the text when there is no such field. */
function offsetOfField(text: string, separator: string | RegExp, number: number): number {
  let offset = 0;
  for (const field of text.split(separator).slice(0, number)) {
    offset += field.length;
    const rest = text.slice(offset);
    offset +=
      typeof separator === "string" ? Math.min(separator.length, rest.length) : (/^ +/.exec(rest)?.[0].length ?? 0);
  }
  return offset;
}
