/** Samples of a language model along its training, on one page: noise that turns into words. */
import { curveSvg } from "./curve.js";
import { escapeXml } from "./svg.js";

/** What a model wrote at one time. */
export interface TrainingSample {
  /** Updates before it. */
  readonly update: number;
  /** At that time, in nats a token. */
  readonly loss: number;
  /** What the model wrote. */
  readonly text: string;
}

/** Words, in small letters: a `Set` of them, or anything that answers as one does. */
export interface KnownWords {
  /** Whether this is a word. */
  has(word: string): boolean;
}

/** Options of {@link samplesHtml}. */
export interface SamplesPageOptions {
  /** On top of the page. */
  readonly title: string;
  /** Which words are words, for example those of the training text: others are set off, and counted. Default: none is. */
  readonly known?: KnownWords | undefined;
}

/** Words: letters of any script, with marks and apostrophes inside; numbers and signs are none. */
const WORD = /\p{L}[\p{L}\p{M}'\u2019]*/gu;

/** The share of a text's words that are known; NaN where it has no words. */
export function knownWords(text: string, known: KnownWords): number {
  const words = text.match(WORD) ?? [];
  return words.filter((word) => known.has(word.toLowerCase())).length / words.length;
}

/**
 * A page with the curve of the loss and every sample below, with its loss beside it.
 *
 * It is a document of its own, without scripts or references to others. Texts may hold anything: they are escaped.
 * @param samples - in the order of training
 * @returns HTML
 */
export function samplesHtml(samples: readonly TrainingSample[], { title, known }: SamplesPageOptions): string {
  const points = samples.map(({ update, loss }) => [update, loss] as const);
  const curve = curveSvg([{ name: "loss", points }], { xLabel: "updates", yLabel: "nats a token", height: 280 });
  const legend = known === undefined ? "" : "<p>Words that are <u>not known</u> are underlined.</p>";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeXml(title)}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
article { display: grid; grid-template-columns: 14rem 1fr; gap: 1rem; border-top: 1px solid #d0d0d0; padding: 1rem 0 }
h2 { font-size: 1rem; margin: 0 }
article p { margin: 0; color: #555; font-size: 0.875rem }
pre { margin: 0; font: 14px/1.45 monospace; white-space: pre-wrap; overflow-wrap: anywhere }
u { color: #b04a00; text-decoration: underline dotted }
svg { max-width: 100%; height: auto }
@media (max-width: 40rem) { article { grid-template-columns: 1fr } }
</style>
</head>
<body>
<h1>${escapeXml(title)}</h1>
${curve}
${legend}
${samples.map((sample) => article(sample, known)).join("\n")}
</body>
</html>
`;
}

function article({ update, loss, text }: TrainingSample, known: SamplesPageOptions["known"]): string {
  const bits = `${loss.toFixed(3)} nats, ${(loss / Math.LN2).toFixed(3)} bits`;
  const share = known === undefined ? NaN : knownWords(text, known);
  const words = Number.isNaN(share) ? "" : `<p>${Math.round(100 * share)}% of words known</p>`;
  return [
    "<article>",
    `<div><h2>update ${update}</h2><p>loss ${bits}</p>${words}</div>`,
    // A line feed right after the tag is not a part of the text.
    `<pre>\n${known === undefined ? escapeXml(text) : marked(text, known)}</pre>`,
    "</article>",
  ].join("\n");
}

/** The text, with words that are not known set off. */
function marked(text: string, known: KnownWords): string {
  let html = "";
  let from = 0;
  for (const { 0: word, index } of text.matchAll(WORD)) {
    html += escapeXml(text.slice(from, index));
    html += known.has(word.toLowerCase()) ? escapeXml(word) : `<u>${escapeXml(word)}</u>`;
    from = index + word.length;
  }
  return html + escapeXml(text.slice(from));
}
