/**
 * The relaxed core: the same source compiled with WebAssembly's relaxed SIMD, whose fused multiplication and addition
 * makes matrix products up to a third faster on processors that have one. `import { relaxedCore } from "unrolled/relaxed"`.
 *
 * It is asked for by name because its bits are not those of the portable core, nor the same on all machines: whether a
 * product is rounded before it is added is the engine's choice. Results agree within the rounding of f32; a run is
 * repeated bit for bit only on the same machine and engine.
 */
import { compileCore, compileCoreAsync } from "./relaxed-loader.js";

/** A module that adds no more than one relaxed instruction: `WebAssembly.validate` knows whether there is one. */
const oneRelaxedInstruction = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0],
  ...[10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11],
);

/** Whether this runtime has relaxed SIMD: Node 22 and later (Node 20 by a flag), Deno, Bun and present browsers do. */
export function supportsRelaxedSimd(): boolean {
  return WebAssembly.validate(oneRelaxedInstruction);
}

/**
 * The relaxed core as a module, to be given to `loadCore` or `createCore` before anything else needs a core; null where
 * the runtime has no relaxed SIMD, which both take as the portable core.
 *
 *     await loadCore(await relaxedCore());
 */
export async function relaxedCore(): Promise<WebAssembly.Module | null> {
  return supportsRelaxedSimd() ? compileCoreAsync() : null;
}

/** The same at once, on the calling thread; browsers allow that in workers only. */
export function relaxedCoreSync(): WebAssembly.Module | null {
  return supportsRelaxedSimd() ? compileCore() : null;
}
