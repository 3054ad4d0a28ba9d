// W7: how long a process takes to its first result, and how much a page loads.
import { spawn } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { median, report } from "./timing.mjs";

const here = fileURLToPath(import.meta.url);

/**
 * Milliseconds from the start of a process to its first result.
 * @param {string} entry of the package
 */
function coldStart(entry) {
  return new Promise((settle, fail) => {
    const begin = performance.now();
    const child = spawn(process.execPath, [fileURLToPath(new URL("start.mjs", import.meta.url)), entry], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let time = NaN;
    child.stdout.once("data", () => {
      time = performance.now() - begin;
    });
    child.on("error", fail);
    child.on("close", (code) => (code === 0 ? settle(time) : fail(new Error(`the child ended with ${code}`))));
  });
}

/** All of W7. */
export async function w7() {
  const entries = { "first-result": "unrolled/inference", "first-result-main-entry": "unrolled" };
  for (const [variant, entry] of Object.entries(entries)) {
    await coldStart(entry);
    /** @type {number[]} */
    const runs = [];
    for (let run = 0; run < 7; run++) runs.push(await coldStart(entry));
    report("W7", "start_ms", median(runs), "lower", { variant, runs });
  }
  // What a page loads that runs a saved LSTM, and the whole package.
  await bundle("bundle", 'export { load, LSTM, Session } from "unrolled";');
  await bundle("bundle-whole", 'import * as P from "unrolled"; globalThis.P = P;');
}

/**
 * @param {string} variant
 * @param {string} contents the program of a page
 */
async function bundle(variant, contents) {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: dirname(here), loader: "js" },
    bundle: true,
    minify: true,
    platform: "browser",
    format: "esm",
    target: "es2022",
    write: false,
    // Not the project's own, by which "unrolled" is the source and not what is published.
    tsconfigRaw: {},
  });
  const code = outputFiles[0]?.contents ?? new Uint8Array();
  const gz = gzipSync(code, { level: 9 }).length;
  // The core is inside the bundle.
  report("W7", "shipped_gz_bytes", gz, "lower", { variant, parts: { "bundle.js": { raw: code.length, gz } } });
}
