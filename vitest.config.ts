import { resolve } from "node:path";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";
import { inlineWasm } from "./scripts/inline-wasm.mjs";

const root = import.meta.dirname;

export default defineConfig({
  // Before vite's own handling of wasm. Rollup's plugins are vite's, but for types of the same meaning.
  plugins: [{ ...inlineWasm(), enforce: "pre" } as Plugin],
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/runtimes/**"],
    // Two cores are the machine this project is sized for; training tests are CPU-bound, so more workers only wait.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    passWithNoTests: false,
    // CORE=relaxed: the tests on the relaxed core.
    setupFiles: process.env["CORE"] === "relaxed" ? ["test/core/use-relaxed.ts"] : [],
    env: {
      CONFORMANCE_DIR: resolve(root, process.env["CONFORMANCE_DIR"] ?? "../shared/conformance"),
      UNROLLED_DATA: resolve(root, process.env["UNROLLED_DATA"] ?? "../shared/data"),
    },
  },
});
