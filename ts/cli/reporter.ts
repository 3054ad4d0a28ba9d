/** How the events of a training run are shown. */
import type { UpdateEvent } from "../train/loop.js";
import { wrap } from "./arguments.js";
import type { EndReport, Report, SaveReport, StartReport } from "./events.js";
import {
  clock,
  columns,
  dim,
  grouped,
  interactive,
  many,
  printable,
  StatusLine,
  size,
  write,
  writeJson,
} from "./terminal.js";
import { unitOf } from "./tokens.js";

/** Shows what happens. */
export interface Reporter {
  report(event: Report): Promise<unknown>;
  /** A remark for whoever watches. */
  note(text: string): void;
  /** Something went wrong that does not end the run: one sentence, on standard error. */
  warn(text: string): void;
  /** Leaves the screen to whatever comes. */
  close(): void;
}

function nothing(): void {
  // Nothing is on the screen.
}

function warn(text: string): void {
  process.stderr.write(`unrolled: ${text}\n`);
}

/** One JSON line an event. */
export const jsonReporter: Reporter = { report: writeJson, note: nothing, warn, close: nothing };

export const quietReporter: Reporter = { report: async () => undefined, note: nothing, warn, close: nothing };

/** Plain lines; the base of what terminals show. */
export class LineReporter implements Reporter {
  protected start: StartReport | undefined;
  protected readonly begin = performance.now();

  async report(event: Report): Promise<unknown> {
    switch (event.kind) {
      case "start":
        this.start = event;
        return this.print(header(event, interactive ? columns() : Infinity));
      case "update":
        return this.update(event);
      case "valid":
        return this.print(
          `update ${grouped(event.update)}  validation ${this.losses(event)}${event.best ? "" : " (not the lowest)"}`,
        );
      case "epoch":
      case "checkpoint":
        // The lines of the updates name the epoch, which may be a single update; a checkpoint that fails is a warning.
        return undefined;
      case "sample": {
        const text = printable(event.text).replace(/\n+$/, "");
        return this.print(`${dim(`--- sample at update ${grouped(event.update)}`)}\n${text}\n${dim("---")}`);
      }
      case "save":
        return this.saved(event);
      case "end":
        return this.print(summary(event));
    }
  }

  note(text: string): void {
    void this.print(text);
  }

  warn(text: string): void {
    warn(text);
  }

  close(): void {
    nothing();
  }

  protected print(text: string): Promise<unknown> {
    return write(`${text}\n`);
  }

  protected update(event: UpdateEvent): Promise<unknown> {
    const { update, epoch, charsPerSecond } = event;
    const of = this.start?.updates == null ? "" : `/${grouped(this.start.updates)}`;
    return this.print(
      `update ${grouped(update)}${of}  epoch ${epoch}  loss ${this.losses(event)}  ${grouped(charsPerSecond)} ${this.unit}s/s`,
    );
  }

  /** What one token is called. */
  protected get unit(): string {
    return unitOf(this.start?.tokenizer ?? "");
  }

  /** Bits are how characters are measured, perplexity is how all else is. */
  private losses({ loss, bitsPerChar }: { readonly loss: number; readonly bitsPerChar: number }): string {
    const means = this.unit === "character" ? `${bitsPerChar.toFixed(3)} bits a character` : perplexity(loss);
    return `${loss.toFixed(3)} nats, ${means}`;
  }

  protected async saved({ reason, path, bytes }: SaveReport): Promise<unknown> {
    // The header says when else, and a failure would be reported.
    if (reason === "best" || reason === "periodic") return undefined;
    return this.print(`saved ${path} (${size(bytes)})`);
  }
}

/** Milliseconds between two pictures of the progress line. */
const REDRAW_MS = 100;
/** Tokens over which the shown loss and speed are averaged, about a second's worth. */
const AVERAGED_TOKENS = 25_000;

/** For terminals: lines as above, and below them the progress, redrawn in place. */
export class ProgressReporter extends LineReporter {
  readonly #line = new StatusLine();
  #drawn = -REDRAW_MS;
  #loss = 0;
  #speed = 0;
  #valid = "";
  #weight = 0;

  override async report(event: Report): Promise<unknown> {
    if (event.kind === "valid") this.#valid = `validation ${event.loss.toFixed(3)}`;
    return super.report(event);
  }

  override warn(text: string): void {
    this.close();
    warn(text);
  }

  override close(): void {
    this.#line.clear();
  }

  protected override print(text: string): Promise<unknown> {
    return this.#line.print(text);
  }

