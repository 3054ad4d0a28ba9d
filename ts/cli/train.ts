/** `unrolled train`: from a text file to a model file. */
import { Worker } from "node:worker_threads";
import { type LanesSplit, lanes } from "../data/lanes.js";
import { isUnrolledError } from "../errors.js";
import { generate } from "../infer/generate.js";
import { save } from "../io/model-file.js";
import { readText } from "../node/files.js";
import { LanguageModel } from "../tasks/language-model.js";
import { readCheckpoint } from "../train/checkpoint.js";
import { type EndEvent, train } from "../train/loop.js";
import { replicas } from "../train/replicas/replicas.js";
import { count, flag, listOf, number, parseArguments, string, type Usage, type Values } from "./arguments.js";
import { cells } from "./cells.js";
import { CommandError, checkPrompt, UsageError } from "./errors.js";
import type { EndReport, StartReport } from "./events.js";
import { Interruption } from "./interruption.js";
import { Keeper } from "./keeper.js";
import { named } from "./model.js";
import { type Recipe, recipeOf, recipeOptions } from "./recipe.js";
import { jsonReporter, LineReporter, ProgressReporter, quietReporter } from "./reporter.js";
import { checkText, identityOf, MARKED, type Resumption, type RunRecord, readResumption, valuesOf } from "./resume.js";
import { scheduleNotes } from "./schedule.js";
import { grouped, interactive, many } from "./terminal.js";
import { unitOf } from "./tokens.js";

/** What decides the result of a run, and is taken from the checkpoint when it goes on. */
const fixedOptions = {
  ...recipeOptions,
  validation: number("fraction of the text, from its end, that is only validated on (default 0.05)", {
    min: 0,
    max: 0.9,
  }),
  "early-stop": count("end when so many validations in a row have not been the lowest (default: never)"),
  "validate-every": count("updates between validations (default: so that they take about a tenth of the time)"),
  threads: count("threads that share each update's lanes; another number rounds differently (default 1)", { max: 256 }),
  seed: count("seed of everything random; the same command gives the same file (default 1)", {
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
  }),
};

/** How long it is: with --resume those that are given take the place of the checkpoint's. */
const limitOptions = {
  updates: count("updates at most, those before --resume included"),
  epochs: count("passes over the text at most (default 10, when neither --updates nor --seconds is given)"),
  seconds: number("seconds of training at most; a last validation comes on top, and --resume begins anew", {
    above: 0,
    max: 1e9,
  }),
};

/** How it is kept: with --resume those that are given take the place of the checkpoint's, each by itself. */
const keepingOptions = {
  "checkpoint-every": count("updates between checkpoints (default: every 100,000 tokens)"),
  "keep-checkpoints": count("how many checkpoints to keep, the latest ones (default 1)", { max: 1000 }),
};

const options = {
  ...fixedOptions,
  ...limitOptions,
  ...keepingOptions,
  out: string("MODEL", "file for the model, safetensors (default lm.safetensors)"),
  resume: string("MODEL", "go on with the run that made this model, from the checkpoint beside it, on the same text"),
  "sample-every": count("updates between samples; 0: none (default: every 250,000 tokens)", { min: 0 }),
  "sample-length": count("tokens of a sample (default 300)", { max: 1_000_000 }),
  temperature: number("temperature of the samples (default 0.8)", { min: 0, max: 1000 }),
  prompt: string("TEXT", "what the samples begin with"),
  "report-every": count("updates between lines or JSON events (default: every 25,000 tokens)"),
  json: flag("one JSON object a line for each event (start, update, valid, sample, epoch, save, checkpoint, end)"),
  quiet: flag("print nothing but errors"),
};

