/** What may be replaced: a file of another kind than the one to be written is more likely a slip. */
import { stat } from "node:fs/promises";
import { loadFile } from "../node/files.js";
import { CommandError } from "./errors.js";

/** The bytes of a regular file; undefined where there is none (a device, say, could be read for ever). */
export async function loadIfPresent(path: string): Promise<Uint8Array | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? loadFile(path) : undefined;
}

/**
 * Throws `CommandError` for a file that is there, not empty, and of another kind.
 * @param kind - for the message, for example `SVG file`
 * @param option - by which the file was named
 */
export async function checkReplaceable(
  path: string,
  kind: string,
  option: string,
  isKind: (content: Uint8Array) => boolean,
): Promise<void> {
  const existing = await loadIfPresent(path);
  if (existing === undefined || existing.length === 0 || isKind(existing)) return;
  throw new CommandError(`${path} exists and is no ${kind}, so it is not replaced: choose another ${option}`);
}
