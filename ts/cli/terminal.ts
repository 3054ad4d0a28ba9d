/** What the command writes: text for people and JSON lines on standard output, the progress line on a terminal. */
import { once } from "node:events";

/** Standard output. Whoever read it may be gone (`| head`): what is written then goes nowhere, and {@link onClosed} is told. */
const { stdout } = process;
let closed = false;
let tell: () => void = () => undefined;

for (const stream of [stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // EIO: the terminal itself has been closed.
    if (error.code !== "EPIPE" && error.code !== "EIO") throw error;
    closed = true;
    tell();
  });
}

/** Calls `listener` when nobody reads standard output any more. */
export function onClosed(listener: () => void): void {
  tell = listener;
  if (closed) listener();
}

/** Whether standard output is a terminal that can redraw a line. */
export const interactive = stdout.isTTY === true && process.env["TERM"] !== "dumb";

/** Whether colours are wanted: on terminals that have them, and not with NO_COLOR. */
const colored = interactive && stdout.hasColors();

/** Width of the terminal; 80 where there is none. */
export function columns(): number {
  return stdout.columns || 80;
}

/** Less prominent text, where there are colours. */
export function dim(text: string): string {
  return colored ? `\x1b[2m${text}\x1b[22m` : text;
}

/** Writes to standard output, and waits where its reader is slow. Resolves to false when there is no reader any more. */
export async function write(text: string): Promise<boolean> {
  if (!closed && text !== "" && !stdout.write(text)) {
    await Promise.race([once(stdout, "drain"), once(stdout, "close")]).catch(() => undefined);
  }
  return !closed;
}

/** A JSON line. Numbers that JSON lacks become null. */
export function writeJson(event: object): Promise<boolean> {
  return write(`${JSON.stringify(event)}\n`);
}

/**
 * Text that came out of a model, safe to be shown: control characters, which could do anything to a terminal, as their
 * pictures (U+2400 and on); tabs and line ends stay, a carriage return before a line feed goes.
 */
export function printable(text: string): string {
  return (
    text
      .replace(/\r\n/g, "\n")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is replaced
      .replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (control) => {
        const code = control.charCodeAt(0);
        return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? "\u2421" : "\ufffd";
      })
  );
}

/** A line at the bottom of the terminal that is redrawn in place; what is written through {@link print} scrolls above it. */
export class StatusLine {
  #shown = false;

  /** Replaces the line; it is cut to the width of the terminal. */
  async draw(line: string): Promise<void> {
    // The last column stays free: writing there moves on to the next line on some terminals.
    await write(`\r${line.slice(0, Math.max(0, columns() - 1))}\x1b[K`);
    this.#shown = true;
  }

  /** Writes lines above. */
  async print(text: string): Promise<boolean> {
    this.clear();
    return write(`${text}\n`);
  }

  /** Removes the line. */
  clear(): void {
    if (this.#shown && !closed) stdout.write("\r\x1b[K");
    this.#shown = false;
  }
}

/** 12,345 */
export function grouped(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** 1:02:03, 2:03 or 0:03. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [
    Math.floor(whole / 3600),
    Math.floor(whole / 60) % 60,
    String(whole % 60).padStart(2, "0"),
  ];
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** 1.2 MB */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** A count with its noun: `1 character`, `2,501 characters`. */
export function many(value: number, noun: string): string {
  return `${grouped(value)} ${noun}${value === 1 ? "" : "s"}`;
}
