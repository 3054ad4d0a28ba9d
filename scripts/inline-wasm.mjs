// The core inside the bundle. @rollup/plugin-wasm puts a wasm file there as base64 and makes its import a function; gzip
// cannot compress base64 of raw wasm well (61 kB of a page), and deflate leaves more (45 kB) than the packer of
// crate/packer (35 kB, what unpacks it included), so the plugin is given the packed bytes, and its function unpacks
// them: `import coreBytes from "./x.wasm"` then is `() => Uint8Array`.
import { readFileSync } from "node:fs";
import { wasm } from "@rollup/plugin-wasm";
import { fromRoot } from "./lib.mjs";

// Where the plugin's generated code gets its one function from. `atob` is not to be had in an AudioWorklet.
const helper = "\0wasmHelpers.js";
const helperCode = () => `
const unpacker = "${readFileSync(fromRoot("ts", "core", "generated", "unpacker.wasm"), "base64").replace(/=*$/, "")}";
const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
function bytesOf(base64) {
  const codes = Uint8Array.from({ length: 123 }, (_, code) => digits.indexOf(String.fromCharCode(code)));
  const bytes = new Uint8Array((base64.length * 3) >> 2);
  for (let i = 0, at = 0, bits = 0; i < base64.length; i++) {
    bits = (bits << 6) | codes[base64.charCodeAt(i)];
    if (i & 3) bytes[at++] = bits >> (6 - 2 * (i & 3));
  }
  return bytes;
}
export function _loadWasmModule(sync, path, base64) {
  const packed = bytesOf(base64);
  const { memory, unpack_behind } = new WebAssembly.Instance(new WebAssembly.Module(bytesOf(unpacker))).exports;
  const pointer = memory.grow(4) << 16;
  new Uint8Array(memory.buffer).set(packed, pointer);
  return new Uint8Array(memory.buffer, pointer + packed.length, unpack_behind(pointer, packed.length));
}`;

/** @returns {import("rollup").Plugin[]} */
export function inlineWasm() {
  return [
    {
      name: "packed-wasm",
      load(id) {
        if (id === helper) return helperCode();
        return id.endsWith(".wasm") ? readFileSync(id.replace(/wasm$/, "packed"), "binary") : null;
      },
    },
    wasm({ targetEnv: "auto-inline" }),
  ];
}
