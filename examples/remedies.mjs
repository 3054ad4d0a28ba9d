// Exploding and vanishing gradients, and every common remedy, on one task: remember the first symbol of a sequence, one
// of four, through distractors, and name it at the end (many-to-one). Chance is 25%.
//
// Two kinds of remedy are crossed. What changes the network: first values of the recurrent weights (small, PyTorch's,
// large, orthogonal, identity), ReLU with identity (IRNN: Le, Jaitly & Hinton 2015), LSTM, GRU. And what changes
// training: nothing, clipping by norm, truncated back-propagation, RMSprop, RMSprop with clipping. It prints how the
// gradient changes on its way back through an untrained network, and the accuracy of each pair after training with the
// best of several learning rates; and draws both.
//   node examples/remedies.mjs [--quick] [--svg remedies.svg] [--steps 50] [--updates 600] [--seed 1] [--help]
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import {
  byName,
  constant,
  crossEntropy,
  detach,
  forgetGateBias,
  GRU,
  gradients,
  identityMatrix,
  ids,
  Linear,
  LSTM,
  Module,
  normal,
  oneHot,
  orthogonal,
  RMSprop,
  RNN,
  SGD,
  select,
  slice,
  tensor,
} from "unrolled";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    svg: { type: "string" },
    steps: { type: "string" },
    updates: { type: "string" },
    seed: { type: "string", default: "1" },
    help: { type: "boolean" },
  },
});
if (values.help) {
  console.log(
    "node examples/remedies.mjs [--quick] [--svg FILE] [--steps 50] [--updates 600] [--seed 1]\n" +
      "  compares remedies for exploding and vanishing gradients; --quick: a lag of 20 steps and short training",
  );
  process.exit();
}
const quick = values.quick;
const seed = Number(values.seed);
const steps = Number(values.steps ?? (quick ? 20 : 50));
const updates = Number(values.updates ?? (quick ? 120 : 600));
const window = 10; // of truncated back-propagation
const clip = 1;
const [symbols, distractors, hiddenSize, batchSize] = [4, 4, 32, 32];
const inputSize = symbols + distractors;

