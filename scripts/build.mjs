// Sets up, compiles ts/ into build/ (type-checked) and bundles it into dist/; does nothing when dist/ is of the present
// sources.
import { cpSync, existsSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fromRoot, hashOf, main, readStamp, runAsync, stage, writeStamp } from "./lib.mjs";
import { setup } from "./setup.mjs";

const stamp = fromRoot("build", "dist.stamp");

export async function build() {
  await setup();
  const sources = [
    "ts",
    "rollup.config.mjs",
    "scripts/inline-wasm.mjs",
    "tsconfig.json",
    "tsconfig.build.json",
    "package-lock.json",
  ];
  const wanted = hashOf(sources, readStamp(fromRoot("ts", "core", "generated", "stamp")));
  if (readStamp(stamp) === wanted && existsSync(fromRoot("dist", "index.js"))) return;
  await stage("tsc", async () => {
    rmSync(fromRoot("build", "ts"), { recursive: true, force: true });
    await runAsync("tsc", ["-p", "tsconfig.build.json"]);
    // tsc leaves what it does not compile where it is.
    const generated = ["core", "generated"];
    cpSync(fromRoot("ts", ...generated), fromRoot("build", "ts", ...generated), { recursive: true });
  });
  await stage("rollup", async () => {
    rmSync(fromRoot("dist"), { recursive: true, force: true });
    await runAsync("rollup", ["--config", "rollup.config.mjs", "--silent"]);
  });
  writeStamp(stamp, wanted);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(build);
