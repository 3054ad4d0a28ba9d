/**
 * The training loop: an async iterator of typed events that keeps the event loop alive, and also runs when nobody
 * iterates.
 */
import { ArgumentError, isUnrolledError, LoadError, TrainingDivergedError } from "../errors.js";
import type { Module, StateDict } from "../nn/module.js";
import { CarriedState, type RecurrentState } from "../nn/state.js";
import { mul } from "../tensor/binary.js";
import type { PlainTensor, Tensor } from "../tensor/tensor.js";
import { type Progress, readCheckpoint, writeCheckpoint } from "./checkpoint.js";
import type { ClipOptions } from "./clip.js";
import { Breather, macrotask } from "./macrotask.js";
import type { Optimizer, UpdateResult } from "./optimizer.js";
import type { ReduceOnPlateau } from "./schedules/plateau.js";

/** Batches by number; see `Lanes`, which is one. `index` goes on over epochs of `length` batches. */
export interface BatchSource<B> {
  /** Batches of an epoch. */
  readonly length: number;
  /** Batch `index`, from 0; the same index gives the same batch. */
  batch(index: number): B;
}

/** Batches to train on: by number, or anything that can be iterated anew every epoch (an array, but not a generator). */
export type TrainingData<B> = BatchSource<B> | Iterable<B> | AsyncIterable<B>;

/**
 * Loss of a batch: the mean over its targets, a tensor of one element.
 * @param state - carried from batch to batch, empty at first; of use to recurrent models only
 */
export type LossFunction<M, B> = (model: M, batch: B, state: CarriedState<RecurrentState>) => Tensor;

/** A model that brings its own loss, as `LanguageModel` does. */
export interface ModelWithLoss<B> {
  /** Mean loss of a batch (a scalar); what the model carries from batch to batch is in `state`. */
  loss(batch: B, state: CarriedState<RecurrentState>): Tensor;
}

/** When to stop for want of improvement, as Keras's EarlyStopping. */
export interface EarlyStopOptions {
  /** Validations in a row without improvement after which the run ends. */
  readonly patience: number;
  /** By how many nats the loss must be below the lowest that counted to count as improvement; default 0. */
  readonly minimumImprovement?: number | undefined;
}

/** Is told what happens; a promise is waited for. */
export type TrainCallback = (event: TrainEvent) => void | PromiseLike<void>;

/** What replicas need of the run that they are part of. @internal */
export interface ReplicatedRun<B> {
  readonly model: Module;
  readonly optimizer: Optimizer;
  readonly loss: (batch: B, state: CarriedState<RecurrentState>) => Tensor;
  /** Whether the carried states are to be had after every update. */
  readonly keepState: boolean;
  /** The carried states to begin with, as {@link ReplicaSession.state} gave them. */
  readonly state: Record<string, PlainTensor> | undefined;
}

/** The replicas of one run. @internal */
export interface ReplicaSession<B> {
  /** Where the first value that is not finite appeared. */
  readonly where: string | undefined;
  /**
   * Computes loss and gradients of a batch.
   * @param part - number of the batch among those of an update
   * @returns makes the loss, with its gradients, for the recording of the optimizer
   */
  loss(batch: B, part: number): Promise<() => Tensor>;
  /** The loss of a batch without dropout. Batches of one pass, any object, are in order. */
  evaluate(batch: B, pass: object): Promise<number>;
  /** The carried states after the last update. */
  state(): Record<string, PlainTensor> | undefined;
  /** Ends the workers. */
  close(): Promise<void>;
}

/** How batches are split among threads; made by `replicas`. */
export interface Replication<B> {
  /** Threads, the calling one included. */
  readonly n: number;
  /** @internal */
  open(run: ReplicatedRun<B>): Promise<ReplicaSession<B>>;
}

