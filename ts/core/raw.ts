/**
 * The one file that imports what the build generates from the crate: the types of its exports and its bytes.
 *
 * The exports are plain `extern "C"` functions of numbers (see crate/src/bindings.rs), so a module is instantiated
 * directly, without glue: several cores can live side by side.
 */
import type { InitOutput } from "./generated/unrolled_core.js";

export { default as coreBytes } from "./generated/unrolled_core_bg.wasm";

/** The functions and the memory of one instance of the core. */
export type RawExports = Omit<InitOutput, "__wbindgen_start" | "__wbindgen_externrefs">;

/** A fresh instance with a memory of its own. */
export function instantiate(module: WebAssembly.Module): RawExports {
  return new WebAssembly.Instance(module, {}).exports as unknown as RawExports;
}
