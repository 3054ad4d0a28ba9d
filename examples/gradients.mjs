// How far back a loss is felt, in a tanh RNN, an LSTM and a GRU, and what the gates of an LSTM do.
//
// 1. Before training: the gradient of a loss after 100 steps by the state of every step before it, and the largest
//    singular value of the recurrent Jacobian over as many steps. Gates that start open keep both alive.
// 2. An LSTM learns to name, at the end of a sequence of symbols, the one that was marked (many-to-one). Then: its gates
//    over one sequence, how often each unit is saturated, and how much of the state survives how many steps.
//
// With --out a folder receives the drawings as SVG.
//   node examples/gradients.mjs [--quick] [--out FOLDER] [--steps 100] [--updates 600] [--seed 1] [--help]
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  Adam,
  byName,
  constant,
  crossEntropy,
  forgetGateBias,
  GRU,
  gateActivations,
  gradientByDistance,
  gradientDistanceSvg,
  heatmapSvg,
  ids,
  jacobianNorms,
  jacobianSvg,
  Linear,
  LSTM,
  Module,
  RNN,
  saturation,
  saturationSvg,
  select,
  square,
  stateSurvival,
  sum,
  survivalSvg,
  tensor,
} from "unrolled";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    out: { type: "string" },
    steps: { type: "string" },
    updates: { type: "string" },
    seed: { type: "string", default: "1" },
    help: { type: "boolean" },
  },
});
if (values.help) {
  console.log(
    "node examples/gradients.mjs [--quick] [--out FOLDER] [--steps 100] [--updates 600] [--seed 1]\n" +
      "  gradients by distance, Jacobians and gates, printed and (--out) drawn; --quick: fewer steps and updates",
  );
  process.exit();
}
const seed = Number(values.seed);
const steps = Number(values.steps ?? (values.quick ? 40 : 100));
const updates = Number(values.updates ?? (values.quick ? 150 : 600));
const [inputSize, hiddenSize] = [2, 24];

/** Writes a drawing where a folder was given. */
function draw(/** @type {string} */ name, /** @type {string} */ svg) {
  if (values.out === undefined) return;
  mkdirSync(values.out, { recursive: true });
  writeFileSync(join(values.out, `${name}.svg`), svg);
}

