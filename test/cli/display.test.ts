import { describe, expect, it } from "vitest";
import { listOf, suggestion, wrap } from "../../ts/cli/arguments.js";
import { progressLine } from "../../ts/cli/reporter.js";
import { clock, grouped, many, printable, size } from "../../ts/cli/terminal.js";

describe("progressLine", () => {
  const parts = [
    { text: " 50%", rank: 0 },
    { text: "update 1,000", rank: 2 },
    { text: "loss 1.234", rank: 1 },
  ];

  it("has a bar where there is room", () => {
    expect(progressLine(80, 0.5, parts)).toBe(`[${"==============>".padEnd(30)}]   50%  update 1,000  loss 1.234`);
    expect(progressLine(80, 1, parts)).toContain(`[${"=".repeat(30)}]`);
    expect(progressLine(80, 0, parts)).toContain(`[${" ".repeat(30)}]`);
  });

  it("drops what matters least where there is none", () => {
    expect(progressLine(31, 0.5, parts)).toBe(" 50%  update 1,000  loss 1.234");
    expect(progressLine(20, 0.5, parts)).toBe(" 50%  loss 1.234");
    expect(progressLine(10, 0.5, parts)).toBe(" 50%");
  });

  it("never exceeds the width while it can", () => {
    for (let width = 4; width < 100; width++) expect(progressLine(width, 0.3, parts).length).toBeLessThanOrEqual(width);
  });
});

describe("printable", () => {
  it("shows control characters as pictures and keeps tabs and line ends", () => {
    expect(printable("a\tb\r\nc\rd\u001b[31m\u0000\u007f\u009b")).toBe("a\tb\nc\u240dd\u241b[31m\u2400\u2421\ufffd");
  });
});

describe("numbers", () => {
  it("are grouped, counted and timed", () => {
    expect([0, 999, 1000, 1234567].map(grouped)).toEqual(["0", "999", "1,000", "1,234,567"]);
    expect([1, 2].map((value) => many(value, "update"))).toEqual(["1 update", "2 updates"]);
    expect([0, 59.4, 60, 3599.6, 3723].map(clock)).toEqual(["0:00", "0:59", "1:00", "1:00:00", "1:02:03"]);
    expect([12, 1234, 962_836, 2_345_678].map(size)).toEqual(["12 bytes", "1.2 kB", "962.8 kB", "2.3 MB"]);
  });
});

describe("words", () => {
  it("are listed and wrapped", () => {
    expect(listOf(["a", "b", "c"], "or")).toBe("a, b or c");
    expect(wrap("one two three four five six seven", 24, 0)).toBe("one two three four five\nsix seven");
    expect(wrap("one two three four five six seven", 26, 2)).toBe("one two three four five\n  six seven");
  });

  it("suggest their neighbours only", () => {
    const names = ["hidden", "layers", "seed", "lr"];
    expect(suggestion("hiden", names, "--")).toBe(" (did you mean --hidden?)");
    expect(suggestion("sede", names)).toBe(" (did you mean seed?)");
    expect(suggestion("momentum", names)).toBe("");
  });
});
