/**
 * Reader of comma- and tab-separated values: RFC 4180 (https://www.rfc-editor.org/rfc/rfc4180), a row at a time, lines
 * ending with LF or CR LF.
 *
 *     field = plain | '"' { any character but '"' | '""' } '"'      plain: no separator, no quote, no line end
 *
 * It is strict, as a file that is read otherwise than it was meant is worse than one that is refused. The libraries for
 * it need Node's Buffer, or the whole text, or are lenient, and none says in which column a row goes wrong.
 */
import { ArgumentError, DataError } from "../errors.js";
import { type LineOptions, rawLines } from "./readers.js";
import { at, codePoints, type TextSource } from "./text-source.js";

/** Options of {@link readCsv}. */
export interface CsvOptions extends LineOptions {
  /** One character between fields; default `","`. */
  readonly separator?: string | undefined;
  /** Whether fields may be quoted; otherwise a quote is a character as any other, as often in TSV. Default true. */
  readonly quotes?: boolean | undefined;
}

/** A row of a table. */
export interface CsvRow {
  /** Its values, in the order of the file. */
  readonly fields: readonly string[];
  /** The line that it begins at, from 1; a quoted field may hold line ends. */
  readonly line: number;
}

/**
 * The rows of a table, its header too where it has one. Blank lines are left out.
 * @throws DataError naming line and column: a row that has not as many fields as the first one, a quote in a field that
 *   does not begin with one, anything but a separator after a quoted field, a quote that is never closed
 */
export async function* readCsv(source: TextSource, options: CsvOptions = {}): AsyncGenerator<CsvRow, void, undefined> {
  const { separator = ",", quotes = true, maxLength = 0x100_0000 } = options;
  if (separator.length !== 1 || separator === '"' || separator === "\n" || separator === "\r") {
    throw new ArgumentError("readCsv", "separator", "one character, no quote and no line end", separator);
  }
  const lines = rawLines(source, options);
  let line = 0;
  let width = 0;
  for await (let text of lines) {
    line++;
    if (text === "" || text === "\r") continue;
    const start = line;
    const fields: string[] = [];
    for (let offset = 0; ; offset++) {
      if (width > 0 && fields.length === width) throw problem(line, text, offset, `more than ${width} fields`);
      if (quotes && text[offset] === '"') {
        const opened = problem(line, text, offset, "the quote is never closed");
        let field = "";
        offset++;
        for (;;) {
          const quote = text.indexOf('"', offset);
          if (quote >= 0) {
            field += text.slice(offset, quote);
            offset = quote + 1;
            if (text[offset] !== '"') break;
            field += '"';
            offset++;
            continue;
          }
          field += `${text.slice(offset)}\n`;
          if (field.length > maxLength) throw opened;
          const next = await lines.next();
          if (next.done === true) throw opened;
          text = next.value;
          line++;
          offset = 0;
        }
        if (offset < endOf(text) && text[offset] !== separator) {
          throw problem(line, text, offset, "a quoted field goes on after its quote");
        }
        fields.push(field);
      } else {
        const found = text.indexOf(separator, offset);
        const end = found < 0 ? endOf(text) : found;
        const field = text.slice(offset, end);
        const quote = quotes ? field.indexOf('"') : -1;
        if (quote >= 0) throw problem(line, text, offset + quote, "a quote in a field that does not begin with one");
        fields.push(field);
        offset = end;
      }
      if (offset >= endOf(text)) break;
    }
    if (width === 0) width = fields.length;
    if (fields.length !== width) {
      throw problem(line, text, endOf(text), `${fields.length} fields, expected ${width}`);
    }
    yield { fields, line: start };
  }
}

/** Where the last field of a line ends: before a CR. */
function endOf(text: string): number {
  return text.endsWith("\r") ? text.length - 1 : text.length;
}

function problem(line: number, text: string, offset: number, what: string): DataError {
  return new DataError(`${at(line, 1 + codePoints(text.slice(0, offset)))}: ${what}`);
}
