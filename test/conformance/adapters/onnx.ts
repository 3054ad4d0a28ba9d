/** Groups onnx_node and onnx_ext: graphs of one node, most of them the ONNX project's own tests. */
import { Ids } from "../../../ts/index.js";
import { loadOnnx, type OnnxModel } from "../../../ts/io/onnx/index.js";
import type { Case, Results } from "../corpus.js";

/** A name of the graph and the case's tensor for it. */
interface Port {
  readonly name: string;
  readonly tensor: string;
}

/** Runs the case's model on the case's inputs. */
export function onnx(test: Case): Results {
  const {
    model: path,
    inputs,
    outputs,
  } = test.document as unknown as { model: string; inputs: Port[]; outputs: Port[] };
  const model = loadOnnx(test.file(path));
  try {
    return runOnnx(model, test, inputs, outputs);
  } finally {
    model.dispose();
  }
}

/** Results of a model by the case's names. */
export function runOnnx(model: OnnxModel, test: Case, inputs: readonly Port[], outputs: readonly Port[]): Results {
  const given = inputs.map(({ name, tensor }) => {
    const { data, shape } = test.tensors.get(tensor) as NonNullable<ReturnType<Case["tensors"]["get"]>>;
    const whole = model.inputs.find((input) => input.name === name)?.type === "whole";
    return [name, whole ? new Ids(Int32Array.from(data), shape) : { data: Float32Array.from(data), shape }] as const;
  });
  const results = model.predict(Object.fromEntries(given));
  return new Map(
    outputs.map(({ name, tensor }) => {
      const value = results[name];
      if (value === undefined) throw new Error(`${test.id}: the model has no output ${name}`);
      return [tensor, { data: value.data, shape: value.shape }];
    }),
  );
}
