// Makes a fresh clone ready, and does nothing (in under two seconds) when it is: npm packages, the pinned Rust
// toolchain, wasm-pack and wasm-bindgen, and the WebAssembly core in ts/core/generated. Node built-ins only, since it
// runs before npm ci.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import {
  ask,
  environment,
  fromRoot,
  hashOf,
  main,
  readStamp,
  runAsync,
  Stop,
  stage,
  userCache,
  writeStamp,
} from "./lib.mjs";

const wasmPackVersion = "0.15.1";
const wasmTarget = "wasm32-unknown-unknown";
const generated = fromRoot("ts", "core", "generated");

function preflight() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new Stop(`Building unrolled needs Node 20.19 or newer; this is Node ${process.versions.node}.`);
  }
  if (ask("rustup", ["--version"]) === null) {
    throw new Stop("Rust is missing: install rustup (https://rustup.rs), open a new shell and run this again.");
  }
  if (
    ["cc", "gcc", "clang"].every((compiler) => ask(compiler, ["--version"]) === null) &&
    process.platform !== "win32"
  ) {
    throw new Stop(
      "A C linker is missing (Rust needs one): install gcc or clang, for example the package build-essential.",
    );
  }
}

async function nodePackages() {
  const lock = fromRoot("package-lock.json");
  // npm writes this file last, so it is also missing after an interrupted install.
  const installed = fromRoot("node_modules", ".package-lock.json");
  const stamp = fromRoot("node_modules", ".unrolled-lock");
  const wanted = hashOf(["package-lock.json"]);
  if (existsSync(installed) && readStamp(stamp) === wanted) return;
  if (existsSync(installed) && readStamp(stamp) === "" && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) {
    writeStamp(stamp, wanted); // npm was run by hand since the lock file changed
    return;
  }
  await stage("npm ci", () => runAsync("npm", ["ci", "--no-audit", "--no-fund"]));
  writeStamp(stamp, wanted);
}

async function rustToolchain() {
  const toolchain = readFileSync(fromRoot("rust-toolchain.toml"), "utf8");
  const channel = /channel\s*=\s*"([^"]+)"/.exec(toolchain)?.[1];
  if (!channel) throw new Stop("rust-toolchain.toml names no channel.");
  const sysroot = ask("rustc", [`+${channel}`, "--print", "sysroot"]);
  const complete =
    sysroot !== null &&
    existsSync(join(sysroot, "lib", "rustlib", wasmTarget)) &&
    ["cargo-clippy", "rustfmt"].every((name) =>
      [name, `${name}.exe`].some((file) => existsSync(join(sysroot, "bin", file))),
    );
  if (complete) return;
  await stage(`rust ${channel}`, () =>
    runAsync("rustup", [
      "toolchain",
      "install",
      channel,
      "--profile",
      "minimal",
      "--component",
      "rustfmt,clippy",
      "--target",
      wasmTarget,
      "--no-self-update",
    ]),
  );
}

/**
 * A Rust program at an exact version, built once for the user. It handles a file of some kilobytes, so it is compiled
 * for a short build rather than for speed.
 * @param {string} name
 * @param {string} version
 * @returns {Promise<string>} the folder of the program
 */
async function rustTool(name, version) {
  const folder = join(userCache, `${name}-${version}`);
  const done = join(folder, "done");
  if (!existsSync(done)) {
    await stage(`cargo install ${name} ${version}`, () =>
      runAsync("cargo", ["install", name, "--version", version, "--locked", "--root", folder], {
        env: {
          ...environment(),
          CARGO_PROFILE_RELEASE_OPT_LEVEL: "0",
          CARGO_PROFILE_RELEASE_DEBUG: "false",
          CARGO_PROFILE_RELEASE_LTO: "off",
          CARGO_PROFILE_RELEASE_CODEGEN_UNITS: "16",
          CARGO_TARGET_DIR: join(userCache, "target"),
        },
      }),
    );
    writeFileSync(done, "");
  }
  return join(folder, "bin");
}

function wasmBindgenVersion() {
  const pinned = /^wasm-bindgen\s*=.*?"=([0-9.]+)"/m.exec(readFileSync(fromRoot("crate", "Cargo.toml"), "utf8"))?.[1];
  if (!pinned) throw new Stop('crate/Cargo.toml must pin wasm-bindgen exactly, as in wasm-bindgen = "=0.2.106".');
  return pinned;
}

