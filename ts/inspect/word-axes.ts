/**
 * Words along directions that have a name: from man to woman, from commoner to royal. A direction is the difference of the
 * means of two sets of words. Bolukbasi et al. 2016, "Man is to computer programmer as woman is to homemaker?".
 */
import { ArgumentError } from "../errors.js";
import type { WordVectors } from "../text/word-vectors.js";
import { coordinate, escapeXml } from "./svg.js";

/** Two sets of words; without `from`, what all words have in common. */
export interface WordAxis {
  /** Words of one end. */
  readonly to: readonly string[];
  /** Words of the other end; default: the middle of all words. */
  readonly from?: readonly string[];
}

/** Where words lie along axes. */
export interface WordAxisTable {
  /** Names of the rows. */
  readonly words: readonly string[];
  /** Names of the columns. */
  readonly axes: readonly string[];
  /** A row for each word: 1 is where the words of `to` lie on average, -1 where those of `from` do. */
  readonly values: readonly (readonly number[])[];
}

/**
 * Places words along axes, all vectors having a length of 1.
 *
 * ```ts
 * const table = wordAxisTable(vectors, ["king", "queen", "apple"], {
 *   gender: { from: ["man", "he"], to: ["woman", "she"] },
 *   food: { to: ["bread", "rice", "fish"] },
 * });
 * ```
 *
 * @throws DataError for a word that is not known, ArgumentError for an axis whose ends are the same
 */
export function wordAxisTable(
  vectors: WordVectors,
  words: readonly string[],
  axes: Readonly<Record<string, WordAxis>>,
): WordAxisTable {
  const columns = Object.entries(axes).map(([name, { to, from = vectors.words }]) => {
    const [end, start] = [meanOf(vectors, to), meanOf(vectors, from)];
    const direction = end.map((value, i) => value - (start[i] as number));
    const middle = end.map((value, i) => (value + (start[i] as number)) / 2);
    const half = dot(direction, direction) / 2;
    if (!(half > 0)) throw new ArgumentError("wordAxisTable", `axes.${name}`, "two ends that differ", "the same");
    return words.map((word) => {
      const vector = Float64Array.from(vectors.unitVector(word), (value, i) => value - (middle[i] as number));
      return dot(vector, direction) / half;
    });
  });
  return { words, axes: Object.keys(axes), values: words.map((_, i) => columns.map((column) => column[i] as number)) };
}

/** The table with two digits, words first. */
export function wordAxisText({ words, axes, values }: WordAxisTable): string {
  const width = Math.max(...words.map((word) => word.length), 0);
  const widths = axes.map((name) => Math.max(6, name.length));
  const line = (first: string, cells: readonly string[]): string =>
    `${first.padEnd(width)}  ${cells.map((cell, i) => cell.padStart(widths[i] as number)).join("  ")}`;
  const rows = words.map((word, i) =>
    line(
      word,
      (values[i] as readonly number[]).map((value) => value.toFixed(2)),
    ),
  );
  return [line("", axes), ...rows].join("\n");
}

const CELL = { width: 84, height: 26 };

/** The table as SVG: blue towards `from`, vermilion towards `to` (Okabe & Ito 2008). */
export function wordAxisSvg({ words, axes, values }: WordAxisTable, title = "Words along axes"): string {
  const left = 24 + 8 * Math.max(...words.map((word) => word.length), 4);
  const [top, right] = [64, left + axes.length * CELL.width];
  const [width, height] = [Math.max(right + 16, 24 + 9 * title.length), top + words.length * CELL.height + 16];
  const text = (content: string, x: number, y: number, rest: string): string =>
    `<text x="${coordinate(x)}" y="${coordinate(y)}" ${rest}>${escapeXml(content)}</text>`;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${coordinate(width)}" height="${coordinate(height)}" ` +
      `viewBox="0 0 ${coordinate(width)} ${coordinate(height)}" font-family="sans-serif" font-size="13" role="img" ` +
      `aria-label="${escapeXml(title)}">`,
    `<rect width="${coordinate(width)}" height="${coordinate(height)}" fill="#fff"/>`,
    text(title, 16, 24, 'font-size="15"'),
    ...axes.map((name, i) => text(name, left + (i + 0.5) * CELL.width, top - 10, 'text-anchor="middle" fill="#333"')),
  ];
  words.forEach((word, row) => {
    const y = top + row * CELL.height;
    parts.push(text(word, left - 8, y + 18, 'text-anchor="end"'));
    values[row]?.forEach((value, i) => {
      const x = left + i * CELL.width;
      const strength = coordinate(Math.min(1, Math.abs(value)) * 0.8);
      parts.push(
        `<rect x="${x}" y="${y}" width="${CELL.width}" height="${CELL.height}" stroke="#ddd" ` +
          `fill="${value < 0 ? "#0072b2" : "#d55e00"}" fill-opacity="${strength}"/>`,
        text(value.toFixed(2), x + CELL.width / 2, y + 18, 'text-anchor="middle"'),
      );
    });
  });
  return `${parts.join("\n")}\n</svg>\n`;
}

function meanOf(vectors: WordVectors, words: readonly string[]): Float64Array {
  const mean = new Float64Array(vectors.size);
  for (const word of words) {
    vectors.unitVector(word).forEach((value, i) => {
      mean[i] = (mean[i] as number) + value / words.length;
    });
  }
  return mean;
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
}
