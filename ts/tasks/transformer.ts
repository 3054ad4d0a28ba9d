/**
 * What came after recurrent language models: a causal transformer (Vaswani et al. 2017; Radford et al. 2018), small, with
 * the calls of `LanguageModel`. Its state is not of one size: it is the keys and values of the last `context` steps.
 * With it each step costs as much as there are steps in it, where a recurrent model's cost is constant.
 *
 *     x_t = sqrt(size) embedding of token t, + the vector of its position, if positions are learned or sinusoidal
 *     logits = head(norm(layers(x)))
 */
import type { Core } from "../core/core.js";
import { ArgumentError, ShapeError } from "../errors.js";
import { load, type ModelSource, readModelFile } from "../io/model-file.js";
import type { AdaptiveSoftmax } from "../nn/adaptive-softmax.js";
import { type AttentionCache, POSITIONS } from "../nn/attention/causal.js";
import { checkSize } from "../nn/check.js";
import { Embedding } from "../nn/embedding.js";
import { normal } from "../nn/initializers.js";
import { LayerNorm } from "../nn/layer-norm.js";
import { Linear } from "../nn/linear.js";
import { SinusoidalPositions } from "../nn/sinusoidal-positions.js";
import type { RecurrentState } from "../nn/state.js";
import { TransformerLayer, type TransformerLayerOptions } from "../nn/transformer-layer.js";
import { add, mul } from "../tensor/binary.js";
import { Ids } from "../tensor/ids.js";
import { select, stack } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { Config } from "./config.js";
import { NextTokenModel, type NextTokenOptions, newHead, nextTokenOptionsFrom } from "./next-token-model.js";

/** Options of {@link TransformerLanguageModel}. */
export interface TransformerLanguageModelOptions extends NextTokenOptions, TransformerLayerOptions {
  /** Units of every layer, and of the embeddings. */
  readonly size: number;
  /** Default 1. */
  readonly numLayers?: number | undefined;
  /** Uses the embedding table as weight of the output layer (Press & Wolf 2017); not with `cutoffs`. Default false. */
  readonly tieWeights?: boolean | undefined;
}

/**
 * Embeddings, causal transformer layers, a norm, the last layer.
 *
 * ```ts
 * const model = new TransformerLanguageModel({ tokenizer, size: 128, numLayers: 2, heads: 4, context: 64 }).init({ seed: 1 });
 * const run = train(model, lanes(ids, { batchSize: 20, seqLen: 64 }).train, { optimizer: new AdamW(model, { lr: 1e-3 }) });
 * ```
 */
export class TransformerLanguageModel extends NextTokenModel {
  /** Name of the class in model files. */
  readonly kind = "TransformerLanguageModel";
  /** Of the tokens. */
  readonly embedding: Embedding;
  /** Of the positions, 0 to `context` - 1; null with linear biases, which need none. */
  readonly positions: Embedding | SinusoidalPositions | null;
  /** The lowest first. */
  readonly layers: readonly TransformerLayer[];
  /** Of what the last layer puts out. */
  readonly norm: LayerNorm;
  readonly head: Linear | AdaptiveSoftmax;
  readonly #options: TransformerLanguageModelOptions;
  readonly #context: number;

  /** @throws ArgumentError */
  constructor(options: TransformerLanguageModelOptions) {
    super(options);
    const { size, numLayers = 1, tieWeights = false, tokenizer, positions } = options;
    this.#options = options;
    checkSize("TransformerLanguageModel", "numLayers", numLayers);
    checkSize("TransformerLanguageModel", "size", size);
    // Times sqrt(size) in `features`, as in section 3.4 of Vaswani et al.: good for both ends of a tied table.
    this.embedding = new Embedding(tokenizer.size, size, { initializer: normal(0, 1 / Math.sqrt(size)) });
    this.layers = Array.from({ length: numLayers }, () => new TransformerLayer(size, options));
    this.#context = (this.layers[0] as TransformerLayer).self_attn.context;
    // Small beside the tokens' vectors, which have variance 1.
    const learned = (): Embedding =>
      new Embedding(this.#context, size, { initializer: normal(0, 1 / Math.sqrt(size)) });
    this.positions =
      positions === "learned" ? learned() : positions === "sinusoidal" ? new SinusoidalPositions(size) : null;
    this.norm = new LayerNorm(size);
    this.head = newHead(size, options);
    if (tieWeights) {
      if (!(this.head instanceof Linear)) {
        throw new ArgumentError("TransformerLanguageModel", "tieWeights", "false with cutoffs", tieWeights);
      }
      this.head.weight = this.embedding.weight;
    }
  }

  /** State: `keys` and `values`, (layers, B, heads, S, size / heads) each, S the steps that are kept. @internal */
  protected override features(ids: Ids, state: RecurrentState | undefined) {
    const { size } = this.#options;
    if (ids.shape.length !== 2 || ids.size === 0) {
      throw new ShapeError(this.label, "ids", ["B", "T, 1 or more"], ids.shape);
    }
    const { keys, values } = state ?? {};
    for (const kept of state === undefined ? [] : [keys, values]) {
      if (kept?.shape[0] !== this.layers.length) {
        throw new ShapeError(this.label, "state", [this.layers.length, "B", "heads", "S", "size"], kept?.shape ?? []);
      }
    }
    const tokens = mul(this.embedding.forward(ids), Math.sqrt(size));
    let x = this.drop(this.#withPositions(tokens, keys?.shape[3] ?? 0));
    const caches: AttentionCache[] = [];
    this.layers.forEach((layer, i) => {
      const before = keys && values && { keys: select(keys, 0, i), values: select(values, 0, i) };
      const { output, cache } = layer.forward(x, before);
      caches.push(cache);
      x = output;
    });
    return {
      features: this.norm.forward(x),
      state: { keys: stack(caches.map((cache) => cache.keys)), values: stack(caches.map((cache) => cache.values)) },
    };
  }

  /**
   * With the vectors of their positions, if there are any.
   * @param x - (B, T, size)
   * @param before - steps that are kept
   */
  #withPositions(x: Tensor, before: number): Tensor {
    if (this.positions === null) return x;
    const numbers = Int32Array.from({ length: x.shape[1] as number }, (_, t) => (before + t) % this.#context);
    return add(x, this.positions.forward(new Ids(numbers)));
  }

  /** JSON data that, with the tokenizer, make the same model. */
  config(): Readonly<Record<string, unknown>> {
    const { tokenizer: _, ...sizes } = this.#options;
    return sizes;
  }

  /** The model of a file that `save` wrote. @throws LoadError */
  static from(source: ModelSource, options: { readonly core?: Core } = {}): TransformerLanguageModel {
    const file = readModelFile(source);
    const config = new Config("TransformerLanguageModel", file);
    const given = {
      ...nextTokenOptionsFrom(config),
      size: config.size("size"),
      numLayers: config.layers(),
      heads: config.number("heads"),
      context: config.number("context"),
      positions: config.choice("positions", POSITIONS),
      feedForwardSize: config.number("feedForwardSize"),
      tieWeights: config.flag("tieWeights"),
    };
    return load(
      config.construct(() => new TransformerLanguageModel(given)),
      file,
      options,
    );
  }
}
