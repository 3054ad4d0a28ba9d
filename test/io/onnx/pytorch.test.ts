/** Models that PyTorch's two exporters wrote, run against what PyTorch computed: the ONNX files of group model_files. */
import { describe, expect, it } from "vitest";
import { loadOnnx } from "../../../ts/io/onnx/index.js";
import { runOnnx } from "../../conformance/adapters/onnx.js";
import { disagreements, openCorpus, readCase } from "../../conformance/corpus.js";

const corpus = openCorpus();
const files = (corpus?.entries ?? [])
  .filter(({ group }) => group === "model_files")
  .flatMap((entry) => {
    const test = readCase(corpus as NonNullable<typeof corpus>, entry);
    const paths = (test.document.files ?? []).filter((path) => path.endsWith(".onnx"));
    return paths.map((path) => [path, test] as const);
  });

describe.skipIf(corpus === null)("exports of PyTorch", () => {
  it("are there, of both exporters", () => {
    expect(files.some(([path]) => path.includes("torchscript"))).toBe(true);
    expect(files.some(([path]) => path.includes("dynamo"))).toBe(true);
  });

  it.each(files)("%s", (path, test) => {
    const model = loadOnnx(test.file(path));
    try {
      const ports = (names: readonly string[], role: string) =>
        names.map((name) => ({ name, tensor: `${role}.${name}` }));
      const inputs = ports(
        model.inputs.map(({ name }) => name),
        "in",
      );
      const outputs = ports(model.outputs, "out");
      expect(disagreements(test, runOnnx(model, test, inputs, outputs))).toEqual([]);
      // The weights have arrived in the layers, not as constants of the graph.
      const recurrent = [...model.stateDict().keys()].filter((name) => /^layers\.\d+\.weight_hh/.test(name));
      if (!path.includes("rnn-1l.dynamo")) expect(recurrent).not.toEqual([]);
    } finally {
      model.dispose();
    }
  });
});