/** @param {string[]} toolFolders */
async function wasmCore(toolFolders) {
  const output = fromRoot("crate", "pkg");
  const options = [
    "--mode",
    "no-install",
    "--target",
    "web",
    "--release",
    "--no-pack",
    "--no-opt",
    "--out-dir",
    output,
    "--",
    "--locked",
  ];
  await stage("wasm-pack build", () =>
    runAsync("wasm-pack", ["build", "crate", ...options], { env: environment(...toolFolders) }),
  );
  const wasm = await stage("wasm-opt", () => optimize(readFileSync(join(output, "unrolled_core_bg.wasm"))));
  mkdirSync(generated, { recursive: true });
  // Of the glue only the types are of use: the exports are plain functions of numbers, called directly.
  replace("unrolled_core.d.ts", readFileSync(join(output, "unrolled_core.d.ts")));
  replace("unrolled_core_bg.wasm", wasm);
  replace(
    "unrolled_core_bg.d.wasm.ts",
    "// Made by scripts/setup.mjs; see scripts/inline-wasm.mjs.\n/** The bytes of the core. */\nexport default function coreBytes(): Uint8Array<ArrayBuffer>;\n",
  );
  console.error(`[core] ${wasm.length} bytes of wasm, ${gzipSync(wasm, { level: 9 }).length} gzipped`);
}

/** Functions of the standard library that put together and print the message of a panic, and what begins one. */
const ofPanics = /\b(panicking|fmt)::|::(panic_access_error|rust_begin_unwind|rust_oom|handle_alloc_error)\b/;

/**
 * Runs Binaryen's optimizer of the pinned npm package, not a `wasm-opt` of unknown version that wasm-pack would take
 * from PATH or download. It also drops what wasm-bindgen adds for JavaScript objects: none crosses, so the core imports
 * nothing;
 * and the messages of panics, which therefore nobody would see: a panic is a trap.
 * @param {Buffer} raw
 */
async function optimize(raw) {
  const { default: binaryen } = await import("binaryen");
  const module = binaryen.readBinary(raw);
  for (const name of ["__wbindgen_externrefs", "__wbindgen_start"]) module.removeExport(name);
  const functions = Array.from({ length: module.getNumFunctions() }, (_, i) =>
    binaryen.getFunctionInfo(module.getFunctionByIndex(i)),
  );
  for (const { name, params, results } of functions.filter((info) => !info.module && ofPanics.test(info.name))) {
    module.removeFunction(name);
    module.addFunction(name, params, results, [], module.unreachable());
  }
  binaryen.setOptimizeLevel(3);
  binaryen.setShrinkLevel(0);
  // What the crate keeps out of a caller stays out: engines optimise a function as a whole.
  binaryen.setOneCallerInlineMaxSize(0);
  module.optimize();
  module.runPasses(["strip-producers", "strip-target-features"]);
  const wasm = new Uint8Array(module.emitBinary());
  module.dispose();
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(wasm));
  if (imports.length > 0) throw new Stop(`the core must import nothing, but imports ${JSON.stringify(imports)}`);
  return wasm;
}

/**
 * Never leaves a half-written file to a process that reads it meanwhile.
 * @param {string} name
 * @param {string | Uint8Array} content
 */
function replace(name, content) {
  const temporary = join(generated, `.${name}.${process.pid}`);
  writeFileSync(temporary, content);
  renameSync(temporary, join(generated, name));
}

export async function setup() {
  const stamp = join(generated, "stamp");
  const wanted = hashOf(["crate", "rust-toolchain.toml", "scripts/setup.mjs"]);
  const coreReady = readStamp(stamp) === wanted;
  preflight();
  const packages = nodePackages();
  const core = (async () => {
    await rustToolchain();
    if (coreReady) return [];
    // One after the other: each keeps all processors busy by itself.
    return [await rustTool("wasm-pack", wasmPackVersion), await rustTool("wasm-bindgen-cli", wasmBindgenVersion())];
  })();
  const [, toolFolders] = await Promise.all([packages, core]);
  if (coreReady) return;
  rmSync(join(userCache, "target"), { recursive: true, force: true });
  await wasmCore(toolFolders);
  writeStamp(stamp, wanted);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(setup);
