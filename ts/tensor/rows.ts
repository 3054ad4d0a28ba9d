/** Rows that are written into a larger tensor. */
import { currentTape } from "./scope.js";
import { copyStrided } from "./shape.js";
import type { Operation, Tape } from "./tape.js";
import type { Tensor } from "./tensor.js";

const WriteRows: Operation = {
  name: "writeRows",
  backward({ inputs, outputs, saved: offsets }, tape) {
    const [rows, target] = [inputs[0] as Tensor, outputs[0] as Tensor];
    const [to, from] = [tape.gradient(rows), tape.gradient(target)];
    const width = rows.size / Math.max(offsets.length, 1);
    offsets.forEach((offset, i) => copyRow(tape, from + offset * 4, to + i * width * 4, width));
  },
};

function copyRow({ core }: Pick<Tape, "core">, from: number, to: number, width: number, accumulate = true): void {
  copyStrided(core, from, to, [width], [1], [1], accumulate);
}

/** Writes the rows of a tensor (n, W) into `target` at these element offsets, which no other row has. @internal */
export function writeRows(rows: Tensor, target: Tensor, offsets: readonly number[]): void {
  const core = target.core;
  const from = rows.resolve("writeRows");
  const width = rows.size / Math.max(offsets.length, 1);
  offsets.forEach((offset, i) => copyRow({ core }, from + i * width * 4, target.pointer + offset * 4, width, false));
  if (rows.requiresGrad) currentTape()?.push(WriteRows, [rows], [target], offsets);
}
