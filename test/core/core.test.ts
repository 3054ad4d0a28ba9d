import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";

describe("the core", () => {
  it("is made on first use, once; others are their own", async () => {
    expect(u.getCore()).toBe(u.getCore());
    expect(await u.loadCore()).toBe(u.getCore());
    const other = u.createCore();
    expect(other).not.toBe(u.getCore());
    const before = u.getCore().persistentBytes;
    other.alloc(1 << 20);
    expect(u.getCore().persistentBytes).toBe(before);
  });

  it("shows its memory after growth: views are made anew", () => {
    const core = u.createCore();
    const pointer = core.alloc(16);
    core.f32[pointer >>> 2] = 1.5;
    const stale = core.f32;
    core.alloc(64 << 20);
    expect(stale.length).toBe(0);
    expect(core.f32[pointer >>> 2]).toBe(1.5);
    expect(core.i32.length).toBe(core.f32.length);
    expect(core.u8.length).toBe(core.f32.length * 4);
  });

  it("gives memory back", () => {
    const core = u.createCore();
    const before = core.persistentBytes;
    const pointer = core.alloc(1000);
    expect(core.persistentBytes).toBeGreaterThan(before);
    core.free(pointer, 1000);
    expect(core.persistentBytes).toBe(before);
  });

  it("says how much did not fit, and stays usable", () => {
    const core = u.createCore();
    const kept = u.tensor([1, 2, 3], [3], core);
    const fail = (f: () => unknown) => {
      try {
        f();
      } catch (error) {
        return error as u.OutOfMemoryError;
      }
      throw new Error("fitted");
    };
    expect(fail(() => u.zeros([2 ** 31], core))).toMatchObject({ code: "OUT_OF_MEMORY", bytes: 2 ** 33 });
    expect(fail(() => u.zeros([1 << 20, 1 << 20], core)).bytes).toBe(2 ** 42);
    expect(fail(() => core.alloc(0xfff0_0000))).toBeInstanceOf(u.OutOfMemoryError);
    // As a kernel does, which only says that it failed.
    const working = () => core.checkStatus(core.raw.ur_arena_alloc(0xffe0_0000) === 0 ? 1 : 0, "kernel");
    expect(fail(working)).toMatchObject({
      bytes: 0xffe0_0000,
      message: expect.stringMatching(/^kernel: .*4292870144 bytes/),
    });
    expect(fail(() => u.runScope(core, () => u.zeros([0x3ff0_0000])))).toBeInstanceOf(u.OutOfMemoryError);
    expect(core.poisoned).toBe(false);
    expect([...u.runScope(core, () => u.mul(kept, 2).toArray())]).toEqual([2, 4, 6]);
  });

  it("computes no more after a trap, but its parameters can be read", () => {
    const core = u.createCore();
    const layer = new u.Linear(2, 3).init({ seed: 1, core });
    const value = layer.weight.toArray();
    const trap = () => core.raw.ur_fill(0xffff_ff00, 1000, 0);
    expect(() => u.runScope(core, trap)).toThrow(u.CorePoisonedError);
    expect(core.poisoned).toBe(true);
    expect(() => u.runScope(core, () => 1)).toThrow(u.CorePoisonedError);
    expect(() => layer.run((m) => m.forward(u.zeros([1, 2])))).toThrow(u.CorePoisonedError);
    expect(() => u.zeros([1], core)).toThrow(u.CorePoisonedError);
    expect(() => u.gradients(() => u.zeros([1]), { core })).toThrow(u.CorePoisonedError);
    expect(layer.weight.toArray()).toEqual(value);
    const fresh = new u.Linear(2, 3).loadStateDict(layer.stateDict(), { core: u.createCore() });
    expect(fresh.weight.toArray()).toEqual(value);
    layer.dispose();
  });
});

describe("errors", () => {
  it("are recognised by brand, also those of another copy of the package", () => {
    const error = new u.ShapeError("layer (LSTM)", "x", ["B", "T", 3], [2, 4]);
    expect(u.isUnrolledError(error)).toBe(true);
    expect(
      u.isUnrolledError(Object.assign(new Error("x"), { [Symbol.for("unrolled.error")]: true, code: "SHAPE" })),
    ).toBe(true);
    expect(u.isUnrolledError(new Error("x"))).toBe(false);
    expect(u.isUnrolledError(undefined)).toBe(false);
    expect(error).toMatchObject({
      name: "ShapeError",
      code: "SHAPE",
      message: "layer (LSTM): x has shape [2, 4], expected [B, T, 3]",
    });
  });
});
