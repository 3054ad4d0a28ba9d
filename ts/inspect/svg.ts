/** What every SVG needs. */

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text as content or attribute of XML; characters that XML does not have become U+FFFD. */
export function escapeXml(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML 1.0 forbids
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/gu, "\ufffd")
      .replace(/[&<>"']/g, (character) => ENTITIES[character] as string)
  );
}

/** A coordinate: two digits after the point are a hundredth of a pixel. */
export function coordinate(value: number): string {
  return String(Number(value.toFixed(2)));
}

/** Size of monospaced text, and what a titled document has around it; pixels. */
export const FONT = 14;
export const MARGIN = 16;

/** A document of monospaced text on white, its title on top. */
export function titledSvg(title: string, width: number, height: number, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`,
    ` role="img" font-family="monospace" font-size="${FONT}">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="${MARGIN}" y="28" font-size="${FONT + 2}" font-weight="bold">${escapeXml(title)}</text>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}

/**
 * Pixels of a monospaced text, known without a font: 0.6 of its size for a character, twice that where it is wide.
 * @param size - of the font, in pixels
 */
export function widthOf(text: string, size: number): number {
  return 0.6 * size * columnsOf(text);
}

/** A text of `longest` columns at most; a longer one is cut and ends with `...`. */
export function shortened(text: string, longest: number): string {
  if (columnsOf(text) <= longest) return text;
  let start = "";
  let columns = 0;
  for (const character of text) {
    columns += columnsOf(character);
    if (columns > longest - 3) break;
    start += character;
  }
  return `${start}...`;
}

function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) columns += (character.codePointAt(0) as number) >= 0x1100 ? 2 : 1;
  return columns;
}
