/**
 * Files from a page: a place on the user's disk by the File System Access API (https://wicg.github.io/file-system-access),
 * where the browser has one, and downloads where it has not.
 */

/** The part of the browser's `FileSystemFileHandle` that is used; the origin's private files have it too. */
export interface PageFileHandle {
  /** Name of the file, without a path. */
  readonly name: string;
  /** The file as it is now. */
  getFile(): Promise<{
    /** Its bytes. */
    arrayBuffer(): Promise<ArrayBuffer>;
  }>;
  /** A copy to write to, which takes the file's place when it is closed. */
  createWritable(): Promise<{
    /** Adds bytes. */
    write(data: ArrayBuffer): Promise<void>;
    /** Replaces the file. */
    close(): Promise<void>;
    /** Leaves the file as it was. */
    abort(): Promise<void>;
  }>;
}

/** Where a page saves. */
export interface PageFile {
  /** Of the file, without a folder. */
  readonly name: string;
  /** A file that is replaced by each save, or a download that each save starts. */
  readonly kind: "file" | "download";
  /** Replaces the whole file or none of it: an error, or a page that is closed, leaves the old content. */
  save(bytes: Uint8Array): Promise<void>;
  /** The bytes that were saved last, also by an earlier page; undefined for an empty file and for downloads. */
  load(): Promise<Uint8Array | undefined>;
}

type SavePicker = (options: { suggestedName: string }) => Promise<PageFileHandle>;

/**
 * Asks the user where to save; where the browser cannot ask, saves are downloads. Must be called from a click or a key,
 * as browsers demand.
 *
 * ```ts
 * const file = await pageFile("run.safetensors");
 * for await (const event of train(model, data, { optimizer, checkpointEvery: 100 })) {
 *   if (event.kind === "checkpoint") await file.save(event.bytes);
 * }
 * ```
 * @param name - suggested to the user
 * @param options.handle - a file that the page has already, for which nobody is asked: one that was kept from an earlier
 *   visit, or the origin's own: `await (await navigator.storage.getDirectory()).getFileHandle(name, { create: true })`
 * @throws the browser's `AbortError` when the user closes the dialogue
 */
export async function pageFile(name: string, options: { readonly handle?: PageFileHandle } = {}): Promise<PageFile> {
  const { showSaveFilePicker } = globalThis as { showSaveFilePicker?: SavePicker };
  const handle = options.handle ?? (await showSaveFilePicker?.({ suggestedName: name }));
  return handle === undefined ? download(name) : fileOf(handle);
}

function fileOf(handle: PageFileHandle): PageFile {
  return {
    name: handle.name,
    kind: "file",
    async save(bytes) {
      // What is written goes to a file of its own, which takes the place of the other when it is closed.
      const writable = await handle.createWritable();
      try {
        await writable.write(bytes.slice().buffer as ArrayBuffer);
      } catch (error) {
        await writable.abort();
        throw error;
      }
      await writable.close();
    },
    async load() {
      const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer());
      return bytes.length === 0 ? undefined : bytes;
    },
  };
}

/** How long a download may take to begin; its bytes are held until then. */
const DOWNLOAD_START_MS = 60_000;

function download(name: string): PageFile {
  return {
    name,
    kind: "download",
    async save(bytes) {
      const url = URL.createObjectURL(new Blob([bytes as BlobPart], { type: "application/octet-stream" }));
      const link = document.createElement("a");
      link.href = url;
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), DOWNLOAD_START_MS);
    },
    load: async () => undefined,
  };
}
