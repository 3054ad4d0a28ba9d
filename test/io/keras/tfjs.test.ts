/** Models of TensorFlow.js against what it predicts itself (test/fixtures/tfjs), and its other ways to store weights. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LoadError } from "../../../ts/index.js";
import { loadTfjs } from "../../../ts/io/keras/index.js";

interface Values {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly quantization?: unknown;
}

interface Fixture {
  readonly id: string;
  readonly json: {
    modelTopology: { class_name: string; config: { layers: Record<string, unknown>[]; output_layers: unknown } };
    weightsManifest: { paths: string[]; weights: Weight[] }[];
  };
  readonly weights: string;
  readonly inputs: readonly Values[];
  readonly outputs: readonly Values[];
}

const path = join(import.meta.dirname, "../../fixtures/tfjs/models.json");
const { models } = JSON.parse(readFileSync(path, "utf8")) as { models: Fixture[] };

function fixture(id: string): Fixture {
  return structuredClone(models.find((model) => model.id === id)) as Fixture;
}

function bytesOf({ weights }: Fixture): Uint8Array {
  return Uint8Array.from(Buffer.from(weights, "base64"));
}

function load(model: Fixture, bytes = bytesOf(model)): ReturnType<typeof loadTfjs> {
  return loadTfjs(JSON.stringify(model.json), new Map([["weights.bin", bytes]]));
}

function outputsOf(model: Fixture, bytes?: Uint8Array): Float32Array[] {
  const inputs = model.inputs.map(({ data, shape }) => ({ data: Float32Array.from(data), shape }));
  return load(model, bytes)
    .predict(...inputs)
    .map(({ data, shape }, i) => {
      expect(shape).toEqual(model.outputs[i]?.shape);
      return data;
    });
}

describe("predicts what TensorFlow.js predicts", () => {
  it.each(models.map((model) => [model.id, model] as const))("%s", (_id, model) => {
    outputsOf(model).forEach((data, output) => {
      const expected = model.outputs[output]?.data as readonly number[];
      expected.forEach((value, i) => {
        expect(Math.abs((data[i] as number) - value)).toBeLessThan(2e-6);
      });
    });
  });
});

describe("quantised weights", () => {
  // The model with every weight stored as integers must equal the model with the floats that these stand for.
  const model = fixture("branches");
  const weights = model.json.weightsManifest[0]?.weights as Weight[];
  const count = bytesOf(model).length / 4;
  const codes = Array.from({ length: count }, (_, i) => (i * 7919) % 65536);
  const [scale, min] = [0.00003, -1];

  it("uint16", () => {
    const floats = Float32Array.from(codes, (q) => q * scale + min);
    const expected = outputsOf(model, new Uint8Array(floats.buffer));
    const stored = fixture("branches");
    (stored.json.weightsManifest[0] as { weights: Weight[] }).weights = weights.map((weight) => ({
      ...weight,
      quantization: { dtype: "uint16", scale, min, original_dtype: "float32" },
    }));
    expect(outputsOf(stored, new Uint8Array(Uint16Array.from(codes).buffer))).toEqual(expected);
  });

  it("float16", () => {
    // 1 + k / 1024 with the exponent of 0.5: fraction bits k, exponent bits 14.
    const halves = codes.map((code) => code % 1024);
    const expected = outputsOf(model, new Uint8Array(Float32Array.from(halves, (k) => 0.5 * (1 + k / 1024)).buffer));
    const stored = fixture("branches");
    (stored.json.weightsManifest[0] as { weights: Weight[] }).weights = weights.map((weight) => ({
      ...weight,
      quantization: { dtype: "float16", original_dtype: "float32" },
    }));
    expect(outputsOf(stored, new Uint8Array(Uint16Array.from(halves, (k) => (14 << 10) | k).buffer))).toEqual(expected);
  });
});

describe("refuses", () => {
  const refused = (change: (model: Fixture) => void): LoadError => {
    const model = fixture("branches");
    change(model);
    try {
      load(model);
    } catch (error) {
      expect(error).toBeInstanceOf(LoadError);
      return error as LoadError;
    }
    throw new Error("it loaded");
  };
  const layerOf = (model: Fixture, name: string): Record<string, unknown> =>
    model.json.modelTopology.config.layers.find((layer) => layer["name"] === name) as Record<string, unknown>;

  it("a layer that takes its own output", () => {
    const error = refused((model) => {
      layerOf(model, "total")["inbound_nodes"] = [[["total", 0, 0, {}]]];
    });
    expect(error.category).toBe("graph");
    expect(error.message).toContain("total");
  });

  it("an output that no layer gives", () => {
    const error = refused((model) => {
      model.json.modelTopology.config.output_layers = [["nobody", 0, 0]];
    });
    expect(error.category).toBe("graph");
    expect(error.message).toContain("nobody");
  });

  it("an option of a call that it does not know", () => {
    const error = refused((model) => {
      layerOf(model, "last")["inbound_nodes"] = [[["total", 0, 0, { constants: [1] }]]];
    });
    expect(error.category).toBe("unsupported_op");
    expect(error.message).toContain("constants");
  });

  it("an activation that it does not know", () => {
    const error = refused((model) => {
      (layerOf(model, "last")["config"] as Record<string, unknown>)["activation"] = "wave";
    });
    expect(error.category).toBe("unsupported_op");
    expect(error.message).toMatch(/"last".*"wave"/);
  });

  it("weights that no layer takes", () => {
    const error = refused((model) => {
      (layerOf(model, "last")["config"] as Record<string, unknown>)["use_bias"] = false;
    });
    expect(error.category).toBe("unexpected_tensor");
    expect(error.message).toContain("last/bias");
  });

  it("a model of another format", () => {
    const error = refused((model) => {
      (model.json as unknown as Record<string, unknown>)["format"] = "graph-model";
    });
    expect(error.category).toBe("unsupported_op");
    expect(error.message).toContain("graph-model");
  });
});
