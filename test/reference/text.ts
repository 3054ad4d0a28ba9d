/** Real text for tests where there is one, generated text otherwise. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Random } from "./random.js";

/** tiny-shakespeare from UNROLLED_DATA, or a generated text. */
export function referenceText(): { readonly text: string; readonly source: string } {
  const folder = process.env["UNROLLED_DATA"];
  const path = folder === undefined ? "" : join(folder, "tiny-shakespeare", "input.txt");
  if (existsSync(path)) return { text: readFileSync(path, "utf8"), source: "tiny-shakespeare" };
  return { text: generatedText(50_000), source: "a generated text" };
}

/** Lines of words from one small lexicon, the frequent ones far more often: compressible, and not constant. */
export function generatedText(length: number): string {
  const random = new Random(7);
  const syllables = "ba ce di fo gu ha ke li mo nu pa re si to vu xi yo zeq wuj".split(" ");
  const pick = <T>(from: readonly T[]): T => from[random.below(1 + random.below(from.length))] as T;
  const lexicon = Array.from({ length: 200 }, () =>
    Array.from({ length: 1 + random.below(3) }, () => pick(syllables)).join(""),
  );
  let text = "";
  while (text.length < length) {
    const line = Array.from({ length: 3 + random.below(8) }, () => pick(lexicon)).join(" ");
    text += `${line.charAt(0).toUpperCase()}${line.slice(1)}${".,;:!?".charAt(random.below(6))}\n`;
  }
  return text.slice(0, length);
}