/** Options of {@link train}. */
export interface TrainOptions<M, B> extends ClipOptions {
  /** Of the model's parameters. */
  readonly optimizer: Optimizer;
  /** Default: the model's own `loss(batch, state)`. */
  readonly loss?: LossFunction<M, B> | undefined;
  /**
   * The gradient is that of the mean loss times this; default 1. With a mean over T x B targets and `lossScale` T it is
   * that of the sum over time and the mean over the batch. With a sum over time and `lossScale` 1/T, weight gradients
   * are averaged over the T unrolled copies in place of summed. Reported losses are not scaled.
   */
  readonly lossScale?: number | undefined;
  /**
   * Batches that make one update, as if they were one batch: the gradients of their losses are averaged, weighted by
   * how many targets each has. Only one needs memory at a time. At the end of an epoch there may be fewer. Default 1.
   */
  readonly accumulate?: number | undefined;
  /** Passes over the data at most; default 1, or no limit when `updates` or `seconds` is given. */
  readonly epochs?: number | undefined;
  /** Updates at most; default: no limit. */
  readonly updates?: number | undefined;
  /** The last update is the first that ends after so many seconds by the clock; default: no limit. With one, no two runs are the same. */
  readonly seconds?: number | undefined;
  /**
   * What to validate on: anything that can be iterated anew each time. An optimizer that averages weights
   * (`AveragedSGD`) has the averages validated, kept by `keepBest` and used for samples, once it has begun.
   */
  readonly valid?: Iterable<B> | AsyncIterable<B> | undefined;
  /** Updates between validations; default: at the end of each epoch. At the end of the run in any case. */
  readonly validEvery?: number | undefined;
  /** Ends the run when validations bring nothing more; needs `valid`. Default: never. */
  readonly earlyStop?: EarlyStopOptions | undefined;
  /**
   * Keeps a copy of the weights of the lowest validation loss, and puts it back however the run ends; needs `valid`.
   * Default false. The optimizer stays as it is.
   */
  readonly keepBest?: boolean | undefined;
  /**
   * Updates of an epoch; default: as many as there are data for. With it the data go on from epoch to epoch, and begin
   * anew only where they end, so that they may be endless.
   */
  readonly updatesPerEpoch?: number | undefined;
  /** Called with every event before an iteration sees it; several in their order. What it throws ends the run. */
  readonly onEvent?: TrainCallback | readonly TrainCallback[] | undefined;
  /** Updates between `update` events; default 1. */
  readonly reportEvery?: number | undefined;
  /** Makes the text of a `sample` event. */
  readonly sample?: ((model: M) => string) | undefined;
  /** Updates between `sample` events; needed with `sample`. */
  readonly sampleEvery?: number | undefined;
  /**
   * Sets the learning rate before every update, from the number of updates done and of the epoch (from 1). A
   * `ReduceOnPlateau` is given every validation loss, and its state is in checkpoints.
   */
  readonly schedule?: ((update: number, epoch: number) => number) | ReduceOnPlateau | undefined;
  /** `smoothLoss` = smoothing smoothLoss + (1 - smoothing) loss; default 0.99. */
  readonly smoothing?: number | undefined;
  /** Where `smoothLoss` starts; default: the first loss. */
  readonly smoothFrom?: number | undefined;
  /** Ends the run between two updates. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Updates between `checkpoint` events; with it there is one at the end of the run too, aborted or ended by a trap of
   * the core or not. Whatever a schedule that is a function remembers is not in it.
   */
  readonly checkpointEvery?: number | undefined;
  /** More metadata for a checkpoint, for example how the run was started; made for each from the number of updates done. */
  readonly checkpointMetadata?: ((update: number) => Iterable<readonly [string, string]>) | undefined;
  /**
   * A checkpoint to go on from: model and optimizer, made as they were, take its values, and the data are gone through
   * from where it was. Without dependence on the clock the run then ends with the same bytes as one never stopped.
   */
  readonly resume?: Uint8Array | undefined;
  /** Splits every batch among several threads; default: all is computed in this one. */
  readonly replicas?: Replication<B> | undefined;
}

/** The run begins. */
export interface StartEvent {
  /** Tells the events apart. */
  readonly kind: "start";
  /** Values that are trained. */
  readonly parameters: number;
  /** Updates of an epoch, where they are known. */
  readonly updatesPerEpoch: number | undefined;
  /** Updates that the run will make, where that is known. */
  readonly updates: number | undefined;
}

