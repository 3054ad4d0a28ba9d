// The core inside the bundle: `import coreBytes from "./x.wasm"` is `() => Uint8Array`. A wasm file is put there as base64;
// gzip cannot compress base64 of raw wasm well (61 kB of a page), and deflate leaves more (45 kB) than the packer of
// crate/packer (35 kB, what unpacks it included), so it is packed first, and the function unpacks it. Node has no need
// of that as long as the file that workerd imports lies beside the bundle: reading it takes a hundredth of the time.
import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { fromRoot } from "./lib.mjs";

const helper = "\0packed-core.js";
// `atob` is not to be had in an AudioWorklet.
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
function fileBytes(name, length) {
  try {
    const bytes = globalThis.process.getBuiltinModule("fs").readFileSync(import.meta.dirname + "/" + name);
    if (bytes.length === length) return bytes;
  } catch {
    // A page, or a bundle without its file.
  }
}
function unpacked(base64) {
  const packed = bytesOf(base64);
  const { memory, unpack_behind } = new WebAssembly.Instance(new WebAssembly.Module(bytesOf(unpacker))).exports;
  const pointer = memory.grow(4) << 16;
  new Uint8Array(memory.buffer).set(packed, pointer);
  return new Uint8Array(memory.buffer, pointer + packed.length, unpack_behind(pointer, packed.length));
}
export const wasmBytes = (name, length, base64) => fileBytes(name, length) ?? unpacked(base64);`;

/** Name of a generated wasm file in `dist/`. @param {string} path */
export const shippedName = (path) => basename(path).replace("_bg.wasm", ".wasm");

/** @returns {import("rollup").Plugin} */
export function inlineWasm() {
  return {
    name: "packed-core",
    resolveId: (source) => (source === helper ? source : null),
    load(id) {
      if (id === helper) return helperCode();
      if (!id.endsWith(".wasm")) return null;
      const packed = readFileSync(id.replace(/wasm$/, "packed"), "base64").replace(/=*$/, "");
      return `import { wasmBytes } from ${JSON.stringify(helper)};
export default () => wasmBytes("${shippedName(id)}", ${statSync(id).size}, "${packed}");`;
    },
    // The same for `require`.
    resolveImportMeta: (property, { format }) => (property === "dirname" && format === "cjs" ? "__dirname" : null),
  };
}
