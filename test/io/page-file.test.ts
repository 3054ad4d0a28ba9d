import { afterEach, describe, expect, it, vi } from "vitest";
import { type PageFileHandle, pageFile } from "../../ts/io/page-file.js";

afterEach(() => vi.unstubAllGlobals());

const bytes = Uint8Array.of(3, 1, 4);

/** A file as the File System Access API has it: what is written shows when it is closed. */
function fakeHandle(fails = false): PageFileHandle & { content: Uint8Array; aborted: number } {
  return {
    name: "chosen.safetensors",
    content: new Uint8Array(0),
    aborted: 0,
    async getFile() {
      return { arrayBuffer: async () => this.content.slice().buffer as ArrayBuffer };
    },
    async createWritable() {
      let written = new Uint8Array(0);
      return {
        write: async (data) => {
          if (fails) throw new Error("the disk is full");
          written = new Uint8Array(data.slice(0));
        },
        close: async () => {
          this.content = written;
        },
        abort: async () => {
          this.aborted++;
        },
      };
    },
  };
}

describe("pageFile", () => {
  it("saves into the file that the user chose, and reads it again", async () => {
    const handle = fakeHandle();
    const showSaveFilePicker = vi.fn(async () => handle);
    vi.stubGlobal("showSaveFilePicker", showSaveFilePicker);
    const file = await pageFile("run.safetensors");
    expect(showSaveFilePicker).toHaveBeenCalledWith({ suggestedName: "run.safetensors" });
    expect(file).toMatchObject({ kind: "file", name: "chosen.safetensors" });
    expect(await file.load()).toBeUndefined();
    await file.save(Uint8Array.of(9, 9, 9, 9));
    await file.save(bytes);
    expect(await file.load()).toEqual(bytes);
    expect(await (await pageFile("again", { handle })).load()).toEqual(bytes);
    expect(showSaveFilePicker).toHaveBeenCalledTimes(1);
  });

  it("leaves the old content when writing fails", async () => {
    const handle = fakeHandle(true);
    handle.content = bytes;
    const file = await pageFile("run", { handle });
    await expect(file.save(Uint8Array.of(1))).rejects.toThrow("the disk is full");
    expect(handle.aborted).toBe(1);
    expect(await file.load()).toEqual(bytes);
  });

  it("passes on that the user chose nothing", async () => {
    const refusal = new DOMException("The user aborted a request.", "AbortError");
    vi.stubGlobal("showSaveFilePicker", async () => Promise.reject(refusal));
    await expect(pageFile("run")).rejects.toBe(refusal);
  });

  it("starts downloads where there is no such API", async () => {
    const clicked: { download: string; href: string }[] = [];
    const createElement = (tag: string) => {
      expect(tag).toBe("a");
      const link = { download: "", href: "", click: () => clicked.push(link) };
      return link;
    };
    vi.stubGlobal("document", { createElement });
    vi.useFakeTimers();
    try {
      const file = await pageFile("run.safetensors");
      expect(file).toMatchObject({ kind: "download", name: "run.safetensors" });
      await file.save(bytes);
      const [link] = clicked;
      expect(link?.download).toBe("run.safetensors");
      // Node's own object URLs.
      expect(new Uint8Array(await (await fetch(link?.href ?? "")).arrayBuffer())).toEqual(bytes);
      await vi.runAllTimersAsync();
      await expect(fetch(link?.href ?? "")).rejects.toThrow();
      expect(await file.load()).toBeUndefined();
    } finally {
      vi.useRealTimers();
    }
  });
});