/** Some updates were made: every `reportEvery`, and the last. */
export interface UpdateEvent {
  /** Tells the events apart. */
  readonly kind: "update";
  /** Updates so far. */
  readonly update: number;
  /** The current epoch, from 1. */
  readonly epoch: number;
  /** Mean loss in nats of the updates since the event before. */
  readonly loss: number;
  /** The same in bits. */
  readonly bitsPerChar: number;
  /** Running mean of the loss; see `smoothing`. */
  readonly smoothLoss: number;
  /** Global norm of the latest gradients, before clipping (of the scaled loss). */
  readonly gradNorm: number;
  /** Learning rate of this update. */
  readonly lr: number;
  /** Targets (for batches without a `count`: batches) a second since the event before, the time of updates only. */
  readonly charsPerSecond: number;
  /** Targets so far. */
  readonly targets: number;
}

/** The validation data were evaluated. */
export interface ValidEvent {
  /** Tells the events apart. */
  readonly kind: "valid";
  /** Updates made so far. */
  readonly update: number;
  /** The current epoch, from 1. */
  readonly epoch: number;
  /** Mean loss in nats over all targets. */
  readonly loss: number;
  /** The loss in bits a token; of character models bits a character. */
  readonly bitsPerChar: number;
  /** Whether it is the lowest so far. */
  readonly best: boolean;
}

/** A sample of what the model makes. */
export interface SampleEvent {
  /** Tells the events apart. */
  readonly kind: "sample";
  /** Updates made so far. */
  readonly update: number;
  /** The current epoch, from 1. */
  readonly epoch: number;
  /** What the `sample` option made. */
  readonly text: string;
}

/** An epoch was completed. */
export interface EpochEvent {
  /** Tells the events apart. */
  readonly kind: "epoch";
  /** Updates made so far. */
  readonly update: number;
  /** The epoch that ended, from 1. */
  readonly epoch: number;
  /** Mean loss in nats of its updates. */
  readonly loss: number;
}

/** The run can go on from here: see `resume`. */
export interface CheckpointEvent {
  /** Tells the events apart. */
  readonly kind: "checkpoint";
  /** Updates made so far. */
  readonly update: number;
  /** Epoch of that update, from 1. */
  readonly epoch: number;
  /** A model file with everything else that a run needs. */
  readonly bytes: Uint8Array;
}

/** The run is over. */
export interface EndEvent {
  /** Tells the events apart. */
  readonly kind: "end";
  /** All updates made; no more improvement (`earlyStop`); ended by the signal; or the iteration was left. */
  readonly reason: "completed" | "early" | "aborted" | "stopped";
  /** Updates made so far. */
  readonly update: number;
  /** Epoch of the last update, from 1. */
  readonly epoch: number;
  /** The smoothed training loss, NaN when there was no update. */
  readonly smoothLoss: number;
  /** The latest validation loss. */
  readonly validLoss: number | undefined;
  /** The lowest, that of the weights which `keepBest` puts back. */
  readonly bestValidLoss: number | undefined;
}

/** What happens in a run. */
export type TrainEvent = StartEvent | UpdateEvent | ValidEvent | SampleEvent | EpochEvent | CheckpointEvent | EndEvent;

/**
 * A run. Iterate it, once, or just `await run.done`: it starts by itself at the next turn of the event loop, and unless
 * it is being iterated by then, goes on at full speed and drops the events. An iteration sets the pace: no event is
 * lost, and the run waits for whoever is slow. Leaving the iteration stops the run.
 */
export class TrainingRun implements AsyncIterable<TrainEvent> {
  /** The last event; rejects with the error that ended the run, if one did. */
  readonly done: Promise<EndEvent>;
  readonly #events: AsyncGenerator<TrainEvent, void, undefined>;
  #iterated = false;

  /** @internal use {@link train} */
  constructor(loop: Loop) {
    let resolve!: (event: EndEvent) => void;
    let reject!: (error: unknown) => void;
    this.done = new Promise((onResolve, onReject) => {
      resolve = onResolve;
      reject = onReject;
    });
    this.#events = (async function* () {
      try {
        for await (const event of loop.run()) {
          for (const callback of loop.callbacks) await callback(event);
          yield event;
        }
        const end = loop.end("completed");
        for (const callback of loop.callbacks) await callback(end);
        resolve(end);
        yield end;
      } catch (error) {
        reject(error);
        throw error;
      } finally {
        // Reached without an end when the iteration was left; settled promises do not change any more.
        resolve(loop.end("stopped"));
      }
    })();
    void this.#drain();
  }

  /** @throws ArgumentError at a second call: events are given once */
  [Symbol.asyncIterator](): AsyncGenerator<TrainEvent, void, undefined> {
    if (this.#iterated) throw new ArgumentError("TrainingRun", "iteration", "started once", "a second one");
    this.#iterated = true;
    // The iteration throws what done rejects with, so done need not be watched as well.
    this.done.catch(() => undefined);
    return this.#events;
  }

  async #drain(): Promise<void> {
    await macrotask();
    try {
      while (!this.#iterated && !(await this.#events.next()).done);
    } catch {
      // done has it.
    }
  }
}

