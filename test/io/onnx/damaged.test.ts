/** Damaged files: whatever was done to one, it is refused by a LoadError, or loads and runs with typed errors at most. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { getCore, Ids, isUnrolledError, LoadError, LSTM } from "../../../ts/index.js";
import { loadOnnx, type OnnxModel, saveOnnx } from "../../../ts/io/onnx/index.js";
import { openCorpus } from "../../conformance/corpus.js";
import { Random } from "../../reference/random.js";

const corpus = openCorpus();
const layer = new LSTM(2, 3, { numLayers: 2, bidirectional: true }).init({ seed: 1 });
const written = saveOnnx(layer as never);
layer.dispose();
const files: (readonly [name: string, bytes: Uint8Array])[] = [["what saveOnnx wrote", written]];
for (const name of corpus === null
  ? []
  : ["onnx_torch/lstm-2l.torchscript", "onnx_torch/rnn-1l.dynamo", "onnx_ext/sweep-00-lstm"]) {
  files.push([name, new Uint8Array(readFileSync(join(corpus?.root ?? "", `models/${name}.onnx`)))]);
}

/** Loads and runs; anything but a typed error is thrown. */
function attempt(bytes: Uint8Array): "refused" | "loaded" {
  let model: OnnxModel;
  try {
    model = loadOnnx(bytes);
  } catch (error) {
    if (error instanceof LoadError) return "refused";
    throw error;
  }
  try {
    const inputs = model.inputs.map(({ name, type, shape = [2] }) => {
      const lengths = shape.map((length) => (typeof length === "number" ? Math.min(length, 16) : 2));
      const size = lengths.reduce((product, length) => product * length, 1);
      const real = { data: new Float32Array(size).fill(0.5), shape: lengths };
      return [name, type === "real" ? real : new Ids(new Int32Array(size).fill(1), lengths)] as const;
    });
    model.predict(Object.fromEntries(inputs));
  } catch (error) {
    if (!isUnrolledError(error)) throw error;
  } finally {
    model.dispose();
  }
  return "loaded";
}

it.each(files)("%s, with some bytes changed", (_name, bytes) => {
  const random = new Random(11);
  const before = getCore().persistentBytes;
  const outcomes = { refused: 0, loaded: 0 };
  for (let i = 0; i < 300; i++) {
    const damaged = bytes.slice();
    // Most of a file is weights, of which any will do; its structure is at both ends.
    const end = Math.min(400, bytes.length);
    const place = random.below(end);
    damaged[random.below(2) === 0 ? place : bytes.length - 1 - place] = random.below(256);
    outcomes[attempt(damaged)]++;
  }
  expect(outcomes.refused).toBeGreaterThan(0);
  expect(outcomes.loaded).toBeGreaterThan(0);
  expect(getCore().persistentBytes).toBe(before);
});

it.each(files)("%s, cut anywhere", (_name, bytes) => {
  for (let length = 0; length < bytes.length; length += 1 + (bytes.length >> 9)) {
    expect(() => loadOnnx(bytes.subarray(0, length)), `${length} bytes`).toThrow(LoadError);
  }
});
