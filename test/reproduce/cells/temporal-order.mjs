// Temporal order, three symbols: a sequence of 100 to 110 symbols begins with E, ends with B, and is of a, b, c and d but
// for three places (from 10 to 20, 33 to 43 and 66 to 76), each X or Y. Which of the eight orders of X and Y it was is
// asked after the last symbol. Hochreiter & Schmidhuber 1997, experiment 6b.
import { Adam, crossEntropy, ids, oneHot, select } from "unrolled";
import { between, generator, Network, remembering } from "../common.mjs";

const [X, Y, E, B, symbols] = [4, 5, 6, 7, 8];
const [longest, batchSize, mostUpdates, tests] = [110, 32, 8000, 2000];

/**
 * @param {() => number} random
 * @param {number} rows
 */
function examples(random, rows) {
  const inputs = new Int32Array(rows * longest);
  const lengths = new Int32Array(rows);
  const classes = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    const length = between(random, 100, longest);
    const sequence = inputs.subarray(row * longest, row * longest + length);
    for (let t = 0; t < length; t++) sequence[t] = between(random, 0, 3);
    sequence[0] = E;
    sequence[length - 1] = B;
    for (const [low, high] of /** @type {const} */ ([
      [10, 20],
      [33, 43],
      [66, 76],
    ])) {
      const isY = between(random, 0, 1);
      sequence[between(random, low, high)] = isY === 1 ? Y : X;
      classes[row] = 2 * (classes[row] ?? 0) + isY;
    }
    lengths[row] = length;
  }
  return { inputs: ids(inputs, [rows, longest]), lengths, classes: ids(classes) };
}

/** @param {number} seed */
function trial(seed) {
  const random = generator(seed);
  const network = new Network(remembering(longest)(symbols, 8), 8).init({ seed });
  const optimizer = new Adam(network, { lr: 0.01 });
  /** @param {ReturnType<typeof examples>} batch */
  const scores = ({ inputs, lengths }) => {
    const { state } = network.rnn.forward(oneHot(inputs, symbols), { lengths });
    return network.head.forward(select(/** @type {import("unrolled").Tensor} */ (state["h"]), 0, 0));
  };
  const errors = (/** @type {number} */ rows) => {
    const batch = examples(random, rows);
    const { data } = network.run(() => scores(batch));
    return batch.classes.data.reduce((count, right, row) => {
      const own = data.subarray(row * 8, row * 8 + 8);
      return count + (own.indexOf(Math.max(...own)) === right ? 0 : 1);
    }, 0);
  };
  let update = 0;
  do {
    const batch = examples(random, batchSize);
    optimizer.update(() => crossEntropy(scores(batch), batch.classes), { clipGradNorm: 1 });
    update++;
  } while (update < mostUpdates && (update % 250 !== 0 || errors(500) > 0));
  const wrong = errors(tests);
  network.dispose();
  return { wrong, sequences: update * batchSize };
}

/** @type {import("../run.mjs").Experiment} */
export const temporalOrder = {
  name: "temporal-order",
  source: "temporal order of three symbols, length 100 to 110, LSTM of 8 units (Hochreiter & Schmidhuber 1997)",
  run(log) {
    const trials = [1, 2, 3, 4, 5].map((seed) => ({ seed, ...trial(seed) }));
    for (const { seed, wrong, sequences } of trials)
      log(`seed ${seed}: ${wrong} of ${tests} wrong after ${sequences} sequences`);
    const solved = trials.filter(({ wrong }) => wrong <= tests / 500).length;
    return [
      {
        task: "temporal order, 3 bits",
        paper: "solved after 571,100 sequences",
        ours: `${solved} of 5 seeds, ${Math.max(...trials.map(({ sequences }) => sequences))} sequences at most`,
        bar: "5 of 5 (at most 1 in 500 wrong)",
        pass: solved === 5,
      },
    ];
  },
};
