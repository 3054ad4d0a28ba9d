// What the experiments share: random numbers that are the same everywhere, and a recurrent network with a linear head.
import { byName, constant, Linear, LSTM, Module, uniform } from "unrolled";

/**
 * Uniform numbers in [0, 1), a function of the seed (mulberry32).
 * @param {number} seed
 */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * A whole number from `low` to `high`, both included.
 * @param {() => number} random
 * @param {number} low
 * @param {number} high
 */
export const between = (random, low, high) => low + Math.floor(random() * (high - low + 1));

/** @typedef {import("unrolled").RecurrentLayer<import("unrolled").RecurrentState>} Layer */
/** @typedef {(inputSize: number, hiddenSize: number) => Layer} MakeLayer */

/** A recurrent layer and a linear map of its outputs. */
export class Network extends Module {
  /**
   * @param {Layer} rnn
   * @param {number} outputSize
   */
  constructor(rnn, outputSize) {
    super();
    this.rnn = rnn;
    this.head = new Linear(rnn.outputSize, outputSize);
  }

  /**
   * (B, T, inputSize) to (B, T, outputSize), and the state after it.
   * @param {import("unrolled").Tensor} x
   * @param {import("unrolled").SequenceOptions<import("unrolled").RecurrentState>} [options]
   */
  forward(x, options) {
    const { output, state } = this.rnn.forward(x, options);
    return { output: this.head.forward(output), state };
  }
}

/**
 * LSTM cells whose units remember for times spread up to `longest` steps at first: forget gates ln u with u uniform in
 * [1, longest - 1], input gates the opposite. Tallec & Ollivier 2018, "Can recurrent neural networks warp time?".
 * @param {number} longest
 * @param {typeof LSTM | typeof import("unrolled").PeepholeLSTM} [cell] with gates in the order i, f, g, o
 * @returns {MakeLayer}
 */
export const remembering =
  (longest, cell = LSTM) =>
  (inputSize, hiddenSize) => {
    const bound = 1 / Math.sqrt(hiddenSize);
    /** @type {import("unrolled").Initializer} */
    const chrono = (parameter, seed, stream) => {
      const random = generator(seed ^ stream);
      const memories = Array.from({ length: hiddenSize }, () => Math.log(1 + random() * (longest - 2)));
      const zeros = memories.map(() => 0);
      parameter.write([...memories.map((memory) => -memory), ...memories, ...zeros, ...zeros]);
    };
    /** @type {Parameters<typeof byName>[0]} */
    const rules = [
      [/bias(_ih)?_l/, chrono],
      [/bias/, constant(0)],
    ];
    return new cell(inputSize, hiddenSize, { initializer: byName(rules, uniform(-bound, bound)) });
  };

/** @param {number} fraction */
export const percent = (fraction) => `${(100 * fraction).toFixed(2)}%`;
