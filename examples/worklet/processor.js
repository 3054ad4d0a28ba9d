// The audio thread: a block is 128 samples, and a step of the session takes one of them, without allocation.
import { Session } from "../../dist/index.js";
import { Effect } from "./effect.js";

class LearnedEffect extends AudioWorkletProcessor {
  /** @param {{ processorOptions: { values: Map<string, { data: Float32Array, shape: number[] }> } }} options */
  constructor({ processorOptions }) {
    super();
    const model = new Effect().init();
    const { values } = processorOptions;
    model.loadStateDict(values);
    this.session = new Session(model.rnn);
    this.weight = values.get("head.weight")?.data ?? new Float32Array();
    this.bias = values.get("head.bias")?.data[0] ?? 0;
    this.sample = new Float32Array(1);
    this.units = new Float32Array(model.rnn.outputSize);
  }

  /**
   * @param {Float32Array[][]} inputs
   * @param {Float32Array[][]} outputs
   */
  process([[input] = []], [[output] = []]) {
    if (input === undefined || output === undefined) return true;
    const { session, weight, bias, sample, units } = this;
    for (let t = 0; t < input.length; t++) {
      sample[0] = input[t] ?? 0;
      session.step(sample, units);
      let sum = bias;
      for (let i = 0; i < units.length; i++) sum += (weight[i] ?? 0) * (units[i] ?? 0);
      output[t] = sum;
    }
    return true;
  }
}

registerProcessor("learned-effect", LearnedEffect);