export const trainUsage: Usage<typeof options> = {
  name: "train",
  operands: ["FILE"],
  summary:
    "Trains a recurrent network to continue a text, by characters, words or subwords. FILE is UTF-8 text; - is standard input.",
  options,
  notes: [
    "With --tokens word a word is a token with the space before it, and so is a mark; words outside the vocabulary, and those that " +
      "occur once, are spelled by their characters. With --tokens subword words are made of pieces, which byte-pair encoding finds. " +
      "Either way any text can be read and written.",
    "",
    "Schedules and their parameters (those in brackets may be left out), as in --schedule step:step-size=1000,gamma=0.5 " +
      "or multistep:milestones=1000/2000:",
    ...scheduleNotes,
    "",
    "The model is saved whenever its validation loss is the lowest so far (without validation: every minute), and at the end. " +
      "A file that is there is only ever replaced by a complete one.",
    "Beside it (lm.checkpoint.safetensors for lm.safetensors) is a checkpoint of the latest state, from which --resume goes on; " +
      "the run then ends as if it had never stopped. With --keep-checkpoints there are earlier ones too " +
      "(lm.checkpoint.previous-1.safetensors), and --resume takes the latest that is not damaged. Ctrl-C finishes the update at hand and writes both; a second Ctrl-C ends " +
      "at once. The checkpoint knows the recipe: only limits (--updates, --epochs, --seconds) can be given anew.",
  ],
  examples: [
    "unrolled train shakespeare.txt --out shakespeare.safetensors",
    "unrolled train shakespeare.txt --cell gru --hidden 256 --dropout 0.2",
    "unrolled train novel.txt --tokens word --vocabulary 6000 --tie-weights",
    "unrolled train news.txt --tokens word --preset zaremba-small --epochs 13",
    "unrolled train shakespeare.txt --threads 2",
    "unrolled train shakespeare.txt --preset min-char-rnn --updates 10000",
    "unrolled train shakespeare.txt --schedule cosine:steps=5000 --warm-up 100",
    "unrolled train shakespeare.txt --schedule plateau:patience=2 --early-stop 8",
    "unrolled train shakespeare.txt --weight-dropout 0.5 --weight-decay 1e-6",
    "unrolled train shakespeare.txt --optimizer averaged-sgd --non-monotone 5",
    "unrolled train shakespeare.txt --seq-len 2000 --recompute 45",
    "unrolled train shakespeare.txt --resume shakespeare.safetensors --epochs 20",
    "cat *.md | unrolled train - --seconds 60 --prompt '# '",
  ],
};

const reportedTokens = 25_000;
const sampledTokens = 250_000;
/** Tokens between two validations at least. */
const validatedTokens = 100_000;
/** Share of the time that validations may take by default; one takes about a third of training on the same text. */
const validationShare = 0.1;
/** Tokens between two checkpoints, which take a hundredth of the time at most. */
const checkpointedTokens = 100_000;
const sampleSeed = 1;

