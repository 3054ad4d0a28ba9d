/** How to train: a preset, and what the options change of it. */
import type { LanesOptions } from "../data/lanes.js";
import type { Module } from "../nn/module.js";
import type { LanguageModel, LanguageModelOptions } from "../tasks/language-model.js";
import { type Preset, presets } from "../tasks/presets.js";
import { Adadelta } from "../train/adadelta.js";
import { Adagrad } from "../train/adagrad.js";
import { Adam } from "../train/adam.js";
import { AdamW } from "../train/adamw.js";
import { AveragedSGD, NonMonotoneTrigger } from "../train/averaged-sgd.js";
import { Lion } from "../train/lion.js";
import type { TrainOptions } from "../train/loop.js";
import { NAdam } from "../train/nadam.js";
import type { Optimizer, OptimizerOptions } from "../train/optimizer.js";
import { RMSprop } from "../train/rmsprop.js";
import { type Schedule, warmUp } from "../train/schedules/schedule.js";
import { SGD } from "../train/sgd.js";
import { choice, count, flag, number, type Values } from "./arguments.js";
import { cells } from "./cells.js";
import { UsageError } from "./errors.js";
import { type RunSchedule, scheduleOption } from "./schedule.js";
import { characters, DEFAULT_VOCABULARY, type TokenKind, tokenKinds } from "./tokens.js";

type OptimizerClass = new (target: Module, options: OptimizerOptions) => Optimizer;
const optimizers: ReadonlyMap<string, OptimizerClass> = new Map<string, OptimizerClass>([
  ["adamw", AdamW],
  ["adam", Adam],
  ["nadam", NAdam],
  ["rmsprop", RMSprop],
  ["adagrad", Adagrad],
  ["adadelta", Adadelta],
  ["lion", Lion],
  ["sgd", SGD],
  ["averaged-sgd", AveragedSGD],
]);

const defaultPreset = "quick";

/** The options that make a recipe. What is not given is the preset's. */
export const recipeOptions = {
  preset: choice(`a whole recipe, of which the options below change parts (default ${defaultPreset})`, presets),
  tokens: choice("what the text is cut into (default char)", tokenKinds),
  vocabulary: count(
    `different tokens at most, other than characters; what is not among them is spelled (default ${DEFAULT_VOCABULARY})`,
    { min: 256, max: 1_000_000 },
  ),
  cell: choice("recurrent cell", cells),
  hidden: count("units of a layer", { max: 65_536 }),
  layers: count("layers on top of each other", { max: 64 }),
  embedding: count(
    "size of the embeddings; 0: none, tokens are one-hot vectors (default for characters; else as --hidden)",
    {
      min: 0,
      max: 65_536,
    },
  ),
  dropout: number("probability of dropout after every layer", { min: 0, max: 0.99 }),
  "input-dropout": number("probability of dropout before the first layer", { min: 0, max: 0.99 }),
  "locked-dropout": flag("one dropout mask for all steps of an update (variational dropout)"),
  "embedding-dropout": number("probability that a token's embedding is dropped; needs embeddings", {
    min: 0,
    max: 0.99,
  }),
  "weight-dropout": number("probability of dropout of recurrent weights", { min: 0, max: 0.99 }),
  "tie-weights": flag("the embeddings are the weights of the output too; --embedding must be as large as --hidden"),
  "label-smoothing": number("share of each target that is spread over all tokens while training", {
    min: 0,
    max: 0.99,
  }),
  "seq-len": count("tokens of an update in each lane: how far gradients go back", { max: 1_000_000 }),
  "batch-size": count("lanes: places of the text that are read side by side", { max: 1_000_000 }),
  optimizer: choice("optimizer, with its usual settings instead of the preset's", optimizers),
  "non-monotone": count(
    "averaged-sgd begins to average when a validation loss is above the lowest of all but the N before it (NT-ASGD; " +
      "default: after a million updates); validation, samples and the saved model then have the averages",
    { min: 0, max: 1_000_000 },
  ),
  recompute: count(
    "less memory for a large --seq-len: keep the states of every N-th step alone, and compute the others again (default: keep all)",
    { max: 1_000_000 },
  ),
  lr: number("learning rate", { above: 0, max: 1000 }),
  "weight-decay": number("weight decay (default: the optimizer's)", { min: 0, max: 1000 }),
  schedule: scheduleOption,
  "warm-up": count("updates in which the learning rate rises from 0 to where its schedule begins"),
  accumulate: count("batches whose gradients are averaged for one update (default 1)", { max: 1_000_000 }),
  "clip-norm": number("largest norm of the gradients; 0: any", { min: 0, max: 1e9 }),
  "clip-value": number("largest magnitude of a gradient's element; 0: any", { min: 0, max: 1e9 }),
};

