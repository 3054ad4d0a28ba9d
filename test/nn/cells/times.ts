/** Time of every cell, forward and back, relative to the fused LSTM's. */
import * as u from "../../../ts/index.js";
import { draw } from "../../tensor/reference.js";
import type { Entry } from "./catalogue.js";
import { declare } from "./check.js";

/** What is measured: sizes by their letters, and for how long. */
export interface Measurement {
  readonly steps: number;
  readonly batch: number;
  readonly sizes: Readonly<Record<string, number>>;
  /** Rounds that are measured whatever they take; further ones begin while there are seconds left. */
  readonly rounds: number;
  readonly seconds: number;
}

/** The sizes of the page's column. */
export const measurement: Measurement = {
  steps: 50,
  batch: 32,
  sizes: { I: 128, H: 128, O: 128, P: 64 },
  rounds: 3,
  seconds: 25,
};

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}

/** Median times by name, each divided by that of `LSTM`, which must be among the entries; all take turns. */
export function relativeTimes(
  entries: readonly Entry[],
  core: u.Core,
  { steps, batch, sizes, rounds, seconds }: Measurement,
): ReadonlyMap<string, number> {
  const runs = entries.map((entry) => {
    const layer = declare(entry, sizes).init({ seed: 1, core });
    const shape = [batch, steps, layer.inputSize];
    const x = u.tensor(draw(shape, 2).data, shape, core);
    const parameters = layer.parameters();
    const run = () => u.gradients(() => u.sum(layer.forward(x).output), { parameters, core });
    run();
    return { name: entry.name, run, times: [] as number[] };
  });
  const end = performance.now() + seconds * 1000;
  for (let round = 0; round < rounds || performance.now() < end; round++) {
    for (const { run, times } of runs) {
      const start = performance.now();
      run();
      times.push(performance.now() - start);
    }
  }
  const medians = new Map(runs.map(({ name, times }) => [name, median(times)]));
  const unit = medians.get("LSTM") as number;
  return new Map([...medians].map(([name, time]) => [name, time / unit]));
}
