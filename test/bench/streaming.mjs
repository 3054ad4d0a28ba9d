import { LSTM, Session } from "unrolled";
import { Lcg } from "./timing.mjs";

/**
 * One call of W5: 2-layer LSTM, I 128, H 256, B 1.
 * @param {import("unrolled").SessionOptions} [options]
 */
export function streaming(options) {
  const [I, H] = [128, 256];
  const lstm = new LSTM(I, H, { numLayers: 2 }).init({ seed: 1 });
  const session = new Session(lstm, options);
  const random = new Lcg();
  const inputs = Array.from({ length: 64 }, () => Float32Array.from({ length: I }, () => random.unit()));
  let step = 0;
  return () => session.step(/** @type {Float32Array} */ (inputs[step++ % inputs.length]))[0] ?? NaN;
}
