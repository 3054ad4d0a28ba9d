// What experiments with classes of texts share: reading, training, and naive Bayes beside the network.
import { Adam, HybridClassifier, NaiveBayes, paddedBatches, splitExamples, train } from "unrolled";

/** @typedef {import("unrolled").LabelledText} LabelledText */
/** @typedef {import("unrolled").TextClassifier} TextClassifier */

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
 * Trains until two epochs have brought nothing for the texts held out, and puts the best weights back.
 * @param {TextClassifier} network
 * @param {{ seen: readonly LabelledText[], held: readonly LabelledText[] }} examples
 * @param {number} seed
 * @param {(line: string) => void} log
 */
export async function trainClassifier(network, { seen, held }, seed, log) {
  const batches = paddedBatches(network.examples(seen), { batchSize: 32, bucketBatches: 20, seed });
  const run = train(network, batches, {
    optimizer: new Adam(network, { lr: 0.002 }),
    clipGradNorm: 5,
    epochs: 20,
    valid: paddedBatches(network.examples(held), { batchSize: 32 }),
    keepBest: true,
    earlyStop: { patience: 2 },
    reportEvery: batches.length,
  });
  for await (const event of run) {
    if (event.kind === "valid") log(`seed ${seed}, epoch ${event.epoch}: held out ${event.loss.toFixed(4)} nats`);
  }
}

/**
 * The network with naive Bayes: the weights are fitted where both saw the same texts, then the texts held out are counted
 * too.
 * @param {TextClassifier} network
 * @param {{ seen: readonly LabelledText[], held: readonly LabelledText[] }} examples
 * @param {import("unrolled").NaiveBayesOptions} options
 */
export function withNaiveBayes(network, { seen, held }, options) {
  const { weights } = new HybridClassifier({ network, bayes: NaiveBayes.from(seen, options) }).fitWeights(held);
  return new HybridClassifier({ network, bayes: NaiveBayes.from([...seen, ...held], options), weights });
}

/** A fraction as tables of this field have it. @param {number} fraction */
export const decimal = (fraction) => fraction.toFixed(4);

/**
 * Mean over the seeds, with each.
 * @param {readonly number[]} values
 */
export const meanOfSeeds = (values) =>
  values.length === 1 ? decimal(mean(values)) : `${decimal(mean(values))} (${values.map(decimal).join(", ")})`;
