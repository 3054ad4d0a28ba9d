/** Training as a table of comma-separated values (RFC 4180, lines ended by a line feed). */
import type { TrainCallback } from "../train/loop.js";

const COLUMNS = [
  "update",
  "epoch",
  "targets",
  "lr",
  "loss",
  "smoothLoss",
  "gradNorm",
  "charsPerSecond",
  "validLoss",
] as const;

/**
 * A callback for `train` that writes a row for every `update` and `valid` event; what an event does not have is empty.
 * Losses are in nats.
 *
 * ```ts
 * await train(model, data, { optimizer, onEvent: csvLog((line) => file.write(line)) }).done;
 * ```
 * @param write - takes a line, its line feed included
 * @param options - `header`: whether the first line names the columns; default true; false to append to a log
 */
export function csvLog(write: (line: string) => unknown, options: { readonly header?: boolean } = {}): TrainCallback {
  const { header = true } = options;
  return async (event) => {
    if (event.kind === "start" && header) await write(`${COLUMNS.join(",")}\n`);
    if (event.kind !== "update" && event.kind !== "valid") return;
    const { loss, ...rest } = event;
    const values: Partial<Record<string, unknown>> =
      event.kind === "valid" ? { ...rest, validLoss: loss } : { ...rest, loss };
    await write(`${COLUMNS.map((column) => values[column] ?? "").join(",")}\n`);
  };
}
