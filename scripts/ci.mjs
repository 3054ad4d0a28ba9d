// Everything that must hold before a change lands, run by .ci/run. Each check is named and timed; one that fails does
// not stop the others. The last line is "N passed, N failed", which counts tests (of the crate and of the SDK) and
// checks.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { environment, fromRoot, root, run, Stop } from "./lib.mjs";

/** Whole gzipped browser bundles, in bytes: what each uses, and how large it may be. */
const budgets = {
  "trains a character LSTM": ["AdamW, CharTokenizer, generate, lanes, LanguageModel, load, LSTM, save, train", 79_000],
  "runs a saved LSTM": ["load, LSTM, Session", 56_500],
};

let passed = 0;
let failed = 0;
/** @type {string[]} */
const failures = [];

/**
 * @param {string} name
 * @param {() => unknown} work throws when the check fails
 */
async function check(name, work) {
  const start = performance.now();
  console.log(`\n=== ${name}`);
  let outcome = "ok";
  try {
    await work();
    passed += 1;
  } catch (error) {
    outcome = "FAILED";
    failed += 1;
    failures.push(name);
    console.log(error instanceof Stop ? error.message : error);
  }
  console.log(`=== ${name}: ${outcome}, ${((performance.now() - start) / 1000).toFixed(1)} s`);
}

/**
 * Runs npm test with its output shown, and counts the tests in what cargo and vitest print at their end.
 * @returns {Promise<{ passed: number, failed: number, code: number }>}
 */
function npmTest() {
  return new Promise((resolve) => {
    const child = spawn("npm", ["test"], {
      cwd: root,
      env: { ...environment(), NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32",
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (data) => {
        output += data;
        process.stdout.write(data);
      });
    }
    child.on("close", (code) => {
      const counts = { passed: 0, failed: 0 };
      const plain = output.replaceAll(new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g"), "");
      for (const [, ok, bad] of plain.matchAll(/^test result: .*?(\d+) passed; (\d+) failed;/gm)) {
        counts.passed += Number(ok);
        counts.failed += Number(bad);
      }
      const vitest = /^ *Tests {2}(.*)$/m.exec(plain)?.[1] ?? "";
      counts.passed += Number(/(\d+) passed/.exec(vitest)?.[1] ?? 0);
      counts.failed += Number(/(\d+) failed/.exec(vitest)?.[1] ?? 0);
      resolve({ ...counts, code: code ?? 1 });
    });
  });
}

/** An installed Chromium, if need be (and if this may be done here: root, with apt) from the distribution's package. */
async function haveChromium() {
  const { findChromium } = await import("../test/runtimes/run.mjs");
  if (findChromium() === undefined && process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
    console.log("installing the package chromium");
    const env = { ...environment(), DEBIAN_FRONTEND: "noninteractive" };
    spawnSync("apt-get", ["update", "-qq"], { env, stdio: "inherit" });
    spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "chromium"], { env, stdio: "inherit" });
  }
  if (findChromium() === undefined) {
    const message =
      "CHROMIUM IS MISSING, so the browser was NOT tested: install the package chromium or set CHROMIUM_PATH.";
    if (process.env["CI"]) throw new Stop(message);
    console.log(message);
    return false;
  }
  return true;
}

const temporary = mkdtempSync(join(tmpdir(), "unrolled-ci-"));
const consumer = join(temporary, "consumer");

/** The notebooks, in a kernel that installs the tarball. @param {string} tarball */
async function notebooks(tarball) {
  const { runNotebooks, Unavailable } = await import("./notebooks.mjs");
  try {
    runNotebooks(tarball);
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    console.log(`LEFT OUT: the notebooks were not run, for want of what runs them: ${error.message}`);
  }
}

/** Packs the package and installs the tarball in an empty project, as a user would. */
function packAndInstall() {
  run("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", temporary], { quiet: true });
  const name = readdirSync(temporary).find((file) => file.endsWith(".tgz"));
  if (!name) throw new Stop("npm pack made no tarball");
  mkdirSync(consumer);
  writeFileSync(join(consumer, "package.json"), JSON.stringify({ name: "consumer", private: true }));
  run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", join(temporary, name)], {
    cwd: consumer,
  });
  const listing = run("tar", ["-tzvf", join(temporary, name)], { quiet: true });
  console.log(listing);
  return join(temporary, name);
}

/** @param {string} compiler the npm name of a TypeScript */
function consumerTypes(compiler) {
  const source = readFileSync(fromRoot("test", "runtimes", "consumer.ts"), "utf8");
  for (const extension of ["mts", "cts"]) writeFileSync(join(consumer, `consumer.${extension}`), source);
  for (const [module, moduleResolution] of [
    ["Node16", "Node16"],
    ["ESNext", "Bundler"],
  ]) {
    const project = {
      compilerOptions: {
        module,
        moduleResolution,
        target: "ES2022",
        lib: ["ES2022", "DOM"],
        types: [],
        strict: true,
        noEmit: true,
      },
      files: module === "Node16" ? ["consumer.mts", "consumer.cts"] : ["consumer.mts"],
    };
    writeFileSync(join(consumer, "tsconfig.json"), JSON.stringify(project));
    run(process.execPath, [fromRoot("node_modules", compiler, "bin", "tsc"), "-p", "."], { cwd: consumer });
  }
}

