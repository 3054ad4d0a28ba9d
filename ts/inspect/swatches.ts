/** Named colours as SVG, for files and notebooks. */
import { ArgumentError } from "../errors.js";
import { escapeXml, FONT, MARGIN, shortened, titledSvg, widthOf } from "./svg.js";

/** Red, green and blue, from 0 to 255 each. */
export type Color = readonly [red: number, green: number, blue: number];

/** A colour and what it is called. */
export interface NamedColor {
  /** What it is called. */
  readonly name: string;
  /** Red, green and blue, 0 to 255. */
  readonly color: Color;
}

/** Whether these are three numbers from 0 to 255. @internal */
export function isColor(color: Color): boolean {
  return color.length === 3 && color.every((channel) => channel >= 0 && channel <= 255);
}

/** A colour as the web has it: `#2e8b57`. Numbers are rounded. */
export function colorHex(color: Color): string {
  return `#${color.map((channel) => Math.round(channel).toString(16).padStart(2, "0")).join("")}`;
}

/** Options of {@link swatchesSvg}. */
export interface SwatchOptions {
  /** Above the swatches. */
  readonly title: string;
  /** Swatches side by side; default 6. */
  readonly columns?: number | undefined;
}

/** Pixels. */
const SWATCH = 168;
const BOX = 72;
const ROW = BOX + 48;
const TOP = 48;
/** Columns of a name that fit under its swatch. */
const LONGEST_NAME = 18;

/**
 * Draws named colours in rows, each as a box with its name and its number below.
 *
 * The text is a document of its own, without scripts, styles or references to others. Names may hold anything: they are
 * escaped, what XML cannot hold becomes U+FFFD, and long ones are cut, with the whole in the tooltip.
 * @returns SVG 1.1
 * @throws ArgumentError for a channel that is not from 0 to 255
 */
export function swatchesSvg(colors: readonly NamedColor[], { title, columns = 6 }: SwatchOptions): string {
  if (!(Number.isInteger(columns) && columns >= 1)) {
    throw new ArgumentError("swatchesSvg", "columns", "a whole number from 1", columns);
  }
  const across = Math.max(1, Math.min(columns, colors.length));
  const width = Math.ceil(2 * MARGIN + Math.max(across * SWATCH, widthOf(title, FONT + 2)));
  const height = TOP + Math.ceil(colors.length / across) * ROW + MARGIN;
  const boxes = colors.map(({ name, color }, i) => {
    if (!isColor(color)) {
      throw new ArgumentError("swatchesSvg", `color of ${JSON.stringify(name)}`, "three numbers from 0 to 255", color);
    }
    const x = MARGIN + (i % across) * SWATCH;
    const y = TOP + Math.floor(i / across) * ROW;
    const hex = colorHex(color);
    return [
      "<g>",
      `<title>${escapeXml(name)} ${hex}</title>`,
      `<rect x="${x}" y="${y}" width="${SWATCH - 12}" height="${BOX}" rx="4" fill="${hex}" stroke="#d0d0d0"/>`,
      `<text x="${x}" y="${y + BOX + 17}">${escapeXml(shortened(name, LONGEST_NAME))}</text>`,
      `<text x="${x}" y="${y + BOX + 34}" fill="#555555">${hex}</text>`,
      "</g>",
    ].join("\n");
  });
  return titledSvg(title, width, height, boxes);
}
