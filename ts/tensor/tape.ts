/**
 * The tape: what was computed, in order, so that gradients can be carried back.
 *
 * A node refers to a constant {@link Operation}; what its backward needs is in the node, not in a closure. Gradients
 * are accumulators of the arena, made zeroed when first asked for.
 */
import type { Core } from "../core/core.js";
import type { Tensor } from "./tensor.js";

/** One kind of operation; its backward stands beside the forward function that records it. */
export interface Operation {
  readonly name: string;
  /**
   * Adds to the gradients of the node's inputs. `tape.gradient(tensor)` is the accumulator of an input or output, or 0
   * for an input that wants no gradient.
   */
  backward(node: TapeNode, tape: Tape): void;
}

/** One recorded operation. */
export interface TapeNode {
  readonly operation: Operation;
  readonly inputs: readonly (Tensor | null)[];
  readonly outputs: readonly (Tensor | null)[];
  /** Pointers and numbers that backward needs, in the order the operation defines. */
  readonly saved: readonly number[];
}

/** Rows of a batch that is split. */
export interface BatchRows {
  /** Number of the first row in the whole batch. */
  readonly first: number;
  /** Rows at hand. */
  readonly count: number;
  /** Rows of the whole batch. */
  readonly total: number;
}

/** What random draws and layers depend on while recording. */
export interface RecordContext {
  /** Seed of every random draw of this recording; default 0. */
  readonly seed?: number;
  /** Number of the optimizer update, so that every update draws anew; default 0. */
  readonly update?: number;
  /** Which part of the update, when one accumulates several: each draws by itself. Default 0. */
  readonly part?: number;
  /** Which rows of the batch are recorded, so that masks are those of the whole batch; default: all. */
  readonly rows?: BatchRows;
  /** Whether dropout is active; default true. */
  readonly training?: boolean;
}

/** A recording in progress. */
export class Tape {
  readonly core: Core;
  readonly seed: number;
  readonly update: number;
  /** Number of the first call of every stream in {@link nextCall}. */
  readonly firstCall: number;
  readonly training: boolean;
  readonly rows: BatchRows | undefined;
  /** Tensors outside the scope (parameters above all) that received a gradient, in the order of backward. */
  readonly leaves: Tensor[] = [];
  readonly #nodes: TapeNode[] = [];
  #calls: Map<number, number> | null = null;

  constructor(core: Core, context: RecordContext) {
    this.core = core;
    this.seed = context.seed ?? 0;
    this.update = context.update ?? 0;
    // Far more draws than any part makes from one stream.
    this.firstCall = (context.part ?? 0) * 0x10000;
    this.training = context.training ?? true;
    this.rows = context.rows;
  }

  /** What was recorded, in order. */
  get nodes(): readonly TapeNode[] {
    return this.#nodes;
  }

  /** Records a node; its outputs want gradients from now on. */
  push(
    operation: Operation,
    inputs: readonly (Tensor | null)[],
    outputs: readonly (Tensor | null)[],
    saved: readonly number[],
  ): void {
    for (const output of outputs) if (output !== null) output.requiresGrad = true;
    this.#nodes.push({ operation, inputs, outputs, saved });
  }

  /** Number of the next draw of this stream: how many it has made in this recording, after those of other parts. */
  nextCall(stream: number): number {
    this.#calls ??= new Map();
    const call = this.#calls.get(stream) ?? this.firstCall;
    this.#calls.set(stream, call + 1);
    return call;
  }

  /** Pointer of a tensor's gradient accumulator (zeroed when new), or 0 when it wants none. */
  gradient(tensor: Tensor | null): number {
    if (tensor === null || !tensor.requiresGrad) return 0;
    if (tensor.base !== null) return this.gradient(tensor.base) + tensor.pointer - tensor.base.pointer;
    if (tensor.gradient === 0) this.adoptGradient(tensor, this.core.arenaZeros(tensor.size));
    return tensor.gradient;
  }

  /**
   * Gives a tensor that has no gradient yet this memory for one, which nobody else reads or writes as long as the recording
   * lasts. False, and nothing happens, where it has one or wants none.
   */
  adoptGradient(tensor: Tensor, pointer: number): boolean {
    if (!tensor.requiresGrad || tensor.base !== null || tensor.gradient !== 0) return false;
    tensor.gradient = pointer;
    if (tensor.scope === null) this.leaves.push(tensor);
    return true;
  }

  /** Carries the gradient of `loss` (one element, its own gradient 1) back through everything recorded. */
  backward(loss: Tensor): void {
    this.core.raw.ur_fill(this.gradient(loss), 1, 1);
    for (let i = this.#nodes.length - 1; i >= 0; i--) {
      const node = this.#nodes[i] as TapeNode;
      if (node.outputs.some(hasGradient)) node.operation.backward(node, this);
    }
  }

  /** Forgets the gradients of the leaves, which outlive the arena that holds them. */
  release(): void {
    for (const leaf of this.leaves) leaf.gradient = 0;
  }
}

function hasGradient(tensor: Tensor | null): boolean {
  return tensor !== null && tensor.gradient !== 0;
}
