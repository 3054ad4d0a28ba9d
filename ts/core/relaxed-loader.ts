/** Where the relaxed core comes from; relaxed-loader.workerd.ts takes its place as loader.workerd.ts that of loader.ts. */
import { relaxedCoreBytes } from "./raw-relaxed.js";

/** Compiles now. */
export function compileCore(): WebAssembly.Module {
  return new WebAssembly.Module(relaxedCoreBytes());
}

/** Compiles off the calling thread where the runtime can. */
export function compileCoreAsync(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(relaxedCoreBytes());
}
