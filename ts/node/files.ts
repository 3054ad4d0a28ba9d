/** Files: read whole with errors that say what is wrong, written so that a failure never damages what was there. */
import { constants as bufferConstants, isUtf8 } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { access, constants, type FileHandle, open, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { UnrolledError } from "../errors.js";

/** A file cannot be read or written, or is not the text it should be. */
export class FileError extends UnrolledError {
  /** The file, as it was given; `-` for standard input. */
  readonly path: string;

  /** @internal */
  constructor(path: string, message: string, cause?: unknown) {
    super("FILE", "FileError", message);
    this.path = path;
    if (cause !== undefined) this.cause = cause;
  }
}

/** The sentences of the errors that people meet; a space goes before each, and a name before that. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  ENOTDIR: "does not exist: a part of its path is not a folder",
  EISDIR: "is a folder",
  EACCES: "is not accessible: permission denied",
  EPERM: "is not accessible: the operation is not permitted",
  EROFS: "cannot be written: its file system is read-only",
  ENOSPC: "cannot be written: the disk is full",
  EDQUOT: "cannot be written: the disk quota is used up",
  EFBIG: "cannot be written: it would be larger than files may be here",
  EMFILE: "cannot be opened: too many files are open",
  ENAMETOOLONG: "has too long a name",
  ELOOP: "is behind a loop of symbolic links",
  EIO: "cannot be read or written: input/output error",
};

/** An error of the file system as a sentence that names the file. @internal */
export function fileError(path: string, error: unknown): FileError {
  if (error instanceof FileError) return error;
  const { code = "", message } = error as { code?: string; message: string };
  return new FileError(path, `${path} ${REASONS[code] ?? `cannot be used: ${message}`}`, error);
}

/**
 * The bytes of a file.
 * @param path - a file, or `-` for everything that comes from standard input
 * @throws FileError
 */
export async function loadFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    if (path === "-") return plain(await readAll(process.stdin));
    const file = await open(path);
    try {
      const size = (await file.stat()).size;
      if (size > bufferConstants.MAX_LENGTH)
        throw new FileError(path, `${path} is too large to be read: ${size} bytes`);
      return plain(await file.readFile());
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(path, error);
  }
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Not a Buffer, some methods of which (`slice`) differ from a Uint8Array's. */
function plain(bytes: Buffer): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);
}

/**
 * A text file, which must be UTF-8. A byte order mark at its start is left out; line ends stay as they are.
 * @param path - a file, or `-` for standard input
 * @throws FileError also for bytes that are not UTF-8, with the position of the first
 */
export async function readText(path: string): Promise<string> {
  const bytes = await loadFile(path);
  const name = path === "-" ? "standard input" : path;
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw new FileError(path, `${name} is not UTF-8 but, by its first two bytes, UTF-16: convert it first`);
  }
  if (!isUtf8(bytes)) {
    const at = firstInvalid(bytes);
    const line = bytes.subarray(0, at).reduce((count, byte) => count + (byte === 0x0a ? 1 : 0), 1);
    const byte = (bytes[at] as number).toString(16).toUpperCase().padStart(2, "0");
    throw new FileError(
      path,
      `${name} is not UTF-8: byte 0x${byte} at offset ${at} (line ${line}) begins no valid character`,
    );
  }
  if (bytes.length > bufferConstants.MAX_STRING_LENGTH) {
    throw new FileError(path, `${name} is too large to be read as text: ${bytes.length} bytes`);
  }
  return new TextDecoder().decode(bytes);
}

/** Offset of the first byte that belongs to no character, in bytes known to be invalid UTF-8. */
function firstInvalid(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    const lead = bytes[at] as number;
    const size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (!isUtf8(bytes.subarray(at, at + size))) return at;
    at += size;
  }
  return at;
}

/**
 * Writes a file atomically: into a temporary file in the same folder, flushed to the disk, which then takes the place
 * of the file. Whatever goes wrong (no space, a crash), the file is either the old one or the new one. Only a process that
 * is killed while it writes leaves its temporary file behind; {@link checkSavable} removes those.
 *
 * A symbolic link stays one, and permissions stay. What is not a regular file (`/dev/stdout`, a pipe) is written
 * directly.
 * @param before - called when the new content is on the disk, before it takes the place of the old
 * @throws FileError
 */
