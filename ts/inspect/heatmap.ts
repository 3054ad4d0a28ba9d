/** Values of units over time as SVG: a row for each unit, a column for each step. */
import { ArgumentError, ShapeError } from "../errors.js";
import type { PlainTensor } from "../tensor/tensor.js";
import { coordinate, escapeXml } from "./svg.js";

/** Options of {@link heatmapSvg}. */
export interface HeatmapOptions {
  /** Above the map; default none. */
  readonly title?: string;
  /** Values of the two ends of the colours, blue and vermilion; the middle is white. Default -1 and 1. */
  readonly low?: number;
  /** See `low`. */
  readonly high?: number;
  /** What stands under each step, for example the character it read; default nothing. */
  readonly steps?: readonly string[] | undefined;
  /** Pixels of a cell's side; default 12. */
  readonly cell?: number;
}

/** Colours of Okabe & Ito 2008, told apart also by the colour-blind. */
const BLUE = "#0072b2";
const VERMILION = "#d55e00";
const MARGIN = { left: 48, right: 96, top: 36, bottom: 40 };

/**
 * Draws one sequence of activations (T, H). Values outside of low and high have the colour of the end; those that are no
 * numbers are grey.
 *
 * @returns an SVG document
 * @throws ShapeError, ArgumentError
 */
export function heatmapSvg(values: PlainTensor, options: HeatmapOptions = {}): string {
  const { title = "Activations", low = -1, high = 1, steps: names, cell = 12 } = options;
  const where = "heatmapSvg";
  if (values.shape.length !== 2) throw new ShapeError(where, "values", ["T", "H"], values.shape);
  if (!(low < high)) throw new ArgumentError(where, "low", `less than high, ${high}`, low);
  if (!(cell > 0 && cell < Infinity)) throw new ArgumentError(where, "cell", "a number of pixels", cell);
  const [steps, units] = values.shape as [number, number];
  if (names !== undefined && names.length !== steps) throw new ShapeError(where, "steps", [steps], [names.length]);
  const [right, bottom] = [MARGIN.left + steps * cell, MARGIN.top + units * cell];
  const width = Math.max(right + MARGIN.right, MARGIN.left + 9 * title.length);
  const height = Math.max(bottom, MARGIN.top + 120) + MARGIN.bottom;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${coordinate(width)}" height="${coordinate(height)}" ` +
      `viewBox="0 0 ${coordinate(width)} ${coordinate(height)}" font-family="sans-serif" font-size="12" role="img" ` +
      `aria-label="${escapeXml(title)}">`,
    `<rect width="${coordinate(width)}" height="${coordinate(height)}" fill="#fff"/>`,
  ];
  const label = (text: string, x: number, y: number, rest: string) =>
    parts.push(`<text x="${coordinate(x)}" y="${coordinate(y)}" ${rest}>${escapeXml(text)}</text>`);
  label(title, MARGIN.left, 22, 'font-size="14"');
  const paint = (value: number): string => {
    const place = Math.min(1, Math.max(-1, (2 * (value - low)) / (high - low) - 1));
    if (Number.isNaN(place)) return 'fill="#999"';
    return `fill="${place < 0 ? BLUE : VERMILION}" fill-opacity="${coordinate(Math.abs(place))}"`;
  };
  for (let unit = 0; unit < units; unit++) {
    const y = coordinate(MARGIN.top + unit * cell);
    parts.push(`<g><title>unit ${unit}</title>`);
    for (let t = 0; t < steps; t++) {
      const x = coordinate(MARGIN.left + t * cell);
      parts.push(
        `<rect x="${x}" y="${y}" width="${cell}" height="${cell}" ${paint(values.data[t * units + unit] as number)}/>`,
      );
    }
    parts.push("</g>");
  }
  parts.push(
    `<rect x="${MARGIN.left}" y="${MARGIN.top}" width="${coordinate(steps * cell)}" ` +
      `height="${coordinate(units * cell)}" fill="none" stroke="#333"/>`,
  );
  names?.forEach((name, t) => {
    label(name, MARGIN.left + (t + 0.5) * cell, bottom + 14, 'text-anchor="middle" font-family="monospace"');
  });
  label("steps", (MARGIN.left + right) / 2, bottom + 32, 'text-anchor="middle"');
  const middle = `translate(20 ${coordinate((MARGIN.top + bottom) / 2)}) rotate(-90)`;
  label("units", 0, 0, `text-anchor="middle" transform="${middle}"`);
  // The scale, in eleven colours.
  for (let i = 0; i <= 10; i++) {
    const value = high - (i / 10) * (high - low);
    const y = MARGIN.top + i * 11;
    parts.push(`<rect x="${coordinate(right + 24)}" y="${y}" width="14" height="11" ${paint(value)}/>`);
    if (i % 5 === 0) label(String(Number(value.toPrecision(3))), right + 44, y + 10, "");
  }
  return `${parts.join("\n")}\n</svg>\n`;
}
