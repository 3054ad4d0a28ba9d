/** One worker as the run sees it: messages, and its end. */
import { ReplicaError } from "../../errors.js";
import { writeCount } from "../../tensor/parameter.js";
import type { PlainTensor } from "../../tensor/tensor.js";
import {
  isOurs,
  type ReplicaMessage,
  type ReplicaWorker,
  type RunMessage,
  type ShardMessage,
  type ShardResult,
} from "./messages.js";

/** How workers of Node tell what happens. */
interface Emitter {
  on(event: string, callback: (detail: never) => void): void;
}

/** How all other workers do. */
interface Target {
  addEventListener(event: string, callback: (event: never) => void): void;
}

interface Locks {
  request(name: string, options: { signal: AbortSignal }, callback: () => void): Promise<unknown>;
}

/** What there is to say of a shard; the rest this side knows. */
export type Request = Omit<ShardMessage, "unrolled" | "fresh" | "values">;

export class Link {
  readonly #index: number;
  readonly #worker: ReplicaWorker;
  /** Room for a value of every parameter; while the worker has it, empty. */
  #values: ArrayBuffer;
  /** Writes to parameters when it was last told their values. */
  #writes = -1;
  #expected: { resolve: (message: ReplicaMessage) => void; reject: (error: unknown) => void } | undefined;
  /** Messages that came before anybody asked. */
  readonly #early: ReplicaMessage[] = [];
  #end: ReplicaError | undefined;
  readonly #closed = new AbortController();

  constructor(index: number, worker: ReplicaWorker, parameterValues: number) {
    this.#index = index;
    this.#worker = worker;
    this.#values = new ArrayBuffer(parameterValues * 4);
    if ("on" in worker) {
      const { on } = worker as unknown as Emitter;
      const listen: Emitter["on"] = (event, callback) => on.call(worker, event, callback);
      listen("message", (message: unknown) => this.#take(message));
      listen("messageerror", (error: unknown) => this.#fail(String(error)));
      listen("error", (error: unknown) => this.#fail(`its worker failed: ${String(error)}`, error));
      listen("exit", (code: unknown) => this.#fail(`its worker ended with exit code ${String(code)}`));
    } else {
      const target = worker as unknown as Target;
      target.addEventListener("message", ({ data }: { data: unknown }) => this.#take(data));
      target.addEventListener("messageerror", () => this.#fail("a message of its worker cannot be read"));
      target.addEventListener("error", (event: { message?: string; preventDefault?: () => void }) => {
        event.preventDefault?.();
        this.#fail(`its worker failed: ${event.message ?? "its file cannot be loaded"}`);
      });
    }
  }

  /** Waits for the worker to listen, and gives it the values of the model and the state to begin with. */
  async start(
    weights: readonly (readonly [string, PlainTensor])[],
    state: Record<string, PlainTensor> | undefined,
  ): Promise<void> {
    await this.#next();
    const lock = this.#lockName();
    await this.#ask({ unrolled: "start", weights, state, lock }, []);
    if (lock !== undefined) this.#watch(lock);
  }

  /**
   * Has a shard computed.
   * @param write - writes the values of the parameters, when they are needed
   */
  async compute(request: Request, write: (values: Float32Array) => void): Promise<ShardResult> {
    const writes = writeCount();
    const fresh = writes !== this.#writes;
    this.#writes = writes;
    const values = this.#values;
    if (fresh) write(new Float32Array(values));
    const answer = await this.#ask({ ...request, unrolled: "shard", fresh, values }, [values]);
    if (answer.unrolled !== "done") throw new ReplicaError(this.#index, `an unexpected message: ${answer.unrolled}`);
    this.#values = answer.values;
    return answer;
  }

  /** What came with the latest result: the gradients of the parameters that have one. */
  get gradients(): Float32Array {
    return new Float32Array(this.#values);
  }

  /** Ends the worker; resolves when it has ended. */
  async close(): Promise<void> {
    this.#end ??= new ReplicaError(this.#index, "the run is over");
    this.#closed.abort();
    await this.#worker.terminate();
  }

  #ask(message: RunMessage, transfer: ArrayBuffer[]): Promise<ReplicaMessage> {
    try {
      if (this.#end === undefined) this.#worker.postMessage(message, transfer);
    } catch (error) {
      // Functions and the like.
      this.#fail(`what it needs cannot be sent: ${String(error)}`, error);
    }
    return this.#next();
  }

  /** The next message of the worker. */
  #next(): Promise<ReplicaMessage> {
    return new Promise((resolve, reject) => {
      const message = this.#early.shift();
      if (message !== undefined) resolve(message);
      else if (this.#end !== undefined) reject(this.#end);
      else this.#expected = { resolve, reject };
    });
  }

  #take(message: unknown): void {
    if (!isOurs(message)) return;
    const ours = message as ReplicaMessage;
    if (ours.unrolled === "failed") this.#fail(ours.message);
    else if (this.#expected === undefined) this.#early.push(ours);
    else {
      this.#expected.resolve(ours);
      this.#expected = undefined;
    }
  }

  #fail(problem: string, cause?: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = new ReplicaError(this.#index, problem);
    if (cause !== undefined) this.#end.cause = cause;
    this.#expected?.reject(this.#end);
    this.#expected = undefined;
  }

  /**
   * Pages are not told when a worker is terminated, but are given a lock that it held; workers of Node tell.
   * Locks exist in secure contexts only.
   */
  #lockName(): string | undefined {
    if ("on" in this.#worker || locksOf() === undefined) return undefined;
    return `unrolled replica ${crypto.randomUUID()}`;
  }

  #watch(lock: string): void {
    const given = locksOf()?.request(lock, { signal: this.#closed.signal }, () => {
      this.#fail("its worker was terminated");
    });
    // Rejects when the run is over.
    given?.catch(() => undefined);
  }
}

function locksOf(): Locks | undefined {
  return (globalThis as { navigator?: { locks?: Locks } }).navigator?.locks;
}
