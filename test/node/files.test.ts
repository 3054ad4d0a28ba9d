import { spawn } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { checkSavable, FileError, loadFile, readText, saveFile } from "../../ts/node/index.js";

const root = mkdtempSync(join(tmpdir(), "unrolled-files-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folder = "";
let count = 0;
beforeEach(() => {
  folder = join(root, String(count++));
  mkdirSync(folder);
});
const at = (name: string): string => join(folder, name);

describe("readText", () => {
  it("gives any UTF-8 text as it is, without a byte order mark", async () => {
    const text = "caf\u00e9 \u{1f600}\r\nnext\rlast \ufeff inside\0";
    writeFileSync(at("plain"), text);
    writeFileSync(at("marked"), `\ufeff${text}`);
    expect(await readText(at("plain"))).toBe(text);
    expect(await readText(at("marked"))).toBe(text);
    writeFileSync(at("empty"), "");
    expect(await readText(at("empty"))).toBe("");
  });

  // Table 3-7 of the Unicode standard: what is not in it is ill-formed.
  it.each([
    ["a lone continuation byte", [0x80], 0],
    ["an overlong form", [0x61, 0xc0, 0xaf], 1],
    ["an overlong form of three bytes", [0xe0, 0x80, 0x80], 0],
    ["a surrogate", [0x61, 0x62, 0xed, 0xa0, 0x80], 2],
    ["a code point past the last", [0xf4, 0x90, 0x80, 0x80], 0],
    ["a character cut short by the next", [0xc3, 0xa9, 0xe2, 0x82, 0x61], 2],
    ["a character cut short by the end", [0xf0, 0x9f, 0x98, 0x80, 0xf0, 0x9f], 4],
    ["Latin-1", [0x0a, 0x0a, 0x63, 0x61, 0x66, 0xe9, 0x0a], 5],
  ])("refuses %s", async (_, bytes, offset) => {
    writeFileSync(at("file"), Uint8Array.from(bytes));
    await expect(readText(at("file"))).rejects.toThrow(`offset ${offset} `);
  });

  it("recognises UTF-16", async () => {
    writeFileSync(at("file"), Buffer.from("\ufeffhi", "utf16le"));
    await expect(readText(at("file"))).rejects.toThrow("UTF-16");
  });
});

describe("loadFile", () => {
  it("gives a plain Uint8Array", async () => {
    writeFileSync(at("file"), Uint8Array.of(1, 2, 255));
    const bytes = await loadFile(at("file"));
    expect(bytes).toEqual(Uint8Array.of(1, 2, 255));
    expect(bytes.constructor).toBe(Uint8Array);
  });

  it.each([
    ["missing", "does not exist"],
    ["", "is a folder"],
    ["file/below", "does not exist"],
  ])("names what is wrong with %j", async (name, message) => {
    writeFileSync(at("file"), "");
    const error = (await loadFile(at(name)).catch((error: unknown) => error)) as FileError;
    expect(error).toBeInstanceOf(FileError);
    expect(error.message).toContain(message);
    expect(error).toMatchObject({ code: "FILE", path: at(name) });
  });
});

describe("saveFile", () => {
  it("writes a new file and replaces an old one", async () => {
    await saveFile(at("file"), "one");
    await saveFile(at("file"), Uint8Array.of(116, 119, 111));
    expect(readFileSync(at("file"), "utf8")).toBe("two");
    expect(readdirSync(folder)).toEqual(["file"]);
  });

  it("keeps permissions and symbolic links", async () => {
    writeFileSync(at("file"), "one");
    chmodSync(at("file"), 0o640);
    symlinkSync("file", at("link"));
    await saveFile(at("link"), "two");
    expect(lstatSync(at("link")).isSymbolicLink()).toBe(true);
    expect(readFileSync(at("file"), "utf8")).toBe("two");
    expect(statSync(at("file")).mode & 0o777).toBe(0o640);
  });

  it.skipIf(process.platform !== "linux")("writes to what is no regular file without replacing it", async () => {
    await saveFile("/dev/null", "gone");
    expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
    await expect(saveFile("/dev/full", "too much")).rejects.toThrow("/dev/full cannot be written: the disk is full");
    expect(statSync("/dev/full").isCharacterDevice()).toBe(true);
  });

  it("leaves everything as it was when it cannot write", async () => {
    mkdirSync(at("folder"));
    await expect(saveFile(at("folder"), "x")).rejects.toThrow("is a folder");
    await expect(saveFile(at("missing/file"), "x")).rejects.toThrow("the folder");
    await expect(saveFile("", "x")).rejects.toThrow("not the name of a file");
    writeFileSync(at("file"), "kept");
    const broken = new Proxy(new Uint8Array(1), {
      get: () => {
        throw new Error("no bytes");
      },
    });
    await expect(saveFile(at("file"), broken)).rejects.toThrow("no bytes");
    expect(readFileSync(at("file"), "utf8")).toBe("kept");
    expect(readdirSync(folder).sort()).toEqual(["file", "folder"]);
  });
});

describe("checkSavable", () => {
  it("leaves no trace", async () => {
    await checkSavable(at("file"), "content");
    expect(readdirSync(folder)).toEqual([]);
    writeFileSync(at("file"), "kept");
    await checkSavable(at("file"), "content");
    expect(readFileSync(at("file"), "utf8")).toBe("kept");
  });

  it("removes the temporary files of killed processes, and no others", async () => {
    const write = `import { saveFile } from ${JSON.stringify(new URL("../../build/ts/node/files.js", import.meta.url))};
      await saveFile(${JSON.stringify(at("model"))}, new Uint8Array(1 << 27));`;
    // Killed at rising delays, until a kill hits the moment of writing.
    for (let delay = 0; readdirSync(folder).every((name) => !name.endsWith(".tmp")) && delay < 200; delay++) {
      rmSync(at("model"), { force: true });
      const child = spawn(process.execPath, ["--input-type=module", "-e", write]);
      const ended = new Promise((resolve) => child.once("exit", resolve));
      while (readdirSync(folder).length === 0 && child.exitCode === null) await setTimeout(1);
      await setTimeout(delay % 10);
      child.kill("SIGKILL");
      await ended;
    }
    const left = readdirSync(folder).filter((name) => name.endsWith(".tmp"));
    expect(left).toHaveLength(1);
    const running = (left[0] as string).replace(/-\d+-/, `-${process.ppid}-`);
    writeFileSync(at(running), "");
    await checkSavable(at("file"), "content");
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([running]);
  });

  it("throws what saveFile would", async () => {
    await expect(checkSavable(at("missing/file"), "x")).rejects.toThrow("the folder");
    await expect(checkSavable(folder, "x")).rejects.toThrow("is a folder");
  });
});
