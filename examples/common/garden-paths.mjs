// NP/Z garden paths (Frazier & Rayner 1982; of language models: Futrell et al. 2019, "Neural language models as
// psycholinguistic subjects"): in "When the count left the prince smiled" the prince is at first what was left, until the
// verb says that he is the subject. A comma after "left" tells it at once. The effect is how much more surprising the verb
// is without the comma.
import { readFileSync } from "node:fs";
import { surprisal, VocabularyTokenizer } from "unrolled";

/** @typedef {{ clause: string, subject: string, verb: string }} GardenPath */

/** @type {GardenPath[]} */
export const gardenPaths = JSON.parse(
  readFileSync(new URL("../data/garden-paths.json", import.meta.url), "utf8"),
).items;

/**
 * Bits of the verb without and with the comma, at the beginning of a paragraph.
 * @param {import("unrolled").TextModel} model
 * @param {GardenPath} item
 */
export function gardenPathBits(model, { clause, subject, verb }) {
  const bits = (/** @type {string} */ before) => {
    const { words } = surprisal(model, ` ${verb}`, { context: `\n\n${before}` });
    return words.reduce((sum, word) => sum + word.bits, 0);
  };
  const ambiguous = bits(`${clause} ${subject}`);
  const comma = bits(`${clause}, ${subject}`);
  return { ambiguous, comma, effect: ambiguous - comma };
}

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
 * without; a clause before the main one ends in a comma, always.
 * @param {() => number} random from 0 to 1
 * @param {number} count sentences
 */
export function generatedStory(random, count) {
  const parts = gardenPaths.map(({ clause, subject, verb }) => {
    const words = clause.split(" ");
    return { when: words[0] ?? "", who: words.slice(1, -1).join(" "), does: words.at(-1) ?? "", subject, verb };
  });
  const pick = () => parts[Math.floor(random() * parts.length)] ?? /** @type {never} */ (undefined);
  const sentence = () => {
    const object = random() < 0.5 ? ` ${pick().subject}` : "";
    const main = `${pick().subject} ${pick().verb}`;
    const first = `${pick().who} ${pick().does}${object}`;
    const whole = random() < 0.7 ? `${pick().when} ${first}, ${main}.` : `${first}.`;
    return whole.charAt(0).toUpperCase() + whole.slice(1);
  };
  return Array.from({ length: count }, sentence).join("\n\n");
}
