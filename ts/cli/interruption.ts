import { constants } from "node:os";
import type { Reporter } from "./reporter.js";
import { onClosed } from "./terminal.js";

/** Ends the run after the update at hand at Ctrl-C, and the process at the second. */
export class Interruption {
  exitCode = 0;
  readonly #controller = new AbortController();

  constructor(reporter: Reporter) {
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(name, () => {
        if (this.signal.aborted) process.exit(this.exitCode);
        this.exitCode = 128 + constants.signals[name];
        if (name === "SIGINT") reporter.note("finishing this update; Ctrl-C again ends at once");
        this.#controller.abort();
      });
    }
    onClosed(() => {
      this.exitCode = 128 + constants.signals.SIGPIPE;
      this.#controller.abort();
    });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }
}
