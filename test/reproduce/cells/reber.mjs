// The Reber grammar, embedded: B, then T or P, a string of the grammar, the same T or P again, E. Everything but the last
// T or P can be predicted from the symbol and the place in the grammar; that one needs the second symbol, at least nine
// steps back. Hochreiter & Schmidhuber 1997, experiment 1. Continual: strings without an end, one after the other, the
// state never reset: Gers, Schmidhuber & Cummins 2000, "Learning to Forget".
import { Adam, CarriedState, crossEntropy, ids, LSTM, NoForgetGateLSTM, oneHot } from "unrolled";
import { generator, Network, percent, remembering } from "../common.mjs";

const alphabet = "BTSXPVE";
const symbols = alphabet.length;

/** From each node of the grammar: the two ways on, a symbol and the next node. The last node is the end. */
const ways = [
  [
    ["T", 1],
    ["P", 2],
  ],
  [
    ["S", 1],
    ["X", 3],
  ],
  [
    ["T", 2],
    ["V", 4],
  ],
  [
    ["X", 2],
    ["S", 5],
  ],
  [
    ["P", 3],
    ["V", 5],
  ],
];

/**
 * One embedded string as numbers, and for each symbol but the last the set of those that may follow it.
 * @param {() => number} random
 */
function embeddedReber(random) {
  const outer = random() < 0.5 ? "T" : "P";
  const string = ["B", outer, "B"];
  const legal = [["T", "P"], ["B"]];
  for (let node = 0; node < ways.length; ) {
    const on = ways[node] ?? [];
    legal.push(on.map(([symbol]) => String(symbol)));
    const [symbol, next] = on[random() < 0.5 ? 0 : 1] ?? [];
    string.push(String(symbol));
    node = Number(next);
  }
  string.push("E", outer, "E");
  legal.push(["E"], [outer], ["E"]);
  return {
    string: string.map((symbol) => alphabet.indexOf(symbol)),
    legal: legal.map((set) => new Set(set.map((symbol) => alphabet.indexOf(symbol)))),
  };
}

/**
 * Whether the symbols that may follow are those of the largest scores.
 * @param {Float32Array} scores
 * @param {Set<number>} legal
 */
