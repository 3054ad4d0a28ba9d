// The core inside the bundle. @rollup/plugin-wasm puts a wasm file there as base64 and makes its import a function; gzip
// cannot compress base64 of raw wasm well (61 kB of a page instead of 45 kB), so the bytes that the plugin is given are
// deflated, and its function inflates them: `import coreBytes from "./x.wasm"` then is `() => Uint8Array`.
import { readFileSync } from "node:fs";
import { deflateRawSync } from "node:zlib";
import { wasm } from "@rollup/plugin-wasm";

// Where the plugin's generated code gets its one function from.
const helper = "\0wasmHelpers.js";
const helperCode = `
import { inflateSync } from "fflate";
export function _loadWasmModule(sync, path, base64) {
  return inflateSync(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
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
