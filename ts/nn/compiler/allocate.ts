/**
 * Allocation: every register gets a place. What backward reads is kept for all steps, where possible in the columns of
 * the gates themselves; what lives within a block shares a few chunks that stay in the first-level cache.
 */
import type { Backward } from "./differentiate.js";
import { type Lowered, padded, type Value } from "./lower.js";
import {
  BACKWARD_ONLY,
  type Buffer,
  bufferKinds,
  type Instruction,
  type Operation,
  operationCodes,
  type Place,
  type ProductInstruction,
  type Register,
  reads,
  WITHIN_STEP,
  writes,
} from "./machine.js";
import type { Forward } from "./schedule.js";

/** One operation or product, with its number among all, and that of its instruction. */
interface Position {
  readonly operation?: Operation;
  readonly product?: ProductInstruction;
  readonly instruction: number;
}

interface Life {
  firstWrite: number;
  last: number;
  /** Instructions that touch it. */
  readonly instructions: Set<number>;
}

function positionsOf(instructions: readonly Instruction[]): Position[] {
  return instructions.flatMap((made, instruction): Position[] =>
    made.kind === "block"
      ? made.operations.map((operation) => ({ operation, instruction }))
      : [{ product: made, instruction }],
  );
}

function touched({ operation, product }: Position): { read: Register[]; written: Register[] } {
  if (operation !== undefined) return { read: reads(operation), written: writes(operation) };
  const { source, target } = product as ProductInstruction;
  return { read: [source], written: [target] };
}

function livesOf(positions: readonly Position[]): Map<Register, Life> {
  const lives = new Map<Register, Life>();
  positions.forEach((position, at) => {
    const { read, written } = touched(position);
    for (const register of [...read, ...written]) {
      const life = lives.get(register) ?? { firstWrite: Infinity, last: at, instructions: new Set() };
      life.last = at;
      life.instructions.add(position.instruction);
      lives.set(register, life);
    }
    for (const register of written) {
      const life = lives.get(register) as Life;
      life.firstWrite = Math.min(life.firstWrite, at);
    }
  });
  return lives;
}

/** Operations that read a row whole before or after they write: their result has memory of its own. */
const NOT_IN_PLACE: ReadonlySet<number> = new Set([
  operationCodes.broadcast,
  operationCodes.rowSum,
  operationCodes.norm,
  operationCodes.normGradient,
]);

function appended(instructions: readonly Instruction[], operations: readonly Operation[]): Instruction[] {
  if (operations.length === 0) return [...instructions];
  const last = instructions.at(-1);
  return last?.kind === "block"
    ? [...instructions.slice(0, -1), { kind: "block", operations: [...last.operations, ...operations] }]
    : [...instructions, { kind: "block", operations }];
}

function copyOf(a: Register, place: Place): Operation {
  const out: Register = { width: a.width, place, saved: false };
  return { code: operationCodes.copy, width: a.width, immediate: 0, accumulate: false, out, a };
}

/** Memory of rows within a step or a block, handed out again when what it held is no longer needed. */
class Pool {
  readonly buffers: Buffer[] = [];
  readonly #free: Buffer[] = [];
  readonly #flags: number;

  constructor(flags: number) {
    this.#flags = flags;
  }

