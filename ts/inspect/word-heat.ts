/** A text with its words coloured, as HTML for pages and notebooks. */
import { ArgumentError } from "../errors.js";
import { escapeXml } from "./svg.js";

/** A word and how much it speaks for something, above 0, or against it. */
export interface WeightedWord {
  /** As the text has it. */
  readonly word: string;
  /** Above 0 speaks for, below 0 against. */
  readonly weight: number;
}

/** Blue and vermilion of Okabe & Ito 2008, told apart also by the colour-blind. */
const AGAINST = "0, 114, 178";
const FOR = "213, 94, 0";

/**
 * One line: words that speak for it in vermilion, those against it in blue, the stronger the darker, their weights in
 * tooltips. Words may hold anything: they are escaped.
 * @param options.title - what stands before the words; default nothing
 * @param options.most - the weight of the full colour, also of larger ones; default the largest there is
 * @throws ArgumentError for a weight that is not finite
 */
export function wordHeatHtml(
  words: readonly WeightedWord[],
  options: { readonly title?: string; readonly most?: number } = {},
): string {
  const { title, most = words.reduce((largest, { weight }) => Math.max(largest, Math.abs(weight)), 0) } = options;
  const spans = words.map(({ word, weight }) => {
    if (!Number.isFinite(weight)) {
      throw new ArgumentError("wordHeatHtml", `weight of ${JSON.stringify(word)}`, "a finite number", weight);
    }
    const share = most > 0 ? Math.min(1, Math.abs(weight) / most) : 0;
    const colour = `rgba(${weight < 0 ? AGAINST : FOR}, ${(0.8 * share).toFixed(2)})`;
    return `<span style="background: ${colour}" title="${signed(weight)}">${escapeXml(word)}</span>`;
  });
  const heading = title === undefined ? "" : `<b>${escapeXml(title)}</b> `;
  return `<p style="font-family: sans-serif; line-height: 1.8">${heading}${spans.join(" ")}</p>\n`;
}

/** With its sign and two digits after the point. */
function signed(weight: number): string {
  return `${weight < 0 ? "-" : "+"}${Math.abs(weight).toFixed(2)}`;
}
