// The core inside the bundle. @rollup/plugin-wasm puts a wasm file there as base64 and makes its import a function; gzip
// cannot compress base64 of raw wasm well (61 kB of a page instead of 45 kB), so the bytes that the plugin is given are
// deflated, and its function inflates them: `import coreBytes from "./x.wasm"` then is `() => Uint8Array`.
import { readFileSync } from "node:fs";
import { deflateRawSync } from "node:zlib";
import { wasm } from "@rollup/plugin-wasm";

// Where the plugin's generated code gets its one function from. `atob` is not to be had in an AudioWorklet.
const helper = "\0wasmHelpers.js";
const helperCode = `
import { inflateSync } from "fflate";
const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
export function _loadWasmModule(sync, path, base64) {
  const codes = Uint8Array.from({ length: 123 }, (_, code) => digits.indexOf(String.fromCharCode(code)));
  const bytes = new Uint8Array((base64.length * 3) >> 2);
  for (let i = 0, at = 0, bits = 0; i < base64.length; i++) {
    bits = (bits << 6) | codes[base64.charCodeAt(i)];
    if (i & 3) bytes[at++] = bits >> (6 - 2 * (i & 3));
  }
  return inflateSync(bytes);
}`;

/** @returns {import("rollup").Plugin[]} */
export function inlineWasm() {
  return [
    {
      name: "deflated-wasm",
      load(id) {
        if (id === helper) return helperCode;
        return id.endsWith(".wasm") ? deflateRawSync(readFileSync(id), { level: 9 }).toString("binary") : null;
      },
    },
    wasm({ targetEnv: "auto-inline" }),
  ];
}
