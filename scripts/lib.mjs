// What the scripts share: paths, running a command, a named and timed stage, and a hash of source files. Node built-ins
// only.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const fromRoot = (/** @type {string[]} */ ...parts) => join(root, ...parts);

/** The per-user folder for tools that are slow to build and the same for every checkout. */
export const userCache = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "unrolled");

/** An error whose message is all that a person needs to see: it is printed without a stack. */
export class Stop extends Error {}

/**
 * The environment of child processes: `rustup`'s default bin folder and node_modules/.bin are on PATH, so that neither
 * a login shell nor a system-wide wasm-opt decides what is run. rustup installs nothing unasked: set-up does it, as a
 * stage.
 * @param {string[]} folders further folders to put first
 */
export function environment(...folders) {
  const cargoBin = join(process.env["CARGO_HOME"] || join(homedir(), ".cargo"), "bin");
  const path = [...folders, fromRoot("node_modules", ".bin"), process.env["PATH"] ?? "", cargoBin];
  return { ...process.env, RUSTUP_AUTO_INSTALL: "0", PATH: path.join(delimiter) };
}

/**
 * Runs a command with its output shown. Throws Stop when it fails.
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string, quiet?: boolean }} [options] quiet: show the output only on failure
 * @returns {string} standard output, when quiet
 */
export function run(command, args, { env = environment(), cwd = root, quiet = false } = {}) {
  const result = spawnSync(command, args, {
    cwd,
    env,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: quiet ? ["ignore", "pipe", "pipe"] : ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32" && (command === "npm" || command.endsWith(".cmd")),
  });
  if (result.error) throw new Stop(`cannot run ${command}: ${result.error.message}`);
  if (result.status !== 0) {
    if (quiet) process.stderr.write(`${result.stdout}${result.stderr}`);
    const end = result.signal ? `was ended by ${result.signal}` : `failed with exit code ${result.status}`;
    throw new Stop(`${[command, ...args].join(" ")} ${end}`);
  }
  return result.stdout ?? "";
}

/**
 * Runs a command beside others: its output is held back and shown only if it fails.
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string }} [options]
 * @returns {Promise<string>} everything it printed
 */
export function runAsync(command, args, { env = environment(), cwd = root } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (data) => (output += data));
    child.stderr.on("data", (data) => (output += data));
    child.on("error", (error) => reject(new Stop(`cannot run ${command}: ${error.message}`)));
    child.on("close", (code) => {
      if (code === 0) resolve(output);
      else reject(new Stop(`${output}\n${[command, ...args].join(" ")} failed with exit code ${code}`));
    });
  });
}

/**
 * What a command prints, or null when it is missing or fails.
 * @param {string} command
 * @param {string[]} args
 */
export function ask(command, args) {
  const result = spawnSync(command, args, { cwd: root, env: environment(), encoding: "utf8" });
  return result.status === 0 ? result.stdout.trim() : null;
}

/**
 * A step with a name, whose seconds are printed when it is done.
 * @template T
 * @param {string} name
 * @param {() => T | Promise<T>} work
 */
export async function stage(name, work) {
  const start = performance.now();
  console.error(`[${name}] ...`);
  const result = await work();
  console.error(`[${name}] ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return result;
}

/**
 * Every file under the given files and folders, sorted; generated and built folders are left out.
 * @param {string[]} paths relative to the project
 * @returns {string[]}
 */
export function listFiles(paths) {
  const skipped = new Set(["node_modules", "target", "generated", "pkg", "pkg_relaxed", "dist", "build", ".git"]);
  return paths.flatMap((path) => {
    const full = fromRoot(path);
    if (!existsSync(full)) return [];
    if (!statSync(full).isDirectory()) return [path];
    const names = readdirSync(full).filter((name) => !skipped.has(name));
    return listFiles(names.sort().map((name) => `${path}/${name}`));
  });
}

/**
 * @param {string[]} paths files and folders relative to the project
 * @param {string} salt what else the result depends on
 */
export function hashOf(paths, salt = "") {
  const hash = createHash("sha256").update(salt);
  for (const path of listFiles(paths)) hash.update(`\0${path}\0`).update(readFileSync(fromRoot(path)));
  return hash.digest("hex");
}

/** @param {string} path a stamp file, absolute */
export const readStamp = (path) => (existsSync(path) ? readFileSync(path, "utf8").trim() : "");

/**
 * @param {string} path
 * @param {string} value
 */
export function writeStamp(path, value) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${value}\n`);
}

/**
 * Runs a script's main function: a Stop is printed as one sentence, anything else with its stack; both exit with 1.
 * @param {() => Promise<void>} work
 */
export async function main(work) {
  try {
    await work();
  } catch (error) {
    console.error(error instanceof Stop ? `\n${error.message}` : error);
    process.exit(1);
  }
}
