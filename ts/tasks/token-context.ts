/** The state of models that see the last few tokens only: their ids, as numbers, with -1 where there was none. */
import type { Core } from "../core/core.js";
import { ArgumentError, ShapeError } from "../errors.js";
import type { RecurrentState } from "../nn/state.js";
import { Ids } from "../tensor/ids.js";
import { tensor } from "../tensor/tensor.js";

/**
 * The tokens of a state and those after them: (B, width + T) of ids (B, T).
 * @param state - `context` of (B, width); absent: nothing was before
 * @throws ShapeError, ArgumentError (an id that is none)
 * @internal
 */
export function withContext(
  where: string,
  ids: Ids,
  state: RecurrentState | undefined,
  width: number,
  vocabSize: number,
): Ids {
  const [batch, steps] = ids.shape;
  if (ids.shape.length !== 2 || batch === undefined || steps === undefined) {
    throw new ShapeError(where, "ids", ["B", "T"], ids.shape);
  }
  checkRange(where, "ids", ids.data, 0, vocabSize);
  const columns = width + steps;
  const joined = new Int32Array(batch * columns).fill(-1);
  const context = state?.["context"];
  if (state !== undefined) {
    const shape = context?.shape ?? [];
    if (context === undefined || shape.length !== 2 || shape[0] !== batch || shape[1] !== width) {
      throw new ShapeError(where, "state.context", [batch, width], shape);
    }
  }
  const before = context?.toArray();
  if (before !== undefined) checkRange(where, "state.context", before, -1, vocabSize);
  for (let row = 0; row < batch; row++) {
    if (before !== undefined) joined.set(before.subarray(row * width, (row + 1) * width), row * columns);
    joined.set(ids.data.subarray(row * steps, (row + 1) * steps), row * columns + width);
  }
  return new Ids(joined, [batch, columns]);
}

function checkRange(where: string, what: string, data: ArrayLike<number>, least: number, end: number): void {
  for (let i = 0; i < data.length; i++) {
    const id = data[i] as number;
    if (!(Number.isInteger(id) && id >= least && id < end)) {
      throw new ArgumentError(where, `${what}: position ${i}`, `an id from ${least} to ${end - 1}`, id);
    }
  }
}

/** The state after what {@link withContext} made. @internal */
export function contextAfter(joined: Ids, width: number, core: Core): RecurrentState {
  const [batch, columns] = joined.shape as [number, number];
  const last = new Float32Array(batch * width);
  for (let row = 0; row < batch; row++) {
    last.set(joined.data.subarray((row + 1) * columns - width, (row + 1) * columns), row * width);
  }
  return { context: tensor(last, [batch, width], core) };
}
