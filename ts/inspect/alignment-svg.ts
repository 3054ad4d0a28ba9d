/**
 * Where each word of a target looks in the source, as SVG: the picture of Bahdanau, Cho & Bengio 2015 (figure 3), with
 * the source across the top and the target down the side.
 */
import { ShapeError } from "../errors.js";
import type { PlainTensor } from "../tensor/tensor.js";
import { coordinate, escapeXml } from "./svg.js";

/** What {@link alignmentSvg} draws, as `Translator.alignment` returns it. */
export interface Alignment {
  /** (S, T); the weights of a row sum to one. */
  readonly weights: PlainTensor;
  /** The T words of the source. */
  readonly source: readonly string[];
  /** The S words of the target. */
  readonly target: readonly string[];
}

const CELL = 28;
/** Pixels that a character of a label takes, generously. */
const CHARACTER = 9;

/**
 * The darker a cell, the more its row looks at its column.
 * @returns an SVG document
 * @throws ShapeError when the words are not as many as the weights
 */
export function alignmentSvg(
  { weights, source, target }: Alignment,
  options: { readonly title?: string } = {},
): string {
  const { title = "Attention" } = options;
  const [rows, columns] = [target.length, source.length];
  if (weights.shape.length !== 2 || weights.shape[0] !== rows || weights.shape[1] !== columns) {
    throw new ShapeError("alignmentSvg", "weights", [rows, columns], weights.shape);
  }
  const longest = (words: readonly string[]) => words.reduce((most, { length }) => Math.max(most, length), 0);
  const left = 16 + CHARACTER * longest(target);
  const top = 40 + CHARACTER * longest(source);
  const width = Math.max(left + columns * CELL + 16, CHARACTER * title.length + 16);
  const height = top + rows * CELL + 16;
  const size = `width="${width}" height="${height}"`;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 ${width} ${height}" font-family="sans-serif" ` +
      `font-size="14" role="img" aria-label="${escapeXml(title)}">`,
    `<rect ${size} fill="#fff"/>`,
    `<text x="8" y="20">${escapeXml(title)}</text>`,
  ];
  source.forEach((word, column) => {
    const place = `translate(${left + (column + 0.5) * CELL + 5} ${top - 6}) rotate(-90)`;
    parts.push(`<text transform="${place}">${escapeXml(word)}</text>`);
  });
  target.forEach((word, row) => {
    const y = top + row * CELL;
    parts.push(`<text x="${left - 6}" y="${y + CELL / 2 + 5}" text-anchor="end">${escapeXml(word)}</text>`);
    for (let column = 0; column < columns; column++) {
      const weight = weights.data[row * columns + column] as number;
      const name = `${word} / ${source[column]}: ${weight.toFixed(3)}`;
      const shade = `fill="#0072b2" fill-opacity="${coordinate(Math.min(1, Math.max(0, weight)))}" stroke="#ddd"`;
      parts.push(
        `<rect x="${left + column * CELL}" y="${y}" width="${CELL}" height="${CELL}" ${shade}>` +
          `<title>${escapeXml(name)}</title></rect>`,
      );
    }
  });
  return `${parts.join("\n")}\n</svg>\n`;
}
