/** Time, and giving the event loop its turn. */

interface Immediate {
  setImmediate?: (callback: () => void) => unknown;
}

let channel: MessageChannel | undefined;
const waiting: (() => void)[] = [];

/**
 * Lets the event loop run: signals, timers, rendering, messages. `setTimeout` would take 1 to 4 ms each time, so it is
 * the last resort.
 */
export function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    const { setImmediate } = globalThis as Immediate;
    if (setImmediate !== undefined) {
      setImmediate(resolve);
    } else if (typeof MessageChannel !== "undefined") {
      if (channel === undefined) {
        channel = new MessageChannel();
        channel.port1.onmessage = () => waiting.shift()?.();
      }
      waiting.push(resolve);
      channel.port2.postMessage(null);
    } else {
      setTimeout(resolve, 0);
    }
  });
}

/** Longest time between turns of the event loop, where single updates are not longer. */
const INTERVAL_MS = 16;
/** In Workers on workerd the clock stands still between turns, so updates are counted, too. */
const INTERVAL_CALLS = 64;

/** Gives the event loop a turn often enough, and no more often. */
export class Breather {
  #last = performance.now();
  #calls = 0;

  /** True when it is time for `await breather.breathe()`. */
  get due(): boolean {
    return ++this.#calls >= INTERVAL_CALLS || performance.now() - this.#last >= INTERVAL_MS;
  }

  async breathe(): Promise<void> {
    await macrotask();
    this.#last = performance.now();
    this.#calls = 0;
  }
}
