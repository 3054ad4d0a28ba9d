/**
 * Data-parallel replicas: every batch is cut into n shards of rows, and each thread computes loss and gradients of one.
 *
 * With w_i the targets of shard i, the gradient is that of the mean over the whole batch:
 *
 *     g = w_0 / w g_0 + ... + w_(n-1) / w g_(n-1),   w = w_0 + ... + w_(n-1),   summed in this order
 *
 * so a run is reproducible bit by bit for a given n, whoever is first. The optimizer is in the thread of the run alone;
 * new values go to the workers with the next shard, in a buffer that comes back with the gradients. Buffers are
 * transferred, not shared: nothing is copied that would not be copied with shared memory too, and pages need not be
 * isolated for it. Nobody waits but for messages, so that the thread of a page stays free.
 *
 * Random masks depend on seed, update, place and row, and so are those of a run without replicas. The state that is
 * carried from batch to batch stays where the shard of these rows is.
 */
import type { Core } from "../../core/core.js";
import { ArgumentError } from "../../errors.js";
import { CarriedState, type RecurrentState } from "../../nn/state.js";
import type { Parameter } from "../../tensor/parameter.js";
import { currentTape, runScope } from "../../tensor/scope.js";
import { copyStrided } from "../../tensor/shape.js";
import type { BatchRows, Operation, RecordContext } from "../../tensor/tape.js";
import { createPersistent, createTensor, type PlainTensor, type Tensor } from "../../tensor/tensor.js";
import type { ReplicaSession, ReplicatedRun, Replication } from "../loop.js";
import { Link } from "./link.js";
import type { ReplicaWorker, ShardResult } from "./messages.js";
import { computeShard, evaluateShard } from "./shard.js";
import { rowSharding, type Sharding, toMessage, weightOf } from "./sharding.js";

/** Options of {@link replicas}. */
export interface ReplicaOptions<B> {
  /** Shards of every batch, 2 or more. */
  readonly n: number;
  /** Makes a worker, whose file calls `serveReplica`; the run ends it. */
  readonly worker: () => ReplicaWorker;
  /** Whether the thread of the run computes shard 0, so that n - 1 workers do; default: except in the thread of a page. */
  readonly ownShard?: boolean | undefined;
  /** How batches are cut; default: as those of `lanes` and `paddedBatches`, objects with `inputs`, or arrays of examples. */
  readonly sharding?: Sharding<B> | undefined;
}

/**
 * Several threads for the option `replicas` of `train`:
 *
 * ```ts
 * const worker = () => new Worker(new URL("replica.js", import.meta.url), { type: "module" });
 * const run = train(lm, data.train, { optimizer, replicas: replicas({ n: 2, worker }) });
 * ```
 *
 * A worker that ends before the run does, or fails, ends the run with a `ReplicaError`, after a last `checkpoint` event
 * where there are any. Gradients differ from those of one thread by rounding, and so do runs of another n: a checkpoint
 * goes on with the n that it was made with.
 *
 * @throws ArgumentError when n is below 2
 */
export function replicas<B>(options: ReplicaOptions<B>): Replication<B> {
  const { n } = options;
  if (!(Number.isSafeInteger(n) && n >= 2)) throw new ArgumentError("replicas", "n", "a whole number from 2", n);
  return { n, open: (run) => Session.open(options, run) };
}

/** The loss of all shards, as one operation: its gradients are there already. */
const Shards: Operation = {
  name: "replicas",
  backward({ inputs, outputs, saved }, tape) {
    const { core } = tape;
    const factor = core.f32[tape.gradient(outputs[0] as Tensor) >>> 2] as number;
    for (const [i, parameter] of (inputs as readonly Tensor[]).entries()) {
      const sum = saved[i] as number;
      core.raw.ur_scale(parameter.size, factor, sum);
      // The sums are nobody's until the next batch.
      if (!tape.adoptGradient(parameter, sum)) addTo(core, tape.gradient(parameter), sum, parameter.size);
    }
  },
};

/** Values of a worker's buffer that are taken over at once: few enough to be in a cache when they are added. */
const BLOCK = 32_768;

function addTo(core: Core, to: number, from: number, size: number): void {
  copyStrided(core, from, to, [size], [1], [1], true);
}

type State = Record<string, PlainTensor> | undefined;

/** One shard of a batch. */
interface Shard<B> {
  readonly index: number;
  readonly batch: B;
  readonly rows: BatchRows;
  /** Its part of the batch's targets. */
  readonly share: number;
}

