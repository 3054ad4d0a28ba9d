// Makes a fresh clone ready, and does nothing (in under two seconds) when it is: npm packages, the pinned Rust
// toolchain, wasm-pack and wasm-bindgen, and the WebAssembly core in ts/core/generated. Node built-ins only, since it
// runs before npm ci.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
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
  mkdirSync(generated, { recursive: true });
  const env = environment(...toolFolders);
  await unpacker(env);
  await wasmBuild("", [], env);
  // A second core, see "relaxed" in CONTRIBUTING.md. Flags of its own, so a folder of its own: cargo keeps one set.
  const flags = 'target.wasm32-unknown-unknown.rustflags=["-C", "target-feature=+relaxed-simd"]';
  const target = fromRoot("crate", "target", "relaxed");
  await wasmBuild("_relaxed", ["--config", flags], { ...env, CARGO_TARGET_DIR: target });
}

const packerBuild = ["--release", "--quiet", "--locked", "--package", "unrolled-packer"];

/**
 * What goes into the bundle with the packed core, see crate/packer.
 * @param {NodeJS.ProcessEnv} env
 */
async function unpacker(env) {
  const target = fromRoot("crate", "target");
  await stage("unpacker", async () => {
    await runAsync("cargo", ["build", ...packerBuild, "--lib", "--target", wasmTarget], {
      cwd: fromRoot("crate"),
      env: { ...env, CARGO_TARGET_DIR: target },
    });
    replace("unpacker.wasm", await optimize(readFileSync(join(target, wasmTarget, "release", "unrolled_packer.wasm"))));
  });
}

/**
 * Packs a file of `generated`, beside it.
 * @param {string} name of the wasm file
 * @param {NodeJS.ProcessEnv} env
 */
async function pack(name, env) {
  const packed = name.replace(/wasm$/, "packed");
  const temporary = join(generated, `.${packed}.${process.pid}`);
  await runAsync("cargo", ["run", ...packerBuild, "--bin", "pack", join(generated, name), temporary], {
    cwd: fromRoot("crate"),
    env,
  });
  renameSync(temporary, join(generated, packed));
}

/**
 * Of the glue only the types are of use: the exports are plain functions of numbers, called directly.
 * @param {string} suffix of the name
 * @param {string[]} options of cargo
 * @param {NodeJS.ProcessEnv} env
 */
async function wasmBuild(suffix, options, env) {
  const output = fromRoot("crate", `pkg${suffix}`);
  const form = ["--mode", "no-install", "--target", "web", "--release", "--no-pack", "--no-opt", "--out-dir", output];
  await stage(`wasm-pack build${suffix}`, () =>
    runAsync("wasm-pack", ["build", "crate", ...form, "--", "--locked", ...options], { env }),
  );
  const wasm = await stage(`wasm-opt${suffix}`, () => optimize(readFileSync(join(output, "unrolled_core_bg.wasm"))));
  if (suffix === "") replace("unrolled_core.d.ts", readFileSync(join(output, "unrolled_core.d.ts")));
  replace(`unrolled_core${suffix}_bg.wasm`, wasm);
  await stage(`pack${suffix}`, () => pack(`unrolled_core${suffix}_bg.wasm`, env));
  replace(
    `unrolled_core${suffix}_bg.d.wasm.ts`,
    "// Made by scripts/setup.mjs; see scripts/inline-wasm.mjs.\n/** The bytes of the core. */\nexport default function coreBytes(): Uint8Array<ArrayBuffer>;\n",
  );
  console.error(`[core${suffix}] ${wasm.length} bytes of wasm`);
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
  setFlagsFromString("--experimental-wasm-relaxed-simd");
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
