/** Recording: running a function on a fresh tape, and carrying its gradients back. */
import { type Core, getCore } from "../core/core.js";
import { HigherOrderGradientError, ScopeError, ShapeError } from "../errors.js";
import { currentScope, refusePromise, withScope } from "./scope.js";
import { type RecordContext, Tape } from "./tape.js";
import { Tensor } from "./tensor.js";

/**
 * Runs `fn` on a fresh tape in a scope, carries the gradients back, and hands them to `finish` before they are freed:
 * every element of `tape.leaves` (parameters, in the order of backward) has its gradient at the pointer `.gradient`,
 * of as many f32 as it has elements.
 *
 * @param fn computes the loss, a tensor of one element, synchronously
 * @returns what `finish` returns
 * @throws PromiseInUpdateError, HigherOrderGradientError, ShapeError (the loss is not one element)
 */
export function recordGradients<R>(
  core: Core,
  context: RecordContext,
  fn: () => Tensor,
  finish: (loss: number, tape: Tape) => R,
): R {
  const where = "recording";
  if (currentScope() !== null && isRecording()) throw new HigherOrderGradientError(where);
  const tape = new Tape(core, context);
  try {
    return withScope(core, tape, where, () => {
      const loss = fn();
      refusePromise(loss, where);
      if (!(loss instanceof Tensor))
        throw new ShapeError(where, "the returned value", "a tensor of one element", "no shape");
      if (loss.size !== 1) throw new ShapeError(where, "the returned loss", "one element", loss.shape);
      const value = loss.item();
      if (loss.home !== core) throw new ScopeError(`${where}: the loss belongs to another core`);
      if (loss.requiresGrad) tape.backward(loss);
      return finish(value, tape);
    });
  } finally {
    tape.release();
  }
}

/** Whether operations are being recorded now. */
export function isRecording(): boolean {
  return currentScope()?.tape != null;
}

/** Options of {@link gradients}. */
export interface GradientOptions extends RecordContext {
  /**
   * Which gradients to return: parameters, or any persistent tensors (made outside scopes), for example inputs.
   * Default: every parameter that was used and is trainable. A tensor that the loss does not depend on gets zeros.
   */
  readonly parameters?: Iterable<Tensor>;
  /** Default: the core of the first of `parameters`, else the default core. */
  readonly core?: Core;
}

/** What {@link gradients} returns: copies, nothing to dispose of. */
export interface Gradients {
  /** Value of the loss. */
  readonly loss: number;
  /** The gradient of each tensor, row-major. */
  readonly grads: Map<Tensor, Float32Array>;
}

/**
 * Loss and gradients of a function, as copies; nothing is updated.
 *
 * @param fn computes the loss, a tensor of one element, synchronously
 * @throws PromiseInUpdateError when `fn` returns a promise, HigherOrderGradientError when recordings nest,
 *   ShapeError when the loss is not one element
 */
export function gradients(fn: () => Tensor, options: GradientOptions = {}): Gradients {
  const wanted = options.parameters === undefined ? null : [...options.parameters];
  const core = options.core ?? wanted?.[0]?.core ?? currentScope()?.core ?? getCore();
  const before = wanted?.map((tensor) => tensor.requiresGrad);
  for (const tensor of wanted ?? []) {
    if (tensor.scope !== null || tensor.base !== null) {
      throw new ScopeError("gradients: parameters must be parameters or tensors made outside scopes");
    }
    tensor.requiresGrad = true;
  }
  try {
    return recordGradients(core, options, fn, (loss, tape) => {
      const grads = new Map<Tensor, Float32Array>();
      for (const leaf of wanted ?? tape.leaves) {
        const { gradient, size } = leaf;
        grads.set(leaf, gradient === 0 ? new Float32Array(size) : core.readF32(gradient, size));
      }
      return { loss, grads };
    });
  } finally {
    wanted?.forEach((tensor, i) => {
      tensor.requiresGrad = before?.[i] as boolean;
    });
  }
}