  take(kind: number, width: number): Buffer {
    const stride = padded(width);
    const found = this.#free.findIndex((buffer) => buffer.kind === kind && buffer.stride === stride);
    if (found >= 0) return this.#free.splice(found, 1)[0] as Buffer;
    const made = { kind, stride, of: 0, flags: this.#flags };
    this.buffers.push(made);
    return made;
  }

  give(buffer: Buffer): void {
    this.#free.push(buffer);
  }
}

/** Gives places to what has none: chunks where all is within one block, else rows of the step. */
function placeTemporaries(positions: readonly Position[], lives: ReadonlyMap<Register, Life>, pool: Pool): void {
  const held = new Map<Register, Buffer>();
  const release = (at: number): void => {
    for (const [register, buffer] of held) {
      if (lives.get(register)?.last !== at) continue;
      held.delete(register);
      pool.give(buffer);
    }
  };
  positions.forEach((position, at) => {
    const inPlace = position.operation !== undefined && !NOT_IN_PLACE.has(position.operation.code);
    // Operands that end here are free for the result, the addend first: nothing has to be copied then.
    const addend = position.operation?.addend;
    const { written } = touched(position);
    const [out] = written;
    if (inPlace && addend !== undefined && out?.place === undefined && out?.width === addend.width) {
      const buffer = held.get(addend);
      const within = lives.get(out)?.instructions.size === 1;
      if (buffer !== undefined && lives.get(addend)?.last === at && within === (buffer.kind === bufferKinds.chunk)) {
        held.delete(addend);
        held.set(out, buffer);
        out.place = { buffer, column: 0 };
      }
    }
    if (inPlace) release(at);
    for (const register of written) {
      if (register.place !== undefined) continue;
      const within = lives.get(register)?.instructions.size === 1 && position.operation !== undefined;
      const buffer = pool.take(within ? bufferKinds.chunk : bufferKinds.batch, register.width);
      register.place = { buffer, column: 0 };
      held.set(register, buffer);
    }
    release(at);
  });
}

/** Places of the forward step; `states` are the buffers of the states. Returns the instructions, and their own memory. */
export function allocateForward(
  lowered: Lowered,
  forward: Forward,
  gates: Buffer,
  states: readonly Buffer[],
): { instructions: readonly Instruction[]; buffers: readonly Buffer[] } {
  const copies: Operation[] = [];
  lowered.next.forEach((value, i) => {
    const place = { buffer: states[i] as Buffer, column: 0 };
    if (value.place === undefined) value.place = place;
    else copies.push(copyOf(value, place));
  });
  const instructions = appended(forward.instructions, copies);
  const positions = positionsOf(instructions);
  const lives = livesOf(positions);
  for (const { source } of forward.products) if (source.leaf === undefined) source.saved = true;
  useGateColumns(positions, lives, gates);
  const buffers: Buffer[] = [];
  const keep = (register: Register | undefined): void => {
    if (register === undefined || !register.saved || register.place !== undefined) return;
    const buffer = { kind: bufferKinds.step, stride: padded(register.width), of: 0, flags: WITHIN_STEP };
    buffers.push(buffer);
    register.place = { buffer, column: 0 };
  };
  for (const value of lowered.values) {
    keep(value);
    keep(value.factor);
  }
  const pool = new Pool(0);
  placeTemporaries(positions, lives, pool);
  return { instructions, buffers: [...buffers, ...pool.buffers] };
}

/** An activation takes the place of the gate it was computed from, when nobody needs that any more. */
function useGateColumns(positions: readonly Position[], lives: ReadonlyMap<Register, Life>, gates: Buffer): void {
  positions.forEach(({ operation }, at) => {
    if (operation === undefined || operation.out.place !== undefined || NOT_IN_PLACE.has(operation.code)) return;
    const { out, a, b, c, addend } = operation;
    const free = [addend, a, b, c].find(
      (operand) =>
        operand?.place?.buffer === gates &&
        operand.width === out.width &&
        !operand.saved &&
        lives.get(operand)?.last === at,
    );
    if (free !== undefined) out.place = free.place;
  });
}

/** Places of the backward step. Returns its instructions, and its memory. */
export function allocateBackward(backward: Backward): {
  instructions: readonly Instruction[];
  buffers: readonly Buffer[];
} {
  const positions = positionsOf(backward.instructions);
  const lives = livesOf(positions);
  const copies: Operation[] = [];
  backward.carryOut.forEach((out, i) => {
    const carry = backward.carryIn[i] as Register;
    const readUntil = lastUse(carry, positions, lives, backward.carryOut);
    const at = lives.get(out)?.firstWrite ?? Infinity;
    const operation = positions[at]?.operation;
    const inPlace = operation !== undefined && !NOT_IN_PLACE.has(operation.code);
    if (readUntil < at || (readUntil === at && inPlace)) out.place = carry.place;
    else copies.push(copyOf(out, carry.place as Place));
  });
  const instructions = appended(backward.instructions, copies);
  const all = positionsOf(instructions);
  const pool = new Pool(BACKWARD_ONLY);
  placeTemporaries(all, livesOf(all), pool);
  return { instructions, buffers: pool.buffers };
}

/**
 * Until when a carried gradient is read. A sum that begins with it and is its last reader takes its place, and is then
 * part of its life.
 */
function lastUse(
  carry: Register,
  positions: readonly Position[],
  lives: ReadonlyMap<Register, Life>,
  results: readonly Register[],
): number {
  const last = lives.get(carry)?.last ?? -1;
  const operation = positions[last]?.operation;
  if (operation === undefined || operation.addend !== carry || NOT_IN_PLACE.has(operation.code)) return last;
  const { out } = operation;
  if (out.place !== undefined || out.width !== carry.width || results.includes(out)) return last;
  out.place = carry.place;
  return lives.get(out)?.last ?? last;
}

/** Whether gradients of gates can overwrite the gates: nothing reads a column after it was written. */
export function canShareGates(
  instructions: readonly Instruction[],
  gates: Buffer,
  gradients: Buffer,
  sources: readonly Value[],
): boolean {
  if (sources.some(({ place }) => place?.buffer === gates)) return false;
  const written = new Set<number>();
  for (const position of positionsOf(instructions)) {
    const { read, written: results } = touched(position);
    if (read.some(({ place }) => place?.buffer === gates && written.has(place.column))) return false;
    for (const { place } of results) if (place?.buffer === gradients) written.add(place.column);
  }
  return true;
}
