// What examples and experiments with classes of texts share: training, naive Bayes beside the network, scores, and what is
// written.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Adam, confusionSvg, HybridClassifier, NaiveBayes, paddedBatches, save, train } from "unrolled";

/** @typedef {import("unrolled").LabelledText} LabelledText */
/** @typedef {import("unrolled").TextClassifier} TextClassifier */
/** @typedef {NaiveBayes | TextClassifier | HybridClassifier} Classifier */

/**
 * Trains until two epochs have brought nothing for the texts held out, and puts the best weights back.
 * @param {TextClassifier} network
 * @param {{ seen: readonly LabelledText[], held: readonly LabelledText[] }} examples
 * @param {{ seed: number, epochs: number }} options
 * @param {(epoch: number, training: number, held: number) => void} report losses in nats
 */
export async function trainClassifier(network, { seen, held }, { seed, epochs }, report) {
  const batches = paddedBatches(network.examples(seen), { batchSize: 32, bucketBatches: 20, seed });
  const run = train(network, batches, {
    optimizer: new Adam(network, { lr: 0.002 }),
    clipGradNorm: 5,
    epochs,
    valid: paddedBatches(network.examples(held), { batchSize: 32 }),
    keepBest: true,
    earlyStop: { patience: 2 },
    reportEvery: batches.length,
  });
  let loss = NaN;
  for await (const event of run) {
    if (event.kind === "update") loss = event.loss;
    if (event.kind === "valid") report(event.epoch, loss, event.loss);
  }
}

/**
 * A line of progress for each epoch.
 * @type {(epoch: number, training: number, held: number) => void}
 */
export const printEpoch = (epoch, training, held) =>
  console.log(`epoch ${epoch}  training ${training.toFixed(3)} nats  held out ${held.toFixed(3)} nats`);

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

/**
 * Prints accuracy and macro-F1 of models by their names, then the confusions of the last.
 * @param {Readonly<Record<string, Classifier>>} models
 * @param {readonly LabelledText[]} dev
 * @returns those confusions
 */
export function printScores(models, dev) {
  const width = Math.max(...Object.keys(models).map((name) => name.length));
  console.log(`\n${"".padEnd(width)}  accuracy  macro-F1`);
  const confusions = Object.entries(models).map(([name, model]) => {
    const { accuracy, confusion } = model.evaluate(dev);
    const scores = [accuracy, confusion.macro.f1].map((score) => score.toFixed(3).padStart(10)).join("");
    console.log(`${name.padEnd(width)}${scores}`);
    return confusion;
  });
  const last = /** @type {import("unrolled").ConfusionMatrix} */ (confusions.at(-1));
  console.log(`\n${last}\n`);
  return last;
}

/**
 * Words or letters and how much each moved a model.
 * @param {readonly import("unrolled").WordInfluence[]} words
 */
export const influences = (words) =>
  words.map(({ word, weight }) => `${word} ${weight < 0 ? "" : "+"}${weight.toFixed(2)}`).join("  ");

/**
 * Writes the confusions (SVG), a page of these parts of HTML, and the model; nothing without a folder.
 * @param {string | undefined} folder
 * @param {{ name: string, title: string, model: HybridClassifier, confusion: import("unrolled").ConfusionMatrix,
 *   page: string, parts: readonly string[], cell?: number }} results
 */
export function writeResults(folder, { name, title, model, confusion, page, parts, cell }) {
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "confusion.svg"), confusionSvg(confusion, { title, ...(cell && { cell }) }));
  writeFileSync(join(folder, `${page}.html`), `<!doctype html>\n<meta charset="utf-8">\n${parts.join("")}`);
  writeFileSync(join(folder, `${name}.safetensors`), save(model));
}
