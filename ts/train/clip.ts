/**
 * Gradient clipping, as torch.nn.utils has it.
 *
 * By global norm (Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks"): with n
 * the norm of all gradients taken as one vector, every gradient *= min(1, max / (n + 1e-6)). By norm of each parameter:
 * the same with n the norm of its gradient alone, as clipnorm in Keras. By value: every element is clamped to [-max,
 * max].
 */
import { type Core, getCore } from "../core/core.js";
import { ArgumentError } from "../errors.js";
import { runScope } from "../tensor/scope.js";

/** How to clip; nothing is clipped by default. With several, in the order here. */
export interface ClipOptions {
  /** Largest global norm. */
  readonly clipGradNorm?: number | undefined;
  /** Largest norm of the gradient of each parameter. */
  readonly clipParameterNorm?: number | undefined;
  /** Which norm: Euclidean (2, the default) or the largest magnitude (Infinity). */
  readonly normType?: 2 | typeof Infinity | undefined;
  /** Largest magnitude of an element. */
  readonly clipGradValue?: number | undefined;
}

/** Gradient values in the core: a pointer and a number of f32. @internal */
export interface GradientBlock {
  readonly gradient: number;
  readonly size: number;
}

/** Throws `ArgumentError` unless a limit is a positive number (Infinity included) or absent. */
function checkLimit(option: string, value: number | undefined): void {
  if (value !== undefined && !(value > 0)) throw new ArgumentError("clipping", option, "a number above 0", value);
}

/**
 * Clips in place; returns the global norm before.
 * @param keepNonFinite - leaves the gradients as they are when the norm is not finite, so that one can see where
 * @internal
 */
export function clipBlocks(
  core: Core,
  blocks: readonly GradientBlock[],
  options: ClipOptions,
  keepNonFinite = false,
): number {
  const { clipGradNorm, clipParameterNorm, clipGradValue, normType = 2 } = options;
  checkLimit("clipGradNorm", clipGradNorm);
  checkLimit("clipParameterNorm", clipParameterNorm);
  checkLimit("clipGradValue", clipGradValue);
  const norm = globalNorm(core, blocks, normType);
  if (keepNonFinite && !Number.isFinite(norm)) return norm;
  if (clipGradNorm !== undefined) scaleTo(core, blocks, norm, clipGradNorm);
  if (clipParameterNorm !== undefined) {
    for (const block of blocks) scaleTo(core, [block], globalNorm(core, [block], normType), clipParameterNorm);
  }
  if (clipGradValue !== undefined) {
    for (const { gradient, size } of blocks) core.raw.ur_clamp(size, gradient, clipGradValue);
  }
  return norm;
}

/** Scales gradients of a norm down to a limit. */
function scaleTo(core: Core, blocks: readonly GradientBlock[], norm: number, limit: number): void {
  const factor = limit / (norm + 1e-6);
  // Also when the norm is NaN: as in torch, the gradients then become NaN.
  if (!(factor >= 1)) for (const { gradient, size } of blocks) core.raw.ur_scale(size, factor, gradient);
}

function globalNorm(core: Core, blocks: readonly GradientBlock[], normType: number): number {
  if (normType !== 2 && normType !== Infinity)
    throw new ArgumentError("clipping", "normType", "2 or Infinity", normType);
  let total = 0;
  for (const { gradient, size } of blocks) {
    if (normType === 2) total += core.raw.ur_sum_squares(size, gradient);
    else total = Math.max(total, core.raw.ur_max_abs(size, gradient));
  }
  return normType === 2 ? Math.sqrt(total) : total;
}

/**
 * Clips gradients that are plain arrays, for example those of `gradients()`, in place.
 * @returns the global norm before clipping
 * @throws ArgumentError for a limit that is not above 0
 */
export function clipGradients(
  grads: Iterable<Float32Array> | ReadonlyMap<unknown, Float32Array>,
  options: ClipOptions,
  core: Core = getCore(),
): number {
  const arrays = [
    ...(grads instanceof Map ? (grads as ReadonlyMap<unknown, Float32Array>).values() : grads),
  ] as Float32Array[];
  return runScope(core, () => {
    const blocks = arrays.map((array) => {
      const gradient = core.arenaAlloc(array.byteLength);
      core.f32.set(array, gradient >>> 2);
      return { gradient, size: array.length };
    });
    const norm = clipBlocks(core, blocks, options);
    for (const [i, { gradient, size }] of blocks.entries()) arrays[i]?.set(core.readF32(gradient, size));
    return norm;
  });
}