/**
 * Trains a model.
 *
 * A state is carried from batch to batch, which the loss resets where the data say so. Between updates the event loop
 * gets a turn at least every 16 ms.
 * @throws (as the run's rejection) TrainingDivergedError when loss or gradients stop being finite; CorePoisonedError when
 *   the core trapped, after which `core.recover()` and `resume` go on; and whatever loss and data throw
 */
export function train<M extends Module, B>(
  model: M,
  data: TrainingData<B>,
  options: TrainOptions<M, B> & (M extends ModelWithLoss<B> ? unknown : { readonly loss: LossFunction<M, B> }),
): TrainingRun {
  return new TrainingRun(new TypedLoop<M, B>(model, data, options));
}

const DEFAULT_SMOOTHING = 0.99;

/** What a run needs of its loop. */
interface Loop {
  readonly callbacks: readonly TrainCallback[];
  /** Everything but the end. */
  run(): AsyncGenerator<TrainEvent, void, undefined>;
  end(reason: "completed" | "stopped"): EndEvent;
}

/** State of one run. */
class TypedLoop<M extends Module, B> implements Loop {
  readonly #model: M;
  readonly #data: TrainingData<B>;
  readonly #options: TrainOptions<M, B>;
  readonly #loss: LossFunction<M, B>;
  readonly #scale: number;
  readonly #accumulate: number;
  readonly callbacks: readonly TrainCallback[];
  readonly #state = new CarriedState<RecurrentState>();
  #resumedState: Record<string, PlainTensor> | undefined;
  #replicas: ReplicaSession<B> | undefined;
  readonly #breather = new Breather();
  #update = 0;
  #epoch = 1;
  #targets = 0;
  #smoothLoss: number;
  #validLoss: number | undefined;
  #best = Infinity;
  #bestWeights: StateDict | undefined;
  /** The lowest loss that counted as improvement for `earlyStop`, and the validations since. */
  #stopBest = Infinity;
  #stopCount = 0;
  #stopEarly = false;
  /** The data of runs with `updatesPerEpoch`. */
  #endless: AsyncGenerator<B, void, undefined> | undefined;
  #validatedAt = 0;
  #checkpointAt = -1;
  /** Batches of the current epoch that are done. */
  #position = 0;
  /** All of them, and what follows an epoch as well. */
  #epochDone = false;
  readonly #sinceReport = new Average();
  readonly #sinceEpoch = new Average();
  #seconds = 0;
  #gradNorm = 0;
  #completed = false;