/** Everything that decides what is learned from a text, the number of updates aside. */
export interface Recipe {
  readonly preset: string;
  readonly tokens: TokenKind;
  /** Tokens at most. */
  readonly vocabulary: number;
  readonly cell: string;
  readonly model: Omit<LanguageModelOptions, "tokenizer">;
  readonly initializer: Preset["initializer"];
  readonly lanes: LanesOptions;
  readonly optimizer: (model: LanguageModel) => Optimizer;
  readonly training: Pick<
    TrainOptions<never, never>,
    "clipGradNorm" | "clipGradValue" | "lossScale" | "smoothing" | "accumulate"
  >;
  /** From the optimizer's learning rate at first. */
  readonly schedule: (lr: number) => RunSchedule;
}

/** The recipe of a command line. */
export function recipeOf(values: Values<typeof recipeOptions>, seed: number): Recipe {
  const preset = values.preset ?? (presets.get(defaultPreset) as Preset);
  const { model, lanes, training } = preset;
  const { lr, optimizer: Chosen } = values;
  const cell = values.cell ?? model.cell;
  const seqLen = values["seq-len"] ?? lanes.seqLen;
  const tokens = values.tokens ?? characters;
  if (values.vocabulary !== undefined && tokens === characters) {
    throw new UsageError("--vocabulary takes --tokens other than char");
  }
  const hiddenSize = values.hidden ?? model.hiddenSize;
  // One-hot vectors of thousands of tokens would make the first layer as large as an embedding for each gate.
  const embeddingSize = values.embedding ?? model.embeddingSize ?? (tokens === characters ? undefined : hiddenSize);
  const clipGradNorm = values["clip-norm"] ?? training.clipGradNorm;
  const clipGradValue = values["clip-value"] ?? training.clipGradValue;
  const weightDecay = values["weight-decay"];
  const optimizerOptions = {
    seed,
    ...(lr === undefined ? {} : { lr }),
    ...(weightDecay === undefined ? {} : { weightDecay }),
  };
  const patience = values["non-monotone"];
  if (patience !== undefined && Chosen !== AveragedSGD) {
    throw new UsageError("--non-monotone takes --optimizer averaged-sgd");
  }
  if (values["embedding-dropout"] !== undefined && !embeddingSize) {
    throw new UsageError("--embedding-dropout takes embeddings: --embedding N");
  }
  if (values["tie-weights"] && embeddingSize !== hiddenSize) {
    throw new UsageError(`--tie-weights takes embeddings as large as a layer: --embedding ${hiddenSize}`);
  }
  return {
    preset: preset.name,
    tokens,
    vocabulary: values.vocabulary ?? DEFAULT_VOCABULARY,
    cell: cell.name,
    model: {
      ...model,
      cell,
      hiddenSize,
      numLayers: values.layers ?? model.numLayers ?? 1,
      dropout: values.dropout ?? model.dropout ?? 0,
      embeddingSize: embeddingSize === 0 ? undefined : embeddingSize,
      inputDropout: values["input-dropout"],
      lockedDropout: values["locked-dropout"],
      embeddingDropout: values["embedding-dropout"],
      weightDropout: values["weight-dropout"],
      tieWeights: values["tie-weights"] ?? model.tieWeights,
      labelSmoothing: values["label-smoothing"],
      recompute: values.recompute ?? model.recompute,
    },
    initializer: (embeddingSize && preset.initializerWithEmbeddings) || preset.initializer,
    lanes: { ...lanes, seqLen, batchSize: values["batch-size"] ?? lanes.batchSize },
    optimizer: (lm) => {
      if (Chosen === undefined) return preset.optimizer(lm, optimizerOptions);
      if (patience === undefined) return new Chosen(lm, optimizerOptions);
      return new AveragedSGD(lm, { ...optimizerOptions, trigger: new NonMonotoneTrigger({ patience }) });
    },
    training: {
      smoothing: training.smoothing,
      clipGradNorm: clipGradNorm === 0 ? undefined : clipGradNorm,
      clipGradValue: clipGradValue === 0 ? undefined : clipGradValue,
      // A scaled loss is one that is summed over time: the sum follows the length.
      lossScale: training.lossScale === undefined ? undefined : (training.lossScale * seqLen) / lanes.seqLen,
      accumulate: values.accumulate,
    },
    schedule: (rate) => {
      const preset = Chosen === undefined ? scaledSchedule(training.schedule, lr) : undefined;
      const schedule = values.schedule?.make(rate) ?? preset;
      const steps = values["warm-up"];
      if (steps === undefined) return schedule;
      if (typeof schedule === "object") throw new UsageError("--warm-up and --schedule plateau exclude each other");
      return warmUp(schedule ?? (() => rate), { steps });
    },
  };
}

/** The preset's schedule, starting from another learning rate. */
function scaledSchedule(schedule: Schedule | undefined, lr: number | undefined): Schedule | undefined {
  if (schedule === undefined || lr === undefined) return schedule;
  const factor = lr / schedule(0, 1);
  return (update, epoch) => factor * schedule(update, epoch);
}
