import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { coreBytes } from "../../ts/core/raw.js";
import { relaxedCoreBytes } from "../../ts/core/raw-relaxed.js";

test.each([
  ["unrolled_core_bg.wasm", coreBytes],
  ["unrolled_core_relaxed_bg.wasm", relaxedCoreBytes],
] as const)("what a bundle unpacks is %s", (name, bytes) => {
  const built = readFileSync(new URL(`../../ts/core/generated/${name}`, import.meta.url));
  expect(Buffer.compare(built, bytes())).toBe(0);
});
