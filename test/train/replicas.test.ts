/** Replicas in threads of Node: the gradients of one thread, the same bits in every run, and ends of all kinds. */
import { createHash } from "node:crypto";
import { Worker } from "node:worker_threads";
import * as unrolled from "unrolled";
import { describe, expect, it } from "vitest";
import { type Batch, lanes } from "../../ts/data/lanes.js";
import { ArgumentError, LoadError, ReplicaError, TrainingDivergedError } from "../../ts/errors.js";
import { save } from "../../ts/io/model-file.js";
import { LSTM } from "../../ts/nn/lstm.js";
import type { Module } from "../../ts/nn/module.js";
import { LanguageModel } from "../../ts/tasks/language-model.js";
import { CharTokenizer } from "../../ts/text/char-tokenizer.js";
import { Adam } from "../../ts/train/adam.js";
import { WeightAverage } from "../../ts/train/average.js";
import { type TrainEvent, type TrainOptions, train } from "../../ts/train/loop.js";
import { type ReplicaOptions, replicas } from "../../ts/train/replicas/replicas.js";
import { ReduceOnPlateau } from "../../ts/train/schedules/plateau.js";
import { SGD } from "../../ts/train/sgd.js";
import { taggerOf, text } from "./replica-models.mjs";

const tokenizer = CharTokenizer.from(text);
/** B = 5, T = 4: neither 2 nor 3 divides the rows. */
const data = lanes(tokenizer.encode(text), { batchSize: 5, seqLen: 4, validation: 0.2 });

const plain = { hiddenSize: 6, numLayers: 2 };
/** Every kind of random mask that a language model has. */
const dropouts = {
  independent: { ...plain, dropout: 0.3, inputDropout: 0.2 },
  locked: { ...plain, dropout: 0.3, inputDropout: 0.2, lockedDropout: true, weightDropout: 0.4 },
  "of embeddings": { ...plain, dropout: 0.3, embeddingSize: 7, embeddingDropout: 0.3 },
};

interface Mishap {
  readonly mishap: "no model" | "exit" | "throw" | "crash" | "nan" | "silence";
  /** Shards that go well before. */
  readonly at?: number;
}

/** Makes workers, and remembers them. */
function crew(options: object | "tagger", mishap: Mishap | undefined = undefined) {
  const workers: Worker[] = [];
  const worker = () => {
    const made = new Worker(new URL("replica-worker.mjs", import.meta.url), { workerData: { options, ...mishap } });
    workers.push(made);
    return made;
  };
  return { worker, workers };
}

/** How many have not ended: those that have lose their number. */
const alive = (workers: readonly Worker[]) => workers.filter(({ threadId }) => threadId !== -1).length;

type Options = Partial<TrainOptions<LanguageModel, Batch>>;

const languageModel = (options: typeof plain = plain) =>
  new LanguageModel({ tokenizer, cell: LSTM, ...options }).init({ seed: 3 });

const valuesOf = (model: { stateDict(): unrolled.StateDict }) =>
  [...model.stateDict().values()].flatMap(({ data: values }) => [...values]);

async function eventsOf(run: AsyncIterable<TrainEvent>, events: TrainEvent[] = []): Promise<TrainEvent[]> {
  for await (const event of run) events.push(event);
  return events;
}

const of = <K extends TrainEvent["kind"]>(events: readonly TrainEvent[], kind: K) =>
  events.filter((event): event is Extract<TrainEvent, { kind: K }> => event.kind === kind);

/** Whole files would take minutes to be shown when they differ. */
const digest = (bytes: Uint8Array | undefined) =>
  createHash("sha256")
    .update(bytes ?? "")
    .digest("hex");

/** Trains by plain gradient descent, so that values differ as gradients do. */
async function descend(options: typeof plain, more: Options) {
  const model = languageModel(options);
  const optimizer = new SGD(model, { lr: 0.5, seed: 9 });
  const events = await eventsOf(train(model, data.train, { optimizer, updates: 3, ...more }));
  return { values: valuesOf(model), losses: of(events, "update").map(({ loss }) => loss), events };
}

function largestDifference(a: readonly number[], b: readonly number[]): number {
  expect(a).toHaveLength(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);
}

