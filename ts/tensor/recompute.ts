/**
 * Recomputation, also called gradient checkpointing: of a long sequence only every k-th state is stored, and backward
 * runs each segment of k steps forward again before it goes back through it. Memory falls from T steps to k steps and
 * T / k states, for almost one more forward pass: the last segment, with which backward begins, is kept.
 *
 * Chen, Xu, Zhang & Guestrin 2016, "Training Deep Nets with Sublinear Memory Cost"; for recurrent nets Gruslys et al.
 * 2016, "Memory-Efficient Backpropagation Through Time".
 */
import type { Core } from "../core/core.js";

/** Consecutive steps of a sequence, as the layout of time counts them. */
export interface Segment {
  /** First time. */
  readonly start: number;
  readonly steps: number;
  /** Pointer of the B i32 lengths inside the segment, in the arena; 0: all are `steps`. */
  readonly lengths: number;
}

/**
 * The segments of a sequence in the order in which its states pass through them: a reversed direction begins with the
 * last times. A row that has ended before a segment, or, reversed, not begun, has length 0 there, which passes its
 * state through.
 *
 * @param length steps of a segment; 0: one segment for all
 * @param lengths pointer of B i32 lengths; 0: all are `steps`
 */
export function segmentsOf(
  core: Core,
  { steps, batch, reverse, lengths }: { steps: number; batch: number; reverse: boolean; lengths: number },
  length: number,
): Segment[] {
  if (length === 0 || length >= steps) return [{ start: 0, steps, lengths }];
  const segments: Segment[] = [];
  for (let start = 0; start < steps; start += length) {
    const count = Math.min(length, steps - start);
    segments.push({
      start,
      steps: count,
      lengths: lengths === 0 ? 0 : lengthsInside(core, lengths, batch, start, count),
    });
  }
  return reverse ? segments.reverse() : segments;
}

function lengthsInside(core: Core, lengths: number, batch: number, start: number, count: number): number {
  const pointer = core.arenaAlloc(batch * 4);
  const words = core.i32;
  for (let row = 0; row < batch; row++) {
    const length = words[(lengths >>> 2) + row] as number;
    words[(pointer >>> 2) + row] = Math.min(Math.max(length - start, 0), count);
  }
  return pointer;
}
