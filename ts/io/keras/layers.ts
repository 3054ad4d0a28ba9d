/** The other layers of Keras, each as small as it is, and the table of all of them by class. */
import { ArgumentError, LoadError, ShapeError } from "../../errors.js";
import { Dropout } from "../../nn/dropout.js";
import { Embedding } from "../../nn/embedding.js";
import { LayerNorm } from "../../nn/layer-norm.js";
import { Linear } from "../../nn/linear.js";
import { add, div, maximum, minimum, mul, sub } from "../../tensor/binary.js";
import { Ids } from "../../tensor/ids.js";
import { max, mean, sum } from "../../tensor/reduce.js";
import { concat, permute, reshape } from "../../tensor/shape.js";
import { softmax } from "../../tensor/softmax.js";
import { type PlainTensor, type Tensor, tensor } from "../../tensor/tensor.js";
import { leakyRelu } from "../../tensor/unary.js";
import { quoted } from "../json.js";
import { activation } from "./activations.js";
import { additiveAttention, attention } from "./attention.js";
import { bidirectional } from "./bidirectional.js";
import { type Dialect, LayerConfig } from "./config.js";
import { asIds, asTensor, type Flow, inField, KerasLayer, type LayerMaker, type LoadedLayer, only } from "./layer.js";
import { gru, lstm, simpleRNN } from "./recurrent.js";
import { type LayerWeights, rowsOf, takeWeight } from "./weights.js";

/** A layer without weights: a function of its inputs. */
class Pointwise extends KerasLayer {
  readonly #apply: (inputs: readonly Flow[], where: string) => Flow;

  constructor(config: LayerConfig, apply: (inputs: readonly Flow[], where: string) => Flow) {
    super(config);
    this.#apply = apply;
  }

  override forward(inputs: readonly Flow[]): readonly Flow[] {
    return [this.#apply(inputs, this.label)];
  }
}

/** Of one input, whose mask the result keeps. */
function ofOne(make: (config: LayerConfig, dialect: Dialect) => (x: Tensor, where: string) => Tensor): LayerMaker {
  return (config, _weights, dialect) => {
    const apply = make(config, dialect);
    const run = (inputs: readonly Flow[], where: string): Flow => {
      const { value, mask } = only(where, inputs);
      return { value: apply(asTensor(value), where), mask };
    };
    return { layer: new Pointwise(config, run), values: new Map() };
  };
}

/** Of one input, the result without mask. */
function unmasked(make: (config: LayerConfig) => (x: Tensor, mask: Ids | null, where: string) => Tensor): LayerMaker {
  return (config) => {
    const apply = make(config);
    const run = (inputs: readonly Flow[], where: string): Flow => {
      const { value, mask } = only(where, inputs);
      return { value: apply(asTensor(value), mask, where), mask: null };
    };
    return { layer: new Pointwise(config, run), values: new Map() };
  };
}

/** Of several inputs of one shape; a step counts in the result where it counts in all that have a mask. */
function merging(merge: (config: LayerConfig) => (parts: readonly Tensor[]) => Tensor): LayerMaker {
  return (config) => {
    const apply = merge(config);
    const run = (inputs: readonly Flow[], where: string): Flow => {
      if (inputs.length < 2) throw new ArgumentError(where, "the inputs", "2 or more", inputs.length);
      return { value: apply(inputs.map(({ value }) => asTensor(value))), mask: bothMasks(inputs) };
    };
    return { layer: new Pointwise(config, run), values: new Map() };
  };
}

function bothMasks(inputs: readonly Flow[]): Ids | null {
  const masks = inputs.flatMap(({ mask }) => (mask === null ? [] : [mask]));
  const [first, ...rest] = masks;
  if (first === undefined) return null;
  return new Ids(
    first.data.map((counts, i) => (counts !== 0 && rest.every(({ data }) => data[i] !== 0) ? 1 : 0)),
    first.shape,
  );
}

const pairwise = (combine: (a: Tensor, b: Tensor) => Tensor): LayerMaker =>
  merging(() => (parts) => parts.slice(1).reduce(combine, parts[0] as Tensor));

class KerasEmbedding extends KerasLayer {
  readonly embedding: Embedding;
  readonly maskZero: boolean;

  constructor(config: LayerConfig, rows: number, width: number) {
    super(config);
    this.embedding = new Embedding(rows, width);
    this.maskZero = config.flag("mask_zero", false);
  }

  override forward(inputs: readonly Flow[]): readonly Flow[] {
    const ids = asIds(this.label, only(this.label, inputs).value);
    const mask = this.maskZero
      ? new Ids(
          ids.data.map((id) => (id === 0 ? 0 : 1)),
          ids.shape,
        )
      : null;
    return [{ value: this.embedding.forward(ids), mask }];
  }
}

const embeddingLayer: LayerMaker = (config, weights) => {
  const [rows, width] = [config.size("input_dim"), config.size("output_dim")];
  const table = takeWeight(weights, "embeddings", [rows, width]);
  return { layer: new KerasEmbedding(config, rows, width), values: new Map([["embedding.weight", table]]) };
};

class KerasDense extends KerasLayer {
  readonly linear: Linear;
  readonly #activation: (x: Tensor) => Tensor;

