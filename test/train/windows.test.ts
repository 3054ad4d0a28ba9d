import { describe, expect, it } from "vitest";
import { truncatedWindows } from "../../ts/train/windows.js";

describe("truncatedWindows", () => {
  it("follow each other, or overlap when k2 is more than k1", () => {
    expect([...truncatedWindows(7, { k1: 3 })]).toEqual([
      { start: 0, from: 0, end: 3 },
      { start: 3, from: 3, end: 6 },
    ]);
    expect([...truncatedWindows(8, { k1: 2, k2: 6 })]).toEqual([
      { start: 0, from: 0, end: 2 },
      { start: 0, from: 2, end: 4 },
      { start: 0, from: 4, end: 6 },
      { start: 2, from: 6, end: 8 },
    ]);
    expect([...truncatedWindows(2, { k1: 3 })]).toEqual([]);
  });

  it("name what is wrong", () => {
    expect(() => [...truncatedWindows(4, { k1: 0 })]).toThrow(/k1/);
    expect(() => [...truncatedWindows(4, { k1: 2, k2: 3 })]).toThrow(/k2/);
    expect(() => [...truncatedWindows(4, { k1: 2, k2: 1 })]).toThrow(/k2/);
  });
});
