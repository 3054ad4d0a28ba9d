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
  #trap: unknown;

  constructor(module: WebAssembly.Module) {
    super(instantiate(module));
  }

  /** Whether a trap ended a computation; parameters can still be read. */
  get poisoned(): boolean {
    return this.#trap !== undefined;
  }

  /** Marks the core after a trap. @internal */
  poison(trap: unknown): void {
    this.#trap ??= trap ?? "trap";
  }

  /** As {@link Memory.free}; after a trap nothing is freed, the allocator's own state may be broken. */
  override free(pointer: number, bytes: number): void {
    if (!this.poisoned) super.free(pointer, bytes);
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

/** The default core, loaded on first use (never at import). */
export function getCore(): Core {
  shared ??= createCore();
  return shared;
}

/** A core of its own: nothing is shared with the default one. */
export function createCore(): Core {
  compiled ??= compileCore();
  return new Core(compiled);
}

/** Compiles off the main thread where possible and makes the default core; later calls find it ready. */
export async function loadCore(): Promise<Core> {
  compiled ??= await compileCoreAsync();
  return getCore();
}
