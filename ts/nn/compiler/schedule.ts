/**
 * Scheduling: values become instructions. As much pointwise work as possible goes into one block between products, and
 * products of one source become one where rows and columns lie side by side.
 */
import type { StackedParameter } from "./graph.js";
import { type Lowered, type LoweredProduct, padded, type Value } from "./lower.js";
import {
  type Instruction,
  type Matrix,
  type Operation,
  operationCodes,
  type ProductInstruction,
  type Register,
  reads,
  writes,
} from "./machine.js";

/** Something to be done, and the registers that order it. */
export interface Task {
  readonly reads: readonly Register[];
  readonly writes: readonly Register[];
  readonly operation?: Operation;
  readonly product?: ProductInstruction;
}

/** A pointwise operation as a task. */
export function operationTask(operation: Operation): Task {
  return { reads: reads(operation), writes: writes(operation), operation };
}

/** A product as a task that waits for `needs`. */
export function productTask(product: ProductInstruction, needs: readonly Register[]): Task {
  const added = product.start === 1 ? [product.target] : [];
  return { reads: [product.source, ...needs, ...added], writes: [product.target], product };
}

/**
 * Puts tasks, given in an order that works, into few instructions: an operation goes as early as what it reads and
 * overwrites allows.
 *
 * @param rank operations of a lower rank come before those of a higher one in a block
 */
export function pack(tasks: readonly Task[], rank: (operation: Operation) => number = () => 0): Instruction[] {
  const waitsFor = dependencies(tasks);
  const done = new Set<Task>();
  const ready = (task: Task): boolean =>
    !done.has(task) && (waitsFor.get(task) ?? []).every((other) => done.has(other));
  const instructions: Instruction[] = [];
  const nextOperation = (): Task | undefined => {
    let best: Task | undefined;
    for (const task of tasks) {
      if (task.operation === undefined || !ready(task)) continue;
      if (best?.operation === undefined || rank(task.operation) < rank(best.operation)) best = task;
    }
    return best;
  };
  while (done.size < tasks.length) {
    for (const task of tasks.filter((task) => task.product !== undefined && ready(task))) {
      instructions.push(task.product as ProductInstruction);
      done.add(task);
    }
    const operations: Operation[] = [];
    for (let task = nextOperation(); task !== undefined; task = nextOperation()) {
      operations.push(task.operation as Operation);
      done.add(task);
    }
    if (operations.length > 0) instructions.push({ kind: "block", operations });
  }
  return instructions;
}

/** Of each task those before it that write what it reads, or read or write what it writes. */
function dependencies(tasks: readonly Task[]): ReadonlyMap<Task, readonly Task[]> {
  const found = new Map<Task, Task[]>();
  tasks.forEach((task, i) => {
    const touched = new Set([...task.reads, ...task.writes]);
    const written = new Set(task.writes);
    const before = tasks
      .slice(0, i)
      .filter((other) => other.writes.some((w) => touched.has(w)) || other.reads.some((r) => written.has(r)));
    found.set(task, before);
  });
  return found;
}

/** A product of the forward pass with the gates it is for. */
export interface ForwardProduct {
  readonly instruction: ProductInstruction;
  readonly source: Value;
  readonly gates: readonly Value[];
}

/** The forward step. */
export interface Forward {
  readonly instructions: readonly Instruction[];
  readonly products: readonly ForwardProduct[];
}

/** How often values are read, by operations, products and as states. */
function countUses({ values, next }: Lowered): ReadonlyMap<Value, number> {
  const uses = new Map<Value, number>();
  const use = (value: Value): void => void uses.set(value, (uses.get(value) ?? 0) + 1);
  for (const value of values) {
    value.operands.forEach(use);
    for (const { source } of value.gate?.products ?? []) use(source);
  }
  next.forEach(use);
  return uses;
}

/** Operations of values; a product that is only added to something is one operation with the sum. */
function pointwiseOf(lowered: Lowered): Map<Value, Operation> {
  const uses = countUses(lowered);
  const operations = new Map<Value, Operation>();
  for (const value of lowered.values) {
    const { code, immediate, width, operands } = value;
    if (code === undefined) continue;
    const [a, b] = operands;
    const made = { code, immediate, width: code === operationCodes.broadcast ? width : (a?.width ?? width) };
    let operation: Operation = { ...made, out: value, accumulate: false, a, b: value.factor ?? b };
    if (code === operationCodes.add) {
      const fused = [b, a].find((term) => term?.code === operationCodes.mul && uses.get(term) === 1);
      const product = fused === undefined ? undefined : operations.get(fused);
      // The factors, with the other operand as addend; a product that has an addend already is left alone.
      if (fused !== undefined && product !== undefined && product.addend === undefined) {
        operations.delete(fused);
        operation = { ...product, out: value, addend: fused === b ? a : b };
      }
    }
    operations.set(value, operation);
  }
  return operations;
}