export async function saveFile(
  path: string,
  content: Uint8Array | string,
  before: () => Promise<void> = async () => undefined,
): Promise<void> {
  const { target, mode, regular } = await destination(path);
  try {
    if (!regular) {
      const file = await open(target, "w");
      await writeAndClose(file, content, false);
      return;
    }
    await throughTemporary(target, mode, content, async (temporary) => {
      await before();
      await rename(temporary, target);
      await flushFolder(dirname(target));
    });
  } catch (error) {
    throw fileError(path, error);
  }
}

/**
 * Checks, before long work, that {@link saveFile} will be able to write a file: it writes the same content, or content
 * of the same size, into a temporary file beside it, which is removed again, with those that killed processes have left.
 * @throws FileError
 */
export async function checkSavable(path: string, content: Uint8Array | string): Promise<void> {
  const { target, mode, regular } = await destination(path);
  if (!regular) return;
  try {
    await removeLeftovers(dirname(target));
    await throughTemporary(target, mode, content, async () => undefined);
  } catch (error) {
    throw fileError(path, error);
  }
}

/** What a path leads to: the file to be written, with the permissions that it has or undefined. */
async function destination(path: string): Promise<{ target: string; mode: number | undefined; regular: boolean }> {
  try {
    const found = await stat(path).catch((error: unknown) => {
      if ((error as { code?: string }).code === "ENOENT") return undefined;
      throw error;
    });
    if (found === undefined) {
      if (path === "" || path.endsWith("/"))
        throw new FileError(path, `${path || "an empty name"} is not the name of a file`);
      const folder = dirname(path);
      const parent = await stat(folder).catch(() => undefined);
      if (!parent?.isDirectory())
        throw new FileError(path, `${path} cannot be written: the folder ${folder} does not exist`);
      return { target: path, mode: undefined, regular: true };
    }
    if (found.isDirectory()) throw new FileError(path, `${path} is a folder, expected the name of a file`);
    // Replacing a file takes no permission to write it, but whoever made it read-only meant it.
    await access(path, constants.W_OK);
    return { target: await realpath(path), mode: found.mode, regular: found.isFile() };
  } catch (error) {
    throw fileError(path, error);
  }
}

/** What the temporary files of this machine begin with; the process follows, so that its end can be noticed. */
const temporaryPrefix = `.unrolled-${createHash("sha256").update(hostname()).digest("hex").slice(0, 8)}-`;

/** Removes temporary files in `folder` whose process, on this machine, has ended. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const owner = name.startsWith(temporaryPrefix) && /^(\d+)-[0-9a-f]+\.tmp$/.exec(name.slice(temporaryPrefix.length));
    if (owner && !isRunning(Number(owner[1]))) await rm(join(folder, name), { force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // Without the right to signal it (EPERM) there is one.
    return (error as { code?: string }).code !== "ESRCH";
  }
}

/** A name for a temporary file beside `target`. @internal */
export function temporaryPath(target: string): string {
  return join(dirname(target), `${temporaryPrefix}${process.pid}-${randomBytes(6).toString("hex")}.tmp`);
}

/** Writes a temporary file beside `target`, calls `done` with its path, and leaves no such file behind. */
async function throughTemporary(
  target: string,
  mode: number | undefined,
  content: Uint8Array | string,
  done: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = temporaryPath(target);
  const remove = (): void => rmSync(temporary, { force: true });
  process.once("exit", remove);
  try {
    const file = await open(temporary, "wx");
    if (mode !== undefined) await file.chmod(mode);
    await writeAndClose(file, content, true);
    await done(temporary);
  } finally {
    process.off("exit", remove);
    await rm(temporary, { force: true });
  }
}

async function writeAndClose(file: FileHandle, content: Uint8Array | string, flush: boolean): Promise<void> {
  try {
    await file.writeFile(content);
    if (flush) await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the new name itself durable, where folders can be flushed (not on Windows). */
async function flushFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder);
    await handle.sync().finally(() => handle.close());
  } catch {
    // The file is complete either way.
  }
}
