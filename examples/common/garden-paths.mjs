// NP/Z garden paths (Frazier & Rayner 1982; of language models: Futrell et al. 2019, "Neural language models as
// psycholinguistic subjects"): in "When the count left the prince smiled" the prince is at first what was left, until the
// verb says that he is the subject. A comma after "left" tells it at once. The effect is how much more surprising the verb
// is without the comma.
//
// A comma can help for other reasons too: clauses like this one mostly have it. So the same is measured where there is no
// garden path, as "arrived" takes no object: "When the count arrived the prince smiled". The difference of the two effects
// is what the reading as an object costs.
import { readFileSync } from "node:fs";
import { confidenceInterval, surprisal, VocabularyTokenizer } from "unrolled";

/** @typedef {{ clause: string, control: string, subject: string, verb: string }} GardenPath */

/** @type {GardenPath[]} */
export const gardenPaths = JSON.parse(
  readFileSync(new URL("../data/garden-paths.json", import.meta.url), "utf8"),
).items;

/**
 * Bits of the last verb without and with the comma, at the beginning of a paragraph.
 * @param {import("unrolled").TextModel} model
 * @param {string} clause
 * @param {GardenPath} item
 */
function commaEffect(model, clause, { subject, verb }) {
  const bits = (/** @type {string} */ before) => {
    const { words } = surprisal(model, ` ${verb}`, { context: `\n\n${before}` });
    return words.reduce((sum, word) => sum + word.bits, 0);
  };
  const ambiguous = bits(`${clause} ${subject}`);
  const comma = bits(`${clause}, ${subject}`);
  return { ambiguous, comma, effect: ambiguous - comma };
}

/**
 * Prints a row for each garden path, and the means.
 * @param {import("unrolled").TextModel} model
 * @param {readonly GardenPath[]} items
 * @param {(line: string) => void} print
 * @returns the mean effect, that of the controls, and the mean difference of the two, each with its confidence interval;
 *   undefined for fewer than two items
 */
export function measureGardenPaths(model, items, print) {
  print("no comma   comma  effect control  less it");
  const rows = items.map((item) => {
    const { clause, control, subject, verb } = item;
    const { ambiguous, comma, effect } = commaEffect(model, clause, item);
    const other = commaEffect(model, clause.replace(/\S+$/, control), item).effect;
    const numbers = [ambiguous, comma, effect, other].map((bits) => bits.toFixed(2).padStart(8)).join("");
    print(`${numbers}${(effect - other).toFixed(2).padStart(9)}  ${clause}/${control}(,) ${subject} ${verb}`);
    return { effect, other };
  });
  if (rows.length < 2) return undefined;
  const means = {
    effect: confidenceInterval(rows.map(({ effect }) => effect)),
    control: confidenceInterval(rows.map(({ other }) => other)),
    difference: confidenceInterval(rows.map(({ effect, other }) => effect - other)),
  };
  for (const [name, { mean, low, high }] of Object.entries(means)) {
    print(`mean ${name} ${mean.toFixed(2)} bits, 95% confidence ${low.toFixed(2)} to ${high.toFixed(2)}`);
  }
  return means;
}

/**
 * The words of a garden path that a text lacks.
 * @param {GardenPath} item
 * @param {string} training
 */
export const unseenInGardenPath = ({ clause, control, subject, verb }, training) =>
  unseenWords(`${clause} ${control} ${subject} ${verb}`, training);

/**
 * The words of a text that another one lacks.
 * @param {string} text
 * @param {string} training
 */
export function unseenWords(text, training) {
  const known = VocabularyTokenizer.from(training);
  return known.words(text).filter((word) => known.idOf(word) === known.unknown);
}

/**
 * A text whose lines were broken to fit a page, with a line for each paragraph.
 * @param {string} text
 */
export const joinLines = (text) => text.replace(/([^\n])\n(?=[^\n])/g, "$1 ");

/**
 * Paragraphs of simple sentences in the words of the garden paths. The first verb of each is used with an object and
 * without, that of the control without; a clause before the main one mostly ends in a comma.
 * @param {() => number} random from 0 to 1
 * @param {number} count sentences
 */
export function generatedStory(random, count) {
  const parts = gardenPaths.map(({ clause, ...others }) => {
    const words = clause.split(" ");
    return { when: words[0] ?? "", who: words.slice(1, -1).join(" "), does: words.at(-1) ?? "", ...others };
  });
  const pick = () => parts[Math.floor(random() * parts.length)] ?? /** @type {never} */ (undefined);
  const sentence = () => {
    const object = random() < 0.5 ? ` ${pick().subject}` : "";
    const main = `${pick().subject} ${pick().verb}`;
    const first = `${pick().who} ${random() < 0.6 ? `${pick().does}${object}` : pick().control}`;
    const comma = random() < 0.85 ? "," : "";
    const whole = random() < 0.7 ? `${pick().when} ${first}${comma} ${main}.` : `${first}.`;
    return whole.charAt(0).toUpperCase() + whole.slice(1);
  };
  return Array.from({ length: count }, sentence).join("\n\n");
}
