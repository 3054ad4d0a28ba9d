// From what tsc compiled into build/ts to what is published in dist. See CONTRIBUTING.md, "Build".
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { nodeResolve } from "@rollup/plugin-node-resolve";
import { transform } from "esbuild";
import dts from "rollup-plugin-dts";
import { inlineWasm, shippedName } from "./scripts/inline-wasm.mjs";

const entries = {
  index: "build/ts/index.js",
  inference: "build/ts/inference.js",
  node: "build/ts/node/index.js",
  onnx: "build/ts/io/onnx/index.js",
  keras: "build/ts/io/keras/index.js",
  huggingface: "build/ts/io/huggingface.js",
  arrow: "build/ts/data/arrow.js",
  parquet: "build/ts/data/parquet.js",
  relaxed: "build/ts/core/relaxed.js",
};
const external = [/^node:/, /^apache-arrow/, /^hyparquet/, /^@huggingface/];

/** @param {import("rollup").RollupLog} warning */
const onwarn = (warning) => {
  // Helpers of TypeScript in a dependency's files, of parts that are not bundled.
  if (warning.code === "THIS_IS_UNDEFINED" && warning.id?.includes("node_modules")) return;
  throw new Error(warning.message);
};

/**
 * Neither comments, which the declarations have, nor letters beyond ASCII, for one of which an engine would keep a whole
 * file in twice its bytes.
 * @type {import("rollup").Plugin}
 */
const plain = {
  name: "plain",
  renderChunk: (code, _chunk, { format }) =>
    transform(code, { format: format === "cjs" ? "cjs" : "esm", target: "es2022" }),
};

/**
 * All that an entry needs in one file: each file that Node has to find, read and link takes its time at the start. What
 * `unrolled/inference` needs is such a file, and the main entry takes another beside it. The core is in a third, as
 * bundlers then put it at their bundle's begin: gzip does best when it does not part code.
 * @returns {import("rollup").GetManualChunk}
 */
function fewFiles() {
  const parts = ["inference", "index"].map((entry) => ({
    chunk: entry === "index" ? "unrolled" : entry,
    ids: new Set([fileURLToPath(new URL(entries[/** @type {keyof typeof entries} */ (entry)], import.meta.url))]),
  }));
  return (id, { getModuleInfo }) => {
    if (/unrolled_core_bg\.wasm$|packed-core/.test(id)) return "core";
    return parts.find(({ ids }) => {
      // A set gives what is added to it while it is walked.
      for (const module of ids) for (const imported of getModuleInfo(module)?.importedIds ?? []) ids.add(imported);
      return ids.has(id);
    })?.chunk;
  };
}

/**
 * workerd may not compile bytes: there another loader imports the wasm file as a module, which the runtime has
 * compiled.
 * @returns {import("rollup").Plugin}
 */
function staticWasm() {
  return {
    name: "static-wasm",
    resolveId(source, importer) {
      // Only the loader of an entry imports one; what else names one, for its bytes, has no use for it here.
      if (source.endsWith(".wasm")) return { id: source, external: true, moduleSideEffects: false };
      return /loader\.js$/.test(source) ? this.resolve(source.replace("loader", "loader.workerd"), importer) : null;
    },
    generateBundle() {
      for (const name of ["unrolled_core_bg.wasm", "unrolled_core_relaxed_bg.wasm"]) {
        const source = readFileSync(`ts/core/generated/${name}`);
        this.emitFile({ type: "asset", fileName: shippedName(name), source });
      }
    },
  };
}

/**
 * One declaration file an entry, readable by TypeScript 5.0: typed arrays have had a type parameter only since 5.7.
 * @param {"ts" | "cts"} extension
 * @returns {import("rollup").RollupOptions}
 */
function types(extension) {
  const script = extension === "ts" ? "js" : "cjs";
  return {
    input: Object.fromEntries(Object.entries(entries).map(([name, path]) => [name, path.replace(/js$/, "d.ts")])),
    external,
    onwarn,
    plugins: [
      dts(),
      {
        name: "older-typescript",
        renderChunk: (code) =>
          code
            .replace(/\b((?:Int|Uint|Float|BigInt|BigUint)\d+(?:Clamped)?Array)<ArrayBuffer(?:Like)?>/g, "$1")
            .replace(/(from ["']\.\/[^"']+?)(?:\.d\.c?ts|\.c?js)?(["'])/g, `$1.${script}$2`),
      },
    ],
    output: { dir: "dist", entryFileNames: `[name].d.${extension}`, chunkFileNames: `types.d.${extension}` },
  };
}

/** @type {import("rollup").RollupOptions[]} */
export default [
  {
    input: { ...entries, cli: "build/ts/cli/main.js", replica: "build/ts/cli/replica.js" },
    external,
    onwarn,
    plugins: [inlineWasm(), nodeResolve(), plain],
    output: {
      dir: "dist",
      format: "es",
      entryFileNames: "[name].js",
      chunkFileNames: "[name]-shared.js",
      manualChunks: fewFiles(),
      // Imports for nothing but the order of loading, which esbuild warns of.
      hoistTransitiveImports: false,
    },
  },
  {
    input: entries,
    external,
    onwarn,
    plugins: [inlineWasm(), nodeResolve(), plain],
    output: {
      dir: "dist",
      format: "cjs",
      entryFileNames: "[name].cjs",
      chunkFileNames: "[name]-shared.cjs",
      manualChunks: fewFiles(),
    },
  },
  {
    input: {
      workerd: entries.index,
      "inference.workerd": entries.inference,
      "onnx.workerd": entries.onnx,
      "keras.workerd": entries.keras,
      "huggingface.workerd": entries.huggingface,
      "arrow.workerd": entries.arrow,
      "parquet.workerd": entries.parquet,
      "relaxed.workerd": entries.relaxed,
    },
    external,
    onwarn,
    plugins: [staticWasm(), nodeResolve(), plain],
    output: {
      dir: "dist",
      format: "es",
      entryFileNames: "[name].js",
      chunkFileNames: "[name]-workerd.js",
      hoistTransitiveImports: false,
    },
  },
  types("ts"),
  types("cts"),
];
