// Colours and their names from one network (one-to-many, both ways): how near the expected colour of a new name is to its
// colour, beside the mean colour and the colours of the names that share the most character n-grams with it.
import { readFileSync } from "node:fs";
import {
  AdamW,
  BpeTokenizer,
  ColorNames,
  cosineAnnealing,
  LSTM,
  paddedBatches,
  readCsv,
  splitExamples,
  train,
} from "unrolled";
import { dataPath } from "./data.mjs";

/** @typedef {import("unrolled").NamedColor} NamedColor */

/** @returns {Promise<NamedColor[]>} */
async function table() {
  const colors = [];
  for await (const { fields, line } of readCsv(readFileSync(dataPath("color-names/colornames.csv")))) {
    const [name = "", hex = ""] = fields;
    const channel = (/** @type {number} */ at) => Number.parseInt(hex.slice(at, at + 2), 16);
    /** @type {import("unrolled").Color} */
    const color = [channel(1), channel(3), channel(5)];
    if (line > 1) colors.push({ name, color });
  }
  return colors;
}

/**
 * Root mean square over examples and channels.
 * @param {NamedColor[]} colors
 * @param {(name: string) => readonly number[]} predict
 */
function errorOf(colors, predict) {
  const squares = colors.flatMap(({ name, color }) => {
    const found = predict(name);
    return color.map((value, c) => (value - (found[c] ?? 0)) ** 2);
  });
  return Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length);
}

/** @param {readonly NamedColor[]} colors */
const meanOf = (colors) =>
  [0, 1, 2].map((c) => colors.reduce((sum, { color }) => sum + (color[c] ?? 0), 0) / colors.length);

/**
 * The mean colour of the `count` known names with the largest cosine to a name, of vectors of its character 2- to
 * 4-grams weighted by inverse document frequency.
 * @param {NamedColor[]} known
 * @param {number} count
 */
function nearest(known, count) {
  const grams = (/** @type {string} */ name) => {
    const text = `^${name.toLowerCase()}$`;
    return [2, 3, 4].flatMap((n) =>
      Array.from({ length: Math.max(0, text.length - n + 1) }, (_, i) => text.slice(i, i + n)),
    );
  };
  /** @type {Map<string, number[]>} */
  const where = new Map();
  known.forEach(({ name }, i) => {
    for (const gram of grams(name)) where.set(gram, [...(where.get(gram) ?? []), i]);
  });
  const weight = (/** @type {string} */ gram) => Math.log(known.length / (where.get(gram)?.length ?? known.length));
  const norms = known.map(({ name }) => Math.hypot(...grams(name).map(weight)));
  const mean = meanOf(known);
  return (/** @type {string} */ name) => {
    /** @type {Map<number, number>} */
    const scores = new Map();
    for (const gram of grams(name)) {
      for (const i of where.get(gram) ?? []) scores.set(i, (scores.get(i) ?? 0) + weight(gram) ** 2 / (norms[i] || 1));
    }
    const best = [...scores].sort(([, a], [, b]) => b - a).slice(0, count);
    return best.length === 0 ? mean : meanOf(best.map(([i]) => /** @type {NamedColor} */ (known[i])));
  };
}

/** @type {import("../run.mjs").Experiment} */
export const colors = {
  name: "colors",
  source: "names and colours together; the colour of a name against the mean colour and the nearest names",
  async run(log) {
    const { train: known, valid } = splitExamples(await table(), { valid: 0.05, seed: 1 });
    const mean = meanOf(known);
    const meanError = errorOf(valid, () => mean);
    const nearestError = errorOf(valid, nearest(known, 5));
    log(`mean colour ${meanError.toFixed(1)}, 5 nearest names ${nearestError.toFixed(1)}`);
    const tokenizer = BpeTokenizer.from(
      known.map(({ name }) => name),
      { maxSize: 1500 },
    );
    const options = { tokenizer, cell: LSTM, hiddenSize: 160, embeddingSize: 96, dropout: 0.2 };
    const model = new ColorNames(options).init({ seed: 1 });
    const batches = paddedBatches(model.examples(known), { batchSize: 64, bucketBatches: 50, seed: 1 });
    const [epochs, lr] = [6, 4e-3];
    const run = train(model, batches, {
      optimizer: new AdamW(model, { lr }),
      schedule: cosineAnnealing(lr, { steps: epochs * batches.length }),
      clipGradNorm: 1,
      epochs,
      reportEvery: 500,
    });
    for await (const event of run) {
      if (event.kind === "update") log(`update ${event.update}  loss ${event.smoothLoss.toFixed(3)}`);
    }
    const { colorError, nameBits, nameBitsGivenColor } = model.evaluate(valid);
    const data = "color-names, 1,437 held out";
    const error = "RMS error of RGB, of 255";
    const bits = "bits a character of a name";
    return [
      { task: "mean colour", data, metric: error, reached: meanError.toFixed(1), bar: "baseline", pass: true },
      { task: "5 nearest names", data, metric: error, reached: nearestError.toFixed(1), bar: "baseline", pass: true },
      {
        task: "colour of a name, LSTM 160",
        data,
        metric: error,
        reached: colorError.toFixed(1),
        bar: `<= ${nearestError.toFixed(1)}`,
        pass: colorError <= nearestError,
      },
      { task: "name, alone", data, metric: bits, reached: nameBits.toFixed(3), bar: "baseline", pass: true },
      {
        task: "name of a colour",
        data,
        metric: bits,
        reached: nameBitsGivenColor.toFixed(3),
        bar: `< ${nameBits.toFixed(3)}`,
        pass: nameBitsGivenColor < nameBits,
      },
    ];
  },
};
