// node test/runtimes/run.mjs FOLDER: trains and samples with the package installed in FOLDER/node_modules, in every
// runtime that this machine can run: Node (ESM and CJS, and a later version), headless Chromium, workerd. Prints a line a runtime; throws if
// one fails.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

/** @typedef {Awaited<ReturnType<typeof import("./smoke.mjs").smoke>>} Result */

const here = dirname(fileURLToPath(import.meta.url));

/**
 * @param {string} folder
 * @param {string} [node] which Node
 * @param {string} [before] what the script does first
 */
function nodeEsm(folder, node = process.execPath, before = "") {
  const source = `${before}import * as unrolled from "unrolled"; import * as inference from "unrolled/inference"; import { smoke } from "./smoke.mjs"; console.log(JSON.stringify(await smoke(unrolled, inference)));`;
  writeFileSync(join(folder, "esm.mjs"), source);
  return JSON.parse(execFileSync(node, ["esm.mjs"], { cwd: folder, encoding: "utf8" }));
}

/** A Node whose V8 joins instructions: this one, or one from the registry, beside the installed package. */
const LATER_NODE = "24.21.0";

/** @param {string} folder */
function laterNode(folder) {
  if (Number.parseInt(process.versions.node, 10) >= Number.parseInt(LATER_NODE, 10)) return process.execPath;
  const name = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  const path = join(folder, "later", "node_modules", name, "bin", process.platform === "win32" ? "node.exe" : "node");
  if (!existsSync(path)) {
    const options = ["--prefix", join(folder, "later"), "--no-save", "--no-audit", "--no-fund", "--silent"];
    execFileSync("npm", ["install", ...options, `${name}@${LATER_NODE}`], { cwd: folder, stdio: "inherit" });
  }
  return path;
}

/**
 * @param {string} folder
 * @param {{ relaxed: boolean, revectorize: boolean }} options
 * @returns {Result}
 */
function onFasterCore(folder, options) {
  const before = `import { loadFasterCore } from "unrolled/node";
const { revectorize } = await loadFasterCore(${JSON.stringify(options)});
if (revectorize !== ${options.revectorize} && process.arch === "x64") throw new Error("the instructions are not joined as asked");
`;
  return nodeEsm(folder, laterNode(folder), before);
}

/** With pairs of instructions joined, which leaves the bits of the portable core as they are. @param {string} folder */
function joinedInstructions(folder) {
  return onFasterCore(folder, { relaxed: false, revectorize: true });
}

/** The relaxed core has bits of its own, which must not depend on the width of its tiles. @param {string} folder */
export function relaxedCores(folder) {
  const [narrow, wide] = [false, true].map((revectorize) => onFasterCore(folder, { relaxed: true, revectorize }));
  if (narrow?.digest !== wide?.digest)
    throw new Error(`the relaxed core ends with ${narrow?.digest}, with joined instructions with ${wide?.digest}`);
}

/** @param {string} folder */
function nodeCjs(folder) {
  const source = `const unrolled = require("unrolled"); const inference = require("unrolled/inference"); import("./smoke.mjs").then(({ smoke }) => smoke(unrolled, inference)).then((result) => console.log(JSON.stringify(result)));`;
  writeFileSync(join(folder, "cjs.cjs"), source);
  return JSON.parse(execFileSync(process.execPath, ["cjs.cjs"], { cwd: folder, encoding: "utf8" }));
}

export function findChromium() {
  const places = [
    process.env["CHROMIUM_PATH"],
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
  ];
  return places.find((place) => place !== undefined && existsSync(place));
}

/** Chromium without a window, and without its calls to the world. */
export async function launchChromium() {
  const executablePath = findChromium();
  if (!executablePath) throw new Error("no Chromium: install the package chromium or set CHROMIUM_PATH");
  const { chromium: browserType } = await import("playwright-core");
  const flags =
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";
  return browserType.launch({ executablePath, headless: true, args: flags.split(" ") });
}

/**
 * Plain module scripts and an import map, no bundler.
 * @param {string} folder
 * @returns {Promise<Result>}
 */