/** The README's TypeScript blocks: each must compile against the installed package, and the first, which is whole, must run. */
function readmeExamples() {
  const blocks = [...readFileSync(fromRoot("README.md"), "utf8").matchAll(/^```ts\n(.*?)^```$/gms)].map(
    ([, code]) => code,
  );
  // What the text around a block speaks of.
  const given = `declare global {
    const ids: import("unrolled").Ids, tags: typeof ids, lengths: Int32Array, samples: Float32Array;
    const lm: import("unrolled").LanguageModel;
    const { readFile, writeFile }: typeof import("node:fs/promises");
  }
  export {};`;
  writeFileSync(join(consumer, "given.d.mts"), given);
  blocks.forEach((code, index) => writeFileSync(join(consumer, `readme-${index}.mts`), `${code}`));
  const typeRoots = [fromRoot("node_modules", "@types")];
  const options = {
    module: "Node16",
    target: "ES2022",
    lib: ["ES2022", "DOM"],
    typeRoots,
    types: ["node"],
    strict: true,
  };
  const project = {
    compilerOptions: { ...options, skipLibCheck: true },
    files: ["given.d.mts", ...blocks.map((_, index) => `readme-${index}.mts`)],
  };
  writeFileSync(join(consumer, "tsconfig.json"), JSON.stringify(project));
  run("tsc", ["-p", "."], { cwd: consumer });
  writeFileSync(
    join(consumer, "shakespeare.txt"),
    "ROMEO: But, soft! what light through yonder window breaks?\n".repeat(200),
  );
  const output = run(process.execPath, ["readme-0.mjs"], { cwd: consumer, quiet: true });
  console.log(output.slice(-300));
}

/**
 * @param {string} names what the bundle's page uses
 * @param {number} budget bytes
 */
async function bundleSize(names, budget) {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    stdin: { contents: `export { ${names} } from "unrolled";`, resolveDir: consumer },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    write: false,
    logLevel: "error",
  });
  const bundle = outputFiles[0]?.contents ?? new Uint8Array();
  const size = gzipSync(bundle, { level: 9 }).length;
  console.log(`${size} bytes gzipped (${bundle.length} before) of ${budget}`);
  if (size > budget) throw new Stop("the browser bundle is over its budget");
}

const start = performance.now();
console.log("=== npm test");
const tests = await npmTest();
passed += tests.passed;
failed += tests.failed;
if (tests.failed > 0) failures.push(`npm test (${tests.failed} tests)`);
if (tests.passed === 0 || (tests.code !== 0 && tests.failed === 0)) {
  failed += 1;
  failures.push("npm test");
}
console.log(
  `=== npm test: ${tests.passed} passed, ${tests.failed} failed, ${((performance.now() - start) / 1000).toFixed(1)} s`,
);

if (!existsSync(fromRoot("node_modules", "typescript")) || !existsSync(fromRoot("dist", "index.js"))) {
  console.log("\nnpm test built nothing, so the other checks cannot run");
} else {
  const crate = { cwd: fromRoot("crate") };
  const clippy = ["clippy", "--locked", "--quiet", "--workspace"];
  await check("format: biome", () => run("biome", ["format", "--error-on-warnings", "."]));
  await check("format: rustfmt", () => run("cargo", ["fmt", "--all", "--check"], crate));
  await check("lint: biome", () => run("biome", ["lint", "--error-on-warnings", "."]));
  await check("lint: rules of the house", () => run(process.execPath, ["scripts/lint.mjs"]));
  await check("lint: clippy, native", () => run("cargo", [...clippy, "--all-targets", "--", "-D", "warnings"], crate));
  await check("lint: clippy, wasm", () =>
    run("cargo", [...clippy, "--target", "wasm32-unknown-unknown", "--", "-D", "warnings"], crate),
  );
  await check("types: ts, test, scripts, examples", () => run("tsc", ["--noEmit", "-p", "."]));
  const onRelaxed = ["test/nn/recurrent.test.ts", "test/nn/cells", "test/tensor", "test/infer"];
  await check("tests on the relaxed core", () =>
    run("vitest", ["run", ...onRelaxed], { env: { ...environment(), CORE: "relaxed" } }),
  );
  await check("docs: the API reference", () => run("typedoc", ["--emit", "none"]));
  let tarball = "";
  await check("package: npm pack and install", () => {
    tarball = packAndInstall();
  });
  if (tarball) {
    await check("package: publint", () => run("publint", ["run", "--strict", tarball]));
    await check("package: are the types wrong", () => run("attw", ["--no-definitely-typed", "--no-emoji", tarball]));
    await check("package: types under TypeScript 5.0", () => consumerTypes("typescript-5.0"));
    await check("package: types under the present TypeScript", () => consumerTypes("typescript"));
    await check("package: the README's examples", readmeExamples);
    for (const [page, [names, budget]] of Object.entries(budgets)) {
      await check(`package: size of the browser bundle that ${page}`, () => bundleSize(String(names), Number(budget)));
    }
    await check("package: notebooks run by tslab", () => notebooks(tarball));
    const { relaxedCores, runIn, runtimes } = await import("../test/runtimes/run.mjs");
    const digests = new Set();
    for (const name of Object.keys(runtimes)) {
      await check(`runtime: ${name} trains and samples from the tarball`, async () => {
        if (name === "Chromium" && !(await haveChromium())) return;
        digests.add((await runIn(consumer, name)).digest);
        if (digests.size > 1) throw new Stop("the weights after training are not those of the runtimes before");
      });
    }
    await check("runtime: the relaxed core has the same bits with its instructions joined", () =>
      relaxedCores(consumer),
    );
    await check("runtime: an AudioWorklet in Chromium makes the sound that was learned", async () => {
      if (!(await haveChromium())) return;
      const { checkWorklet } = await import("../test/runtimes/worklet.mjs");
      await checkWorklet();
    });
  }
}
rmSync(temporary, { recursive: true, force: true });

console.log(`\n${((performance.now() - start) / 1000).toFixed(0)} s in all`);
for (const name of failures) console.log(`failed: ${name}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
