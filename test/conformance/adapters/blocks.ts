/** Parameters of a case that the library holds otherwise: as blocks of larger matrices, or of other signs. */
import type { Module, Tensor } from "../../../ts/index.js";
import type { Case, Results } from "../corpus.js";
import { vjp } from "../vjp.js";

/** A block of one of the library's parameters is a block of one of the case's. */
export interface Block {
  readonly ours: string;
  /** First row, column of the block in ours; default 0. */
  readonly at?: readonly [row: number, column: number];
  readonly theirs: string;
  /** First row, column of the block in theirs; default 0. */
  readonly from?: readonly [row: number, column: number];
  /** Rows, columns of the block; default: all of theirs. */
  readonly size?: readonly [rows: number, columns: number];
  /** -1 where ours is theirs negated; default 1. */
  readonly sign?: 1 | -1;
}

type Shape = readonly number[];
const columnsOf = ([, columns = 1]: Shape): number => columns;

/** Positions of a block's elements in ours and theirs. */
function* positions(block: Block, ours: Shape, theirs: Shape): Generator<readonly [ours: number, theirs: number]> {
  const { at = [0, 0], from = [0, 0], size = [theirs[0] as number, columnsOf(theirs)] } = block;
  for (let row = 0; row < size[0]; row++) {
    for (let column = 0; column < size[1]; column++) {
      yield [(at[0] + row) * columnsOf(ours) + at[1] + column, (from[0] + row) * columnsOf(theirs) + from[1] + column];
    }
  }
}

/** Blocks of gates stacked by rows: gate k of `ours` is all of the k-th of `theirs`. */
export function stacked(ours: string, theirs: readonly string[], rows: number): Block[] {
  return theirs.map((name, k) => ({ ours, theirs: name, at: [k * rows, 0] }));
}

/**
 * Runs a case of kind vjp with a module whose parameters are made of the case's; gradients go back the same way. What
 * no block fills is 0; what of the case's no block takes has gradient 0.
 */
export function vjpOfBlocks(
  test: Case,
  module: Module,
  blocks: readonly Block[],
  inputs: ReadonlyMap<string, Tensor>,
  forward: () => Record<string, Tensor>,
): Results {
  const shapes = new Map(module.namedParameters().map(([name, { shape }]) => [name, shape]));
  const values = new Map(
    [...shapes].map(([name, shape]) => [name, { data: new Float32Array(shape.reduce((a, b) => a * b, 1)), shape }]),
  );
  const parameterOf = (name: string): { data: ArrayLike<number>; shape: Shape } => {
    const found = test.tensors.get(`param.${name}`);
    if (found === undefined) throw new Error(`${test.group}/${test.id} has no param.${name}`);
    return found;
  };
  for (const block of blocks) {
    const own = values.get(block.ours);
    if (own === undefined) throw new Error(`${module.constructor.name} has no parameter ${block.ours}`);
    const { data, shape } = parameterOf(block.theirs);
    for (const [i, k] of positions(block, own.shape, shape)) own.data[i] = (block.sign ?? 1) * (data[k] as number);
  }
  module.loadStateDict(values);
  const leaves = new Map<string, Tensor>([
    ...inputs,
    ...module.namedParameters().map(([name, p]) => [`ours.${name}`, p] as const),
  ]);
  const results = vjp(test, leaves, forward);
  for (const name of test.tensors.keys()) {
    if (!name.startsWith("param.")) continue;
    const theirs = name.slice("param.".length);
    const { shape } = parameterOf(theirs);
    const gradient = new Float64Array(shape.reduce((a, b) => a * b, 1));
    for (const block of blocks.filter((b) => b.theirs === theirs)) {
      const own = results.get(`grad.ours.${block.ours}`)?.data as ArrayLike<number>;
      const ourShape = shapes.get(block.ours) as Shape;
      for (const [i, k] of positions(block, ourShape, shape)) {
        gradient[k] = (gradient[k] as number) + (block.sign ?? 1) * (own[i] as number);
      }
    }
    results.set(`grad.${name}`, { data: gradient, shape });
  }
  return results;
}
