// A process of W7: it starts, builds the model of W5 (see streaming.mjs), steps once and says so. It loads what it uses:
// nothing else of this folder, and of the package the entry named in its argument (default: the one for inference).
import { writeSync } from "node:fs";

/** @type {typeof import("unrolled/inference")} */
const { LSTM, Session } = await import(process.argv[2] ?? "unrolled/inference");
const session = new Session(new LSTM(128, 256, { numLayers: 2 }).init({ seed: 1 }));
session.step(new Float32Array(128).fill(0.5));
writeSync(1, "READY\n");