/** Runs the command; resolves to the exit code. */
export async function trainCommand(args: readonly string[]): Promise<number> {
  const { operand: file, values: given, texts } = parseArguments(trainUsage, args);
  if (given.json && given.quiet) throw new UsageError("--json and --quiet exclude each other");
  if (given.resume !== undefined) checkResumeOptions(texts);
  const resumed = given.resume === undefined ? undefined : await readResumption(given.resume, checkResumption);
  const written = writtenOptions(texts, resumed);
  const values: Values<typeof options> = resumed === undefined ? given : { ...given, ...valuesOf(written, options) };
  const { seed = 1, validation = 0.05, seconds = null, prompt = "" } = values;
  const out = resumed?.out ?? given.out ?? "lm.safetensors";
  const recipe = recipeOf(values, seed);
  const { threads = 1 } = values;
  const { batchSize } = recipe.lanes;
  if (threads > batchSize) {
    throw new UsageError(
      `--threads is ${threads}, but there ${batchSize === 1 ? "is 1 lane" : `are ${batchSize} lanes`} to share: see --batch-size`,
    );
  }

  const text = await readText(file);
  const name = file === "-" ? "standard input" : file;
  if (text === "") throw new CommandError(`${name} is empty`);
  const tokenizer = recipe.tokens.from(text, recipe.vocabulary);
  const tokens = tokenizer.encode(text);
  const identity = identityOf(text);
  if (resumed !== undefined) checkText(resumed, name, identity);
  checkPrompt(prompt, tokenizer);
  const data = split(tokens, recipe, validation, name);
  const model = new LanguageModel({ tokenizer, ...recipe.model }).init({ seed, initializer: recipe.initializer });
  const optimizer = recipe.optimizer(model);
  // Before a checkpoint gives the optimizer the rate of its last update.
  const schedule = recipe.schedule(optimizer.lr);
  const earlyStop = values["early-stop"];
  const validating = [
    ...(earlyStop === undefined ? [] : ["--early-stop"]),
    ...(typeof schedule === "object" ? ["--schedule plateau"] : []),
    ...(values["non-monotone"] === undefined ? [] : ["--non-monotone"]),
  ];
  if (data.valid === undefined && validating[0] !== undefined) {
    throw new UsageError(`${validating[0]} takes validation: --validation must be above 0`);
  }
  if (resumed !== undefined) named(resumed.path, () => readCheckpoint(resumed.bytes, model, optimizer), MARKED);
  const keeper = new Keeper({
    path: out,
    model,
    optimizer,
    recipe,
    seed,
    run: { options: written, text: identity },
    resumed,
    keep: values["keep-checkpoints"] ?? 1,
  });
  const { replaces, checkpoint } = await keeper.check();

  const perUpdate = recipe.lanes.batchSize * recipe.lanes.seqLen * (values.accumulate ?? 1);
  const every = (count: number): number => Math.max(1, Math.round(count / perUpdate));
  const validationCost = (data.valid?.targetCount ?? 0) / 3 / validationShare;
  const epochs = values.epochs ?? (values.updates === undefined && seconds === null ? 10 : Infinity);
  const updatesPerEpoch = Math.ceil(data.train.length / (values.accumulate ?? 1));
  const updates = Math.min(values.updates ?? Infinity, epochs * updatesPerEpoch);
  const sampleEvery = values["sample-every"] ?? every(sampledTokens);
  const sample = (lm: LanguageModel): string => {
    const settings = {
      temperature: values.temperature ?? 0.8,
      maxTokens: values["sample-length"] ?? 300,
      seed: sampleSeed,
    };
    return prompt + [...generate(lm, prompt, settings)].join("");
  };

  const reporter = values.json
    ? jsonReporter
    : values.quiet
      ? quietReporter
      : interactive
        ? new ProgressReporter()
        : new LineReporter();
  keeper.reporter = reporter;
  for (const { message } of resumed?.refused ?? []) {
    reporter.warn(`${message}; the run goes on from ${resumed?.path}, after update ${resumed?.record.update}`);
  }
  await reporter.report(startReport());
  const begin = performance.now();
  const interruption = new Interruption(reporter);
  const run = train(model, data.train, {
    ...recipe.training,
    optimizer,
    schedule,
    earlyStop: earlyStop === undefined ? undefined : { patience: earlyStop },
    updates,
    seconds: seconds ?? undefined,
    epochs: Infinity,
    valid: data.valid,
    validEvery: values["validate-every"] ?? every(Math.max(validatedTokens, validationCost)),
    reportEvery: values["report-every"] ?? (reporter instanceof ProgressReporter ? 1 : every(reportedTokens)),
    ...(sampleEvery === 0 ? {} : { sample, sampleEvery }),
    // A network that knows nothing.
    smoothFrom: Math.log(tokenizer.size),
    ...(checkpoint === null
      ? {}
      : {
          checkpointEvery: values["checkpoint-every"] ?? every(checkpointedTokens),
          checkpointMetadata: (update: number) => keeper.metadata(update),
        }),
    resume: resumed?.bytes,
    replicas: threads === 1 ? undefined : replicas({ n: threads, worker: () => replicaOf(model) }),
    signal: interruption.signal,
  });
  let sampledAt = 0;
  let end: EndEvent | undefined;
  try {
    for await (const event of run) {
      if (event.kind === "end") end = event;
      else if (event.kind === "checkpoint") await keeper.checkpoint(event);
      else if (event.kind !== "start") await reporter.report(event);
      if (event.kind === "sample") sampledAt = event.update;
      else if (event.kind === "update") await keeper.updated(event);
      else if (event.kind === "valid") await keeper.validated(event);
    }
    await keeper.finish(isDone(end) ? "end" : "interrupted");
  } catch (error) {
    reporter.close();
    if (isUnrolledError(error) && error.code === "TRAINING_DIVERGED") throw keeper.explainDivergence(error);
    throw error;
  }
  const { update, epoch } = end as EndEvent;
  if (sampleEvery > 0 && sampledAt !== update && isDone(end)) {
    await reporter.report({ kind: "sample", update, epoch, text: optimizer.withAverages(() => sample(model)) });
  }
  await reporter.report({
    ...(end as EndEvent),
    ...keeper.kept,
    path: out,
    seconds: (performance.now() - begin) / 1000,
  } satisfies EndReport);
  return isDone(end) ? 0 : interruption.exitCode;

  function startReport(): StartReport {
    const trained = model.parameters().filter((parameter) => parameter.trainable);
    return {
      kind: "start",
      file: name,
      characters: identity.characters,
      tokenizer: tokenizer.kind,
      tokens: tokens.length,
      validationTokens: data.valid?.targetCount ?? 0,
      vocabulary: tokenizer.size,
      preset: recipe.preset,
      cell: recipe.cell,
      hiddenSize: recipe.model.hiddenSize,
      numLayers: recipe.model.numLayers ?? 1,
      embeddingSize: recipe.model.embeddingSize ?? 0,
      dropout: recipe.model.dropout ?? 0,
      parameters: trained.reduce((sum, parameter) => sum + parameter.size, 0),
      batchSize: recipe.lanes.batchSize,
      seqLen: recipe.lanes.seqLen,
      optimizer: optimizer.constructor.name,
      lr: optimizer.lr,
      seed,
      updatesPerEpoch,
      updates: Number.isFinite(updates) ? updates : null,
      seconds,
      out,
      checkpoint,
      resumedFrom: resumed?.record.update ?? null,
      replaces,
    };
  }
}

