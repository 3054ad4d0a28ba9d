/** What wirings of layers do in a stream between the layers: numbers are put side by side, added, and kept for later steps. */
import type { Core } from "../core/core.js";
import type { StreamCell, StreamEdges } from "./stream.js";

/** Numbers that go from a pointer to another, or are added there. */
interface Move {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly add?: boolean;
}

/** What stands for moves in place of the number of a fused cell; as in crate/src/bindings.rs. */
const MOVES_CELL = 4;
const HEAD_WORDS = 2;
const MOVE_WORDS = 4;

/** Moves of each step, in order. Behind the arguments is memory of its own, zeros at first. */
class MovesStream implements StreamCell {
  readonly version = 0;
  readonly output: number;
  readonly words: number;
  readonly #own: number;
  readonly #count: number;
  readonly #moves: (edges: StreamEdges, own: number) => readonly Move[];
  readonly #result: (edges: StreamEdges, own: number) => number;

  /**
   * @param own values of its own memory
   * @param count how many moves there are
   * @param moves in order, where its own memory is at a pointer
   * @param result the pointer of what a step gives; default its own memory
   */
  constructor(
    output: number,
    own: number,
    count: number,
    moves: (edges: StreamEdges, own: number) => readonly Move[],
    result: (edges: StreamEdges, own: number) => number = (_, at) => at,
  ) {
    this.output = output;
    this.words = HEAD_WORDS + count * MOVE_WORDS + own;
    this.#own = own;
    this.#count = count;
    this.#moves = moves;
    this.#result = result;
  }

  fill(core: Core, at: number, edges: StreamEdges): number {
    const own = at + (HEAD_WORDS + this.#count * MOVE_WORDS) * 4;
    const moves = this.#moves(edges, own);
    const words = moves.flatMap(({ from, to, count, add = false }) => [from, to, count, add ? 1 : 0]);
    core.i32.set([MOVES_CELL, this.#count, ...words], at >>> 2);
    core.raw.ur_fill(own, this.#own, 0);
    return this.#result(edges, own);
  }
}

/**
 * Inputs side by side, and after them the beginning of a state, or zeros.
 * @param more values after the inputs: of the state where there is one
 */
export function joined(inputs: readonly number[], more = 0): StreamCell {
  const size = inputs.reduce((sum, width) => sum + width, more);
  const sizes = [...inputs, more];
  return new MovesStream(size, size, sizes.length, (edges, own) => {
    let to = own;
    return sizes.map((count, i) => {
      const from = [...edges.inputs, edges.states[0] ?? own][i] as number;
      to += count * 4;
      const known = i < inputs.length || edges.states.length > 0;
      return { from, to: to - count * 4, count: known ? count : 0 };
    });
  });
}

/** The sum of two inputs. */
export function added(size: number): StreamCell {
  return new MovesStream(size, size, 2, ({ inputs: [a, b] }, own) => [
    { from: a as number, to: own, count: size },
    { from: b as number, to: own, count: size, add: true },
  ]);
}

/** The input, which also comes to the end of a state of `steps` of them; the first of these is gone. */
export function delayed(size: number, steps: number): StreamCell {
  const rest = (steps - 1) * size;
  return new MovesStream(
    size,
    0,
    2,
    ({ inputs: [x], states: [past] }) => [
      { from: (past as number) + size * 4, to: past as number, count: rest },
      { from: x as number, to: (past as number) + rest * 4, count: size },
    ],
    ({ inputs: [x] }) => x as number,
  );
}

/**
 * The input, after which each state, `parts` of so many values one after the other, has its first part last.
 * @param sizes of a part of each state
 */
export function rotated(size: number, sizes: readonly number[], parts: number): StreamCell {
  const [count, spare] = [1 + 3 * sizes.length, Math.max(0, ...sizes)];
  return new MovesStream(size, size + spare, count, ({ inputs: [x], states }, own) => {
    const aside = own + size * 4;
    // What comes in may lie in a state.
    const result: Move[] = [{ from: x as number, to: own, count: size }];
    sizes.forEach((part, i) => {
      const [state, rest] = [states[i] as number, (parts - 1) * part];
      result.push(
        { from: state, to: aside, count: part },
        { from: state + part * 4, to: state, count: rest },
        { from: aside, to: state + rest * 4, count: part },
      );
    });
    return result;
  });
}
