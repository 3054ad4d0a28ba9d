// Precise timing: measure the delay between spikes (MSD), generate a spike every F steps from nothing but a constant input
// (GTS), generate a cosine of a period of F steps likewise (PFG). Streams without an end, the state never reset. Gers,
// Schraudolph & Schmidhuber 2002, "Learning precise timing with LSTM recurrent networks": with peepholes, so that the
// gates can read a cell whose output gate is closed.
import { Adam, CarriedState, mseLoss, mul, PeepholeLSTM, tensor } from "unrolled";
import { between, generator, Network, remembering } from "../common.mjs";

const lanes = 8;

/**
 * A task: the next `steps` steps of every lane, inputs and targets (lane by lane), and which steps count.
 * @typedef {{ next(steps: number): { inputs: Float32Array, targets: Float32Array, counted: Float32Array } }} Stream
 */

/**
 * Spikes F to F + 10 steps apart; at each the target is the time since the one before, in units of ten steps beyond F.
 * @param {number} F
 * @param {() => number} random
 * @returns {Stream}
 */
function spikeDelays(F, random) {
  const delays = Array.from({ length: lanes }, () => between(random, 0, 10));
  const since = Array.from({ length: lanes }, () => 0);
  return {
    next(steps) {
      const inputs = new Float32Array(lanes * steps);
      const targets = new Float32Array(lanes * steps);
      const counted = new Float32Array(lanes * steps);
      for (let lane = 0; lane < lanes; lane++) {
        for (let t = 0; t < steps; t++) {
          const delay = delays[lane] ?? 0;
          since[lane] = (since[lane] ?? 0) + 1;
          if (since[lane] !== F + delay) continue;
          const at = lane * steps + t;
          inputs[at] = 1;
          targets[at] = delay / 10;
          counted[at] = 1;
          since[lane] = 0;
          delays[lane] = between(random, 0, 10);
        }
      }
      return { inputs, targets, counted };
    },
  };
}

/**
 * Trains on a stream, then goes on with it: the largest error of a target that counts over the next steps of the test.
 * @param {import("../common.mjs").MakeLayer} makeLayer
 * @param {Stream} stream
 * @param {{ hidden: number, steps: number, updates: number, lr: number, enough: number, seed: number }} settings
 */
function timingTrial(makeLayer, stream, { hidden, steps, updates, lr, enough, seed }) {
  const network = new Network(makeLayer(1, hidden), 1).init({ seed });
  const optimizer = new Adam(network, { lr });
  const carried = new CarriedState();
  const forward = (/** @type {Float32Array} */ inputs) => {
    const state = carried.get();
    const result = network.forward(tensor(inputs, [lanes, steps, 1]), state === undefined ? {} : { state });
    carried.set(result.state);
    return result.output;
  };
  const worst = (/** @type {number} */ windows) => {
    let largest = 0;
    for (let window = 0; window < windows; window++) {
      const { inputs, targets, counted } = stream.next(steps);
      const { data } = network.run(() => forward(inputs));
      counted.forEach((counts, i) => {
        if (counts) largest = Math.max(largest, Math.abs((data[i] ?? 0) - (targets[i] ?? 0)));
      });
    }
    return largest;
  };
  let update = 0;
  do {
    const { inputs, targets, counted } = stream.next(steps);
    const shape = [lanes, steps, 1];
    // The rate falls to a hundredth, for the last digits.
    optimizer.lr = lr * Math.max(0.01, 1 - update / updates);
    optimizer.update(
      () => {
        const mask = tensor(counted, shape);
        return mseLoss(mul(forward(inputs), mask), tensor(targets, shape));
      },
      { clipGradNorm: 1 },
    );
    update++;
  } while (update < updates && (update % 500 !== 0 || worst(10) > enough));
  const error = worst(Math.ceil(10_000 / steps));
  carried.dispose();
  network.dispose();
  return { error, update };
}

