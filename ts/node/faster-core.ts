import { setFlagsFromString } from "node:v8";
import { type Core, loadCore } from "../core/core.js";

/** Options of {@link loadFasterCore}. */
export interface FasterCoreOptions {
  /**
   * Takes the core with fused multiplication and addition, whose bits are not those of the portable one: see
   * `unrolled/relaxed`. Default true.
   */
  readonly relaxed?: boolean | undefined;
  /**
   * Asks V8 to join pairs of 128-bit instructions into 256-bit ones, an experiment of theirs, from Node 24 on, and takes
   * tiles of matrix products that make use of it: up to twice as fast on processors with AVX2. The bits stay. Default
   * false.
   */
  readonly revectorize?: boolean | undefined;
}

/** What {@link loadFasterCore} found. */
export interface FasterCore {
  /** The default core from now on. */
  readonly core: Core;
  /** Whether it is the relaxed one. */
  readonly relaxed: boolean;
  /** Whether V8 was asked to revectorize. */
  readonly revectorize: boolean;
}

/** The first V8 of which `--experimental-wasm-revectorize` was found to work: Node 24's. */
const FIRST_REVECTORIZING_V8 = 13;

/**
 * Makes the default core a faster one, by what Node's engine has beyond the standard build; where it has nothing, the
 * default core stays the portable one. Call it first, in every thread that computes (replicas too: their parts must be
 * of the same bits).
 *
 * The flags it sets are of the whole process and hold for all WebAssembly that is compiled later.
 * @throws ArgumentError when the default core exists already
 */
export async function loadFasterCore({
  relaxed = true,
  revectorize = false,
}: FasterCoreOptions = {}): Promise<FasterCore> {
  const { relaxedCore, supportsRelaxedSimd } = await import("../core/relaxed.js");
  const { v8 } = process.versions as { readonly v8?: string };
  const joins = revectorize && Number.parseInt(v8 ?? "0", 10) >= FIRST_REVECTORIZING_V8;
  // Only Node 20 lacks it without the flag.
  if (relaxed && !supportsRelaxedSimd()) setFlagsFromString("--experimental-wasm-relaxed-simd");
  if (joins) setFlagsFromString("--experimental-wasm-revectorize");
  const module = relaxed ? await relaxedCore() : null;
  return { core: await loadCore(module, { wideTiles: joins }), relaxed: module !== null, revectorize: joins };
}