  constructor(config: LayerConfig, linear: Linear, apply: (x: Tensor) => Tensor) {
    super(config);
    this.linear = linear;
    this.#activation = apply;
  }

  override forward(inputs: readonly Flow[]): readonly Flow[] {
    const { value, mask } = only(this.label, inputs);
    return [{ value: this.#activation(this.linear.forward(asTensor(value))), mask }];
  }
}

const dense: LayerMaker = (config, weights, dialect) => {
  const units = config.size("units");
  const bias = config.flag("use_bias", true);
  const apply = activation(config, dialect);
  const kernel = takeWeight(weights, "kernel", [-1, units]);
  const values = new Map<string, PlainTensor>([["linear.weight", rowsOf(kernel)]]);
  if (bias) values.set("linear.bias", takeWeight(weights, "bias", [units]));
  return { layer: new KerasDense(config, new Linear(kernel.shape[0] as number, units, { bias }), apply), values };
};

class KerasLayerNormalization extends KerasLayer {
  readonly norm: LayerNorm;

  constructor(config: LayerConfig, norm: LayerNorm) {
    super(config);
    this.norm = norm;
  }

  override forward(inputs: readonly Flow[]): readonly Flow[] {
    const { value, mask } = only(this.label, inputs);
    return [{ value: this.norm.forward(asTensor(value)), mask }];
  }
}

/** Over the last axis, with a gain; the offset is zeros where the layer has none. */
const layerNormalization: LayerMaker = (config, weights) => {
  config.refuseUnless("rms_scaling", false);
  const axis = config.has("axis") ? config.integers("axis") : [-1];
  const gamma = config.flag("scale", true) ? takeWeight(weights, "gamma", [-1]) : null;
  const beta = config.flag("center", true) ? takeWeight(weights, "beta", [gamma?.shape[0] ?? -1]) : null;
  const size = (gamma ?? beta)?.shape[0];
  // An axis counted from the front is the last one of (B, T, features), which sequences have.
  if (size === undefined || axis.length !== 1 || (axis[0] !== -1 && axis[0] !== 2)) {
    throw new LoadError(
      "unsupported_op",
      `${config.where}: only the last axis, with scale or center, is supported, got axis [${axis}]`,
    );
  }
  const values = new Map<string, PlainTensor>();
  const one = { data: new Float32Array(size).fill(1), shape: [size] };
  values.set("norm.weight", gamma ?? one);
  if (beta !== null) values.set("norm.bias", beta);
  const norm = new LayerNorm(size, { epsilon: config.number("epsilon", 1e-3), bias: beta !== null });
  if (gamma === null && norm.weight !== null) norm.weight.trainable = false;
  return { layer: new KerasLayerNormalization(config, norm), values };
};

/** A layer at every step. Those that run here work on the last axis alone, so that they already do that. */
class KerasTimeDistributed extends KerasLayer {
  readonly layer: KerasLayer;

  constructor(config: LayerConfig, layer: KerasLayer) {
    super(config);
    this.layer = layer;
  }

  override forward(inputs: readonly Flow[]): readonly Flow[] {
    return this.layer.forward(inputs);
  }
}

const lastAxisLayers: ReadonlySet<unknown> = new Set(["Dense", "Activation", "LayerNormalization", "Dropout", "ReLU"]);

const timeDistributed: LayerMaker = (config, weights, dialect) => {
  const inner = new LayerConfig(`${config.where} layer`, config.get("layer"));
  const kind = inner.text("class_name");
  if (!lastAxisLayers.has(kind)) {
    throw new LoadError("unsupported_op", `${config.where}: ${quoted(kind)} inside TimeDistributed is not supported`);
  }
  const made = makeLayer(config.get("layer"), weights.inside("layer"), dialect);
  return { layer: new KerasTimeDistributed(config, made.layer), values: new Map(inField("layer", made)) };
};

class KerasDropout extends KerasLayer {
  readonly dropout: Dropout;

  constructor(config: LayerConfig) {
    super(config);
    const rate = config.number("rate", 0);
    if (rate < 0 || rate > 1) throw new LoadError("value", `${config.where}: rate must be from 0 to 1, got ${rate}`);
    this.dropout = new Dropout(rate);
  }

  override forward(inputs: readonly Flow[]): readonly Flow[] {
    const { value, mask } = only(this.label, inputs);
    return [{ value: this.dropout.forward(asTensor(value)), mask }];
  }
}

/** A step does not count when all its values equal the mask value; its values become zeros. */
const masking: LayerMaker = (config) => {
  const hidden = Math.fround(config.number("mask_value", 0));
  const run = (inputs: readonly Flow[], where: string): Flow => {
    const x = asTensor(only(where, inputs).value);
    if (x.shape.length !== 3) throw new ShapeError(where, "x", ["B", "T", "I"], x.shape);
    const [batch, steps, size] = x.shape as [number, number, number];
    const values = x.toArray();
    const counts = Int32Array.from({ length: batch * steps }, (_, step) =>
      values.subarray(step * size, (step + 1) * size).some((value) => value !== hidden) ? 1 : 0,
    );
    const kept = tensor(counts, [batch, steps, 1], x.core);
    return { value: mul(x, kept), mask: new Ids(counts, [batch, steps]) };
  };
  return { layer: new Pointwise(config, run), values: new Map() };
};

/** Mean over time, of the steps that count. */
const globalAveragePooling: LayerMaker = unmasked((config) => {
  config.refuseUnless("data_format", "channels_last");
  const keepDims = config.flag("keepdims", false);
  return (x, mask) => {
    if (mask === null) return mean(x, 1, { keepDims });
    const counts = tensor(mask.data, [...mask.shape, 1], x.core);
    return div(sum(mul(x, counts), 1, { keepDims }), sum(counts, 1, { keepDims }));
  };
});

const globalMaxPooling: LayerMaker = unmasked((config) => {
  config.refuseUnless("data_format", "channels_last");
  const keepDims = config.flag("keepdims", false);
  return (x) => max(x, 1, { keepDims });
});

/** Zero below the threshold, slope below it, cut above. */
function relu(config: LayerConfig): (x: Tensor) => Tensor {
  config.refuseUnless("threshold", 0);
  const slope = config.number("negative_slope", 0);
  const most = config.get("max_value") === undefined ? undefined : config.number("max_value", 0);
  return (x) => {
    const y = slope === 0 ? maximum(x, 0) : leakyRelu(x, slope);
    return most === undefined ? y : minimum(y, most);
  };
}

/** x (B, features) at each of n steps. */
const repeatVector: LayerMaker = unmasked((config) => {
  const n = config.size("n");
  return (x, _mask, where) => {
    if (x.shape.length !== 2) throw new ShapeError(where, "x", ["B", "features"], x.shape);
    const [batch, size] = x.shape as [number, number];
    return add(reshape(x, [batch, 1, size]), tensor(new Float32Array(n), [1, n, 1], x.core));
  };
});

const layers: ReadonlyMap<string, LayerMaker> = new Map<string, LayerMaker>([
  ["SimpleRNN", simpleRNN],
  ["LSTM", lstm],
  ["GRU", gru],
  ["Bidirectional", bidirectional((...given) => makeLayer(...given))],
  ["TimeDistributed", timeDistributed],
  ["Embedding", embeddingLayer],
  ["Masking", masking],
  ["Dense", dense],
  ["LayerNormalization", layerNormalization],
  ["Attention", attention],
  ["AdditiveAttention", additiveAttention],
  ["Activation", ofOne(activation)],
  ["ReLU", ofOne(relu)],
  [
    "Softmax",
    ofOne((config) => {
      config.refuseUnless("axis", -1);
      return (x) => softmax(x);
    }),
  ],
  ["Dropout", (config) => ({ layer: new KerasDropout(config), values: new Map() })],
  ["Flatten", unmasked(() => (x) => reshape(x, [x.shape[0] as number, -1]))],
  [
    "Reshape",
    unmasked((config) => {
      const shape = config.integers("target_shape");
      return (x) => reshape(x, [x.shape[0] as number, ...shape]);
    }),
  ],
  [
    "Permute",
    unmasked((config) => {
      const axes = config.integers("dims");
      return (x) => permute(x, [0, ...axes]);
    }),
  ],
  ["RepeatVector", repeatVector],
  ["GlobalAveragePooling1D", globalAveragePooling],
  ["GlobalMaxPooling1D", globalMaxPooling],
  [
    "Concatenate",
    merging((config) => {
      const axis = config.number("axis", -1);
      return (parts) => concat(parts, axis);
    }),
  ],
  ["Add", pairwise(add)],
  ["Subtract", pairwise(sub)],
  ["Multiply", pairwise(mul)],
  ["Maximum", pairwise(maximum)],
  ["Minimum", pairwise(minimum)],
  [
    "Average",
    merging(
      () => (parts) =>
        mul(
          parts.slice(1).reduce((a, b) => add(a, b), parts[0] as Tensor),
          1 / parts.length,
        ),
    ),
  ],
]);

/**
 * A layer from its description, `{ class_name, config }`.
 * @throws LoadError (unsupported_op naming the layer, value, shape, missing_tensor)
 */
export function makeLayer(description: unknown, weights: LayerWeights, dialect: Dialect): LoadedLayer {
  const outer = new LayerConfig(`${weights.where}`, description);
  const kind = outer.text("class_name");
  const make = layers.get(kind);
  if (make === undefined) {
    throw new LoadError(
      "unsupported_op",
      `${weights.where}: the layer ${quoted(kind)} is not supported; supported are ${[...layers.keys()].join(", ")}`,
    );
  }
  return make(new LayerConfig(`${weights.where} (${kind})`, outer.get("config")), weights, dialect);
}
