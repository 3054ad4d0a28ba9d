// What is learned, and the network that learns it. Imported by the page and by the worklet.
import { Linear, LSTM, Module } from "../../dist/index.js";

export const sampleRate = 48_000;

/**
 * The effect: a distortion whose bias follows the sound, so that it takes a memory.
 * @param {Float32Array} x
 */
export function distorted(x) {
  let followed = 0;
  return x.map((sample) => {
    followed += 0.02 * (Math.abs(sample) - followed);
    return 0.8 * Math.tanh(4 * sample + followed);
  });
}

/**
 * Plucked strings, Karplus & Strong 1983: a loop of noise that is averaged as it goes round.
 * @param {number} length samples
 * @param {number} seed
 */
export function plucked(length, seed) {
  let state = seed;
  const noise = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  const sound = new Float32Array(length);
  for (let start = 0; start < length; start += sampleRate / 8) {
    const period = Math.floor(sampleRate / (110 * 2 ** (Math.floor(6 * (noise() + 1)) / 12)));
    const string = Float32Array.from({ length: period }, noise);
    for (let t = start, at = 0; t < length; t++, at = (at + 1) % period) {
      const next = string[(at + 1) % period] ?? 0;
      sound[t] = (sound[t] ?? 0) + 0.3 * (string[at] ?? 0);
      string[at] = 0.496 * ((string[at] ?? 0) + next);
    }
  }
  return sound;
}

/** One number in and one out a step, (B, T, 1). */
export class Effect extends Module {
  rnn = new LSTM(1, 32);
  head = new Linear(32, 1);

  /** @param {import("../../dist/index.js").Tensor} x */
  forward(x) {
    return this.head.forward(this.rnn.forward(x).output);
  }
}