class Session<B> implements ReplicaSession<B> {
  where: string | undefined;
  readonly #run: ReplicatedRun<B>;
  readonly #n: number;
  readonly #sharding: Sharding<B>;
  /** By shard; undefined for that of this thread. */
  readonly #links: (Link | undefined)[] = [];
  readonly #parameters: readonly Parameter[];
  /** Where each parameter is in `#sums` and in the buffers. */
  readonly #offsets: readonly number[];
  /** Sums of the gradients of all parameters, and of which there are any yet. */
  readonly #sums: Tensor;
  #begun: boolean[] = [];
  readonly #training = new CarriedState<RecurrentState>();
  readonly #validation = new CarriedState<RecurrentState>();
  #pass: object | undefined;
  /** States of the shards after the last update, and those of the update at hand, with its number. */
  #states: State[];
  #nextStates: State[];
  #nextUpdate: number;

  static async open<B>(options: ReplicaOptions<B>, run: ReplicatedRun<B>): Promise<Session<B>> {
    const ownShard = options.ownShard ?? !("document" in globalThis);
    const session = new Session(options, run, ownShard);
    try {
      for (let i = 0; i < options.n; i++) {
        session.#links.push(ownShard && i === 0 ? undefined : new Link(i, options.worker(), session.#sums.size));
      }
      const weights = [...run.model.stateDict()];
      await Promise.all(session.#links.map((link, i) => link?.start(weights, session.#states[i])));
    } catch (error) {
      await session.close();
      throw error;
    }
    return session;
  }

  private constructor({ n, sharding }: ReplicaOptions<B>, run: ReplicatedRun<B>, ownShard: boolean) {
    this.#run = run;
    this.#n = n;
    this.#sharding = sharding ?? (rowSharding as Sharding<B>);
    this.#parameters = run.model.parameters();
    const foreign = run.optimizer.parameters.find((parameter) => !this.#parameters.includes(parameter));
    if (foreign !== undefined) {
      throw new ArgumentError("replicas", "optimizer", "of parameters of the model", foreign.name);
    }
    let total = 0;
    this.#offsets = this.#parameters.map(({ size }) => {
      total += size;
      return total - size;
    });
    this.#states = Array.from({ length: n }, (_, i) => partOf(run.state, i));
    this.#nextStates = this.#states;
    this.#nextUpdate = run.optimizer.updates;
    this.#training.fromArrays(ownShard ? this.#states[0] : undefined, run.model.core);
    this.#sums = createPersistent(run.model.core, [total]);
  }