  protected override async update(event: UpdateEvent): Promise<unknown> {
    const { batchSize = 1, seqLen = 1 } = this.start ?? {};
    // A mean of few values first, then a moving one.
    this.#weight = Math.min(this.#weight + 1, Math.max(1, AVERAGED_TOKENS / (batchSize * seqLen)));
    this.#loss += (event.loss - this.#loss) / this.#weight;
    this.#speed += (event.charsPerSecond - this.#speed) / this.#weight;
    const now = performance.now();
    if (now - this.#drawn < REDRAW_MS) return;
    this.#drawn = now;
    return this.#line.draw(this.#picture(event.update, (now - this.begin) / 1000));
  }

  #picture(update: number, elapsed: number): string {
    const { updates = null, seconds = null } = this.start ?? {};
    const chars = this.unit === "character";
    const share = Math.min(
      1,
      Math.max(updates === null ? 0 : update / updates, seconds === null ? 0 : elapsed / seconds),
    );
    return progressLine(columns() - 1, share, [
      { text: `${String(Math.floor(share * 100)).padStart(3)}%`, rank: 0 },
      { text: `update ${grouped(update)}`, rank: 3 },
      { text: `loss ${this.#loss.toFixed(3)}`, rank: 1 },
      { text: chars ? `${(this.#loss * Math.LOG2E).toFixed(2)} bits/char` : perplexity(this.#loss), rank: 6 },
      { text: `${grouped(this.#speed)} ${chars ? "chars" : "tokens"}/s`, rank: 4 },
      { text: share > 0 ? `${clock((elapsed / share) * (1 - share))} left` : `${clock(elapsed)}`, rank: 2 },
      ...(this.#valid === "" ? [] : [{ text: this.#valid, rank: 5 }]),
    ]);
  }
}

/** As many parts as the width has room for, the lowest ranks first, in the order given; what is left becomes a bar. */
export function progressLine(
  width: number,
  share: number,
  parts: readonly { readonly text: string; readonly rank: number }[],
): string {
  let shown = [...parts];
  const length = (): number => shown.reduce((sum, { text }) => sum + text.length + 2, -2);
  while (shown.length > 1 && length() > width) {
    const last = Math.max(...shown.map(({ rank }) => rank));
    shown = shown.filter(({ rank }) => rank !== last);
  }
  const text = shown.map((part) => part.text).join("  ");
  const room = Math.min(30, width - text.length - 4);
  if (room < 8) return text;
  const filled = Math.round(share * room);
  const bar =
    "=".repeat(Math.max(0, filled - 1)) + (filled > 0 && filled < room ? ">" : "=".repeat(Math.min(1, filled)));
  return `[${bar.padEnd(room)}]  ${text}`;
}

function perplexity(nats: number): string {
  return `perplexity ${Math.exp(nats).toFixed(1)}`;
}

function header(event: StartReport, width: number): string {
  const input = event.embeddingSize === 0 ? "one-hot input" : `embeddings of ${event.embeddingSize}`;
  const dropout = event.dropout === 0 ? "" : `, dropout ${event.dropout}`;
  const limit = [
    ...(event.updates === null ? [] : [many(event.updates, "update")]),
    ...(event.seconds === null ? [] : [many(event.seconds, "second")]),
  ];
  const unit = unitOf(event.tokenizer);
  const tokens = unit === "character" ? "" : `, ${many(event.tokens, unit)} of kind ${event.tokenizer}`;
  const validation =
    event.validationTokens === 0 ? "" : `, the last ${grouped(event.validationTokens)} of them for validation`;
  const kept =
    event.validationTokens === 0 ? "every minute and at the end" : "whenever the validation loss is the lowest";
  const resumed = event.resumedFrom === null ? "" : `goes on after ${many(event.resumedFrom, "update")}; `;
  return [
    `text    ${event.file}: ${many(event.characters, "character")}${tokens}, ${grouped(event.vocabulary)} different${validation}`,
    `model   ${event.cell}, ${many(event.numLayers, "layer")} of ${event.hiddenSize}, ${input}${dropout}: ${many(event.parameters, "parameter")}`,
    `recipe  ${event.preset}: ${event.optimizer} at ${Number(event.lr.toPrecision(4))}, ${event.batchSize} x ${event.seqLen} ${unit}s an update, ${many(event.updatesPerEpoch, "update")} an epoch`,
    `run     ${resumed}${limit.length === 0 ? "until Ctrl-C" : `${limit.join(" or ")}; Ctrl-C ends it earlier`}`,
    `file    ${event.out}${event.replaces && event.resumedFrom === null ? " (replaces the model there)" : ""}, saved ${kept}${event.checkpoint === null ? "" : `; ${event.checkpoint}, to --resume from`}`,
    "",
  ]
    .map((line) => wrap(line, width, 8))
    .join("\n");
}

function summary(event: EndReport): string {
  const ended = { completed: "done", early: "no improvement: done", aborted: "interrupted", stopped: "interrupted" }[
    event.reason
  ];
  if (event.savedUpdate === null) return `${ended} after ${many(event.update, "update")}; no model was saved`;
  const loss = event.savedLoss === null ? "not validated" : `validation ${event.savedLoss.toFixed(3)} nats`;
  return [
    `${ended} after ${many(event.update, "update")}, ${clock(event.seconds)}`,
    `${event.path} has the model of update ${grouped(event.savedUpdate)} (${loss})`,
    `to sample from it: unrolled sample ${event.path}`,
  ].join("\n");
}