/** A generator of our own, so that every run is the same: uniform in [0, 1). */
function generator(/** @type {number} */ from) {
  let state = from >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

// 1. Before training.
/** Forget gates that start open: Gers, Schmidhuber & Cummins 2000; Jozefowicz, Zaremba & Sutskever 2015. */
const open = byName([
  [/bias_ih/, forgetGateBias(3)],
  [/bias_hh/, constant(0)],
]);
const networks = {
  "tanh RNN": new RNN(inputSize, hiddenSize).init({ seed }),
  LSTM: new LSTM(inputSize, hiddenSize).init({ seed }),
  "LSTM, forget bias 3": new LSTM(inputSize, hiddenSize).init({ seed, initializer: open }),
  GRU: new GRU(inputSize, hiddenSize).init({ seed }),
};
const random = generator(seed);
const noise = Float32Array.from({ length: steps * inputSize }, () => 2 * random() - 1);
const x = tensor(noise, [1, steps, inputSize]);
const marks = [1, Math.floor(steps / 4), Math.floor(steps / 2), steps - 1];
console.log(`Norm of the gradient of a loss by the state h, so many steps before it (${hiddenSize} units, untrained):`);
console.log(`${"".padEnd(22)}${marks.map((mark) => String(mark).padStart(10)).join("")}`);
/** @type {Record<string, readonly number[]>} */
const flows = {};
/** @type {Record<string, import("unrolled").JacobianNorms>} */
const jacobians = {};
for (const [name, network] of Object.entries(networks)) {
  const layer = /** @type {import("unrolled").SequenceModule} */ (network);
  const norms = gradientByDistance(layer, x, ({ output }) => sum(square(output)))["h"] ?? [];
  flows[name] = norms;
  console.log(
    `${name.padEnd(22)}${marks.map((mark) => (norms[mark - 1] ?? 0).toExponential(1).padStart(10)).join("")}`,
  );
  // All states of the network together: h, and c where there is one.
  jacobians[name] = jacobianNorms(layer, noise);
}
console.log("\nLargest singular value of the recurrent Jacobian, of one step and over so many:");
console.log(`${"".padEnd(22)}${marks.map((mark) => String(mark).padStart(10)).join("")}`);
for (const [name, { products }] of Object.entries(jacobians)) {
  const row = marks.map((mark) => (products[mark - 1] ?? 0).toExponential(1).padStart(10));
  console.log(`${name.padEnd(22)}${row.join("")}`);
}
draw("gradients", gradientDistanceSvg(flows, { title: `Gradient by distance, ${steps} steps, before training` }));
draw("jacobians", jacobianSvg(jacobians));

// 2. A trained LSTM: symbols, one of them marked, to be named at the end.
const [length, symbols] = [24, 4];

/** Sequences (rows, length, symbols + 1), one-hot symbols and marks, and the symbols marked. */
function examples(/** @type {number} */ rows) {
  const width = symbols + 1;
  const targets = new Int32Array(rows);
  const inputs = new Float32Array(rows * length * width);
  for (let row = 0; row < rows; row++) {
    const marked = Math.floor((random() * length) / 2);
    for (let t = 0; t < length; t++) {
      const symbol = Math.floor(random() * symbols);
      const at = (row * length + t) * width;
      inputs[at + symbol] = 1;
      if (t === marked) {
        inputs[at + symbols] = 1;
        targets[row] = symbol;
      }
    }
  }
  return { inputs, targets: ids(targets), shape: [rows, length, width] };
}

class Rememberer extends Module {
  rnn = new LSTM(symbols + 1, hiddenSize);
  head = new Linear(hiddenSize, symbols);

  /** Of the last state of sequences (B, T, symbols + 1): logits (B, symbols). */
  forward(/** @type {import("unrolled").Tensor} */ sequences) {
    return this.head.forward(select(this.rnn.forward(sequences).output, 1, -1));
  }
}

const model = new Rememberer().init({ seed, initializer: byName([[/bias_ih/, forgetGateBias(3)]]) });
const optimizer = new Adam(model, { lr: 1e-2 });
let loss = 0;
for (let update = 0; update < updates; update++) {
  const { inputs, targets, shape } = examples(32);
  const step = () => crossEntropy(model.forward(tensor(inputs, shape)), targets);
  loss = optimizer.update(step, { clipGradNorm: 1 }).loss;
}
console.log(`\nAn LSTM that names the marked symbol, ${updates} updates: ${loss.toFixed(4)} nats (a guess: 1.3863)`);

const seen = examples(64);
const sequences = tensor(seen.inputs, seen.shape);
const [activations] = gateActivations(model.rnn, sequences);
const computed = activations?.values ?? {};
/** @type {Record<string, import("unrolled").Saturation>} */
const saturations = {};
console.log("Steps at which the units of a gate are saturated, on average:");
for (const [gate, what, low] of /** @type {const} */ ([
  ["i", "input", 0.1],
  ["f", "forget", 0.1],
  ["o", "output", 0.1],
  ["g", "candidate (tanh)", -0.9],
])) {
  const of = computed[gate];
  if (of === undefined) continue;
  const { left, right } = saturation(of, { low });
  const mean = (/** @type {readonly number[]} */ fractions) =>
    `${((100 * fractions.reduce((total, fraction) => total + fraction, 0)) / fractions.length).toFixed(0)}%`.padStart(
      4,
    );
  console.log(`  ${what.padEnd(18)} left ${mean(left)}   right ${mean(right)}`);
  saturations[what] = { left, right };
}
draw("saturation", saturationSvg(saturations, { title: "Saturation of the gates of a trained LSTM" }));

/** Units over the steps of the first sequence. */
const first = (/** @type {string} */ name) => {
  const { data = new Float32Array(0) } = computed[name] ?? {};
  return { data: data.slice(0, length * hiddenSize), shape: [length, hiddenSize] };
};
const marked = Array.from({ length }, (_, t) => (seen.inputs[t * (symbols + 1) + symbols] === 1 ? "×" : ""));
for (const [name, title, low] of /** @type {const} */ ([
  ["i", "Input gates", 0],
  ["f", "Forget gates", 0],
  ["o", "Output gates", 0],
  ["c", "Memory", -1],
])) {
  draw(
    `gate-${name}`,
    heatmapSvg(first(name), { title: `${title} (× marks the symbol to keep)`, low, high: 1, steps: marked }),
  );
}

const memory = computed["c"];
if (memory !== undefined) {
  const survival = stateSurvival(memory);
  console.log("How much of the memory c survives (R²), in any linear form and in the same units:");
  survival.lags.forEach((lag, i) => {
    const [linear, inPlace] = [survival.linear[i] ?? 0, survival.inPlace[i] ?? 0];
    console.log(`  ${String(lag).padStart(3)} steps   ${linear.toFixed(2)}   ${inPlace.toFixed(2)}`);
  });
  draw("survival", survivalSvg({ "LSTM memory": survival }));
}
