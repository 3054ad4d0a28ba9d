// How far back a loss is felt in untrained networks: the norm of the gradient by the state of each of 100 steps. It
// vanishes in a tanh RNN; an open forget gate carries it. Bengio, Simard & Frasconi 1994; Hochreiter & Schmidhuber 1997.
import { mkdirSync, writeFileSync } from "node:fs";
import { GRU, gradientByDistance, gradientDistanceSvg, RNN, square, sum, tensor } from "unrolled";
import { generator, remembering } from "../common.mjs";

const openGates = "LSTM, forget gates open";
const [steps, inputSize, hiddenSize, batchSize] = [100, 8, 64, 16];

/** @type {import("../run.mjs").Experiment} */
export const gradientDistance = {
  name: "gradient-distance",
  source: "gradient by distance, 100 steps, 64 units, untrained (Bengio, Simard & Frasconi 1994)",
  run(log) {
    const random = generator(1);
    const input = tensor(
      Float32Array.from({ length: batchSize * steps * inputSize }, () => 2 * random() - 1),
      [batchSize, steps, inputSize],
    );
    const layers = {
      "tanh RNN": new RNN(inputSize, hiddenSize),
      GRU: new GRU(inputSize, hiddenSize),
      [openGates]: remembering(steps)(inputSize, hiddenSize),
    };
    /** @type {Record<string, readonly number[]>} */
    const norms = {};
    for (const [name, layer] of Object.entries(layers)) {
      layer.init({ seed: 1 });
      norms[name] = gradientByDistance(layer, input, ({ output }) => sum(square(output)))["h"] ?? [];
      layer.dispose();
    }
    const folder = new URL("../../../build/reproduce/", import.meta.url);
    mkdirSync(folder, { recursive: true });
    const picture = new URL("gradient-by-distance.svg", folder);
    writeFileSync(picture, gradientDistanceSvg(norms, { title: "Gradient by distance, before training" }));
    log(`picture: ${picture.pathname}`);
    return Object.entries(norms).map(([name, values]) => {
      const ratio = (values.at(-1) ?? 0) / (values[0] ?? 1);
      const remembers = name === openGates;
      return {
        task: `gradient ${values.length} steps back, ${name}`,
        paper: remembers ? "kept" : "vanishes",
        ours: `${ratio.toExponential(1)} of that 1 step back`,
        bar: remembers ? ">= 1e-3" : "<= 1e-6",
        pass: remembers ? ratio >= 1e-3 : ratio <= 1e-6,
      };
    });
  },
};