  constructor(model: M, data: TrainingData<B>, options: TrainOptions<M, B>) {
    this.#model = model;
    this.#data = data;
    this.#options = options;
    const own = model as M & Partial<ModelWithLoss<B>>;
    if (options.loss === undefined && typeof own.loss !== "function") {
      throw new ArgumentError("train", "loss", "given for a model without a loss of its own", options.loss);
    }
    this.#loss = options.loss ?? ((_, batch, state) => (own as ModelWithLoss<B>).loss(batch, state));
    this.#scale = options.lossScale ?? 1;
    this.#accumulate = options.accumulate ?? 1;
    this.#smoothLoss = options.smoothFrom ?? NaN;
    const { onEvent = [] } = options;
    this.callbacks = typeof onEvent === "function" ? [onEvent] : onEvent;
    checkCount("epochs", options.epochs);
    checkCount("updatesPerEpoch", options.updatesPerEpoch);
    if (!(Number.isSafeInteger(this.#accumulate) && this.#accumulate >= 1)) {
      throw new ArgumentError("train", "accumulate", "a whole number from 1", this.#accumulate);
    }
    checkCount("earlyStop.patience", options.earlyStop?.patience);
    const minimum = options.earlyStop?.minimumImprovement ?? 0;
    if (!(minimum >= 0)) throw new ArgumentError("train", "earlyStop.minimumImprovement", "at least 0", minimum);
    if (options.valid === undefined && (options.earlyStop !== undefined || options.keepBest === true)) {
      throw new ArgumentError("train", "valid", "given together with earlyStop and keepBest", undefined);
    }
    checkCount("updates", options.updates);
    if (options.seconds !== undefined && !(options.seconds > 0)) {
      throw new ArgumentError("train", "seconds", "above 0", options.seconds);
    }
    checkCount("validEvery", options.validEvery);
    checkCount("reportEvery", options.reportEvery);
    checkCount("sampleEvery", options.sampleEvery);
    checkCount("checkpointEvery", options.checkpointEvery);
    if (options.sample !== undefined && options.sampleEvery === undefined) {
      throw new ArgumentError("train", "sampleEvery", "given together with sample", undefined);
    }
  }

  async *run(): AsyncGenerator<TrainEvent, void, undefined> {
    try {
      const { resume, replicas, optimizer, checkpointEvery } = this.#options;
      if (resume !== undefined) this.#resume(resume);
      this.#replicas = await replicas?.open({
        model: this.#model,
        optimizer,
        loss: (batch, state) => this.#loss(this.#model, batch, state),
        keepState: checkpointEvery !== undefined,
        state: this.#resumedState,
      });
      yield this.#start();
      yield* this.#epochs();
      if (this.#sinceReport.weight > 0) yield this.#report();
      const { valid } = this.#options;
      if (valid !== undefined && this.#validatedAt !== this.#update && !this.#aborted) yield* this.#validate(valid);
      if (this.#checkpointDue) yield this.#checkpoint();
    } catch (error) {
      // A core that trapped still has the values of the last update, unless it was writing those of the next. When a
      // replica ended while it computed an update, everything before that update is at hand, too.
      const { core } = this.#model;
      const kept = core.poisoned ? !core.writing : isUnrolledError(error) && error.code === "REPLICA";
      if (kept && this.#checkpointDue) yield this.#checkpoint();
      throw error;
    } finally {
      await this.#replicas?.close();
      this.#state.dispose();
      this.#options.optimizer.discardParts();
      if (this.#bestWeights !== undefined) this.#model.loadStateDict(this.#bestWeights);
      await this.#endless?.return();
    }
  }

  end(reason: "completed" | "stopped"): EndEvent {
    const completed = this.#stopEarly ? "early" : this.#aborted && !this.#completed ? "aborted" : "completed";
    return {
      kind: "end",
      reason: reason === "completed" ? completed : reason,
      update: this.#update,
      epoch: this.#epoch,
      smoothLoss: this.#smoothLoss,
      validLoss: this.#validLoss,
      bestValidLoss: this.#best === Infinity ? undefined : this.#best,
    };
  }

  get #aborted(): boolean {
    return this.#options.signal?.aborted ?? false;
  }

  get #checkpointDue(): boolean {
    return this.#options.checkpointEvery !== undefined && this.#checkpointAt !== this.#update;
  }

  get #batchesPerEpoch(): number | undefined {
    const { updatesPerEpoch } = this.#options;
    if (updatesPerEpoch !== undefined) return updatesPerEpoch * this.#accumulate;
    if ("batch" in this.#data || Array.isArray(this.#data)) return (this.#data as { length: number }).length;
    return undefined;
  }

  #start(): StartEvent {
    const batches = this.#batchesPerEpoch;
    const perEpoch = batches === undefined ? undefined : Math.ceil(batches / this.#accumulate);
    const byEpochs = perEpoch === undefined ? NaN : perEpoch * this.#epochLimit;
    const updates = Math.min(byEpochs, this.#options.updates ?? Infinity);
    const trained = this.#options.optimizer.parameters.filter((parameter) => parameter.trainable);
    return {
      kind: "start",
      parameters: trained.reduce((total, parameter) => total + parameter.size, 0),
      updatesPerEpoch: perEpoch,
      updates: Number.isFinite(updates) ? updates : this.#options.updates,
    };
  }

  get #epochLimit(): number {
    const { epochs, updates, seconds } = this.#options;
    return epochs ?? (updates === undefined && seconds === undefined ? 1 : Infinity);
  }

  async *#epochs(): AsyncGenerator<TrainEvent, void, undefined> {
    const { updates = Infinity, valid, validEvery, sample, sampleEvery = Infinity, reportEvery = 1 } = this.#options;
    const { checkpointEvery = Infinity } = this.#options;
    // A validation that the signal cut short, so that the best values are those of a run that never stopped.
    const cutShort = validEvery === undefined ? this.#position === 0 : this.#update % validEvery === 0;
    if (valid !== undefined && cutShort && this.#update > 0 && this.#validatedAt !== this.#update)
      yield* this.#validate(valid);
    // A finished run that is resumed has nothing left to do.
    if (this.#update >= updates || this.#epoch > this.#epochLimit || this.#stopEarly) {
      this.#completed = true;
      return;
    }
    const deadline = performance.now() + (this.#options.seconds ?? Infinity) * 1000;
    for (; ; this.#epoch++) {
      if (this.#epochDone) this.#position = 0;
      this.#epochDone = false;
      let whole = true;
      let last = false;
      const batches = this.#batches();
      try {
        for (;;) {
          // Not between the batches of an update: there is nothing a run could go on from.
          if (this.#aborted) break;
          const taken = await this.#step(batches);
          if (taken === 0) break;
          this.#position += taken;
          if (this.#update % reportEvery === 0) yield this.#report();
          if (valid !== undefined && validEvery !== undefined && this.#update % validEvery === 0)
            yield* this.#validate(valid);
          if (sample !== undefined && this.#update % sampleEvery === 0) yield this.#sampleEvent(sample);
          if (this.#update % checkpointEvery === 0) yield this.#checkpoint();
          if (this.#breather.due) await this.#breather.breathe();
          if (this.#stopEarly) return;
          last = this.#update === updates || performance.now() >= deadline;
          if (last) {
            whole = this.#position === this.#batchesPerEpoch;
            break;
          }
        }
      } finally {
        await batches.return();
      }
      if (this.#aborted) return;
      if (this.#position === 0) throw new ArgumentError("train", "data", "at least one batch an epoch", "none");
      if (whole) {
        yield { kind: "epoch", update: this.#update, epoch: this.#epoch, loss: this.#sinceEpoch.take() };
        if (valid !== undefined && validEvery === undefined) yield* this.#validate(valid);
        this.#epochDone = true;
        if (this.#stopEarly) return;
      }
      if (last || this.#epoch === this.#epochLimit) {
        this.#completed = true;
        return;
      }
    }
  }

  /** The batches of the current epoch that are left. */
  async *#batches(): AsyncGenerator<B, void, undefined> {
    const data = this.#data;
    const { updatesPerEpoch } = this.#options;
    if ("batch" in data) {
      const length = this.#batchesPerEpoch as number;
      for (let step = this.#position; step < length; step++) yield data.batch((this.#epoch - 1) * length + step);
      return;
    }
    if (updatesPerEpoch !== undefined) {
      if (this.#endless === undefined) {
        this.#endless = repeated(data);
        for (let skip = this.#update * this.#accumulate; skip > 0; skip--) await this.#endless.next();
      }
      for (let left = updatesPerEpoch * this.#accumulate - this.#position; left > 0; left--) {
        const { value, done } = await this.#endless.next();
        if (done === true) return;
        yield value;
      }
      return;
    }
    let skip = this.#position;
    for await (const batch of data) if (skip-- <= 0) yield batch;
  }

  #checkpoint(): CheckpointEvent {
    this.#checkpointAt = this.#update;
    const progress: Progress = {
      numbers: {
        update: this.#update,
        epoch: this.#epochDone ? this.#epoch + 1 : this.#epoch,
        position: this.#epochDone ? 0 : this.#position,
        targets: this.#targets,
        smoothLoss: this.#smoothLoss,
        validLoss: this.#validLoss ?? NaN,
        best: this.#best,
        validatedAt: this.#validatedAt,
        reportSum: this.#sinceReport.sum,
        reportWeight: this.#sinceReport.weight,
        epochSum: this.#sinceEpoch.sum,
        epochWeight: this.#sinceEpoch.weight,
        stopBest: this.#stopBest,
        stopCount: this.#stopCount,
        ...this.#plateauNumbers(),
        ...(this.#options.replicas && { replicas: this.#options.replicas.n }),
      },
      state: this.#replicas === undefined ? this.#state.toArrays() : this.#replicas.state(),
      best: this.#bestWeights,
    };
    const { optimizer, checkpointMetadata } = this.#options;
    const bytes = writeCheckpoint(this.#model, optimizer, progress, checkpointMetadata?.(this.#update));
    return { kind: "checkpoint", update: this.#update, epoch: this.#epoch, bytes };
  }

  #resume(bytes: Uint8Array): void {
    const { numbers, state, best } = readCheckpoint(bytes, this.#model, this.#options.optimizer);
    const take = (name: string): number => {
      const value = numbers[name];
      if (value === undefined) throw new LoadError("header", `checkpoint: ${name} of the loop is missing`);
      return value;
    };
    this.#update = take("update");
    this.#epoch = take("epoch");
    this.#position = take("position");
    this.#targets = take("targets");
    this.#smoothLoss = take("smoothLoss");
    const validLoss = take("validLoss");
    this.#validLoss = Number.isNaN(validLoss) ? undefined : validLoss;
    this.#best = take("best");
    this.#validatedAt = take("validatedAt");
    this.#sinceReport.restore(take("reportSum"), take("reportWeight"));
    this.#sinceEpoch.restore(take("epochSum"), take("epochWeight"));
    this.#stopBest = take("stopBest");
    this.#stopCount = take("stopCount");
    const { earlyStop, schedule, keepBest, replicas } = this.#options;
    const [given, expected] = [numbers["replicas"] ?? 1, replicas?.n ?? 1];
    if (given !== expected) {
      throw new LoadError("value", `checkpoint: of a run with replicas.n ${given}, expected ${expected}`);
    }
    this.#stopEarly = earlyStop !== undefined && this.#stopCount >= earlyStop.patience;
    if (typeof schedule === "object") {
      const lowest = take("plateauBest");
      schedule.loadStateDict({
        lr: take("plateauLr"),
        best: Number.isNaN(lowest) ? null : lowest,
        badCount: take("plateauBadCount"),
        cooldownLeft: take("plateauCooldownLeft"),
      });
    }
    if (keepBest === true) this.#bestWeights = best;
    this.#checkpointAt = this.#update;
    if (replicas === undefined) this.#state.fromArrays(state, this.#model.core);
    else this.#resumedState = state;
  }

  #plateauNumbers(): Record<string, number> {
    const { schedule } = this.#options;
    if (typeof schedule !== "object") return {};
    const { lr, best, badCount, cooldownLeft } = schedule.stateDict();
    return {
      plateauLr: lr,
      plateauBest: best ?? NaN,
      plateauBadCount: badCount,
      plateauCooldownLeft: cooldownLeft,
    };
  }

  /** One update; resolves to the number of batches it took, 0 when there was none left. */
  async #step(batches: AsyncIterator<B, void, undefined>): Promise<number> {
    const { optimizer, schedule } = this.#options;
    let { value: batch, done } = await batches.next();
    if (done === true || this.#aborted) return 0;
    if (typeof schedule === "object") optimizer.lr = schedule.lr;
    else if (schedule !== undefined) optimizer.lr = schedule(this.#update, this.#epoch);
    let taken = 0;
    let count = 0;
    let result: UpdateResult | undefined;
    while (result === undefined) {
      // Of a batch source every batch may be the same object, filled anew: one is done with before the next is asked for.
      const part = batch as B;
      const begin = performance.now();
      const targets = targetsOf(part);
      const replicated = this.#replicas && (await this.#replicas.loss(part, taken));
      const loss = () => {
        const value = replicated?.() ?? this.#loss(this.#model, part, this.#state);
        return this.#scale === 1 ? value : mul(value, this.#scale);
      };
      if (this.#accumulate === 1) result = optimizer.update(loss, this.#options);
      else optimizer.accumulate(loss, targets);
      taken++;
      count += targets;
      this.#seconds += (performance.now() - begin) / 1000;
      if (taken < this.#accumulate) ({ value: batch, done } = await batches.next());
      if (this.#accumulate > 1 && (taken === this.#accumulate || done === true)) {
        result = optimizer.updateFromParts(this.#options);
      }
    }
    this.#update++;
    const { loss: scaled, gradNorm, applied, where } = result;
    const loss = scaled / this.#scale;
    if (!applied) throw new TrainingDivergedError(this.#update, loss, gradNorm, this.#replicas?.where ?? where);
    const smoothing = this.#options.smoothing ?? DEFAULT_SMOOTHING;
    this.#smoothLoss = Number.isNaN(this.#smoothLoss) ? loss : smoothing * this.#smoothLoss + (1 - smoothing) * loss;
    this.#gradNorm = gradNorm;
    this.#targets += count;
    this.#sinceReport.add(loss, count);
    this.#sinceEpoch.add(loss, count);
    return taken;
  }

  #report(): UpdateEvent {
    const count = this.#sinceReport.weight;
    const loss = this.#sinceReport.take();
    const charsPerSecond = this.#seconds > 0 ? count / this.#seconds : 0;
    this.#seconds = 0;
    return {
      kind: "update",
      update: this.#update,
      epoch: this.#epoch,
      loss,
      bitsPerChar: loss * Math.LOG2E,
      smoothLoss: this.#smoothLoss,
      gradNorm: this.#gradNorm,
      lr: this.#options.optimizer.lr,
      charsPerSecond,
      targets: this.#targets,
    };
  }

  async *#validate(valid: Iterable<B> | AsyncIterable<B>): AsyncGenerator<ValidEvent, void, undefined> {
    const { earlyStop, schedule, optimizer } = this.#options;
    const loss = await optimizer.withAverages(() => this.#validLossOf(valid));
    if (loss === undefined) return;
    const best = loss < this.#best;
    if (best) {
      this.#best = loss;
      if (this.#options.keepBest === true) this.#bestWeights = optimizer.withAverages(() => this.#model.stateDict());
    }
    optimizer.observe(loss);
    if (earlyStop !== undefined) {
      const improved = loss < this.#stopBest - (earlyStop.minimumImprovement ?? 0);
      if (improved) this.#stopBest = loss;
      this.#stopCount = improved ? 0 : this.#stopCount + 1;
      this.#stopEarly = this.#stopCount >= earlyStop.patience;
    }
    if (typeof schedule === "object") schedule.observe(loss);
    this.#validLoss = loss;
    this.#validatedAt = this.#update;
    yield { kind: "valid", update: this.#update, epoch: this.#epoch, loss, bitsPerChar: loss * Math.LOG2E, best };
  }

  /** Mean loss over all targets; undefined when the signal cut it short. */
  async #validLossOf(valid: Iterable<B> | AsyncIterable<B>): Promise<number | undefined> {
    const state = new CarriedState<RecurrentState>();
    const average = new Average();
    try {
      for await (const batch of valid) {
        const loss =
          this.#replicas === undefined
            ? (this.#model.run((model) => this.#loss(model, batch, state).item()) as number)
            : await this.#replicas.evaluate(batch, state);
        average.add(loss, targetsOf(batch));
        if (this.#breather.due) await this.#breather.breathe();
        if (this.#aborted) return undefined;
      }
    } finally {
      state.dispose();
    }
    return average.take();
  }

  #sampleEvent(sample: (model: M) => string): SampleEvent {
    const text = this.#options.optimizer.withAverages(() => sample(this.#model));
    return { kind: "sample", update: this.#update, epoch: this.#epoch, text };
  }
}

/** A weighted mean. */
class Average {
  weight = 0;
  sum = 0;

  add(value: number, weight: number): void {
    this.sum += value * weight;
    this.weight += weight;
  }

  restore(sum: number, weight: number): void {
    this.sum = sum;
    this.weight = weight;
  }

  /** The mean so far, NaN of nothing; starts over. */
  take(): number {
    const mean = this.sum / this.weight;
    this.sum = 0;
    this.weight = 0;
    return mean;
  }
}

/** The data again and again, until they are empty. */
async function* repeated<B>(data: Iterable<B> | AsyncIterable<B>): AsyncGenerator<B, void, undefined> {
  for (let found = true; found; ) {
    found = false;
    for await (const batch of data) {
      found = true;
      yield batch;
    }
  }
}

function targetsOf(batch: unknown): number {
  const count = typeof batch === "object" && batch !== null ? (batch as { count?: unknown }).count : undefined;
  return typeof count === "number" ? count : 1;
}

function checkCount(option: string, value: number | undefined): void {
  if (value !== undefined && !(value >= 1 && (Number.isSafeInteger(value) || value === Infinity))) {
    throw new ArgumentError("train", option, "a whole number from 1", value);
  }
}
