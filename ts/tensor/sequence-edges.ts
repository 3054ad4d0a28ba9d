/**
 * What the blocks of arguments of every core call over a sequence say alike: its steps, and where its inputs and outputs
 * lie in the caller's memory.
 */
import type { Core } from "../core/core.js";
import type { Segment } from "./recompute.js";
import type { TimeStrides } from "./sequence.js";
import type { Tensor } from "./tensor.js";

/** Places in a block, in words; each kind of call has its own. */
interface EdgePlaces {
  readonly steps: number;
  readonly batch: number;
  readonly reverse: number;
  readonly lengths: number;
  readonly training: number;
  readonly x: number;
  readonly xStrideTime: number;
  readonly xStrideBatch: number;
  readonly ids: number;
  readonly idsStrideTime: number;
  readonly idsStrideBatch: number;
  readonly table: number;
  readonly tableRows: number;
  readonly out: number;
  readonly outStrideTime: number;
  readonly outStrideBatch: number;
  readonly start: number;
}

/** The sequence of a call, of which a segment is run. */
interface EdgeCall {
  readonly core: Core;
  readonly batch: number;
  readonly input: number;
  readonly reverse: boolean;
  readonly xStrides: TimeStrides;
  readonly out: Tensor | null;
  readonly outStrides: TimeStrides;
  readonly outColumn: number;
}

/** Pointers of the inputs, 0 where absent: dense ones, or ids with the table that they select rows of. */
export interface InputPointers {
  readonly x: number;
  readonly ids: number;
  readonly table: number;
  readonly tableRows: number;
}

/** A pointer that may be absent, further on. */
export function shifted(pointer: number, offset: number): number {
  return pointer === 0 ? 0 : pointer + offset;
}

/** Fills these places of the block at a word of the memory. */
export function writeEdges(
  place: EdgePlaces,
  { core, batch, input, reverse, xStrides, out, outStrides, outColumn }: EdgeCall,
  from: InputPointers,
  { start, steps, lengths }: Segment,
  training: boolean,
  at: number,
): void {
  const words = core.i32;
  words[at + place.steps] = steps;
  words[at + place.batch] = batch;
  words[at + place.reverse] = reverse ? 1 : 0;
  words[at + place.lengths] = lengths;
  words[at + place.training] = training ? 1 : 0;
  words[at + place.x] = shifted(from.x, start * xStrides.time * 4);
  words[at + place.xStrideTime] = xStrides.time;
  words[at + place.xStrideBatch] = xStrides.batch;
  if (from.ids !== 0) {
    // A row of the input is one id.
    words[at + place.ids] = from.ids + ((start * xStrides.time) / input) * 4;
    words[at + place.idsStrideTime] = xStrides.time / input;
    words[at + place.idsStrideBatch] = xStrides.batch / input;
    words[at + place.table] = from.table;
    words[at + place.tableRows] = from.tableRows;
  }
  words[at + place.out] = out === null ? 0 : out.pointer + outColumn * 4 + start * outStrides.time * 4;
  words[at + place.outStrideTime] = outStrides.time;
  words[at + place.outStrideBatch] = outStrides.batch;
  words[at + place.start] = start;
}
