/** The other layers of Keras, each as small as it is, and the table of all of them by class. */
import { ArgumentError, LoadError, ShapeError } from "../../errors.js";
import { Dropout } from "../../nn/dropout.js";
import { Embedding } from "../../nn/embedding.js";
import { LayerNorm } from "../../nn/layer-norm.js";
import { Linear } from "../../nn/linear.js";
import { LockedDropout } from "../../nn/locked-dropout.js";
import { add, div, maximum, minimum, mul } from "../../tensor/binary.js";
import { Ids } from "../../tensor/ids.js";
import { max, mean, sum } from "../../tensor/reduce.js";
import { permute, reshape } from "../../tensor/shape.js";
import { softmax } from "../../tensor/softmax.js";
import { type PlainTensor, type Tensor, tensor, zeros } from "../../tensor/tensor.js";
import { leakyRelu } from "../../tensor/unary.js";
import { quoted } from "../json.js";
import { activation } from "./activations.js";
import { additiveAttention, attention } from "./attention.js";
import { bidirectional } from "./bidirectional.js";
import { type Dialect, LayerConfig } from "./config.js";
import { asIds, asTensor, type Flow, inField, KerasLayer, type LayerMaker, type LoadedLayer, only } from "./layer.js";
import { mergingLayers } from "./merging.js";
import { ofOne, Pointwise, unmasked } from "./pointwise.js";
import { gru, lstm, simpleRNN, wrappedCell } from "./recurrent.js";
import { type LayerWeights, rowsOf, takeWeight } from "./weights.js";

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
  /** The axis in the file: the last one, counted from the back or from the front. */
  readonly axis: number;

  constructor(config: LayerConfig, norm: LayerNorm, axis: number) {
    super(config);
    this.norm = norm;
    this.axis = axis;
  }

  override forward(inputs: readonly Flow[]): readonly Flow[] {
    const { value, mask } = only(this.label, inputs);
    const x = asTensor(value);
    if (this.axis !== -1 && this.axis !== x.shape.length - 1) {
      throw new ShapeError(this.label, "x", `${this.axis + 1} axes, of which the last is normalised`, x.shape);
    }
    return [{ value: this.norm.forward(x), mask }];
  }
}

/** Without `scale` the gain is ones that training leaves alone. */
const layerNormalization: LayerMaker = (config, weights) => {
  config.refuseUnless("rms_scaling", false);
  const [axis = -1, ...others] = config.get("axis") === undefined ? [] : config.integers("axis");
  const gamma = config.flag("scale", true) ? takeWeight(weights, "gamma", [-1]) : null;
  const beta = config.flag("center", true) ? takeWeight(weights, "beta", [gamma?.shape[0] ?? -1]) : null;
  const size = (gamma ?? beta)?.shape[0];
  if (size === undefined || others.length > 0) {
    throw new LoadError("unsupported_op", `${config.where}: only one axis, with scale or center, is supported`);
  }
  const values = new Map<string, PlainTensor>();
  values.set("norm.weight", gamma ?? { data: new Float32Array(size).fill(1), shape: [size] });
  if (beta !== null) values.set("norm.bias", beta);
  const norm = new LayerNorm(size, { epsilon: config.number("epsilon", 1e-3), bias: beta !== null });
  if (gamma === null && norm.weight !== null) norm.weight.trainable = false;
  return { layer: new KerasLayerNormalization(config, norm, axis), values };
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

/** Dropout of values, or of the features of whole sequences. */
class KerasDropout extends KerasLayer {
  readonly dropout: Dropout | LockedDropout;

  constructor(config: LayerConfig, dropout: Dropout | LockedDropout) {
    super(config);
    this.dropout = dropout;
  }

  override forward(inputs: readonly Flow[]): readonly Flow[] {
    const { value, mask } = only(this.label, inputs);
    return [{ value: this.dropout.forward(asTensor(value)), mask }];
  }
}

const dropout =
  (kind: new (rate: number) => Dropout | LockedDropout): LayerMaker =>
  (config) => ({ layer: new KerasDropout(config, new kind(config.fraction("rate"))), values: new Map() });

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

/** max(x, 0), or slope x below 0, cut at the greatest value if there is one. */
function relu(config: LayerConfig): (x: Tensor) => Tensor {
  config.refuseUnless("threshold", 0);
  const slope = config.number("negative_slope", 0);
  const most = config.get("max_value") === undefined ? undefined : config.number("max_value", 0);
  return (x) => {
    const y = slope === 0 ? maximum(x, 0) : leakyRelu(x, slope);
    return most === undefined ? y : minimum(y, most);
  };
}

/** Slope below 0: `negative_slope` in Keras 3, `alpha` before, 0.3 where neither is given. */
function leaky(config: LayerConfig): (x: Tensor) => Tensor {
  const slope = config.number("negative_slope", config.number("alpha", 0.3));
  return (x) => leakyRelu(x, slope);
}

/** x (B, features) at each of n steps. */
const repeatVector: LayerMaker = unmasked((config) => {
  const n = config.size("n");
  return (x, _mask, where) => {
    if (x.shape.length !== 2) throw new ShapeError(where, "x", ["B", "features"], x.shape);
    const [batch, size] = x.shape as [number, number];
    return add(reshape(x, [batch, 1, size]), zeros([1, n, 1], x.core));
  };
});

/** Where two values differ: masks that Keras 3 makes a part of the graph. */
const notEqual: LayerMaker = (config) => {
  const run = (inputs: readonly Flow[], where: string): Flow => {
    const [a, b] = inputs.map(({ value }) => asTensor(value));
    if (a === undefined || b === undefined || b.size !== 1) {
      throw new ArgumentError(where, "the inputs", "a value and a number", inputs.length);
    }
    const number = b.item();
    const counts = Int32Array.from(a.toArray(), (value) => (value === number ? 0 : 1));
    return { value: new Ids(counts, a.shape), mask: null };
  };
  return { layer: new Pointwise(config, run), values: new Map() };
};

const layers: ReadonlyMap<string, LayerMaker> = new Map<string, LayerMaker>([
  ["RNN", wrappedCell],
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
  ["LeakyReLU", ofOne(leaky)],
  [
    "Softmax",
    ofOne((config) => {
      config.refuseUnless("axis", -1);
      return (x) => softmax(x);
    }),
  ],
  ["Dropout", dropout(Dropout)],
  ["SpatialDropout1D", dropout(LockedDropout)],
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
  ["NotEqual", notEqual],
  ...mergingLayers,
]);

/**
 * A layer from its description, `{ class_name, config }`.
 * @throws LoadError (unsupported_op naming the layer, value, shape, missing_tensor)
 */
export function makeLayer(description: unknown, weights: LayerWeights, dialect: Dialect): LoadedLayer {
  const outer = new LayerConfig(weights.where, description);
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
