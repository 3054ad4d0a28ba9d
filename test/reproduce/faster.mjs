// The experiments on the fastest core that this Node has, threads included, which take the option over:
//   node --import ./test/reproduce/faster.mjs test/reproduce/run.mjs language
import { loadFasterCore } from "unrolled/node";

await loadFasterCore({ revectorize: true });
