/** What the thread of a run and its replicas say to each other. */

import type { BatchRows } from "../../tensor/tape.js";
import type { PlainTensor } from "../../tensor/tensor.js";

/** A thread that a replica lives in: a Web Worker, or one of `node:worker_threads`. */
export interface ReplicaWorker {
  /** Sends a message; the buffers change hands. */
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  /** Ends the thread. */
  terminate(): unknown;
}

/** From the run: the first message. */
export interface StartMessage {
  readonly unrolled: "start";
  /** By name, with tied ones once a name. */
  readonly weights: readonly (readonly [string, PlainTensor])[];
  readonly state: Record<string, PlainTensor> | undefined;
  /** Name of a lock to hold as long as the thread lives; absent where the end of a thread is told by itself. */
  readonly lock: string | undefined;
}

/** From the run: a shard of a batch to compute. */
export interface ShardMessage {
  readonly unrolled: "shard";
  /** Loss and gradients, or the loss without dropout. */
  readonly train: boolean;
  /** Whether a validation begins, with no state. */
  readonly afresh: boolean;
  /** See `toMessage`. */
  readonly batch: unknown;
  readonly rows: BatchRows;
  readonly seed: number;
  readonly update: number;
  readonly part: number;
  /** Factor of the gradients: the shard's share of the batch's targets. */
  readonly share: number;
  /** Of each parameter whether it is trained. */
  readonly trainable: readonly boolean[];
  /** Whether `values` has new values of the parameters. */
  readonly fresh: boolean;
  /** Room for one value of every parameter, in order; comes back with the gradients. */
  readonly values: ArrayBuffer;
  readonly keepState: boolean;
}

export type RunMessage = StartMessage | ShardMessage;

/** Loss and gradients of a shard. */
export interface ShardResult {
  readonly loss: number;
  /** Of each parameter whether it has a gradient. */
  readonly used: readonly boolean[];
  /** Where the first value that is not finite appeared, if there is one. */
  readonly where: string | undefined;
  /** The carried state after the shard. */
  readonly state: Record<string, PlainTensor> | undefined;
}

/** From a replica: it listens; it has the model; it is done with a shard; it failed. */
export type ReplicaMessage =
  | { readonly unrolled: "listening" }
  | { readonly unrolled: "ready" }
  | (ShardResult & { readonly unrolled: "done"; readonly values: ArrayBuffer })
  | { readonly unrolled: "failed"; readonly message: string };

/** Whether a message is one of these, and not of the user's own. */
export function isOurs(message: unknown): message is { readonly unrolled: string } {
  return typeof (message as { unrolled?: unknown } | null | undefined)?.unrolled === "string";
}
