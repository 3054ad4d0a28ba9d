import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";

const core = u.createCore();

class Tagger extends u.Module {
  readonly embed = new u.Embedding(11, 4);
  readonly encoder = new u.LSTM(4, 3, { bidirectional: true });
  readonly heads = [new u.Linear(6, 2), new u.Linear(6, 5, { bias: false })];
  forward(ids: u.Ids) {
    const { output } = this.encoder.forward(this.embed.forward(ids));
    return this.heads.map((head) => head.forward(output));
  }
}

describe("modules", () => {
  it("name their parameters by fields, as PyTorch does", () => {
    const model = new Tagger().init({ seed: 1, core });
    expect([...model.stateDict().keys()]).toEqual([
      "embed.weight",
      ...["", "_reverse"].flatMap((direction) =>
        ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map((name) => `encoder.${name}_l0${direction}`),
      ),
      "heads.0.weight",
      "heads.0.bias",
      "heads.1.weight",
    ]);
    expect(model.encoder.path).toBe("encoder");
    expect(model.heads[1]!.weight.name).toBe("heads.1.weight");
    expect(model.namedModules().map(([path]) => path)).toEqual(["", "embed", "encoder", "heads.0", "heads.1"]);
  });

  it("draw each parameter by seed and path, whatever the order of construction", () => {
    class Swapped extends u.Module {
      readonly heads = [new u.Linear(6, 2), new u.Linear(6, 5, { bias: false })];
      readonly encoder = new u.LSTM(4, 3, { bidirectional: true });
      readonly embed = new u.Embedding(11, 4);
    }
    const a = new Tagger().init({ seed: 5, core }).stateDict();
    const b = new Swapped().init({ seed: 5, core }).stateDict();
    const c = new Tagger().init({ seed: 6, core }).stateDict();
    for (const [name, value] of a) {
      expect(b.get(name)).toEqual(value);
      expect(c.get(name)).not.toEqual(value);
    }
  });

  it("start as PyTorch's do", () => {
    const spread = (values: Float32Array) => [Math.min(...values), Math.max(...values)];
    const within = (values: Float32Array, bound: number) => {
      const [low, high] = spread(values) as [number, number];
      expect(low).toBeGreaterThanOrEqual(-bound);
      expect(high).toBeLessThan(bound);
      expect(high - low).toBeGreaterThan(1.9 * bound);
    };
    const linear = new u.Linear(100, 40).init({ core });
    within(linear.weight.toArray(), 0.1);
    for (const p of new u.GRU(30, 25).init({ core }).parameters()) within(p.toArray(), 0.2);
    const table = new u.Embedding(100, 100, { paddingIndex: 2 }).init({ core }).weight.toArray();
    const mean = table.reduce((a, b) => a + b, 0) / table.length;
    const variance = table.reduce((a, b) => a + (b - mean) * (b - mean), 0) / table.length;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1)).toBeLessThan(0.05);
    expect([...table.slice(200, 300)]).toEqual(new Array(100).fill(0));
    const own = new u.GRU(3, 4).init({ core, initializer: u.constant(0.5) });
    expect(own.parameters().every((p) => p.toArray().every((v) => v === 0.5))).toBe(true);
  });

  it("run without gradients and return plain arrays, however nested", () => {
    const model = new Tagger().init({ core });
    const result = model.run((m) => ({
      heads: m.forward(u.ids([[1, 2, 3]])),
      map: new Map([["a", u.full([2], 3)]]),
      text: "x",
      number: 4,
      array: Float32Array.of(1),
      nothing: undefined,
    }));
    expect(result.heads.map((h) => h.shape)).toEqual([
      [1, 3, 2],
      [1, 3, 5],
    ]);
    expect(result.map.get("a")).toEqual({ data: Float32Array.of(3, 3), shape: [2] });
    expect(result).toMatchObject({ text: "x", number: 4, array: Float32Array.of(1), nothing: undefined });
    expect(core.arenaUsed).toBe(0);
    // @ts-expect-error a promise is refused by the types too
    expect(() => model.run(() => Promise.resolve(1))).toThrow(u.PromiseInUpdateError);
  });

  it("load what they gave, all or nothing", () => {
    const a = new Tagger().init({ seed: 1, core });
    const dict = a.stateDict();
    const b = new Tagger().loadStateDict(dict, { core });
    expect(b.stateDict()).toEqual(dict);
    const c = new Tagger().init({ seed: 2, core });
    const before = c.stateDict();
    const broken = (change: (d: u.StateDict) => unknown) => {
      const copy = new Map(dict);
      change(copy);
      return () => c.loadStateDict(copy);
    };
    expect(broken((d) => d.delete("heads.0.bias"))).toThrow(/heads.0.bias missing/);
    expect(broken((d) => d.set("extra", { data: new Float32Array(1), shape: [1] }))).toThrow(
      /no parameter is named extra/,
    );
    expect(broken((d) => d.set("heads.0.bias", { data: new Float32Array(3), shape: [3] }))).toThrow(u.ShapeError);
    expect(broken((d) => d.set("heads.0.bias", { data: new Float32Array(3), shape: [2] }))).toThrow(u.ShapeError);
    expect(c.stateDict()).toEqual(before);
    c.loadStateDict(new Map([["heads.0.bias", { data: Float32Array.of(7, 8), shape: [2] }]]), { strict: false });
    expect([...c.heads[0]!.bias!.toArray()]).toEqual([7, 8]);
  });

  it("tie parameters: one value with two names", () => {
    class Tied extends u.Module {
      readonly embed = new u.Embedding(7, 4);
      readonly head = new u.Linear(4, 7, { bias: false });
      constructor() {
        super();
        this.head.weight = this.embed.weight;
      }
    }
    const model = new Tied().init({ seed: 1, core });
    expect(model.parameters().length).toBe(1);
    const dict = model.stateDict();
    expect([...dict.keys()]).toEqual(["embed.weight", "head.weight"]);
    const { grads } = u.gradients(() => u.sum(model.head.forward(model.embed.forward(u.ids([[1, 2]])))), { core });
    expect(grads.size).toBe(1);
    const conflicting = new Map(dict).set("head.weight", { data: new Float32Array(28), shape: [7, 4] });
    expect(() => model.loadStateDict(conflicting)).toThrow(/embed.weight and head.weight are one parameter/);
  });

  it("tie recurrent weights too: a replaced field is used", () => {
    const [a, b] = [new u.GRU(3, 4).init({ seed: 1, core }), new u.GRU(3, 4).init({ seed: 2, core })];
    const x = u.ones([1, 2, 3], core);
    expect(b.run((m) => m.forward(x).output)).not.toEqual(a.run((m) => m.forward(x).output));
    Object.assign(b, Object.fromEntries(a.namedParameters()));
    expect(b.run((m) => m.forward(x).output)).toEqual(a.run((m) => m.forward(x).output));
  });

  it("say which parameter is out of reach or has no value yet", () => {
    class Hidden extends u.Module {
      readonly seen = new u.Linear(2, 2);
      readonly #unseen = new u.Linear(2, 2);
      forward(x: u.Tensor) {
        return this.#unseen.forward(this.seen.forward(x));
      }
    }
    const hidden = new Hidden().init({ core });
    expect(() => hidden.run((m) => m.forward(u.zeros([1, 2])))).toThrow(u.UnregisteredParameterError);
    expect(() => u.gradients(() => u.sum(hidden.forward(u.zeros([1, 2]))), { core })).toThrow(/#private/);
    class InMap extends u.Module {
      readonly seen = new u.Linear(2, 2);
      readonly layers = new Map([["a", new u.LSTM(2, 2)]]);
    }
    const inMap = new InMap().init({ core });
    expect(() => inMap.run((m) => m.layers.get("a")!.forward(u.zeros([1, 1, 2])).output)).toThrow(
      u.UnregisteredParameterError,
    );
    const fresh = new u.Linear(2, 2);
    expect(() => u.runScope(core, () => fresh.forward(u.zeros([1, 2])))).toThrow(u.NotInitializedError);
    expect(() => fresh.weight.toArray()).toThrow(u.NotInitializedError);
  });

  it("see a written parameter at once: packed forms follow", () => {
    const layer = new u.Linear(2, 1).init({ core });
    const x = u.ones([1, 2], core);
    const gradient = () => [...u.gradients(() => u.sum(layer.forward(x)), { parameters: [x] }).grads.get(x)!];
    for (const value of [
      [1, 2],
      [5, 7],
    ]) {
      layer.weight.write(value);
      layer.bias!.write([0.5]);
      expect([...layer.run((m) => m.forward(x)).data]).toEqual([value[0]! + value[1]! + 0.5]);
      expect(gradient()).toEqual(value);
    }
    expect(() => layer.weight.write([1])).toThrow(u.ShapeError);
  });

  it("leave nothing behind outside scopes but what they return", () => {
    const layer = new u.GRU(2, 4, { numLayers: 3, bidirectional: true }).init({ core });
    const x = u.ones([1, 5, 2], core);
    const forward = () => {
      const { output, state } = layer.forward(x);
      output.dispose();
      state.h.dispose();
    };
    forward();
    const before = core.persistentBytes;
    forward();
    expect(core.persistentBytes).toBe(before);
    expect(core.arenaUsed).toBe(0);
  });

  it("name values of a wrong type", () => {
    const model = new Tagger().init({ core });
    const chosen = u.ids([[1]]) as unknown as u.Tensor;
    const wrong = (f: () => unknown) => expect(() => model.run(() => void f()));
    wrong(() => model.heads[0]!.forward(chosen)).toThrow(
      /^heads.0 \(Linear\): an operand must be of type Tensor, got Ids/,
    );
    wrong(() => model.encoder.forward(chosen)).toThrow(u.DTypeError);
    wrong(() => u.add(u.zeros([1]), chosen)).toThrow(u.DTypeError);
    wrong(() => model.embed.forward(u.zeros([1]) as unknown as u.Ids)).toThrow(
      /embed \(Embedding\): ids must be of type Ids/,
    );
    wrong(() => u.crossEntropy(u.zeros([1, 2]), [0] as unknown as u.Ids)).toThrow(u.DTypeError);
  });

  it("give all memory back on dispose", () => {
    const before = core.persistentBytes;
    const model = new Tagger().init({ core });
    u.gradients(() => u.sum(model.forward(u.ids([[1, 2]]))[0]!), { core });
    expect(core.persistentBytes).toBeGreaterThan(before);
    model.dispose();
    expect(core.persistentBytes).toBe(before);
    expect(() => model.run((m) => m.forward(u.ids([[1]])))).toThrow(/embed.weight .* was used after dispose/);
    model[Symbol.dispose]();
  });
});