/** A thread with the same model. */
function replicaOf(model: LanguageModel): Worker {
  return new Worker(new URL("./replica.js", import.meta.url), { workerData: save(model) });
}

/** Whether the run ended by itself. */
function isDone(end: EndEvent | undefined): boolean {
  return end?.reason === "completed" || end?.reason === "early";
}

/** Throws unless a checkpoint has everything that a run needs, whatever the text. */
function checkResumption(bytes: Uint8Array, { options: written }: RunRecord): void {
  const values: Values<typeof options> = valuesOf(written, options);
  const { seed = 1 } = values;
  const model = LanguageModel.from(bytes, { cells: cells.values() });
  const optimizer = recipeOf(values, seed).optimizer(model);
  try {
    readCheckpoint(bytes, model, optimizer);
  } finally {
    optimizer.dispose();
    model.dispose();
  }
}

/** Throws `UsageError` for what a checkpoint says already. */
function checkResumeOptions(texts: ReadonlyMap<string, string>): void {
  const fixed = [...texts.keys()].filter((name) => name === "out" || Object.hasOwn(fixedOptions, name));
  if (fixed.length === 0) return;
  const names = fixed.map((name) => `--${name}`);
  throw new UsageError(`--resume goes on with what the run was started with, so it excludes ${listOf(names, "and")}`);
}

/** The options that a checkpoint keeps; limits that are given anew take the place of all earlier ones. */
function writtenOptions(texts: ReadonlyMap<string, string>, resumed: Resumption | undefined): Map<string, string> {
  const isLimit = (name: string): boolean => Object.hasOwn(limitOptions, name);
  const isKept = (name: string): boolean =>
    isLimit(name) || Object.hasOwn(fixedOptions, name) || Object.hasOwn(keepingOptions, name);
  const given = [...texts].filter(([name]) => isKept(name));
  const anew = given.some(([name]) => isLimit(name));
  const before = [...(resumed?.record.options ?? [])].filter(([name]) => !(anew && isLimit(name)));
  return new Map([...before, ...given]);
}

/** Lays the text out. Throws `CommandError` when it is too short for one update. */
function split(tokens: Int32Array, recipe: Recipe, validation: number, name: string): LanesSplit {
  const { batchSize, seqLen } = recipe.lanes;
  const training = tokens.length - Math.floor(validation * tokens.length);
  const needed = batchSize * seqLen + 1;
  if (training < needed) {
    const left = training === tokens.length ? "" : ` (${grouped(training)} after those for validation)`;
    throw new CommandError(
      `${name} is too short: it has ${many(tokens.length, unitOf(recipe.tokens.name))}${left}, and one update of ${batchSize} lanes of ${seqLen} ` +
        `takes ${grouped(needed)}; a smaller --batch-size or --seq-len takes less`,
    );
  }
  return lanes(tokens, { ...recipe.lanes, validation });
}
