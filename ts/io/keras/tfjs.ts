/**
 * Layers models of TensorFlow.js: `model.json` with the topology and a manifest of weights, and the files of these.
 *
 * The files of a group are one piece of memory, in which weight follows weight without padding. Quantised weights are
 * value = q scale + min.
 */
import { formatShape, LoadError } from "../../errors.js";
import { entriesOf, isPlainFileName, parseUntrustedObject, quoted } from "../json.js";
import { type StoredTensor, toFloat32 } from "../safetensors.js";
import { LayerConfig, tfjs } from "./config.js";
import { buildModel, type KerasModel, type KerasModelOptions, type ModelWeights } from "./model.js";
import { type NamedWeight, NamedWeights } from "./named-weights.js";
import type { LayerWeights } from "./weights.js";

/** TensorFlow.js' types as safetensors calls them, with their bytes. */
const types: ReadonlyMap<string, readonly [dtype: string, bytes: number]> = new Map([
  ["float32", ["F32", 4]],
  ["float16", ["F16", 2]],
  ["int32", ["I32", 4]],
  ["uint16", ["U16", 2]],
  ["uint8", ["U8", 1]],
]);

/** A group of weights and the files that they are in. */
interface Group {
  readonly paths: readonly string[];
  readonly weights: readonly unknown[];
}

/** A layers model's `model.json`. */
interface ModelJson {
  readonly topology: unknown;
  readonly groups: readonly Group[];
}

function readModelJson(json: Uint8Array | string): ModelJson {
  const what = "model.json";
  const bytes = typeof json === "string" ? new TextEncoder().encode(json) : json;
  const root = parseUntrustedObject(bytes, what, "encoding");
  const format = root.get("format") ?? "layers-model";
  if (format !== "layers-model") {
    throw new LoadError(
      "unsupported_op",
      `${what}: the format ${quoted(String(format))} is not supported, only layers-model`,
    );
  }
  const manifest = root.get("weightsManifest");
  if (!Array.isArray(manifest)) throw new LoadError("missing_tensor", `${what}: there is no weightsManifest`);
  const groups = manifest.map((value: unknown) => {
    const group = entriesOf(value);
    const [paths, weights] = [group?.get("paths"), group?.get("weights")];
    if (!Array.isArray(paths) || !Array.isArray(weights)) {
      throw new LoadError("header", `${what}: a group of weightsManifest lacks paths or weights`);
    }
    for (const path of paths as unknown[]) {
      if (typeof path !== "string" || !isPlainFileName(path)) {
        const shown = quoted(String(path));
        throw new LoadError("external_data", `${what}: the path ${shown} may lie outside the folder of the model`);
      }
    }
    return { paths: paths as string[], weights: weights as unknown[] };
  });
  return { topology: root.get("modelTopology"), groups };
}

/**
 * Names of the files with a model's weights, beside its `model.json`, to be read for {@link loadTfjs}.
 * @throws LoadError
 */
export function tfjsWeightFiles(json: Uint8Array | string): string[] {
  return readModelJson(json).groups.flatMap(({ paths }) => paths);
}

/**
 * A layers model of TensorFlow.js (`model.save(...)`).
 *
 * @param json the bytes or the text of `model.json`
 * @param files the files with the weights, by the names that {@link tfjsWeightFiles} gives
 * @throws LoadError naming the layer and what was expected
 */
export function loadTfjs(
  json: Uint8Array | string,
  files: ReadonlyMap<string, Uint8Array>,
  options: KerasModelOptions = {},
): KerasModel {
  const { topology, groups } = readModelJson(json);
  const weights = groups.flatMap((group) => readGroup(group, files));
  const outer = new LayerConfig("modelTopology", topology);
  return buildModel(outer.get("model_config") ?? topology, new ManifestWeights(weights), tfjs, options);
}

/** Cuts the files of a group into weights. */
function readGroup({ paths, weights }: Group, files: ReadonlyMap<string, Uint8Array>): NamedWeight[] {
  const parts = paths.map((path) => {
    const part = files.get(path);
    if (part === undefined) throw new LoadError("missing_tensor", `the file ${quoted(path)} of the model is missing`);
    return part;
  });
  const data = join(parts);
  let at = 0;
  const found = weights.map((value): NamedWeight => {
    const spec = new LayerConfig("weightsManifest", value);
    const name = spec.text("name");
    const where = `weight ${quoted(name)}`;
    const quantized = spec.get("quantization");
    const quantization = quantized === undefined ? null : new LayerConfig(`${where}: quantization`, quantized);
    const dtype = (quantization ?? spec).text("dtype");
    const type = types.get(dtype);
    if (type === undefined)
      throw new LoadError("dtype", `${where} has the dtype ${quoted(dtype)}, which is not supported`);
    const shape = spec.integers("shape");
    const length = shape.reduce((product, size) => product * size, type[1]);
    if (!shape.every((size) => size >= 0) || !Number.isSafeInteger(length)) {
      throw new LoadError("shape", `${where} has an impossible shape: ${formatShape(shape)}`);
    }
    if (at + length > data.length) {
      throw new LoadError(
        "truncated",
        `${where} of shape ${formatShape(shape)} needs ${length} bytes, of which the files hold ${data.length - at}`,
      );
    }
    const stored: StoredTensor = { dtype: type[0], shape, bytes: data.subarray(at, at + length) };
    at += length;
    return { name, read: () => ({ data: dequantize(toFloat32(name, stored), dtype, quantization), shape }) };
  });
  if (at !== data.length) {
    throw new LoadError(
      "offsets",
      `weightsManifest: ${data.length - at} bytes of ${paths.map(quoted).join(", ")} belong to no weight`,
    );
  }
  return found;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  const data = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return data;
}

/** In double precision, rounded once. Halves are only stored shorter. */
function dequantize(data: Float32Array, dtype: string, quantization: LayerConfig | null): Float32Array {
  if (quantization === null || dtype === "float16") return data;
  const [scale, least] = [quantization.number("scale", 1), quantization.number("min", 0)];
  return data.map((q) => q * scale + least);
}

/** The manifest's weights, whose names hold the name of their layer. */
class ManifestWeights implements ModelWeights {
  readonly #weights: readonly NamedWeight[];
  readonly #taken: NamedWeights[] = [];
  readonly #known = new Set<NamedWeight>();

  constructor(weights: readonly NamedWeight[]) {
    this.#weights = weights;
  }

  layer(name: string): LayerWeights {
    // A converted model of Keras has its own name first.
    const own = this.#weights.filter((weight) => `/${weight.name}`.includes(`/${name}/`));
    for (const weight of own) this.#known.add(weight);
    const weights = new NamedWeights(`layer ${quoted(name)}`, own);
    this.#taken.push(weights);
    return weights;
  }

  finish(): void {
    for (const weights of this.#taken) weights.finish();
    const stray = this.#weights.find((weight) => !this.#known.has(weight));
    if (stray !== undefined) {
      throw new LoadError("unexpected_tensor", `no layer of the model owns the weight ${quoted(stray.name)}`);
    }
  }
}
