/**
 * Files of Keras: `.keras` (a zip of config.json and model.weights.h5), `.h5` with the model in an attribute, and
 * `.weights.h5`, weights alone.
 */
import { LoadError } from "../../errors.js";
import type { PlainTensor } from "../../tensor/tensor.js";
import { parseUntrustedObject, quoted } from "../json.js";
import { type Dialect, keras2, keras3 } from "./config.js";
import { type Hdf5Object, openHdf5 } from "./hdf5.js";
import { buildModel, type KerasModel, type KerasModelOptions, type ModelWeights } from "./model.js";
import { NamedWeights } from "./named-weights.js";
import type { LayerWeights } from "./weights.js";
import { openZip } from "./zip.js";

/** Options of {@link loadKeras}. */
export interface LoadKerasOptions extends KerasModelOptions {
  /** The model's configuration, as `model.to_json()` gives it: for a file of weights alone. */
  readonly config?: Uint8Array | string;
}

/**
 * A model that Keras saved: `model.save("m.keras")`, `model.save("m.h5")`, or `model.save_weights("m.weights.h5")`
 * together with `config`.
 *
 * @throws LoadError naming the layer and what was expected
 */
export function loadKeras(bytes: Uint8Array | ArrayBuffer, options: LoadKerasOptions = {}): KerasModel {
  const file = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  // The first byte of HDF5's signature, which no zip has.
  if (file[0] === 0x89) return fromHdf5(openHdf5(file), options);
  const zip = openZip(file);
  const config = zip.read("config.json");
  if (config === undefined) throw new LoadError("missing_tensor", "the .keras file has no config.json");
  const metadata = zip.read("metadata.json");
  const version = metadata && parseUntrustedObject(metadata, "metadata.json", "encoding").get("keras_version");
  const model = parseUntrustedObject(config, "config.json", "encoding");
  const weights = zip.read("model.weights.h5");
  if (weights === undefined) throw new LoadError("missing_tensor", "the .keras file has no model.weights.h5");
  return buildModel(model, weightsOf(openHdf5(weights)), dialectOf(version), options);
}

function fromHdf5(root: Hdf5Object, options: LoadKerasOptions): KerasModel {
  const inside = root.strings("model_config")?.[0];
  const given = inside ?? options.config;
  if (given === undefined) {
    throw new LoadError("missing_tensor", "the file holds weights alone: give the model's configuration as `config`");
  }
  const model = parseUntrustedObject(
    typeof given === "string" ? new TextEncoder().encode(given) : given,
    inside === undefined ? "config" : "model_config",
    "encoding",
  );
  const dialect = dialectOf(root.strings("keras_version")?.[0] ?? model.get("keras_version"));
  return buildModel(model, weightsOf(root.get("model_weights") ?? root), dialect, options);
}

function dialectOf(version: unknown): Dialect {
  return typeof version === "string" && /^[12]\./.test(version) ? keras2 : keras3;
}

function weightsOf(root: Hdf5Object): ModelWeights {
  return root.strings("layer_names") === undefined ? new PathWeights(root) : new LegacyWeights(root);
}

/** Keras 3: `layers/<class in snake case>_<place>/.../vars/<number>`. */
class PathWeights implements ModelWeights {
  readonly #layers: Hdf5Object | undefined;

  constructor(root: Hdf5Object) {
    this.#layers = root.get("layers") ?? root.get("_layer_checkpoint_dependencies");
  }

  layer(name: string, kind: string, place: number): LayerWeights {
    const own = snakeCase(kind) + (place === 0 ? "" : `_${place}`);
    return new GroupWeights(`layer ${quoted(name)}`, this.#layers?.get(own) ?? this.#layers?.get(name));
  }

  finish(): void {
    // Groups of layers also hold what is no weight, such as the state of random generators.
  }
}

/** The weights of a layer, `vars/0` and so on, and those of layers inside it. */
class GroupWeights implements LayerWeights {
  readonly where: string;
  readonly #group: Hdf5Object | undefined;
  #taken = 0;

  constructor(where: string, group: Hdf5Object | undefined) {
    this.where = where;
    this.#group = group;
  }

  next(name: string): PlainTensor {
    const found = this.#group?.get("vars", `${this.#taken++}`);
    if (found === undefined)
      throw new LoadError("missing_tensor", `${this.where}: the file lacks the weight ${quoted(name)}`);
    return found.tensor();
  }

  inside(part: string): LayerWeights {
    return new GroupWeights(`${this.where} ${part}`, this.#group?.get(part));
  }
}

/** Before Keras 3, and its .h5 still: a group for each layer, with the names of its weights in an attribute. */
class LegacyWeights implements ModelWeights {
  readonly #root: Hdf5Object;
  readonly #taken: NamedWeights[] = [];

  constructor(root: Hdf5Object) {
    this.#root = root;
  }

  layer(name: string): LayerWeights {
    const where = `layer ${quoted(name)}`;
    const group = this.#root.get(name);
    const names = group?.strings("weight_names") ?? [];
    const weights = new NamedWeights(
      where,
      names.map((weight) => ({
        name: weight,
        read: () => {
          const found = group?.get(...weight.split("/"));
          if (found === undefined)
            throw new LoadError("missing_tensor", `${where}: the file lacks the weight ${quoted(weight)}`);
          return found.tensor();
        },
      })),
    );
    this.#taken.push(weights);
    return weights;
  }

  finish(): void {
    for (const weights of this.#taken) weights.finish();
  }
}

/** `GlobalMaxPooling1D` is `global_max_pooling1d`, as in Keras' naming.py. */
function snakeCase(name: string): string {
  return name
    .replace(/\W+/g, "")
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}
