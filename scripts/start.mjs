// npm start [-- FILE [options of `unrolled train`]]: sets up, then trains a character model on a text and samples as it
// learns.
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "./build.mjs";
import { fromRoot, main } from "./lib.mjs";

/** Learns fast: a minute on the default text is enough for code that looks like code. */
const recipe = ["--preset", "quick"];
const defaultTextOptions = ["--seconds", "60", "--prompt", "interface "];

/** The TypeScript standard library's declarations: megabytes of real code that are always there. */
function defaultText() {
  const folder = fromRoot("node_modules", "typescript", "lib");
  const names = readdirSync(folder).filter((name) => name.startsWith("lib.") && name.endsWith(".d.ts"));
  const cache = fromRoot("node_modules", ".cache", "unrolled");
  mkdirSync(cache, { recursive: true });
  const path = `${cache}/typescript-library.txt`;
  writeFileSync(
    path,
    names
      .sort()
      .map((name) => readFileSync(`${folder}/${name}`, "utf8"))
      .join("\n"),
  );
  return path;
}

await main(async () => {
  await build();
  const given = process.argv.slice(2);
  const file = given[0]?.startsWith("-") ? undefined : given.shift();
  const args =
    file === undefined
      ? [defaultText(), ...recipe, ...defaultTextOptions, ...given]
      : [file, ...(given.length > 0 ? given : recipe)];
  const child = spawn(process.execPath, [fromRoot("dist", "cli.js"), "train", ...args], { stdio: "inherit" });
  // Ctrl-C reaches the whole group: the command saves its model and says so, and this process waits for it.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("close", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
});
