/**
 * Where the compiled core comes from: bytes inside the bundle, deflated (base64 of the raw bytes would inflate a
 * gzipped bundle by a third). Bundles for workerd replace this file by loader.workerd.ts, of the same interface.
 */
import { inflateSync } from "fflate";
import { wasmDeflatedBase64 } from "./raw.js";

function wasmBytes(): Uint8Array<ArrayBuffer> {
  const text = atob(wasmDeflatedBase64);
  const deflated = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) deflated[i] = text.charCodeAt(i);
  return inflateSync(deflated) as Uint8Array<ArrayBuffer>;
}

/** Compiles now. */
export function compileCore(): WebAssembly.Module {
  return new WebAssembly.Module(wasmBytes());
}

/** Compiles off the calling thread where the runtime can. */
export function compileCoreAsync(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(wasmBytes());
}
