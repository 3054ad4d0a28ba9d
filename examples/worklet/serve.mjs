// node examples/worklet/serve.mjs [PORT]: serves the page beside it, with the built package (npm run build). Worklets need
// a server: browsers load their modules from http alone.
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const types = { ".html": "text/html", ".js": "text/javascript" };

const server = createServer((request, response) => {
  const path = normalize(new URL(request.url ?? "/", "http://localhost").pathname);
  if (path === "/") return response.writeHead(302, { location: "/examples/worklet/index.html" }).end();
  const type = types[/** @type {keyof typeof types} */ (extname(path))];
  const file = join(root, path);
  const served = path.startsWith("/examples/worklet/") || path.startsWith("/dist/");
  if (!served || type === undefined || !existsSync(file)) return response.writeHead(404).end();
  return response.setHeader("content-type", type).end(readFileSync(file));
});
server.listen(Number(process.argv[2] ?? 8080), "127.0.0.1", () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  console.log(`http://127.0.0.1:${port}/`);
});
