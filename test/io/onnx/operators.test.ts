/**
 * Every operator against onnxruntime: small graphs with inputs and the outputs that onnxruntime-web 1.30.0 computed from
 * them (test/fixtures/onnx-operators.json, made by the script beside it). The recurrent operators, and the updates of optimizers, which that runtime
 * has not got, are in the conformance corpus.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Ids } from "../../../ts/index.js";
import { loadOnnx } from "../../../ts/io/onnx/index.js";

interface Stored {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface OperatorCase {
  readonly name: string;
  /** The file, base64. */
  readonly model: string;
  readonly inputs: Readonly<Record<string, Stored & { readonly whole: boolean }>>;
  readonly outputs: Readonly<Record<string, Stored>>;
}

const path = join(import.meta.dirname, "../../fixtures/onnx-operators.json");
const { cases } = JSON.parse(readFileSync(path, "utf8")) as { cases: OperatorCase[] };

describe("operators as onnxruntime computes them", () => {
  it.each(cases.map((test) => [test.name, test] as const))("%s", (_name, { model: file, inputs, outputs }) => {
    const model = loadOnnx(Buffer.from(file, "base64"));
    const given = Object.entries(inputs).map(([name, { shape, data, whole }]) => [
      name,
      whole ? new Ids(Int32Array.from(data), shape) : { data: Float32Array.from(data), shape },
    ]);
    const results = model.predict(Object.fromEntries(given));
    model.dispose();
    for (const [name, { shape, data }] of Object.entries(outputs)) {
      const result = results[name];
      expect(result?.shape, name).toEqual(shape);
      data.forEach((value, i) => {
        const difference = Math.abs((result?.data[i] as number) - value);
        expect(difference, `${name}[${i}]`).toBeLessThanOrEqual(2e-6 + 2e-6 * Math.abs(value));
      });
    }
  });
});