/** Schedules the forward step. `gates` is where the gates of all steps are; `weights` numbers the weights. */
export function scheduleForward(
  lowered: Lowered,
  gates: Register,
  weights: readonly StackedParameter[],
  rowLength: (weight: StackedParameter) => number,
): Forward {
  const tasks: Task[] = [];
  const products: ForwardProduct[] = [];
  const operations = pointwiseOf(lowered);
  const started = new Set(lowered.gates.filter(({ gate }) => gate?.input));
  const emitted = new Set<LoweredProduct>();
  const available = new Set<Value>();
  /** Products whose source is there, by weight and source, so that neighbours can be joined. */
  const emitProducts = (): void => {
    for (const weight of weights) {
      const waiting = lowered.gates.flatMap((target) =>
        (target.gate?.products ?? [])
          .filter((product) => product.weight === weight && !emitted.has(product) && available.has(product.source))
          .map((product) => ({ target, product })),
      );
      waiting.sort((x, y) => x.product.row - y.product.row);
      for (const group of joined(waiting, started)) {
        const number = weights.indexOf(weight);
        for (const made of productsOf(group, gates, number, rowLength(weight), started)) {
          products.push(made);
          tasks.push({ ...productTask(made.instruction, []), writes: made.gates });
        }
        for (const { target, product } of group) {
          started.add(target);
          emitted.add(product);
        }
      }
    }
  };
  let rest = [...lowered.values];
  while (rest.length > 0) {
    const before = rest.length - emitted.size;
    rest = rest.filter((value) => {
      const operation = operations.get(value);
      const isReady =
        value.gate !== undefined
          ? value.gate.products.every((product) => emitted.has(product))
          : value.operands.every((operand) => available.has(operand));
      if (!isReady) return true;
      available.add(value);
      if (operation !== undefined) tasks.push(operationTask(operation));
      return false;
    });
    emitProducts();
    if (rest.length - emitted.size === before) throw new Error("the graph is not in order");
  }
  return { instructions: pack(tasks), products };
}

interface Waiting {
  readonly target: Value;
  readonly product: LoweredProduct;
}

/** Runs of products that are one product: same source and width, rows and columns side by side, same start. */
function joined(waiting: readonly Waiting[], started: ReadonlySet<Value>): Waiting[][] {
  const groups: Waiting[][] = [];
  for (const entry of waiting) {
    const last = groups[groups.length - 1]?.at(-1);
    const fits =
      last !== undefined &&
      last.product.source === entry.product.source &&
      last.product.heads === 1 &&
      entry.product.heads === 1 &&
      last.target.width === entry.target.width &&
      last.product.row + last.target.width === entry.product.row &&
      columnOf(last.target) + padded(last.target.width) === columnOf(entry.target) &&
      started.has(last.target) === started.has(entry.target);
    if (fits) groups[groups.length - 1]?.push(entry);
    else groups.push([entry]);
  }
  return groups;
}

function columnOf(gate: Value): number {
  return gate.gate?.column ?? 0;
}

/** The products of a group: one, or one for each head. */
function productsOf(
  group: readonly Waiting[],
  gates: Register,
  weight: number,
  stride: number,
  started: ReadonlySet<Value>,
): ForwardProduct[] {
  const [{ target, product }] = group as [Waiting];
  const { source, heads, row } = product;
  const [width, depth] = [target.width / heads, source.width / heads];
  return Array.from({ length: heads }, (_, head) => {
    const matrix: Matrix = {
      weight,
      gates: group.length,
      width,
      depth,
      stride,
      first: (row + head * width) * stride,
      plain: heads > 1,
    };
    const instruction: ProductInstruction = {
      kind: "product",
      matrix,
      source,
      sourceColumn: head * depth,
      target: gates,
      targetColumn: columnOf(target) + head * width,
      start: started.has(target) ? 1 : 2,
    };
    return { instruction, source, gates: group.map((entry) => entry.target) };
  });
}
