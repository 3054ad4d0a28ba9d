/** Stream plans of wirings, put together of those of their parts. */
import type { ParameterFields, StateSlice, StreamCell, StreamLayer, StreamPlan } from "../../tensor/stream.js";

/** What comes into the wiring, among the numbers of layers. @internal */
export const INPUT = -1;

/** A plan that is being made. @internal */
export class WiringPlan implements StreamPlan {
  readonly inputSize: number;
  readonly layers: StreamLayer[] = [];
  readonly tokens = null;
  readonly fields: ParameterFields[] = [];

  /** @param inputSize values of an input */
  constructor(inputSize: number) {
    this.inputSize = inputSize;
  }

  /** Adds a cell that reads these layers; its number. */
  add(cell: StreamCell, from: readonly number[], states: readonly StateSlice[] = []): number {
    this.layers.push({ cell, from, states });
    return this.layers.length - 1;
  }

  /** Adds the layers of a part that reads layer `input`; the number of the last. `place` says where a state of it is. */
  addPart(part: StreamPlan, input: number, place: (slice: StateSlice) => StateSlice): number {
    const first = this.layers.length;
    for (const { cell, from, states } of part.layers) {
      this.add(
        cell,
        from.map((number) => (number === INPUT ? input : first + number)),
        states.map(place),
      );
    }
    this.fields.push(...part.fields);
    return this.layers.length - 1;
  }
}

/** Where a state of a part is among those of a wiring that names it so; see `withPrefix`. @internal */
export function ofPart(part: string): (slice: StateSlice) => StateSlice {
  return (slice) => ({ ...slice, name: `${part}.${slice.name}` });
}
