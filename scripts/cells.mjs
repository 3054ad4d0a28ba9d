// node scripts/cells.mjs: writes docs/cells.md, the table of recurrent cells, from the catalogue that the tests run. It
// measures times for half a minute: run it on a machine that does nothing else.
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { createServer } from "vite";
import { build } from "./build.mjs";
import { inlineWasm } from "./inline-wasm.mjs";
import { fromRoot, main, root } from "./lib.mjs";

await main(async () => {
  await build();
  const server = await createServer({
    root,
    configFile: false,
    appType: "custom",
    logLevel: "error",
    optimizeDeps: { noDiscovery: true },
    server: { middlewareMode: true, hmr: false, ws: false, watch: null },
    // Before vite's own handling of wasm. Rollup's plugins are vite's, but for types of the same meaning.
    plugins: [/** @type {import("vite").Plugin} */ ({ ...inlineWasm(), enforce: "pre" })],
  });
  try {
    const { cellsPage } = await server.ssrLoadModule("/test/nn/cells/page.ts");
    const { createCore } = await server.ssrLoadModule("/ts/index.ts");
    const machine = `${cpus()[0]?.model ?? process.arch}, Node ${process.version}`;
    mkdirSync(fromRoot("docs"), { recursive: true });
    writeFileSync(fromRoot("docs/cells.md"), cellsPage(createCore(), machine));
  } finally {
    await server.close();
  }
});
