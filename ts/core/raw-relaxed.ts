/** As raw.ts, of the relaxed core: in a file of its own, so that only who asks for it carries it. */
export { default as relaxedCoreBytes } from "./generated/unrolled_core_relaxed_bg.wasm";
