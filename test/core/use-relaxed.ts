// Makes the relaxed core the default core of every test file.
import { loadFasterCore } from "../../ts/node/faster-core.js";

const { relaxed } = await loadFasterCore();
if (!relaxed) throw new Error("this runtime has no relaxed SIMD");
