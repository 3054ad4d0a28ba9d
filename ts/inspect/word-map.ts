/** Words on a plane, as SVG: their vectors along the two principal components. */
import { DataError } from "../errors.js";
import type { WordVectors } from "../text/word-vectors.js";
import { principalComponents } from "./principal-components.js";
import { coordinate, escapeXml } from "./svg.js";

/** Options of {@link wordMapSvg}. */
export interface WordMapOptions {
  /** Above the map; default none. */
  readonly title?: string;
  /** Pixels; default 720 by 540. */
  readonly width?: number;
  /** See `width`. */
  readonly height?: number;
}

/** Colours of Okabe & Ito 2008, told apart also by the colour-blind. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#333333"];
const MARGIN = { left: 24, right: 24, top: 64, bottom: 40 };
const [FONT, RADIUS] = [12, 3];

/** Where a word's label may stand: its anchor, and the way of its middle from the point, in label sizes. */
const PLACES = [
  { x: 1, y: 0 },
  { x: -1, y: 0 },
  { x: 0, y: -1 },
  { x: 0, y: 1 },
  { x: 1, y: -1 },
  { x: 1, y: 1 },
  { x: -1, y: -1 },
  { x: -1, y: 1 },
  { x: 0, y: -2 },
  { x: 0, y: 2 },
] as const;

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Area that two boxes share. */
function shared(a: Box, b: Box): number {
  const x = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const y = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return x > 0 && y > 0 ? x * y : 0;
}

/**
 * Draws words where the two principal components of their vectors, all of length 1, put them. Labels are moved around
 * their points until they overlap as little as can be had.
 *
 * @param groups - words, a colour for each group, which is named below the title
 * @returns an SVG document
 * @throws DataError for a word that is not known, or no words
 */
export function wordMapSvg(
  vectors: WordVectors,
  groups: Readonly<Record<string, readonly string[]>>,
  options: WordMapOptions = {},
): string {
  const { title = "Words", width = 720, height = 540 } = options;
  const words = Object.values(groups).flatMap((members, group) => members.map((word) => ({ word, group })));
  if (words.length === 0) throw new DataError("wordMapSvg: no words");
  const data = words.flatMap(({ word }) => [...vectors.unitVector(word)]);
  const { points, explained } = principalComponents(data, vectors.size, Math.min(2, vectors.size));
  const column = (k: number): number[] => words.map((_, i) => points[i * explained.length + k] ?? 0);
  const [xs, ys] = [
    scaled(column(0), MARGIN.left + 40, width - MARGIN.right - 40),
    scaled(column(1), height - MARGIN.bottom - 16, MARGIN.top + 16),
  ];
  const share = explained.map((part) => `${Math.round(100 * part)}%`).join(" and ");
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${coordinate(width)}" height="${coordinate(height)}" ` +
      `viewBox="0 0 ${coordinate(width)} ${coordinate(height)}" font-family="sans-serif" font-size="${FONT}" ` +
      `role="img" aria-label="${escapeXml(title)}">`,
    `<rect width="${coordinate(width)}" height="${coordinate(height)}" fill="#fff"/>`,
    `<text x="${MARGIN.left}" y="24" font-size="15">${escapeXml(title)}</text>`,
  ];
  let x = MARGIN.left;
  Object.keys(groups).forEach((name, group) => {
    parts.push(`<circle cx="${coordinate(x + 5)}" cy="42" r="5" fill="${colourOf(group)}"/>`);
    parts.push(`<text x="${coordinate(x + 14)}" y="46">${escapeXml(name)}</text>`);
    x += 30 + labelWidth(name);
  });
  parts.push(
    `<text x="${MARGIN.left}" y="${coordinate(height - 14)}" fill="#666">the first two principal components: ` +
      `${share} of the variance</text>`,
  );
  const dots = words.map((_, i) => ({
    x: (xs[i] as number) - RADIUS,
    y: (ys[i] as number) - RADIUS,
    width: 2 * RADIUS,
    height: 2 * RADIUS,
  }));
  const frame = { x: 4, y: MARGIN.top - 12, width: width - 8, height: height - MARGIN.bottom - MARGIN.top + 16 };
  const taken: Box[] = [...dots];
  words.forEach(({ word, group }, i) => {
    const size = { width: labelWidth(word), height: FONT + 1 };
    const boxes = PLACES.map((place) => ({
      x: (xs[i] as number) + place.x * (size.width / 2 + RADIUS + 3) - size.width / 2,
      y:
        (ys[i] as number) +
        place.y * (place.x === 0 ? size.height / 2 + RADIUS + 2 : size.height / 2) -
        size.height / 2,
      ...size,
    }));
    const costs = boxes.map((box) => {
      const outside = size.width * size.height - shared(box, frame);
      return taken.reduce((sum, other) => sum + shared(box, other), 10 * outside);
    });
    const box = boxes[costs.indexOf(Math.min(...costs))] as Box;
    taken.push(box);
    parts.push(
      `<circle cx="${coordinate(xs[i] as number)}" cy="${coordinate(ys[i] as number)}" r="${RADIUS}" ` +
        `fill="${colourOf(group)}"/>`,
      `<text x="${coordinate(box.x + size.width / 2)}" y="${coordinate(box.y + FONT - 2)}" text-anchor="middle" ` +
        `fill="${colourOf(group)}">${escapeXml(word)}</text>`,
    );
  });
  return `${parts.join("\n")}\n</svg>\n`;
}

const colourOf = (group: number): string => COLOURS[group % COLOURS.length] as string;

/** About as wide as it is drawn, in a font that is not known. */
const labelWidth = (text: string): number => 0.56 * FONT * text.length + 2;

/** From `low` for the smallest value to `high` for the largest; the middle when all are the same. */
function scaled(values: readonly number[], low: number, high: number): number[] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return values.map((value) =>
    most > least ? low + ((high - low) * (value - least)) / (most - least) : (low + high) / 2,
  );
}
