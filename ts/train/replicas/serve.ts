/** The replica's side: a thread that computes shards for a run. */
import { ArgumentError } from "../../errors.js";
import type { Module } from "../../nn/module.js";
import { CarriedState, type RecurrentState } from "../../nn/state.js";
import type { LossFunction, ModelWithLoss } from "../loop.js";
import {
  isOurs,
  type ReplicaMessage,
  type RunMessage,
  type ShardMessage,
  type ShardResult,
  type StartMessage,
} from "./messages.js";
import { computeShard, evaluateShard } from "./shard.js";
import { fromMessage } from "./sharding.js";

/** The thread's way to the one that made it. */
interface Port {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  /** Calls back with what comes, or with an event that has it as `data`. */
  listen(callback: (message: unknown) => void): void;
}

/** Options of {@link serveReplica}. */
export interface ServeOptions<M, B> {
  /** As that of `train`, which cannot be sent; default: the model's own `loss(batch, state)`. */
  readonly loss?: LossFunction<M, B> | undefined;
}

interface NodePort {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  on(event: "message", callback: (message: unknown) => void): void;
}

interface Surroundings {
  process?: { getBuiltinModule?: (name: string) => { readonly parentPort: NodePort | null } | undefined };
  postMessage?: (message: unknown, transfer: ArrayBuffer[]) => void;
  addEventListener?: (type: "message", callback: (event: { readonly data: unknown }) => void) => void;
  document?: unknown;
  navigator?: { locks?: { request(name: string, whileHeld: () => Promise<void>): Promise<unknown> } };
}

const surroundings = globalThis as unknown as Surroundings;

function ownPort(): Port {
  const node = surroundings.process?.getBuiltinModule?.("node:worker_threads")?.parentPort;
  if (node) {
    return {
      postMessage: (message, transfer) => node.postMessage(message, transfer),
      listen: (callback) => node.on("message", callback),
    };
  }
  const { postMessage, addEventListener, document } = surroundings;
  if (postMessage === undefined || addEventListener === undefined || document !== undefined) {
    throw new ArgumentError("serveReplica", "this thread", "a worker", "the main thread");
  }
  return {
    postMessage: (message, transfer) => postMessage(message, transfer),
    listen: (callback) => addEventListener("message", ({ data }) => callback(data)),
  };
}

/**
 * Makes this worker a replica, for `replicas` in the thread that made it. The file of the worker is the same in Node,
 * browsers, Deno and Bun:
 *
 * ```ts
 * import { LSTM, LanguageModel, serveReplica } from "unrolled";
 * serveReplica(() => new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 128 }));
 * ```
 *
 * @param createModel - makes the model of the run; its values need no `init`, they come from the run
 * @throws ArgumentError when the thread is not a worker
 */
export function serveReplica<M extends Module, B = unknown>(
  createModel: () => M | Promise<M>,
  options: ServeOptions<M, B> = {},
): void {
  const port = ownPort();
  const reply = (message: ReplicaMessage, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
  let replica: Replica<M, B> | undefined;
  const handle = async (message: RunMessage): Promise<void> => {
    try {
      if (message.unrolled === "start") {
        replica = new Replica(await createModel(), message, options.loss);
        await holdLock(message.lock);
        reply({ unrolled: "ready" });
      } else if (replica !== undefined) {
        reply({ unrolled: "done", values: message.values, ...replica.compute(message) }, [message.values]);
      }
    } catch (error) {
      reply({ unrolled: "failed", message: String(error) });
    }
  };
  port.listen((message) => {
    if (isOurs(message)) void handle(message as RunMessage);
  });
  reply({ unrolled: "listening" });
}

/** Holds a lock for as long as the thread lives: so another can tell when it has ended. */
function holdLock(name: string | undefined): Promise<void> {
  return new Promise((held) => {
    if (name === undefined) return held();
    void surroundings.navigator?.locks?.request(name, () => {
      held();
      return new Promise(() => undefined);
    });
  });
}

/** The model of this thread, and what it carries from batch to batch. */
class Replica<M extends Module, B> {
  readonly #model: M;
  readonly #loss: (batch: B, state: CarriedState<RecurrentState>) => ReturnType<LossFunction<M, B>>;
  readonly #training = new CarriedState<RecurrentState>();
  readonly #validation = new CarriedState<RecurrentState>();

  constructor(model: M, { weights, state }: StartMessage, loss: LossFunction<M, B> | undefined) {
    const own = model as M & Partial<ModelWithLoss<B>>;
    if (loss === undefined && typeof own.loss !== "function") {
      throw new ArgumentError("serveReplica", "loss", "given for a model without a loss of its own", loss);
    }
    this.#loss = (batch, carried) => loss?.(model, batch, carried) ?? (own as ModelWithLoss<B>).loss(batch, carried);
    this.#model = model.loadStateDict(new Map(weights));
    this.#training.fromArrays(state, model.core);
  }

  compute(message: ShardMessage): ShardResult {
    const { train, afresh, rows, seed, update, part, share, trainable, fresh, keepState } = message;
    const model = this.#model;
    const values = new Float32Array(message.values);
    const parameters = model.parameters();
    const offsets: number[] = [];
    let offset = 0;
    for (const [index, parameter] of parameters.entries()) {
      offsets.push(offset);
      if (fresh) parameter.write(values.subarray(offset, offset + parameter.size));
      parameter.trainable = trainable[index] as boolean;
      offset += parameter.size;
    }
    if (afresh) this.#validation.reset();
    const state = train ? this.#training : this.#validation;
    const batch = fromMessage(message.batch) as B;
    const loss = () => this.#loss(batch, state);
    const task = { model, parameters, loss, state, context: { seed, update, part, rows }, share, keepState };
    if (!train) return evaluateShard(task);
    return computeShard(task, (index, gradient) => {
      const size = parameters[index]?.size as number;
      const start = gradient >>> 2;
      values.set(model.core.f32.subarray(start, start + size), offsets[index]);
    });
  }
}
