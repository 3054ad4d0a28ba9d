/** Progress of a run as HTML, for notebooks and pages: a bar, the latest numbers, and the curve of the loss. */
import type { TrainCallback, TrainEvent } from "../train/loop.js";
import { lossCurve } from "./curve.js";
import { escapeXml } from "./svg.js";

/**
 * A run so far as HTML.
 * @param events - of `train`, from its start on
 */
export function progressHtml(events: readonly TrainEvent[]): string {
  const start = events.find((event) => event.kind === "start");
  const end = events.find((event) => event.kind === "end");
  const last = (kind: TrainEvent["kind"]) => events.filter((event) => event.kind === kind).at(-1);
  const [update, valid] = [last("update"), last("valid")];
  const parts: string[] = [];
  const of = start?.kind === "start" && start.updates !== undefined ? start.updates : undefined;
  if (update?.kind === "update") {
    parts.push(`update ${update.update}${of === undefined ? "" : ` of ${of}`}`, `epoch ${update.epoch}`);
    parts.push(`loss ${update.smoothLoss.toFixed(4)} nats`);
  }
  if (valid?.kind === "valid") parts.push(`validation ${valid.loss.toFixed(4)} nats`);
  if (end?.kind === "end") parts.push(end.reason);
  const done = update?.kind === "update" ? update.update : 0;
  const bar = of === undefined ? "" : `<progress value="${done}" max="${of}"></progress> `;
  return `<div>${bar}${escapeXml(parts.join(", "))}</div>\n${lossCurve(events, { height: 260 })}`;
}

/**
 * A callback for `train` that shows the progress of the run, at most every `everyMs` and at its end:
 *
 * ```ts
 * const display = tslab.newDisplay();
 * await train(model, data, { optimizer, onEvent: showProgress((html) => display.html(html)) }).done;
 * ```
 * @param everyMs - milliseconds; default 500
 */
export function showProgress(show: (html: string) => void, everyMs = 500): TrainCallback {
  const events: TrainEvent[] = [];
  let shown = -Infinity;
  return (event) => {
    // Checkpoints are large, and nothing of them is shown.
    if (event.kind !== "checkpoint") events.push(event);
    const now = performance.now();
    if (event.kind !== "end" && now - shown < everyMs) return;
    shown = now;
    show(progressHtml(events));
  };
}