function ranksFirst(scores, legal) {
  const order = [...scores.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
  return order.slice(0, legal.size).every((symbol) => legal.has(symbol));
}

/**
 * Trains on one string after the other until all of 256 others are predicted; how many strings that took.
 * @param {number} seed
 * @param {number} most
 */
function trial(seed, most) {
  const random = generator(seed);
  const network = new Network(remembering(20)(symbols, 16), symbols).init({ seed });
  const optimizer = new Adam(network, { lr: 0.02 });
  const tests = Array.from({ length: 256 }, () => embeddedReber(random));
  const longest = Math.max(...tests.map(({ string }) => string.length)) - 1;
  const padded = new Int32Array(tests.length * longest);
  tests.forEach(({ string }, row) => padded.set(string.slice(0, -1), row * longest));
  const testIds = ids(padded, [tests.length, longest]);
  const lengths = Int32Array.from(tests, ({ string }) => string.length - 1);
  const solved = () => {
    const { data } = network.run(() => network.forward(oneHot(testIds, symbols), { lengths }).output);
    return tests.every(({ legal }, row) =>
      legal.every((set, t) =>
        ranksFirst(data.subarray((row * longest + t) * symbols, (row * longest + t + 1) * symbols), set),
      ),
    );
  };
  let strings = 0;
  let done = false;
  while (!done && strings < most) {
    const { string } = embeddedReber(random);
    const inputs = ids(Int32Array.from(string.slice(0, -1)), [1, string.length - 1]);
    const targets = ids(Int32Array.from(string.slice(1)), [1, string.length - 1]);
    optimizer.update(() => crossEntropy(network.forward(oneHot(inputs, symbols)).output, targets), { clipGradNorm: 1 });
    strings++;
    done = strings % 20 === 0 && solved();
  }
  network.dispose();
  return { strings, done };
}

/** @type {import("../run.mjs").Experiment} */
export const reber = {
  name: "reber",
  source: "embedded Reber grammar, LSTM of 16 units, one string an update (Hochreiter & Schmidhuber 1997)",
  run(log) {
    const paper = 8440;
    const trials = Array.from({ length: 10 }, (_, i) => trial(i + 1, 3 * paper));
    trials.forEach(({ strings, done }, i) =>
      log(`seed ${i + 1}: ${done ? "solved" : "not solved"} after ${strings} strings`),
    );
    const within = trials.filter(({ strings, done }) => done && strings <= paper).length;
    return [
      {
        task: "embedded Reber grammar",
        paper: "LSTM: 8,440 strings at best; simple recurrent nets fail",
        ours: `${within} of 10 seeds within 8,440 strings`,
        bar: "9 of 10",
        pass: within >= 9,
      },
    ];
  },
};

/**
 * Fractions of strings of an endless stream whose last T or P is predicted, after each of these numbers of updates.
 * @param {import("../common.mjs").MakeLayer} makeLayer
 * @param {number} seed
 * @param {number[]} checkpoints
 */
function continualTrial(makeLayer, seed, checkpoints) {
  const [lanes, steps] = [16, 50];
  const random = generator(seed);
  const network = new Network(makeLayer(symbols, 16), symbols).init({ seed });
  const optimizer = new Adam(network, { lr: 0.02 });
  /** Endless strings, one stream a lane: symbols, and whether each is the last T or P of its string. */
  const streams = Array.from({ length: lanes }, () => ({
    symbols: /** @type {number[]} */ ([]),
    last: /** @type {boolean[]} */ ([]),
  }));
  const next = () => {
    const inputs = new Int32Array(lanes * steps);
    const targets = new Int32Array(lanes * steps);
    const counted = new Uint8Array(lanes * steps);
    streams.forEach((stream, lane) => {
      while (stream.symbols.length <= steps) {
        const { string } = embeddedReber(random);
        stream.symbols.push(...string);
        stream.last.push(...string.map((_, t) => t === string.length - 2));
      }
      for (let t = 0; t < steps; t++) {
        inputs[lane * steps + t] = stream.symbols[t] ?? 0;
        targets[lane * steps + t] = stream.symbols[t + 1] ?? 0;
        counted[lane * steps + t] = stream.last[t + 1] ? 1 : 0;
      }
      stream.symbols.splice(0, steps);
      stream.last.splice(0, steps);
    });
    return { inputs: ids(inputs, [lanes, steps]), targets: ids(targets, [lanes, steps]), counted };
  };
  const carried = new CarriedState();
  /** @param {import("unrolled").Ids} inputs */
  const forward = (inputs) => {
    const state = carried.get();
    const result = network.forward(oneHot(inputs, symbols), state === undefined ? {} : { state });
    carried.set(result.state);
    return result.output;
  };
  const measure = () => {
    let [right, all] = [0, 0];
    for (let window = 0; window < 400; window++) {
      const { inputs, targets, counted } = next();
      const { data } = network.run(() => forward(inputs));
      counted.forEach((isLast, i) => {
        if (!isLast) return;
        all++;
        if (ranksFirst(data.subarray(i * symbols, (i + 1) * symbols), new Set([targets.data[i] ?? 0]))) right++;
      });
    }
    return right / all;
  };
  let updates = 0;
  const fractions = checkpoints.map((checkpoint) => {
    for (; updates < checkpoint; updates++) {
      const { inputs, targets } = next();
      optimizer.update(() => crossEntropy(forward(inputs), targets), { clipGradNorm: 1 });
    }
    return measure();
  });
  carried.dispose();
  network.dispose();
  return fractions;
}

/** @type {import("../run.mjs").Experiment} */
export const continual = {
  name: "continual-reber",
  source: "continual embedded Reber grammar, 16 units, state never reset (Gers, Schmidhuber & Cummins 2000)",
  run(log) {
    const seeds = Array.from({ length: 10 }, (_, i) => i + 1);
    // With Adam, and six times as long to learn, some nets find how to do without forgetting.
    const [early, late] = [500, 3000];
    /**
     * By number of updates, then seed.
     * @param {typeof LSTM | typeof NoForgetGateLSTM} Cell
     * @param {number[]} checkpoints
     */
    const fractions = (Cell, checkpoints) => {
      const trials = seeds.map((seed) => continualTrial((input, hidden) => new Cell(input, hidden), seed, checkpoints));
      return checkpoints.map((updates, i) => {
        const results = trials.map((trial) => trial[i] ?? Number.NaN);
        log(`${Cell.name}, ${updates} updates: ${results.map(percent).join(", ")} of strings end as they should`);
        return results;
      });
    };
    const [forgetting = []] = fractions(LSTM, [early]);
    const [keeping = [], later = []] = fractions(NoForgetGateLSTM, [early, late]);
    const [worst, best] = [Math.min(...forgetting), Math.max(...keeping)];
    const learned = later.filter((fraction) => fraction >= 0.98).length;
    return [
      {
        task: "continual Reber, forget gates",
        paper: "solved by many nets",
        ours: `${percent(worst)} of last symbols after ${early} updates, the worst of ${seeds.length} seeds`,
        bar: ">= 98%",
        pass: worst >= 0.98,
      },
      {
        task: "continual Reber, no forget gates",
        paper: "not solved",
        ours: `${percent(best)}, the best of ${seeds.length} seeds (50% is chance); after ${late} updates ${learned} of them are at 98%`,
        bar: "<= 70%",
        pass: best <= 0.7,
      },
    ];
  },
};