/**
 * Trains to generate a function of time from a constant input, each update from the zero state and over a growing number
 * of periods; the largest error over the first `tested` steps.
 * @param {import("../common.mjs").MakeLayer} makeLayer
 * @param {(t: number) => number} target
 * @param {{ hidden: number, period: number, tested: number, updates: number, lr: number, enough: number, seed: number }} settings
 */
function generationTrial(makeLayer, target, { hidden, period, tested, updates, lr, enough, seed }) {
  const network = new Network(makeLayer(1, hidden), 1).init({ seed });
  const optimizer = new Adam(network, { lr });
  const targets = Float32Array.from({ length: tested }, (_, t) => target(t));
  const constantInput = new Float32Array(tested).fill(1);
  const forward = (/** @type {number} */ steps) =>
    network.forward(tensor(constantInput.subarray(0, steps), [1, steps, 1])).output;
  const worst = () => {
    const { data } = network.run(() => forward(tested));
    return data.reduce((largest, value, t) => Math.max(largest, Math.abs(value - (targets[t] ?? 0))), 0);
  };
  let update = 0;
  do {
    const steps = period * Math.min(20, 3 + Math.floor((30 * update) / updates));
    optimizer.lr = lr * Math.max(0.01, 1 - update / updates);
    optimizer.update(() => mseLoss(forward(steps), tensor(targets.subarray(0, steps), [1, steps, 1])), {
      clipGradNorm: 1,
    });
    update++;
  } while (update < updates && (update % 500 !== 0 || worst() > enough));
  const error = worst();
  network.dispose();
  return { error, update };
}

/** @type {import("../run.mjs").Experiment} */
export const timing = {
  name: "timing",
  source: "spike delays, timed spikes, a cosine; LSTM with peepholes (Gers, Schraudolph & Schmidhuber 2002)",
  run(log) {
    const [F, tested, seeds] = [10, 1000, [1, 2, 3]];
    const plain = (/** @type {number} */ input, /** @type {number} */ hidden) => new PeepholeLSTM(input, hidden);
    /** @type {[string, string, number, (seed: number) => { error: number, update: number }][]} */
    const tasks = [
      [
        "delays between spikes (MSD)",
        "of half a step of ten",
        0.05,
        (seed) =>
          timingTrial(remembering(3 * F, PeepholeLSTM), spikeDelays(F, generator(seed)), {
            hidden: 4,
            steps: 100,
            updates: 20_000,
            lr: 0.01,
            enough: 0.04,
            seed,
          }),
      ],
      [
        "timed spikes (GTS)",
        "of half a spike",
        0.5,
        (seed) =>
          generationTrial(plain, (t) => (t % F === F - 1 ? 1 : 0), {
            hidden: 8,
            period: F,
            tested,
            updates: 10_000,
            lr: 0.01,
            enough: 0.1,
            seed,
          }),
      ],
      [
        "a cosine (PFG)",
        "of a tenth of the amplitude",
        0.1,
        (seed) =>
          generationTrial(plain, (t) => Math.cos((2 * Math.PI * t) / F), {
            hidden: 8,
            period: F,
            tested,
            updates: 10_000,
            lr: 0.01,
            enough: 0.05,
            seed,
          }),
      ],
    ];
    return tasks.map(([name, size, bar, trial]) => {
      const errors = seeds.map((seed) => {
        const { error, update } = trial(seed);
        log(`${name}, seed ${seed}: largest error ${error.toFixed(3)} after ${update} updates`);
        return error;
      });
      const solved = errors.filter((error) => error <= bar).length;
      return {
        task: `${name}, F = ${F}`,
        paper: "solved",
        ours: `${solved} of 3 seeds, largest error ${Math.min(...errors).toFixed(3)} to ${Math.max(...errors).toFixed(3)}`,
        bar: `2 of 3 seeds with no error ${size}`,
        pass: solved >= 2,
      };
    });
  },
};
