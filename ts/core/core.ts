/** One instance of the WebAssembly core, and the default one that is made when first needed. */
import { ArgumentError, CorePoisonedError, OutOfMemoryError } from "../errors.js";
import { compileCore, compileCoreAsync } from "./loader.js";
import { Memory } from "./memory.js";
import { instantiate } from "./raw.js";

declare global {
  // Older TypeScript libraries lack it; where the runtime lacks it too, `dispose()` is the way.
  interface SymbolConstructor {
    readonly dispose: unique symbol;
  }
}

/** A core: its functions (`raw`), its memory, and whether it is still to be trusted. */
export class Core extends Memory {
  readonly #module: WebAssembly.Module;
  #trap: unknown;
  /** Work that traps have ended. */
  readonly #undone = new Set<number>();
  /** Blocks given back after a trap. */
  readonly #unfreed: (readonly [pointer: number, bytes: number])[] = [];
  /** Number of the work under way, one more with every update and every scope that completes. @internal */
  work = 0;
  /** Whether values that outlive an update are being changed in place. @internal */
  writing = false;

  /** @internal */
  constructor(module: WebAssembly.Module) {
    super(instantiate(module));
    this.#module = module;
    if (wideTiles) this.raw.ur_wide_tiles();
  }

  /** Whether a trap ended a computation; parameters can still be read. */
  get poisoned(): boolean {
    return this.#trap !== undefined;
  }

  /** Marks the core after a trap. @internal */
  poison(trap: unknown): void {
    if (this.poisoned) return;
    this.#trap = trap ?? "trap";
    this.#undone.add(this.work++);
  }

  /** Whether a trap ended that work: what it has set does not count. @internal */
  undone(work: number): boolean {
    return this.#undone.has(work);
  }

  /**
   * Makes the core usable again after a trap, in a fresh instance with a copy of its memory; one that has not trapped
   * is left alone. Parameters, states of optimizers and carried states then have the values of the last update that
   * was completed. The state of a `Session` whose step trapped is the exception: restore or reset it.
   *
   * That costs nothing before the trap: an update changes parameters and optimizer only at its very end, and a carried
   * state is kept until the update that replaces it is complete.
   * @throws OutOfMemoryError when there is no room for the copy: nothing has changed then. CorePoisonedError when the
   *   trap came while values were being written, so that some are new and some old: the core is usable then, and a
   *   checkpoint has to be loaded.
   */
  recover(): void {
    if (!this.poisoned) return;
    this.moveTo(instantiate(this.#module));
    const [trap, torn] = [this.#trap, this.writing];
    this.#trap = undefined;
    this.writing = false;
    for (const [pointer, bytes] of this.#unfreed.splice(0)) this.free(pointer, bytes);
    if (torn) throw new CorePoisonedError(trap, "it trapped while values were being written; load a checkpoint");
  }

  /** Frees memory; after a trap nothing is freed before {@link recover}. */
  override free(pointer: number, bytes: number): void {
    if (this.poisoned) this.#unfreed.push([pointer, bytes]);
    else super.free(pointer, bytes);
  }

  /** @throws CorePoisonedError after a trap */
  assertUsable(): void {
    if (this.#trap !== undefined) throw new CorePoisonedError(this.#trap);
  }

  /**
   * Turns the status of a call into an error.
   * @param bytes what the call tried to allocate, where that is not working memory of its own
   * @throws OutOfMemoryError for 1, ArgumentError for 2
   */
  checkStatus(status: number, where: string, bytes = 0): void {
    if (status === 0) return;
    if (status === 1) throw new OutOfMemoryError(bytes || this.raw.ur_refused_bytes() >>> 0, where);
    throw new ArgumentError(where, "arguments", "acceptable to the core", `status ${status}`);
  }
}

let compiled: WebAssembly.Module | undefined;
let shared: Core | undefined;
let wideTiles = false;

/** Options of {@link loadCore}. */
export interface CoreOptions {
  /**
   * Computes matrix products in tiles for registers of 256 bits, in all relaxed cores from now on: up to twice as fast
   * where the engine joins pairs of 128-bit instructions, slower everywhere else. The bits stay. Default false.
   */
  readonly wideTiles?: boolean | undefined;
}

/** The default core, loaded on first use (never at import). */
export function getCore(): Core {
  shared ??= createCore();
  return shared;
}

/**
 * A core of its own: nothing is shared with the default one.
 * @param module - another build of it, as `unrolled/relaxed` has one; null: what the default core is made of
 */
export function createCore(module: WebAssembly.Module | null = null): Core {
  if (module !== null) return new Core(module);
  compiled ??= compileCore();
  return new Core(compiled);
}

/**
 * Compiles off the main thread where possible and makes the default core; later calls find it ready.
 * @param module - another build of it, as `unrolled/relaxed` has one, which then is what all cores are made of; null: the
 *   portable one
 * @throws ArgumentError for another build when there is a core already
 */
export async function loadCore(
  module: WebAssembly.Module | null = null,
  { wideTiles: wide = wideTiles }: CoreOptions = {},
): Promise<Core> {
  if (module !== null && compiled !== undefined && compiled !== module) {
    throw new ArgumentError("loadCore", "module", "given before the first core is made", module);
  }
  compiled ??= module ?? (await compileCoreAsync());
  wideTiles = wide;
  return getCore();
}
