// Exercises the cold path: a clean clone of the last commit in a temporary folder, an empty HOME and empty caches (npm,
// cargo, rustup, and the user's), then `npm test`, or the command given. Prints how long each stage and the whole took.
//   node scripts/cold.mjs [command ...]
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { ask, fromRoot, main, root, run, Stop, stage } from "./lib.mjs";

await main(async () => {
  const folder = mkdtempSync(join(tmpdir(), "unrolled-cold-"));
  const [home, clone] = [join(folder, "home"), join(folder, "unrolled")];
  try {
    mkdirSync(join(home, ".cargo", "bin"), { recursive: true });
    // rustup itself must be there, without a toolchain: its proxies are links to it.
    const rustup = join(process.env["CARGO_HOME"] || join(homedir(), ".cargo"), "bin", "rustup");
    if (!existsSync(rustup)) throw new Stop("the cold path needs rustup in CARGO_HOME/bin");
    for (const name of ["rustup", "cargo", "rustc", "rustfmt", "cargo-fmt", "cargo-clippy", "clippy-driver"]) {
      symlinkSync(realpathSync(rustup), join(home, ".cargo", "bin", name));
    }
    run("git", ["clone", "--quiet", root, clone]);
    if (ask("git", ["status", "--porcelain"])) console.error("note: what is not committed is not in the clone");

    const keep = new Set([
      "LANG",
      "LC_ALL",
      "TERM",
      "SSL_CERT_FILE",
      "NODE_EXTRA_CA_CERTS",
      "CONFORMANCE_DIR",
      "UNROLLED_DATA",
    ]);
    const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => keep.has(key) || /proxy$/i.test(key)));
    const others = (process.env["PATH"] ?? "").split(delimiter).filter((path) => !existsSync(join(path, "cargo")));
    Object.assign(env, { HOME: home, PATH: [join(home, ".cargo", "bin"), ...others].join(delimiter) });
    env["CONFORMANCE_DIR"] ??= fromRoot("..", "shared", "conformance");
    env["UNROLLED_DATA"] ??= fromRoot("..", "shared", "data");

    const command = process.argv.slice(2);
    const [program = "npm", ...args] = command.length > 0 ? command : ["npm", "test"];
    await stage(`cold: ${[program, ...args].join(" ")}`, () => {
      const { status } = spawnSync(program, args, { cwd: clone, env, stdio: ["ignore", "inherit", "inherit"] });
      if (status !== 0) throw new Stop(`it failed with exit code ${status}`);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
