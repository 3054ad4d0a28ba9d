// What experiments with classes of texts share.
import { splitExamples } from "unrolled";

/** @typedef {import("unrolled").LabelledText} LabelledText */

/** Seeds of which the mean is judged. */
export const seeds = [1, 2, 3];

/** @param {readonly number[]} values */
export const mean = (values) => values.reduce((total, value) => total + value, 0) / values.length;

/**
 * A tenth of the training texts, by seed, is held out: it says when to stop and how much naive Bayes counts, so that
 * what is scored on is looked at once.
 * @param {readonly LabelledText[]} examples
 * @param {number} seed
 */
export function holdOut(examples, seed) {
  const { train: seen, valid: held } = splitExamples(examples, { valid: 0.1, seed, stratify: ({ label }) => label });
  return { seen, held };
}

/**
 * What a log says of each epoch.
 * @param {number} seed
 * @param {(line: string) => void} log
 * @returns {(epoch: number, training: number, held: number) => void}
 */
export const progress = (seed, log) => (epoch, _, held) =>
  log(`seed ${seed}, epoch ${epoch}: held out ${held.toFixed(4)} nats`);

/** A fraction as tables of this field have it. @param {number} fraction */
export const decimal = (fraction) => fraction.toFixed(4);

/**
 * Mean over the seeds, with each.
 * @param {readonly number[]} values
 */
export const meanOfSeeds = (values) =>
  values.length === 1 ? decimal(mean(values)) : `${decimal(mean(values))} (${values.map(decimal).join(", ")})`;
