// Nationality of surnames (many-to-one, many classes, few of some): a bidirectional GRU over characters, naive Bayes
// of character n-grams, and both together; then which letters moved them.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { CharTokenizer, classWeights, GRU, splitExamples, TextClassifier, wordHeatHtml, wordInfluence } from "unrolled";
import {
  influences,
  printEpoch,
  printScores,
  trainClassifier,
  withNaiveBayes,
  writeResults,
} from "./common/classification.mjs";
import { exampleOptions } from "./common/options.mjs";

const usage = `node examples/names.mjs [--data FOLDER] [--eval FOLDER] [--names "Dostoevsky, Tanaka"] [--pooling max]
                        [--balanced] [--epochs 20] [--seed 1] [--out FOLDER]

--data: a folder with a file for each nationality, a name a line (Arabic.txt, ...); by default names of the folder
UNROLLED_DATA, else a small generated set. https://github.com/spro/practical-pytorch (data/names)
--eval: such a folder to score on; by default a tenth of all names
--pooling: last, mean, max or attention;  --balanced: rare classes count for more in the loss
--out: where to write the confusions (SVG), the coloured letters (HTML) and the model`;
const options = exampleOptions(usage, {
  names: { type: "string", default: "Dostoevsky, Tanaka, O'Connor, Papadopoulos" },
  pooling: { type: "string", default: "max" },
  balanced: { type: "boolean" },
  epochs: { type: "string", default: "20" },
  seed: { type: "string", default: "1" },
  out: { type: "string" },
});
const seed = Number(options.seed);

/** @typedef {import("unrolled").LabelledText} LabelledText */

/**
 * The different names of each file of a folder; a name may have several nationalities.
 * @param {string} folder
 * @returns {LabelledText[]}
 */
const readNames = (folder) =>
  readdirSync(folder)
    .filter((file) => file.endsWith(".txt"))
    .flatMap((file) => {
      const names = readFileSync(join(folder, file), "utf8").trimEnd().split("\n");
      return [...new Set(names.map((name) => name.trim()))].map((text) => ({ text, label: basename(file, ".txt") }));
    });

/** Names of three made-up ways to end them, for want of others. @returns {LabelledText[]} */
function generated() {
  const endings = {
    Irish: ["O'*an", "O'*or", "Mc*y"],
    Japanese: ["*aka", "*ura", "*oto"],
    Russian: ["*ov", "*sky", "*in"],
  };
  const stems = ["Tan", "Mor", "Kel", "Dob", "Sak", "Lar", "Yam", "Vol", "Ben", "Ros", "Nak", "Gal"];
  return Object.entries(endings).flatMap(([label, forms]) =>
    forms.flatMap((form) => stems.map((stem) => ({ text: form.replace("*", stem), label }))),
  );
}

/**
 * Splits by name, so that one of several nationalities is on one side.
 * @param {readonly LabelledText[]} pairs
 * @param {number} valid
 */
function splitNames(pairs, valid) {
  const parts = splitExamples([...new Set(pairs.map(({ text }) => text))], { valid, seed });
  const chosen = new Set(parts.valid);
  return [pairs.filter(({ text }) => !chosen.has(text)), pairs.filter(({ text }) => chosen.has(text))];
}

const standard = join(process.env["UNROLLED_DATA"] ?? "", "names");
const folder = options.data ?? (process.env["UNROLLED_DATA"] && existsSync(standard) ? standard : undefined);
const all = folder === undefined ? generated() : readNames(folder);
const [examples = [], dev = []] = options.eval === undefined ? splitNames(all, 0.1) : [all, readNames(options.eval)];
// A part of the names to train on says when to stop and how much naive Bayes counts.
const [seen = [], held = []] = splitNames(examples, 0.1);
const labels = [...new Set(all.map(({ label }) => label))].sort();
console.log(`${examples.length} names to train on, ${dev.length} to score on, ${labels.length} nationalities`);

const tokenizer = CharTokenizer.from(seen.map(({ text }) => text).join(""), { unknown: "skip" });
const targets = seen.map(({ label }) => labels.indexOf(label));
const network = new TextClassifier({
  tokenizer,
  labels,
  cell: GRU,
  hiddenSize: 96,
  embeddingSize: 48,
  dropout: 0.3,
  pooling: /** @type {import("unrolled").Pooling} */ (options.pooling),
  classWeights: options.balanced ? classWeights(targets, { classes: labels.length }) : undefined,
}).init({ seed });

await trainClassifier(network, { seen, held }, { seed, epochs: Number(options.epochs) }, printEpoch);

const counted = { tokenizer, labels, order: 3, smoothing: 0.1 };
const hybrid = withNaiveBayes(network, { seen, held }, counted);
const models = { "naive Bayes": hybrid.bayes, "bidirectional GRU": network, together: hybrid };
const confusion = printScores(models, dev);

const lines = (options.names ?? "").split(",").map((part) => {
  const name = part.trim();
  const { label, probability, words } = wordInfluence(hybrid, name, { unit: "characters" });
  console.log(`${name}: ${label} ${probability.toFixed(3)}  ${influences(words)}`);
  return wordHeatHtml(words, { title: `${label} ${probability.toFixed(2)}` });
});

const results = { name: "names", title: "Nationality", model: hybrid, confusion, page: "letters", parts: lines };
writeResults(options.out, results);
