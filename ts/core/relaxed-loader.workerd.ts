/** The relaxed core in workerd: a static module import. */
import wasmModule from "./unrolled_core_relaxed.wasm";

/** The module that the runtime compiled at deployment. */
export function compileCore(): WebAssembly.Module {
  return wasmModule;
}

/** The same, for callers that await. */
export function compileCoreAsync(): Promise<WebAssembly.Module> {
  return Promise.resolve(wasmModule);
}