describe("dropout module", () => {
  it("draws by its own path", () => {
    class Two extends u.Module {
      readonly first = new u.Dropout(0.5);
      readonly second = new u.Dropout(0.5);
    }
    const model = new Two().init({ core });
    const x = u.ones([50], core);
    const masks: number[][] = [];
    u.gradients(
      () => {
        masks.push([...model.first.forward(x).toArray()], [...model.second.forward(x).toArray()]);
        return u.sum(x);
      },
      { core },
    );
    expect(masks[0]).not.toEqual(masks[1]);
    expect(() => new u.Dropout(2)).toThrow(u.ArgumentError);
  });
});

describe("carried state", () => {
  it("outlives scopes, is copied in and out, and carries no gradient", () => {
    const layer = new u.LSTM(2, 3).init({ seed: 1, core });
    const x = u.ones([1, 4, 2], core);
    const carried = new u.CarriedState<u.LSTMState>();
    expect(carried.get()).toBeUndefined();
    expect(carried.toArrays()).toBeUndefined();
    const whole = layer.run((m) => m.forward(u.concat([x, x], 1)).state);
    const half = () => {
      const { state } = layer.forward(x, { state: carried.get() });
      carried.set(state);
      return u.sum(state.h);
    };
    const first = u.gradients(half, { core });
    const kept = carried.toArrays()!;
    u.gradients(half, { core });
    expect(carried.toArrays()).toEqual(whole);
    carried.reset();
    expect(u.gradients(half, { core })).toEqual(first);
    carried.fromArrays(kept, core);
    u.gradients(half, { core });
    expect(carried.toArrays()).toEqual(whole);
    expect(() => carried.get()).toThrow(u.ScopeError);
    carried.dispose();
    expect(carried.toArrays()).toBeUndefined();
  });

  it("keeps what backward needs although it was set before backward", () => {
    const weight = new u.Linear(3, 1, { bias: false }).init({ seed: 1, core });
    const carried = new u.CarriedState<u.HiddenState>();
    carried.fromArrays({ h: { data: Float32Array.of(1, 2, 3), shape: [1, 1, 3] } }, core);
    const { grads } = u.gradients(
      () => {
        const loss = u.sum(weight.forward(carried.get()!.h));
        carried.set({ h: u.full([1, 1, 3], 9) });
        return loss;
      },
      { core },
    );
    expect([...grads.get(weight.weight)!]).toEqual([1, 2, 3]);
    expect([...carried.toArrays()!["h"]!.data]).toEqual([9, 9, 9]);
  });
});