async function chromium(folder) {
  const page = `<!doctype html><script type="importmap">{"imports":{"unrolled":"/node_modules/unrolled/dist/index.js","unrolled/inference":"/node_modules/unrolled/dist/inference.js"}}</script>
<script type="module">
import { pageReplicas, pageSmoke, smoke } from "/smoke.mjs";
globalThis.outcome = import("unrolled").then(async (unrolled) => {
  await pageSmoke(unrolled);
  await pageReplicas(unrolled);
  return smoke(unrolled, await import("unrolled/inference"));
}).then((value) => ({ value }), (error) => ({ error: String(error?.stack ?? error) }));
globalThis.ready = true;
</script>`;
  const types = new Map([
    [".js", "text/javascript"],
    [".mjs", "text/javascript"],
  ]);
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    const file = join(folder, path);
    if (path === "/") response.setHeader("content-type", "text/html").end(page);
    else if (!existsSync(file)) response.writeHead(404).end();
    else
      response
        .setHeader("content-type", types.get(extname(file)) ?? "application/octet-stream")
        .end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the test server has no port");
  const browser = await launchChromium();
  try {
    const tab = await browser.newPage();
    await tab.goto(`http://127.0.0.1:${address.port}/`);
    await tab.waitForFunction("globalThis.ready === true", undefined, { timeout: 20_000 });
    const outcome = /** @type {{ value?: Result, error?: string }} */ (await tab.evaluate("globalThis.outcome"));
    if (!outcome.value) throw new Error(outcome.error);
    return outcome.value;
  } finally {
    await browser.close();
    server.close();
  }
}

/**
 * Bundled as wrangler does it: the condition "workerd", wasm files as compiled modules.
 * @param {string} folder
 * @returns {Promise<Result>}
 */
async function workerd(folder) {
  const contents = `import * as unrolled from "unrolled"; import * as inference from "unrolled/inference"; import { smoke } from "./smoke.mjs";
export default { async fetch() {
  try { return Response.json({ value: await smoke(unrolled, inference) }); } catch (error) { return Response.json({ error: String(error?.stack ?? error) }); }
} };`;
  await esbuild.build({
    stdin: { contents, resolveDir: folder },
    outfile: join(folder, "worker", "worker.mjs"),
    bundle: true,
    format: "esm",
    conditions: ["workerd"],
    external: ["*.wasm"],
    logLevel: "error",
  });
  cpSync(
    join(folder, "node_modules", "unrolled", "dist", "unrolled_core.wasm"),
    join(folder, "worker", "unrolled_core.wasm"),
  );
  const { Miniflare } = await import("miniflare");
  const miniflare = new Miniflare({
    rootPath: join(folder, "worker"),
    modulesRoot: join(folder, "worker"),
    modules: [
      { type: "ESModule", path: join(folder, "worker", "worker.mjs") },
      { type: "CompiledWasm", path: join(folder, "worker", "unrolled_core.wasm") },
    ],
    compatibilityDate: "2026-01-01",
  });
  try {
    const response = await miniflare.dispatchFetch("http://localhost/");
    const outcome = /** @type {{ value?: Result, error?: string }} */ (await response.json());
    if (!outcome.value) throw new Error(outcome.error);
    return outcome.value;
  } finally {
    await miniflare.dispose();
  }
}

/** @type {Record<string, (folder: string) => Result | Promise<Result>>} */
export const runtimes = {
  "Node ESM": (folder) => nodeEsm(folder),
  "Node CJS": nodeCjs,
  Chromium: chromium,
  workerd,
  "a later Node": (folder) => nodeEsm(folder, laterNode(folder)),
  "a later Node, instructions joined": joinedInstructions,
};

/**
 * @param {string} folder
 * @param {string} name a key of `runtimes`
 */
export async function runIn(folder, name) {
  cpSync(join(here, "smoke.mjs"), join(folder, "smoke.mjs"));
  const runtime = runtimes[name];
  if (!runtime) throw new Error(`no runtime ${name}`);
  const start = performance.now();
  const result = await runtime(folder);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const { firstLoss, lastLoss, sample, digest } = result;
  console.log(
    `${name}: loss ${firstLoss.toFixed(3)} -> ${lastLoss.toFixed(3)}, ${JSON.stringify(sample)}, weights ${digest}, ${seconds} s`,
  );
  return result;
}

const folder = process.argv[2];
if (process.argv[1] === fileURLToPath(import.meta.url) && folder) {
  const digests = new Set();
  for (const name of Object.keys(runtimes)) digests.add((await runIn(folder, name)).digest);
  if (digests.size > 1) throw new Error("the runtimes ended with different weights");
  relaxedCores(folder);
}