/** A run with all that a loop has, on n threads; what it leaves. */
async function everything(options: Partial<ReplicaOptions<Batch>>, more: Options = {}) {
  const { worker, workers } = crew(dropouts.independent);
  const model = languageModel(dropouts.independent);
  const optimizer = new Adam(model, { lr: 0.02, seed: 9 });
  const average = new WeightAverage(model, { decay: 0.8 });
  const events = await eventsOf(
    train(model, data.train, {
      optimizer,
      replicas: replicas({ n: 3, worker, ...options }),
      accumulate: 2,
      clipGradNorm: 0.5,
      schedule: new ReduceOnPlateau(0.02, { patience: 0, threshold: 0.5 }),
      valid: data.valid,
      validEvery: 2,
      checkpointEvery: 3,
      keepBest: true,
      updates: 7,
      onEvent: (event) => void (event.kind === "update" && average.update()),
      ...more,
    }),
  );
  expect(alive(workers)).toBe(0);
  const averaged = average.run(() => digest(save(model)));
  average.dispose();
  return { workers, events, averaged, checkpoints: of(events, "checkpoint").map(({ bytes }) => bytes) };
}

describe("replicas", () => {
  it.each(Object.entries(dropouts))("have the gradients of one thread, with dropout: %s", async (_, options) => {
    const alone = await descend(options, {});
    expect(largestDifference(alone.values, valuesOf(languageModel(options)))).toBeGreaterThan(1e-3);
    for (const n of [2, 3, 5]) {
      const split = await descend(options, { replicas: replicas({ n, worker: crew(options).worker }) });
      expect(largestDifference(split.values, alone.values)).toBeLessThan(1e-5);
      expect(largestDifference(split.losses, alone.losses)).toBeLessThan(1e-5);
    }
  });

  it("may be more than there are rows, and all be workers", async () => {
    const options = { accumulate: 2, clipGradNorm: 0.1, lossScale: 4, valid: data.valid, validEvery: 2 };
    const alone = await descend(plain, options);
    const { worker, workers } = crew(plain);
    const split = await descend(plain, { ...options, replicas: replicas({ n: 7, worker, ownShard: false }) });
    expect(workers).toHaveLength(7);
    expect(largestDifference(split.values, alone.values)).toBeLessThan(1e-5);
    const losses = (events: readonly TrainEvent[]) => of(events, "valid").map(({ loss }) => loss);
    expect(losses(alone.events)).toHaveLength(2);
    expect(largestDifference(losses(split.events), losses(alone.events))).toBeLessThan(1e-5);
  });

  it("have the gradients of one thread for sequences of different lengths, and frozen and unused parameters", async () => {
    const examples = Array.from({ length: 10 }, (_, i) => {
      const inputs = Array.from({ length: 1 + ((i * 3) % 7) }, (_, t) => (i * 5 + t * t) % 11);
      return { inputs, targets: inputs.map((id) => id % 3) };
    });
    const batches = unrolled.paddedBatches(examples, { batchSize: 5 });
    const Tagger = taggerOf(unrolled);
    const run = async (more: { readonly replicas?: unrolled.Replication<ReturnType<typeof batches.batch>> }) => {
      const model = new Tagger().init({ seed: 2 });
      model.encoder.parameters()[0]!.trainable = false;
      const optimizer = new unrolled.SGD(model, { lr: 0.5 });
      await unrolled.train(model, batches, { optimizer, updates: 2, ...more }).done;
      return valuesOf(model);
    };
    const alone = await run({});
    const split = await run({ replicas: unrolled.replicas({ n: 2, worker: crew("tagger").worker }) });
    expect(largestDifference(split, alone)).toBeLessThan(1e-5);
  });

  it("give the same bits in every run, whoever computes the first shard, and after a resumption", async () => {
    const first = await everything({});
    expect(of(first.events, "valid")).toHaveLength(4);
    expect(first.checkpoints).toHaveLength(3);
    const second = await everything({ ownShard: false });
    expect([first.workers.length, second.workers.length]).toEqual([2, 3]);
    expect(second.checkpoints.map(digest)).toEqual(first.checkpoints.map(digest));
    expect(second.averaged).toBe(first.averaged);
    for (const resume of first.checkpoints.slice(0, 2)) {
      const again = await everything({}, { resume });
      expect(digest(again.checkpoints.at(-1))).toBe(digest(first.checkpoints.at(-1)));
    }
  });

  it("end with the run that was aborted or left", async () => {
    const { worker, workers } = crew(plain);
    const abort = new AbortController();
    const options = () => ({ optimizer: new SGD(languageModel()), epochs: 1e6, replicas: replicas({ n: 2, worker }) });
    const model = languageModel();
    const onEvent = ({ kind }: TrainEvent) => void (kind === "update" && abort.abort());
    const run = train(model, data.train, { ...options(), optimizer: new SGD(model), onEvent, signal: abort.signal });
    expect((await run.done).reason).toBe("aborted");
    for await (const event of train(model, data.train, { ...options(), optimizer: new SGD(model) })) {
      if (event.kind === "update") break;
    }
    expect(workers).toHaveLength(2);
    expect(alive(workers)).toBe(0);
  });

  it.each([
    ["no model", 0, "replica 1: Error: no model today"],
    ["crash", 0, "replica 1: its worker failed: Error: out of nowhere"],
    ["silence", 0, "replica 1: its worker ended with exit code 0"],
  ] as const)("that cannot start end the run: %s", async (mishap, at, message) => {
    const { worker, workers } = crew(plain, { mishap, at });
    const model = languageModel();
    const optimizer = new SGD(model);
    const run = train(model, data.train, { optimizer, checkpointEvery: 2, replicas: replicas({ n: 3, worker }) });
    const error = await eventsOf(run).catch((error) => error);
    expect(error).toBeInstanceOf(ReplicaError);
    // Both workers fail; one is first.
    expect(error.message.replace("replica 2", "replica 1")).toBe(message);
    expect(workers).toHaveLength(2);
    expect(alive(workers)).toBe(0);
  });

  it.each([
    ["exit", "replica 1: its worker ended with exit code 3"],
    ["throw", "replica 1: RangeError: this shard is cursed"],
  ] as const)(
    "that fail leave a checkpoint, from which the run goes on as if nothing had been: %s",
    async (mishap, message) => {
      const options = { updates: 6, checkpointEvery: 6, accumulate: 2 };
      const { worker, workers } = crew(plain, { mishap, at: 7 });
      const sound = () => replicas<Batch>({ n: 2, worker: crew(plain).worker });
      const events: TrainEvent[] = [];
      const model = languageModel();
      const optimizer = new SGD(model, { lr: 0.5 });
      const run = train(model, data.train, { ...options, optimizer, replicas: replicas({ n: 2, worker }) });
      await expect(eventsOf(run, events)).rejects.toThrow(message);
      expect(alive(workers)).toBe(0);
      const [kept] = of(events, "checkpoint");
      // The second batch of the fourth update.
      expect(kept?.update).toBe(3);
      const whole = await descend(plain, { ...options, replicas: sound() });
      const rest = await descend(plain, { ...options, replicas: sound(), resume: kept?.bytes });
      const [last, expected] = [rest, whole].map(({ events: all }) => of(all, "checkpoint").at(-1)?.bytes);
      expect(digest(last)).toBe(digest(expected));
      expect(last).toBeDefined();
    },
  );

  it("that are terminated end the run", async () => {
    const { worker, workers } = crew(plain);
    const model = languageModel();
    const optimizer = new SGD(model);
    const run = train(model, data.train, {
      optimizer,
      epochs: 1e6,
      replicas: replicas({ n: 2, worker }),
      onEvent: ({ kind }) => void (kind === "start" && workers[0]?.terminate()),
    });
    await expect(run.done).rejects.toThrow(new ReplicaError(1, "its worker ended with exit code 1"));
  });

  it("tell where a loss stopped being finite", async () => {
    const { worker } = crew(plain, { mishap: "nan", at: 2 });
    const error = await descend(plain, { replicas: replicas({ n: 2, worker }) }).catch((error) => error);
    expect(error).toBeInstanceOf(TrainingDivergedError);
    expect(error).toMatchObject({
      update: 3,
      where: expect.stringMatching(/^replica 1: an input of \w+ after head.weight/),
    });
  });

  it("refuse what they cannot do", async () => {
    const { worker, workers } = crew(plain);
    expect(() => replicas({ n: 1, worker })).toThrow(ArgumentError);
    const other = languageModel();
    await expect(descend(plain, { optimizer: new SGD(other), replicas: replicas({ n: 2, worker }) })).rejects.toThrow(
      "optimizer must be of parameters of the model",
    );
    const differing = crew({ ...plain, hiddenSize: 7 }).worker;
    await expect(descend(plain, { replicas: replicas({ n: 2, worker: differing }) })).rejects.toThrow(
      "replica 1: ShapeError: loadStateDict",
    );
    const model = languageModel();
    const options = { optimizer: new SGD(model), replicas: replicas<string>({ n: 2, worker }) };
    const run = train<Module, string>(model, ["no rows"], { ...options, loss: () => model.head.weight });
    await expect(run.done).rejects.toThrow("sharding must be given for batches without rows");
    expect(alive(workers)).toBe(0);
  });

  it("refuse checkpoints of another number of threads", async () => {
    const { checkpoints } = await everything({ n: 2 });
    const resume = checkpoints[0] as Uint8Array;
    await expect(everything({ n: 3 }, { resume })).rejects.toThrow(LoadError);
    await expect(everything({}, { resume, replicas: undefined })).rejects.toThrow("replicas.n 2, expected 1");
  });
});
