/** A bar chart as SVG: a row for each value, for files and notebooks. */
import { ArgumentError } from "../errors.js";
import { coordinate, escapeXml, FONT, MARGIN, shortened, titledSvg, widthOf } from "./svg.js";

/** A row of a {@link barChart}. */
export interface Bar {
  /** Beside the bar. */
  readonly label: string;
  /** From 0. */
  readonly value: number;
}

/** A row without a bar, above those of a group. */
export interface BarHeading {
  /** A line of text above the bars that follow. */
  readonly heading: string;
}

/** Options of {@link barChart}. */
export interface BarChartOptions {
  /** Above the bars. */
  readonly title: string;
  /** What the numbers are, with their unit; stands at the axis. */
  readonly axis: string;
  /** Digits after the point of a value; default 2. */
  readonly digits?: number;
}

/** Pixels. */
const ROW = 24;
const BARS = 480;
const TOP = 84;
const LONGEST_LABEL = 32;
const LONGEST_HEADING = 80;

/**
 * Draws values as horizontal bars, the first on top, with a scale from 0 that all of them share; headings make groups.
 *
 * The text is a document of its own, without scripts, styles or references to others. Labels and headings may hold anything:
 * they are escaped, what XML cannot hold becomes U+FFFD, and long ones are cut, with the whole in the bar's tooltip.
 * @returns SVG 1.1
 * @throws ArgumentError for a value that is negative or not finite
 */
export function barChart(rows: readonly (Bar | BarHeading)[], options: BarChartOptions): string {
  const { title, axis, digits = 2 } = options;
  if (!(Number.isInteger(digits) && digits >= 0 && digits <= 20)) {
    throw new ArgumentError("barChart", "digits", "a whole number from 0 to 20", digits);
  }
  const bars = rows.filter((row) => "value" in row);
  for (const { label, value } of bars) {
    if (!(value >= 0 && value < Infinity)) {
      throw new ArgumentError("barChart", `value of ${JSON.stringify(label)}`, "a finite number from 0", value);
    }
  }
  const most = bars.reduce((largest, { value }) => Math.max(largest, value), 0);
  const step = stepOf(most);
  const steps = Math.max(1, Math.ceil(most / step));
  const left = MARGIN + widest(bars.map(({ label }) => shortened(label, LONGEST_LABEL))) + 8;
  const bottom = TOP + rows.length * ROW;
  const headings = rows.map((row) => ("heading" in row ? shortened(row.heading, LONGEST_HEADING) : ""));
  const heading = Math.max(widthOf(title, FONT) * 1.15, left - MARGIN + widthOf(axis, FONT), widest(headings));
  const width = Math.ceil(Math.max(left + BARS + 80, heading + 2 * MARGIN));
  const height = bottom + MARGIN;
  const x = (value: number): number => left + (value / step / steps) * BARS;
  const lines = Array.from({ length: steps + 1 }, (_, i) => {
    const at = coordinate(x(i * step));
    return [
      `<line x1="${at}" y1="${TOP - 4}" x2="${at}" y2="${bottom}" stroke="#d0d0d0"/>`,
      `<text x="${at}" y="${TOP - 10}" text-anchor="middle" fill="#555555">${Number((i * step).toPrecision(12))}</text>`,
    ].join("\n");
  });
  const drawn = rows.map((row, i) => {
    const y = TOP + i * ROW;
    const baseline = y + 17;
    if ("heading" in row) {
      // White around it, where the lines of the scale pass.
      const outline = 'stroke="#ffffff" stroke-width="4" paint-order="stroke"';
      return `<text x="${MARGIN}" y="${baseline}" font-weight="bold" ${outline}>${escapeXml(headings[i] as string)}</text>`;
    }
    const { label, value } = row;
    const shown = value.toFixed(digits);
    return [
      "<g>",
      `<title>${escapeXml(label)}: ${shown}</title>`,
      `<text x="${coordinate(left - 8)}" y="${baseline}" text-anchor="end">${escapeXml(shortened(label, LONGEST_LABEL))}</text>`,
      `<rect x="${coordinate(left)}" y="${y + 4}" width="${coordinate(x(value) - left)}" height="${ROW - 8}" fill="#3b6ea8"/>`,
      `<text x="${coordinate(x(value) + 6)}" y="${baseline}" fill="#333333">${shown}</text>`,
      "</g>",
    ].join("\n");
  });
  return titledSvg(title, width, height, [
    `<text x="${coordinate(left)}" y="52" fill="#555555">${escapeXml(axis)}</text>`,
    ...lines,
    ...drawn,
  ]);
}

/** Distance of the lines of the scale: 1, 2 or 5 times a power of ten, so that there are four to ten up to `most`. */
function stepOf(most: number): number {
  // Less than this is nothing on any scale.
  if (most < 1e-300) return 1;
  let power = 1;
  while (most / power >= 10) power *= 10;
  while (most / power < 1) power /= 10;
  const leading = most / power;
  return leading <= 2 ? power / 5 : leading <= 5 ? power / 2 : power;
}

function widest(texts: readonly string[]): number {
  return texts.reduce((most, text) => Math.max(most, widthOf(text, FONT)), 0);
}
