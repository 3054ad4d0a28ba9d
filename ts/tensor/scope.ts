/**
 * Scopes: everything made inside one lives in the arena and is gone, all at once, at its end.
 *
 * At most one scope is current; scopes of one core nest (an inner one ends first). Scopes are synchronous, so the
 * arena is empty at every await and yield.
 */
import type { Core } from "../core/core.js";
import { PromiseInUpdateError, ScopeError } from "../errors.js";
import type { Tape } from "./tape.js";

/** One scope: tensors refer to it, and are usable while it is open. */
export class Scope {
  readonly core: Core;
  /** What this scope records onto, or null while nothing is recorded. */
  readonly tape: Tape | null;
  open = true;
  readonly #parent: Scope | null;
  readonly #mark: number;

  constructor(core: Core, tape: Tape | null) {
    core.assertUsable();
    if (current !== null && current.core !== core) {
      throw new ScopeError("a scope of one core was opened inside a scope of another core");
    }
    this.core = core;
    this.tape = tape;
    this.#parent = current;
    // Outside all scopes the arena holds only leftovers of operations that failed half-way.
    this.#mark = current === null ? 0 : core.arenaMark();
    if (current === null) core.arenaReset(0);
    current = this;
  }

  /** Whether it is inside no other. */
  get outermost(): boolean {
    return this.#parent === null;
  }

  /** Ends the scope and frees what was made in it. */
  close(): void {
    this.open = false;
    current = this.#parent;
    if (!this.core.poisoned) this.core.arenaReset(this.#mark);
  }
}

let current: Scope | null = null;

/** The innermost open scope, or null. */
export function currentScope(): Scope | null {
  return current;
}

/** The tape that operations record onto now, or null. */
export function currentTape(): Tape | null {
  return current === null ? null : current.tape;
}

/** Runs `body` in a scope; a trap marks the core and becomes a CorePoisonedError, a promise is refused. @internal */
export function withScope<R>(core: Core, tape: Tape | null, where: string, body: () => R): R {
  const scope = new Scope(core, tape);
  try {
    const result = body();
    refusePromise(result, where);
    // A recording is complete when an optimizer has made an update of it, perhaps of several.
    if (scope.outermost && tape === null) core.work++;
    return result;
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) core.poison(error);
    core.assertUsable();
    throw error;
  } finally {
    scope.close();
  }
}

/** @throws PromiseInUpdateError when a value is a promise (or anything with a `then`) */
export function refusePromise(value: unknown, where: string): void {
  if (typeof value !== "object" || value === null || typeof (value as { then?: unknown }).then !== "function") return;
  // Its own failure would otherwise be reported as unhandled, on top of this error.
  (value as PromiseLike<unknown>).then(undefined, () => undefined);
  throw new PromiseInUpdateError(where);
}

/**
 * Runs `body`; tensors made inside are freed when it returns, so return numbers and arrays, not tensors.
 * Nothing is recorded inside.
 *
 * @throws PromiseInUpdateError when `body` returns a promise
 */
export function runScope<R>(core: Core, body: () => R): R {
  return withScope(core, null, "runScope", body);
}

/**
 * Ends an operation that used the arena for arguments: outside all scopes nothing there is needed any longer.
 * @internal
 */
export function releaseScratch(core: Core): void {
  if (current === null) core.arenaReset(0);
}
