import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";
import { numbers } from "./reference.js";

const core = u.createCore();
const make = (shape: readonly number[], seed = 1) => {
  const size = shape.reduce((a, b) => a * b, 1);
  return u.tensor(numbers(size, seed), shape, core);
};

describe("tensors", () => {
  it("are made of nested arrays, flat arrays and numbers", () => {
    expect([
      ...u
        .tensor(
          [
            [1, 2, 3],
            [4, 5, 6],
          ],
          undefined,
          core,
        )
        .toArray(),
    ]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(
      u.tensor(
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
        undefined,
        core,
      ).shape,
    ).toEqual([2, 3]);
    expect(u.tensor(Float32Array.of(1, 2, 3, 4), [2, 2], core).shape).toEqual([2, 2]);
    expect(u.tensor(7, undefined, core).item()).toBe(7);
    expect(u.tensor([], undefined, core).shape).toEqual([0]);
    expect(() => u.tensor([[1, 2], [3]], undefined, core)).toThrow(u.ShapeError);
    expect(() => u.tensor([[1, 2], 3], undefined, core)).toThrow(u.ShapeError);
    expect(() => u.tensor([1, 2, 3], [2, 2], core)).toThrow(u.ShapeError);
    expect(() => u.zeros([-1], core)).toThrow(u.ArgumentError);
    expect(() => u.zeros([1.5], core)).toThrow(u.ArgumentError);
    expect(() => make([2]).item()).toThrow(u.ShapeError);
  });

  it("are copied out: changing the copy changes nothing", () => {
    const t = u.tensor([1, 2], [2], core);
    t.toArray()[0] = 9;
    expect([...t.toArray()]).toEqual([1, 2]);
  });

  it("outside scopes own their memory until they are disposed of", () => {
    const before = core.persistentBytes;
    const t = u.add(make([100]), 1);
    expect(core.persistentBytes).toBeGreaterThanOrEqual(before + 400);
    t.dispose();
    t.dispose();
    expect(() => t.toArray()).toThrow(/toArray: a tensor of shape \[100\] was used after dispose\(\)/);
  });

  it("end by `using`", () => {
    const t = make([3]);
    t[Symbol.dispose]();
    expect(() => u.neg(t)).toThrow(u.ScopeError);
  });
});

describe("scopes", () => {
  it("end what was made in them; later use names operation and shape", () => {
    let kept: u.Tensor | undefined;
    let view: u.Tensor | undefined;
    let lazy: u.Tensor | undefined;
    u.runScope(core, () => {
      kept = u.zeros([2, 3]);
      view = u.reshape(kept, [6]);
      lazy = u.oneHot(u.ids([1]), 3);
    });
    expect(() => u.tanh(kept!)).toThrow(/^tanh: a tensor of shape \[2, 3\] was used after the scope that made it/);
    expect(() => u.matmul(make([4, 2]), kept!)).toThrow(u.ScopeError);
    expect(() => view!.toArray()).toThrow(u.ScopeError);
    expect(() => lazy!.toArray()).toThrow(u.ScopeError);
    u.runScope(core, () => expect(() => u.add(u.zeros([2, 3]), kept!)).toThrow(u.ScopeError));
  });

  it("nest: the inner one ends first", () => {
    u.runScope(core, () => {
      const outer = u.full([3], 1);
      let inner: u.Tensor | undefined;
      u.runScope(core, () => {
        inner = u.add(outer, 1);
        expect([...inner.toArray()]).toEqual([2, 2, 2]);
      });
      expect([...outer.toArray()]).toEqual([1, 1, 1]);
      expect(() => inner!.toArray()).toThrow(u.ScopeError);
    });
  });

  it("leave the arena empty, also after an error", () => {
    expect(() =>
      u.runScope(core, () => {
        u.zeros([1000]);
        throw new RangeError("mine");
      }),
    ).toThrow(RangeError);
    expect(core.arenaUsed).toBe(0);
    expect(u.runScope(core, () => u.sum(u.ones([5])).item())).toBe(5);
  });

  it("refuse promises, and do not leave theirs unhandled", async () => {
    expect(() => u.runScope(core, () => Promise.reject(new Error("late")))).toThrow(u.PromiseInUpdateError);
    const asynchronous = (async () => u.zeros([1])) as unknown as () => u.Tensor;
    expect(() => u.gradients(asynchronous, { core })).toThrow(u.PromiseInUpdateError);
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(core.arenaUsed).toBe(0);
  });

  it("of two cores do not mix", () => {
    const other = u.createCore();
    const foreign = u.zeros([2], other);
    expect(() => u.add(make([2]), foreign)).toThrow(/belongs to another core/);
    u.runScope(core, () => {
      expect(() => u.neg(foreign)).toThrow(u.ScopeError);
      expect(() => u.runScope(other, () => 0)).toThrow(u.ScopeError);
    });
  });
});

describe("gradients", () => {
  it("are copies, of every parameter used or of those asked for", () => {
    const [a, b] = [new u.Parameter([2]), new u.Parameter([2])];
    a.allocate(core);
    b.allocate(core);
    a.write([1, 2]);
    b.write([3, 4]);
    const all = u.gradients(() => u.sum(u.mul(a, b)), { core });
    expect(all.loss).toBe(11);
    expect([...all.grads].map(([p, g]) => [p, [...g]])).toEqual(
      expect.arrayContaining([
        [a, [3, 4]],
        [b, [1, 2]],
      ]),
    );
    const unused = u.gradients(() => u.sum(a), { parameters: [b] });
    expect([...unused.grads.get(b)!]).toEqual([0, 0]);
    b.trainable = false;
    expect(u.gradients(() => u.sum(u.mul(a, b)), { core }).grads.has(b)).toBe(false);
  });

  it("flow through a tensor that is used twice, and through views of it", () => {
    const x = u.tensor([1, 2, 3, 4], [4], core);
    const f = () => {
      const y = u.tanh(x);
      return u.sum(u.add(u.mul(y, y), u.reshape(u.reshape(y, [2, 2]), [4])));
    };
    const { grads } = u.gradients(f, { parameters: [x] });
    [...grads.get(x)!].forEach((g, i) => {
      const y = Math.tanh(i + 1);
      expect(g).toBeCloseTo((2 * y + 1) * (1 - y * y), 6);
    });
  });

  it("are first order: recordings do not nest, and the outer one survives", () => {
    const x = make([2]);
    const { loss } = u.gradients(
      () => {
        expect(() => u.gradients(() => u.sum(x), { core })).toThrow(u.HigherOrderGradientError);
        return u.sum(u.ones([2]));
      },
      { core },
    );
    expect(loss).toBe(2);
  });

  it("want a loss of one element", () => {
    expect(() => u.gradients(() => make([2]), { core })).toThrow(
      /the returned loss has shape \[2\], expected one element/,
    );
    expect(() => u.gradients(() => 3 as unknown as u.Tensor, { core })).toThrow(u.ShapeError);
  });

  it("of a constant are none", () => {
    expect(u.gradients(() => u.full([], 3), { core })).toEqual({ loss: 3, grads: new Map() });
  });

  it("do not reach outside tensors again once the recording is over", () => {
    const x = make([3]);
    const [first, second] = [0, 1].map(() => u.gradients(() => u.sum(u.square(x)), { parameters: [x] }).grads.get(x)!);
    expect(second).toEqual(first);
    expect(u.gradients(() => u.sum(u.square(x)), { core }).grads.size).toBe(0);
  });

  it("take no memory over time", () => {
    const layer = new u.LSTM(5, 7, { numLayers: 2, bidirectional: true, dropout: 0.3 }).init({ seed: 1, core });
    const head = new u.Linear(14, 4).init({ seed: 2, core });
    const chosen = u.ids(
      Int32Array.from({ length: 12 }, (_, i) => i % 5),
      [3, 4],
    );
    const targets = u.ids(
      Int32Array.from({ length: 12 }, (_, i) => i % 4),
      [3, 4],
    );
    const carried = new u.CarriedState<u.LSTMState>();
    const update = () =>
      u.gradients(
        () => {
          const { output, state } = layer.forward(u.oneHot(chosen, 5), { state: carried.get(), lengths: [4, 2, 3] });
          carried.set(state);
          return u.crossEntropy(head.forward(output), targets);
        },
        { core },
      );
    for (let i = 0; i < 10; i++) update();
    const before = [core.arenaCapacity, core.persistentBytes, core.raw.memory.buffer.byteLength];
    for (let i = 0; i < 1000; i++) update();
    expect([core.arenaCapacity, core.persistentBytes, core.raw.memory.buffer.byteLength]).toEqual(before);
    expect(core.arenaUsed).toBe(0);
    carried.dispose();
    layer.dispose();
    head.dispose();
  });
});