  async loss(batch: B, part: number): Promise<() => Tensor> {
    const { optimizer, model } = this.#run;
    if (optimizer.updates !== this.#nextUpdate) {
      this.#states = this.#nextStates;
      this.#nextUpdate = optimizer.updates;
    }
    this.#nextStates = [...this.#nextStates];
    const shards = this.#cut(batch);
    const { core } = model;
    this.#begun = this.#parameters.map(() => false);
    let loss = 0;
    const results = await this.#compute(shards, true, part);
    for (const [k, result] of results.entries()) {
      const { index, share } = shards[k] as Shard<B>;
      loss += share * result.loss;
      this.where ??= result.where && `replica ${index}: ${result.where}`;
      this.#nextStates[index] = result.state;
      const link = this.#links[index];
      if (link !== undefined) this.#add(link.gradients, result.used);
    }
    const begun = this.#begun;
    return () => {
      const value = createTensor(core, []);
      core.f32[value.pointer >>> 2] = loss;
      const inputs = this.#parameters.filter((parameter, i) => begun[i] && parameter.trainable);
      const saved = inputs.map((parameter) => this.#sumOf(this.#parameters.indexOf(parameter)));
      if (inputs.length > 0) currentTape()?.push(Shards, inputs, [value], saved);
      return value;
    };
  }

  async evaluate(batch: B, pass: object): Promise<number> {
    const afresh = pass !== this.#pass;
    this.#pass = pass;
    if (afresh) this.#validation.reset();
    const shards = this.#cut(batch);
    const results = await this.#compute(shards, false, 0, afresh);
    return results.reduce((sum, { loss }, k) => sum + (shards[k] as Shard<B>).share * loss, 0);
  }

  state(): State {
    const states = this.#run.optimizer.updates > this.#nextUpdate ? this.#nextStates : this.#states;
    const entries = states.flatMap((state, i) =>
      Object.entries(state ?? {}).map(([name, value]) => [`${i}/${name}`, value] as const),
    );
    return entries.length === 0 ? undefined : Object.fromEntries(entries);
  }

  async close(): Promise<void> {
    await Promise.all(this.#links.map((link) => link?.close()));
    this.#training.dispose();
    this.#validation.dispose();
    this.#sums.dispose();
  }

  /** The shards of a batch that have rows. */
  #cut(batch: B): Shard<B>[] {
    const [n, sharding] = [this.#n, this.#sharding];
    const total = sharding.rows(batch);
    const shards: (Shard<B> & { weight: number })[] = [];
    for (let index = 0; index < n; index++) {
      const [first, end] = [Math.floor((index * total) / n), Math.floor(((index + 1) * total) / n)];
      const count = end - first;
      if (count === 0) continue;
      const part = sharding.slice(batch, first, end);
      shards.push({ index, batch: part, rows: { first, count, total }, weight: weightOf(part, count), share: 0 });
    }
    const all = shards.reduce((sum, { weight }) => sum + weight, 0);
    if (weightOf(batch, all) !== all) {
      const expected = `one whose shards have the ${weightOf(batch, all)} targets of the batch`;
      throw new ArgumentError("replicas", "sharding", expected, all);
    }
    return shards.map((shard) => ({ ...shard, share: shard.weight / all }));
  }

  /** Results of all shards, in order, once all are there. */
  #compute(shards: readonly Shard<B>[], train: boolean, part: number, afresh = false): Promise<ShardResult[]> {
    const { seed, updates: update } = this.#run.optimizer;
    const { keepState } = this.#run;
    const trainable = this.#parameters.map((parameter) => parameter.trainable);
    // Workers first, so that they work while this thread does.
    const sent = shards.map(({ index, batch, rows, share }) =>
      this.#links[index]?.compute(
        { train, afresh, batch: toMessage(batch), rows, seed, update, part, share, trainable, keepState },
        (values) => this.#write(values),
      ),
    );
    return Promise.all(shards.map((shard, k) => sent[k] ?? this.#own(shard, train, { seed, update, part })));
  }

  /** The shard of this thread: it is the first, so its gradients may go into the sums at once. */
  async #own({ batch, rows, share }: Shard<B>, train: boolean, context: RecordContext): Promise<ShardResult> {
    const { model, keepState } = this.#run;
    const parameters = this.#parameters;
    const state = train ? this.#training : this.#validation;
    const loss = () => this.#run.loss(batch, state);
    const task = { model, parameters, loss, state, context: { ...context, rows }, share, keepState };
    if (!train) return evaluateShard(task);
    return computeShard(task, (i, gradient) => {
      const [from, to] = [gradient >>> 2, this.#sumOf(i) >>> 2];
      model.core.f32.copyWithin(to, from, from + (parameters[i] as Parameter).size);
      this.#begun[i] = true;
    });
  }

  /** Adds the gradients of a worker. */
  #add(gradients: Float32Array, used: readonly boolean[]): void {
    const { core } = this.#run.model;
    runScope(core, () => {
      const block = core.arenaAlloc(BLOCK * 4);
      for (const [i, { size }] of this.#parameters.entries()) {
        if (!used[i]) continue;
        const [offset, sum] = [this.#offsets[i] as number, this.#sumOf(i)];
        if (this.#begun[i]) {
          for (let done = 0; done < size; done += BLOCK) {
            const count = Math.min(BLOCK, size - done);
            core.f32.set(gradients.subarray(offset + done, offset + done + count), block >>> 2);
            addTo(core, sum + done * 4, block, count);
          }
        } else {
          core.f32.set(gradients.subarray(offset, offset + size), sum >>> 2);
          this.#begun[i] = true;
        }
      }
    });
  }

  /** Writes the values of the parameters into a buffer. */
  #write(values: Float32Array): void {
    for (const [i, { core, pointer, size }] of this.#parameters.entries()) {
      const start = pointer >>> 2;
      values.set(core.f32.subarray(start, start + size), this.#offsets[i]);
    }
  }

  /** Pointer of the sum of a parameter's gradients. */
  #sumOf(i: number): number {
    return this.#sums.pointer + (this.#offsets[i] as number) * 4;
  }
}

/** The state of one shard among those of a checkpoint. */
function partOf(state: State, index: number): State {
  const prefix = `${index}/`;
  const entries = Object.entries(state ?? {})
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, value]) => [name.slice(prefix.length), value] as const);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
