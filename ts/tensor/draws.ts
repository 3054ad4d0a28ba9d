/** Random numbers of a recording. */
import { seedWords } from "./dropout.js";
import { currentTape } from "./scope.js";

/** Uniform numbers in [0, 1), by seed, update and stream of the recording; none outside one. @internal */
export function uniformDraws(stream: number, count: number): number[] {
  const tape = currentTape();
  if (tape === null) return [];
  const [seedLow, seedHigh] = seedWords(tape.seed);
  const call = tape.nextCall(stream);
  return Array.from({ length: count }, (_, index) =>
    tape.core.raw.ur_random_f64(seedLow, seedHigh, stream, tape.update, call, index),
  );
}
