// Names of colours and the colours themselves, generated together by one LSTM: made up from nothing (one-to-many), the
// colour of a name (many-to-one), and the name of a colour (one-to-many).
import { writeFile } from "node:fs/promises";
import {
  AdamW,
  BpeTokenizer,
  ColorNames,
  colorHex,
  cosineAnnealing,
  LSTM,
  paddedBatches,
  readCsv,
  splitExamples,
  swatchesSvg,
  train,
} from "unrolled";
import { exampleOptions, exampleText } from "./common/options.mjs";

/** @typedef {import("unrolled").NamedColor} NamedColor */

const options = exampleOptions(
  `node examples/color-names.mjs [--data FILE] [--epochs N] [--hidden N] [--out colors.svg]

  --data FILE    a table with columns name and hex (#rrggbb), as
                 https://raw.githubusercontent.com/meodai/color-names/main/src/colornames.csv
                 (default: color-names/colornames.csv in the folder UNROLLED_DATA, otherwise shades made up here)
  --eval FILE    another such table to measure on (default: a twentieth of the first)
  --epochs N     passes over the table (default 6; 10 for the shades)
  --hidden N     units of the LSTM (default 160; 64 for the shades)
  --out FILE     the swatches (default: only printed)`,
  { epochs: { type: "string" }, hidden: { type: "string" }, out: { type: "string" } },
);
const table = exampleText(options.data, "color-names/colornames.csv");
const other = options.eval && exampleText(options.eval, "");
const parts = splitExamples(table === undefined ? shades() : await named(table), { valid: 0.05, seed: 1 });
const known = table === undefined ? varied(parts.train) : parts.train;
const held = other ? await named(other) : parts.valid;
const epochs = Number(options.epochs ?? (table === undefined ? 10 : 6));
const hiddenSize = Number(options.hidden ?? (table === undefined ? 64 : 160));

// Frequent words and parts of words are one token, so that their colours are learned soon; any other name is spelled.
const names = known.map(({ name }) => name);
const tokenizer = BpeTokenizer.from(names, { maxSize: 1500 });
const model = new ColorNames({
  tokenizer,
  cell: LSTM,
  hiddenSize,
  embeddingSize: 96,
  dropout: table === undefined ? 0 : 0.2,
}).init({ seed: 1 });
const batches = paddedBatches(model.examples(known), {
  batchSize: table === undefined ? 16 : 64,
  bucketBatches: 50,
  seed: 1,
});
const lr = table === undefined ? 2e-2 : 4e-3;
const run = train(model, batches, {
  optimizer: new AdamW(model, { lr }),
  schedule: cosineAnnealing(lr, { steps: epochs * batches.length }),
  clipGradNorm: 1,
  epochs,
  reportEvery: Math.max(1, Math.round((epochs * batches.length) / 15)),
});
console.log(`${known.length} colours to learn from, ${held.length} to measure on`);
for await (const event of run) {
  if (event.kind === "update") console.log(`update ${event.update}  loss ${event.smoothLoss.toFixed(3)}`);
}

const measured = held.slice(0, 300);
const { colorError, nameBits, nameBitsGivenColor } = model.evaluate(measured);
const mean = [0, 1, 2].map((c) => known.reduce((sum, { color }) => sum + (color[c] ?? 0), 0) / known.length);
const squares = measured.flatMap(({ color }) => color.map((value, c) => (value - (mean[c] ?? 0)) ** 2));
const meanError = Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length);
console.log(`\nerror of a name's colour ${colorError.toFixed(1)}, of the mean colour ${meanError.toFixed(1)} (of 255)`);
console.log(
  `bits a character of a name ${nameBits.toFixed(2)}, when its colour is known ${nameBitsGivenColor.toFixed(2)}`,
);

const madeUp = Array.from({ length: 12 }, (_, seed) => model.sample({ temperature: 0.7, seed }));
const asked = ["Deep Blue", "Light Green", "Dark Red", "Pink", "Sunny Yellow", "Midnight"].map((name) => {
  return { name, color: model.colorOf(name) };
});
// Of colours that were held out, whose own names are other ones.
const called = measured.slice(0, 6).map(({ color }, seed) => {
  return { name: model.nameOf(color, { temperature: 0.5, seed }), color };
});
for (const [title, list] of Object.entries({
  "made up": madeUp,
  "colours of names": asked,
  "names of colours": called,
})) {
  console.log(`\n${title}`);
  for (const { name, color } of list) console.log(`  ${colorHex(color)}  ${name}`);
}
if (options.out) {
  await writeFile(
    options.out,
    swatchesSvg([...madeUp, ...asked, ...called], { title: "Made up; asked by name; asked by colour" }),
  );
  console.log(`\n${options.out} shows them`);
}

/** The rows of a table. @param {string} csv @returns {Promise<NamedColor[]>} */
async function named(csv) {
  const colors = [];
  for await (const { fields, line } of readCsv(csv)) {
    const [name = "", hex = ""] = fields;
    const [, red = "", green = "", blue = ""] = /^#(..)(..)(..)$/.exec(hex) ?? [];
    if (line > 1) colors.push({ name, color: rgb(red, green, blue) });
  }
  return colors;
}

/** @param {string[]} channels @returns {import("unrolled").Color} */
function rgb(...channels) {
  const [red = 0, green = 0, blue = 0] = channels.map((channel) => Number.parseInt(channel, 16));
  return [red, green, blue];
}

/** Colours whose names add up: a hue, one or two shades of it. @returns {NamedColor[]} */
function shades() {
  const hues = { Red: "e02020", Green: "20b040", Blue: "2040d0", Yellow: "e0d020", Pink: "f080b0", Grey: "808080" };
  const changes = {
    "": [1, 0],
    Dark: [0.5, 0],
    Deep: [0.75, 0],
    Light: [0.6, 102],
    Pale: [0.4, 153],
    Sunny: [0.9, 25],
  };
  const table = [];
  for (const [hue, hex] of Object.entries(hues)) {
    const base = rgb(hex.slice(0, 2), hex.slice(2, 4), hex.slice(4));
    for (const [first, [a = 1, b = 0]] of Object.entries(changes)) {
      for (const [second, [c = 1, d = 0]] of Object.entries(changes)) {
        // "Dark Red" is there once already.
        if (first && !second) continue;
        const channel = (/** @type {number} */ value) => Math.round((value * a + b) * c + d);
        /** @type {import("unrolled").Color} */
        const color = [channel(base[0]), channel(base[1]), channel(base[2])];
        table.push({ name: [second, first, hue].filter(Boolean).join(" "), color });
      }
    }
  }
  return table;
}

/** Each colour eight times, a little different: no two people mean the same by a name. @param {NamedColor[]} colors */
function varied(colors) {
  let state = 1;
  const near = (/** @type {number} */ channel) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.max(0, Math.min(255, channel + Math.round(40 * (state / 2 ** 32 - 0.5))));
  };
  return colors.flatMap(({ name, color: [red, green, blue] }) =>
    Array.from({ length: 8 }, () => {
      /** @type {import("unrolled").Color} */
      const color = [near(red), near(green), near(blue)];
      return { name, color };
    }),
  );
}
