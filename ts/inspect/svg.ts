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
