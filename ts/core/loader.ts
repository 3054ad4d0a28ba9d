/**
 * Where the compiled core comes from: bytes inside the bundle. Bundles for workerd replace this file by
 * loader.workerd.ts, of the same interface.
 */
import { coreBytes } from "./raw.js";

/** Compiles now. */
export function compileCore(): WebAssembly.Module {
  return new WebAssembly.Module(coreBytes());
}

/** Compiles off the calling thread where the runtime can. */
export function compileCoreAsync(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(coreBytes());
}
