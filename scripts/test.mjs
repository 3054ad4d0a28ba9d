// npm test [-- vitest arguments]: sets up and builds, then runs every test of the crate and of the SDK, the latter also
// when the former fail. With arguments, vitest alone, with these.
import { build } from "./build.mjs";
import { fromRoot, main, run, Stop, stage } from "./lib.mjs";

await main(async () => {
  await build();
  const given = process.argv.slice(2);
  const crate = () => run("cargo", ["test", "--locked", "--workspace"], { cwd: fromRoot("crate") });
  const suites = {
    ...(given.length === 0 ? { "cargo test": crate } : {}),
    vitest: () => run("vitest", ["run", ...given]),
  };
  const failures = [];
  for (const [name, suite] of Object.entries(suites)) {
    try {
      await stage(name, suite);
    } catch (error) {
      failures.push(error instanceof Stop ? error.message : String(error));
    }
  }
  if (failures.length > 0) throw new Stop(failures.join("\n"));
});
