// node test/runtimes/worklet.mjs: trains and runs examples/worklet in Chromium, with the built package. Throws unless the
// worklet makes the sound that was learned.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { launchChromium } from "./run.mjs";

const program = fileURLToPath(new URL("../../examples/worklet/serve.mjs", import.meta.url));

export async function checkWorklet() {
  const server = spawn(process.execPath, [program, "0"], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [url] = await once(server.stdout, "data");
    const browser = await launchChromium();
    try {
      const tab = await browser.newPage();
      await tab.goto(String(url).trim());
      await tab.click("#train");
      await tab.click("#render", { timeout: 180_000 });
      const result = await tab.waitForSelector("#result:has-text('error to signal')", { timeout: 60_000 });
      const text = (await result.textContent()) ?? "";
      console.log(`AudioWorklet: ${text.replace("\n", ", ")}`);
      // The undistorted sound itself misses most of it.
      const missed = Number(/([\d.]+)%/.exec(text)?.[1]);
      if (!(missed < 5)) throw new Error("the worklet does not make the sound that was learned");
    } finally {
      await browser.close();
    }
  } finally {
    server.kill();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await checkWorklet();