/** A generator of our own, so that every run is the same: uniform in [0, 1). */
function generator(/** @type {number} */ from) {
  let state = from >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * Sequences and their first symbols.
 * @param {() => number} random
 * @param {number} rows
 */
function batch(random, rows) {
  const targets = Int32Array.from({ length: rows }, () => Math.floor(random() * symbols));
  const inputs = Int32Array.from({ length: rows * steps }, (_, i) =>
    i % steps === 0 ? (targets[i / steps] ?? 0) : symbols + Math.floor(random() * distractors),
  );
  return { inputs: ids(inputs, [rows, steps]), targets: ids(targets) };
}

/** Recurrent weights of spectral radius 2, about: gradients grow until tanh saturates, or without an end in ReLU. */
const large = normal(0, 2 / Math.sqrt(hiddenSize));

/**
 * The networks. `recurrent` draws the recurrent weights, and the biases are then 0. The rest has PyTorch's first
 * values, but for the biases of the LSTM: 3 for the forget gates, which start open (Jozefowicz, Zaremba & Sutskever
 * 2015), else 0.
 * @type {Record<string, { layer: () => Layer, recurrent?: import("unrolled").Initializer }>}
 * @typedef {import("unrolled").RecurrentLayer<import("unrolled").RecurrentState>} Layer
 */
const networks = {
  "tanh, default": { layer: () => new RNN(inputSize, hiddenSize) },
  "tanh, small": { layer: () => new RNN(inputSize, hiddenSize), recurrent: normal(0, 0.01) },
  "tanh, large": { layer: () => new RNN(inputSize, hiddenSize), recurrent: large },
  "tanh, orthogonal": { layer: () => new RNN(inputSize, hiddenSize), recurrent: orthogonal() },
  "tanh, identity": { layer: () => new RNN(inputSize, hiddenSize), recurrent: identityMatrix() },
  "ReLU, large": { layer: () => new RNN(inputSize, hiddenSize, { nonlinearity: "relu" }), recurrent: large },
  "ReLU, identity (IRNN)": {
    layer: () => new RNN(inputSize, hiddenSize, { nonlinearity: "relu" }),
    recurrent: identityMatrix(),
  },
  LSTM: { layer: () => new LSTM(inputSize, hiddenSize) },
  GRU: { layer: () => new GRU(inputSize, hiddenSize) },
};

/**
 * Ways to train, each with the learning rates to try.
 * @typedef {{
 *   optimizer: typeof SGD | typeof RMSprop, rates: number[], clipped?: boolean, truncated?: boolean
 * }} Training
 * @type {Record<string, Training>}
 */
const trainings = {
  SGD: { optimizer: SGD, rates: [1, 0.1, 0.01] },
  "SGD, clipped": { optimizer: SGD, rates: [1, 0.1, 0.01], clipped: true },
  "SGD, truncated": { optimizer: SGD, rates: [1, 0.1, 0.01], truncated: true },
  RMSprop: { optimizer: RMSprop, rates: [0.01, 0.001] },
  "RMSprop, clipped": { optimizer: RMSprop, rates: [0.01, 0.001], clipped: true },
};

class Net extends Module {
  /** @param {Layer} layer */
  constructor(layer) {
    super();
    this.rnn = layer;
    this.head = new Linear(hiddenSize, symbols);
  }

  /**
   * Logits of the first symbol, (B, symbols), read from the last state.
   * @param {import("unrolled").Tensor} x (B, T, inputSize)
   * @param {boolean} truncated - gradients flow through the last `window` steps only
   */
  forward(x, truncated = false) {
    const start = truncated ? Math.max(0, steps - window) : 0;
    /** @type {Record<string, import("unrolled").Tensor> | undefined} */
    let state;
    if (start > 0) {
      const before = this.rnn.forward(slice(x, 1, 0, start)).state;
      state = Object.fromEntries(Object.entries(before).map(([name, value]) => [name, detach(value)]));
    }
    const { output } = this.rnn.forward(start > 0 ? slice(x, 1, start) : x, { state });
    return this.head.forward(select(output, 1, -1));
  }
}

/** A network with its first values. */
function build(/** @type {string} */ name) {
  const { layer, recurrent } = networks[name] ?? { layer: () => new RNN(inputSize, hiddenSize) };
  const net = new Net(layer());
  /** @type {[RegExp, import("unrolled").Initializer][]} */
  const rules =
    recurrent === undefined
      ? []
      : [
          [/weight_hh/, recurrent],
          [/rnn\.bias/, constant(0)],
        ];
  if (net.rnn instanceof LSTM) rules.push([/bias_ih/, forgetGateBias(3)], [/bias_hh/, constant(0)]);
  return net.init({ seed, initializer: byName(rules) });
}

/** Norm of the gradient of the loss by the input of each step, 0 steps back first. */
function flow(/** @type {string} */ name) {
  const net = build(name);
  const { inputs, targets } = batch(generator(seed + 1), batchSize);
  const x = tensor(
    Array.from(inputs.data, (id) => Array.from({ length: inputSize }, (_, i) => Number(i === id))).flat(),
    [batchSize, steps, inputSize],
  );
  const gradient = gradients(() => crossEntropy(net.forward(x), targets), { parameters: [x] }).grads.get(x) ?? [];
  const norms = Array.from({ length: steps }, (_, back) => {
    let sum = 0;
    for (let i = 0; i < gradient.length; i++) {
      if (Math.floor(i / inputSize) % steps === steps - 1 - back) sum += (gradient[i] ?? 0) ** 2;
    }
    return Math.sqrt(sum);
  });
  x.dispose();
  net.dispose();
  return norms;
}

/**
 * Trains one pair at one rate; its accuracy on new sequences, and whether loss or gradients stopped being finite.
 * @param {string} name
 * @param {Training} training
 * @param {number} lr
 */
function learn(name, training, lr) {
  const net = build(name);
  const optimizer = new training.optimizer(net, { lr });
  const random = generator(seed + 2);
  const loss = (/** @type {ReturnType<typeof batch>} */ { inputs, targets }) =>
    crossEntropy(net.forward(oneHot(inputs, inputSize), training.truncated), targets);
  let diverged = false;
  let smooth = Math.log(symbols);
  for (let update = 0; update < updates && !diverged && smooth > 0.02; update++) {
    const examples = batch(random, batchSize);
    const result = optimizer.update(() => loss(examples), training.clipped ? { clipGradNorm: clip } : {});
    smooth = 0.9 * smooth + 0.1 * result.loss;
    diverged = !result.applied;
  }
  const { inputs, targets } = batch(generator(seed + 3), 400);
  const { data } = net.run(() => net.forward(oneHot(inputs, inputSize)));
  const right = targets.data.filter((target, row) => {
    const logits = data.subarray(row * symbols, (row + 1) * symbols);
    return logits.indexOf(Math.max(...logits)) === target;
  }).length;
  optimizer.dispose();
  net.dispose();
  return { accuracy: right / targets.size, diverged, updates: optimizer.updates, lr };
}

const flows = Object.keys(networks).map((name) => ({ name, norms: flow(name) }));
const middle = Math.floor(steps / 2);
console.log(`The gradient by the input of a step, before training, over ${steps} steps:`);
console.log(`${"".padEnd(22)}      last step   ${middle} back   the first`);
for (const { name, norms } of flows) {
  const row = [norms[0], norms[middle], norms[steps - 1]].map((norm) => (norm ?? 0).toExponential(1).padStart(11));
  console.log(`${name.padEnd(24)} ${row.join(" ")}`);
}

console.log(`\nAccuracy after at most ${updates} updates, with the best learning rate (chance: ${100 / symbols}%):`);
console.log(
  `${"".padEnd(24)} ${Object.keys(trainings)
    .map((name) => name.padStart(17))
    .join(" ")}`,
);
const table = Object.keys(networks).map((name) => {
  const cells = Object.values(trainings).map((training) => {
    const results = training.rates.map((lr) => learn(name, training, lr));
    // Of equally accurate rates, the one that was done first.
    results.sort((a, b) => Number(a.diverged) - Number(b.diverged) || b.accuracy - a.accuracy || a.updates - b.updates);
    return {
      best: results[0] ?? learn(name, training, 0),
      diverged: results.filter((result) => result.diverged).length,
    };
  });
  const row = cells.map(({ best, diverged }) => `${cell(best)} ${mark(diverged)}`.padStart(17));
  console.log(`${name.padEnd(24)} ${row.join(" ")}`);
  return { name, cells };
});
console.log("x: loss or gradients stopped being finite, once for each learning rate that this happened with");

/** What one pair came to: a percentage without decimals, a dash where no learning rate gave finite numbers. */
function cell(/** @type {ReturnType<typeof learn>} */ best) {
  return best.diverged ? "-" : `${(100 * best.accuracy).toFixed(0)}%`;
}

/** A cross for each run that diverged, in a column of its own. */
function mark(/** @type {number} */ diverged) {
  return "x".repeat(diverged).padEnd(3);
}

/** Both results as one drawing. */
function drawing() {
  const colours = ["#888", "#bbb", "#d62728", "#1f77b4", "#17becf", "#ff7f0e", "#8c564b", "#2ca02c", "#9467bd"];
  const [left, top, width, height, right] = [60, 60, 380, 330, 670];
  const [lowest, highest] = [-12, 16]; // powers of ten
  const x = (/** @type {number} */ back) => left + (width * back) / (steps - 1);
  const y = (/** @type {number} */ norm) =>
    top + (height * (highest - Math.min(highest, Math.max(lowest, Math.log10(norm))))) / (highest - lowest);
  const text = (/** @type {number} */ at, /** @type {number} */ line, /** @type {string} */ words, rest = "") =>
    `<text x="${at.toFixed(1)}" y="${line.toFixed(1)}" ${rest}>${words}</text>`;

  const parts = [
    text(left, 24, `Remember the first of ${steps} symbols`, 'font-size="17" font-weight="bold"'),
    text(left, 48, "Gradient by the input of each step, before training"),
    text(left + width / 2, top + height + 38, "steps back from the loss", 'text-anchor="middle"'),
  ];
  for (let power = lowest; power <= highest; power += 4) {
    const line = y(10 ** power);
    parts.push(`<path d="M${left} ${line.toFixed(1)}h${width}" stroke="#ddd"/>`);
    parts.push(text(left - 6, line + 4, `10<tspan dy="-5" font-size="9">${power}</tspan>`, 'text-anchor="end"'));
  }
  for (let tick = 0; tick <= 4; tick++) {
    const back = Math.round((tick * (steps - 1)) / 4);
    parts.push(text(x(back), top + height + 18, String(back), 'text-anchor="middle"'));
  }
  flows.forEach(({ name, norms }, i) => {
    // A curve ends where it leaves the picture.
    const below = norms.findIndex((norm) => !(norm > 10 ** lowest));
    const points = (below < 0 ? norms : norms.slice(0, below + 1)).map(
      (norm, back) => `${x(back).toFixed(1)},${y(norm).toFixed(1)}`,
    );
    parts.push(`<polyline points="${points.join(" ")}" fill="none" stroke="${colours[i]}" stroke-width="2"/>`);
    // The names of the rows beside the picture are the legend.
    const line = top + 49 + i * 31;
    parts.push(`<path d="M${left + width + 24} ${line - 4}h22" stroke="${colours[i]}" stroke-width="3"/>`);
    parts.push(text(left + width + 54, line, name));
  });

  parts.push(text(right, 24, "Accuracy after training, with the best learning rate; x: a rate that diverged"));
  Object.keys(trainings).forEach((name, column) => {
    const at = right + column * 76 + 37;
    name.split(", ").forEach((word, i) => {
      parts.push(text(at, top + i * 15, word, 'text-anchor="middle"'));
    });
  });
  table.forEach(({ cells }, row) => {
    cells.forEach(({ best, diverged }, column) => {
      const [at, line] = [right + column * 76, top + 30 + row * 31];
      // From white at chance to green.
      const share = best.diverged ? 0 : Math.max(0, (best.accuracy - 1 / symbols) / (1 - 1 / symbols));
      const fill = `fill="#2ca02c" fill-opacity="${(0.08 + 0.72 * share).toFixed(2)}"`;
      parts.push(
        `<rect x="${at}" y="${line}" width="74" height="29" ${fill}/>`,
        text(at + 37, line + 19, `${cell(best)} ${mark(diverged).trim()}`, 'text-anchor="middle"'),
      );
    });
  });
  return [
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1100 450" font-family="sans-serif" font-size="13">',
    '<rect width="1100" height="450" fill="white"/>',
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}

if (values.svg !== undefined) {
  writeFileSync(values.svg, drawing());
  console.log(`drawn in ${values.svg}`);
}
