/** A confusion matrix as SVG: the darker a cell, the larger its part of the row. */
import type { ConfusionMatrix } from "../train/metrics/confusion.js";
import { coordinate, escapeXml } from "./svg.js";

/**
 * An SVG document: a row for each target, a column for each prediction.
 * @param matrix - its counts and labels
 * @param options - `cell`: pixels of a cell's side, default 40; `title`: default "Confusion"
 */
export function confusionSvg(
  matrix: ConfusionMatrix,
  options: { readonly cell?: number; readonly title?: string } = {},
): string {
  const { cell = 40, title = "Confusion" } = options;
  const { labels } = matrix;
  // About as wide as the longest name.
  const left = 30 + 8 * labels.reduce((longest, label) => Math.max(longest, label.length), 0);
  const top = 64;
  const [width, height] = [left + labels.length * cell + 16, top + labels.length * cell + 16];
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${coordinate(width)}" height="${coordinate(height)}" ` +
      `font-family="sans-serif" font-size="12" role="img" aria-label="${escapeXml(title)}">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
  ];
  const label = (text: string, x: number, y: number, rest: string) =>
    parts.push(`<text x="${coordinate(x)}" y="${coordinate(y)}" ${rest}>${escapeXml(text)}</text>`);
  label(title, width / 2, 20, 'text-anchor="middle" font-size="14"');
  label("target", 8, top - 8, "");
  label("prediction", width - 16, 38, 'text-anchor="end"');
  labels.forEach((name, row) => {
    const middle = (row + 0.5) * cell;
    label(name, left - 8, top + middle + 4, 'text-anchor="end"');
    label(name, left + middle, top - 8, 'text-anchor="middle"');
    const targets = labels.reduce((total, _, column) => total + matrix.at(row, column), 0);
    for (let column = 0; column < labels.length; column++) {
      const count = matrix.at(row, column);
      const share = targets === 0 ? 0 : count / targets;
      const x = left + column * cell;
      const y = top + row * cell;
      parts.push(
        `<rect x="${coordinate(x)}" y="${coordinate(y)}" width="${cell}" height="${cell}" stroke="#ccc" ` +
          `fill="#0072b2" fill-opacity="${coordinate(share)}"/>`,
      );
      const colour = share > 0.5 ? "#fff" : "#000";
      label(String(count), x + cell / 2, y + cell / 2 + 4, `text-anchor="middle" fill="${colour}"`);
    }
  });
  return `${parts.join("\n")}\n</svg>\n`;
}
