/**
 * Truncated back-propagation with k2 > k1 (see `truncatedWindows`) for `train`, over any lanes of tokens and any loss.
 *
 * Lanes of k1 steps a batch say when an update is due. The batch of an update then has the inputs of the last k2 steps,
 * and targets in the last k1 of them alone. The state k2 steps back was stored when the window that ended there was
 * done, under the weights of then; from it the window is run again, under the present weights. k2 / k1 states are
 * stored.
 */
import { type Batch, IGNORED_TARGET, type Lanes } from "../data/lanes.js";
import { ArgumentError } from "../errors.js";
import { CarriedState, type RecurrentState } from "../nn/state.js";
import { Ids } from "../tensor/ids.js";
import type { Tensor } from "../tensor/tensor.js";
import type { BatchSource, LossFunction, ModelWithLoss } from "./loop.js";

/** A window over several batches of the lanes: targets of all but the last k1 steps are ignored. */
export interface OverlappingBatch extends Batch {
  /** Batches of the lanes that are run again before the last. */
  readonly again: number;
  /** Whether the first step of the window is the first of the lanes. */
  readonly fromStart: boolean;
}

/** What {@link overlappingLanes} returns, for `train(model, data, { loss, ... })`. */
export interface OverlappingTraining<M> {
  /** Batches of the windows. */
  readonly data: BatchSource<OverlappingBatch>;
  /** Also takes plain batches, for validation. */
  readonly loss: LossFunction<M, Batch>;
}

/**
 * Lanes with k1 = their `seqLen`, unrolled over k2 steps.
 *
 * @param options.k2 - steps unrolled, a multiple of k1; k1 gives ordinary truncation
 * @param options.loss - mean over the targets that are not ignored, and the state carried; default: the model's own
 * @throws ArgumentError when k2 is not a multiple of k1
 */
export function overlappingLanes<M extends Partial<ModelWithLoss<Batch>>>(
  lanes: Lanes,
  options: { readonly k2: number; readonly loss?: LossFunction<M, Batch> },
): OverlappingTraining<M> {
  const k1 = lanes.seqLen;
  const windows = options.k2 / k1;
  if (!(Number.isSafeInteger(windows) && windows >= 1)) {
    throw new ArgumentError("overlappingLanes", "k2", `a multiple of k1, which is ${k1}`, options.k2);
  }
  const data = { length: lanes.length, batch: (index: number) => joined(lanes, index, windows) };
  // The state of one window, from its first step to its last; every call sets it.
  const own = new CarriedState<RecurrentState>();
  const loss = (model: M, batch: Batch & Partial<OverlappingBatch>, stored: CarriedState<RecurrentState>): Tensor => {
    if (batch.first) stored.reset();
    const { again = 0, fromStart = batch.first } = batch;
    const states = parts(stored.get() ?? {});
    const start = fromStart ? undefined : states[again];
    if (start === undefined) own.reset();
    else own.set(start);
    const given = { ...batch, first: start === undefined };
    const value = options.loss?.(model, given, own) ?? model.loss?.(given, own);
    if (value === undefined) {
      throw new ArgumentError("overlappingLanes", "loss", "given for a model without a loss of its own", undefined);
    }
    const end = own.get();
    if (end !== undefined) stored.set(whole([end, ...states.slice(0, windows - 1)]));
    return value;
  };
  return { data, loss };
}

/** Several states as one, which a checkpoint keeps like any other: `h`, then `1.h` of the window before, and so on. */
function whole(states: readonly RecurrentState[]): RecurrentState {
  const entries = states.flatMap((state, age) =>
    Object.entries(state).map(([name, value]) => [age === 0 ? name : `${age}.${name}`, value] as const),
  );
  return Object.fromEntries(entries);
}

/** The opposite of {@link whole}: the latest first. */
function parts(state: RecurrentState): RecurrentState[] {
  const states: Record<string, Tensor>[] = [];
  for (const [key, value] of Object.entries(state)) {
    const [, age = "0", name = key] = /^(\d+)\.(.*)$/.exec(key) ?? [];
    const state = states[Number(age)] ?? {};
    state[name] = value;
    states[Number(age)] = state;
  }
  return states;
}

/** Batches up to `index` side by side, `windows` of them or as many as there are since the lanes' start. */
function joined(lanes: Lanes, index: number, windows: number): OverlappingBatch {
  // Lanes reuse their arrays, so each batch is copied before the next is asked for.
  const batches = [copyOf(lanes.batch(index))];
  let earliest = batches[0] as Batch;
  const latest = earliest;
  while (batches.length < windows && !earliest.first) {
    earliest = copyOf(lanes.batch(index - batches.length));
    batches.unshift(earliest);
  }
  const [rows, k1] = latest.inputs.shape as [number, number];
  const steps = batches.length * k1;
  const inputs = new Int32Array(rows * steps);
  const targets = new Int32Array(rows * steps).fill(IGNORED_TARGET);
  for (let row = 0; row < rows; row++) {
    const of = (ids: Ids) => ids.data.subarray(row * k1, (row + 1) * k1);
    for (const [i, batch] of batches.entries()) inputs.set(of(batch.inputs), row * steps + i * k1);
    targets.set(of(latest.targets), (row + 1) * steps - k1);
  }
  return {
    inputs: new Ids(inputs, [rows, steps]),
    targets: new Ids(targets, [rows, steps]),
    first: latest.first,
    count: latest.count,
    again: batches.length - 1,
    fromStart: earliest.first,
  };
}

function copyOf({ inputs, targets, first, count }: Batch): Batch {
  return {
    inputs: new Ids(inputs.data.slice(), inputs.shape),
    targets: new Ids(targets.data.slice(), targets.shape),
    first,
    count,
  };
}
