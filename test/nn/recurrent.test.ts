import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";
import { differences, draw, expectClose, numbers } from "../tensor/reference.js";
import { type CellName, step } from "./recurrent-reference.js";

const core = u.createCore();

type Layer = u.RNN | u.LSTM | u.GRU;
const layers: Record<CellName, new (inputs: number, hidden: number, options?: u.RecurrentOptions) => Layer> = {
  elman: u.RNN,
  lstm: u.LSTM,
  gru: u.GRU,
};
const cells = Object.keys(layers) as CellName[];
const gates = { elman: 1, lstm: 4, gru: 3 };

type AnyState = { h: u.Tensor; c?: u.Tensor };

/** The layer, whatever its cell: state types differ, the tests do not. */
function forward(layer: Layer, x: u.Tensor, state?: AnyState, lengths?: readonly number[]) {
  const any = layer as u.RecurrentLayer<u.RecurrentState>;
  return any.forward(x, { state: state as u.RecurrentState | undefined, lengths }) as {
    output: u.Tensor;
    state: AnyState;
  };
}

function build(cell: CellName, inputs: number, hidden: number, options: u.RecurrentOptions = {}, seed = 1): Layer {
  return new layers[cell](inputs, hidden, options).init({ seed, core, initializer: u.uniform(-0.6, 0.6) });
}

const random = (shape: readonly number[], seed: number) => u.tensor([...draw(shape, seed).data], shape, core);

function state(cell: CellName, shape: readonly number[], seed = 20): AnyState {
  return cell === "lstm" ? { h: random(shape, seed), c: random(shape, seed + 1) } : { h: random(shape, seed) };
}

describe.each(cells)("%s", (cell) => {
  it.each([
    [3, 4, 5, 6],
    [1, 1, 1, 1],
    [2, 3, 1, 7],
    [5, 2, 3, 1],
    [1, 6, 9, 17],
  ])("equals the equations and their derivatives: B %i T %i I %i H %i", (batch, steps, inputs, hidden) => {
    const layer = build(cell, inputs, hidden);
    const x = draw([batch, steps, inputs], 3);
    const h0 = draw([1, batch, hidden], 4);
    const c0 = draw([1, batch, hidden], 5);
    const [wi, wh, bi, bh] = layer.parameters().map((p) => ({ shape: p.shape, data: [...p.toArray()] }));
    const outCotangent = numbers(batch * steps * hidden, 6);
    const hCotangent = numbers(batch * hidden, 7);
    const cCotangent = numbers(cell === "lstm" ? batch * hidden : 0, 8);
    const reference = (...v: number[][]) => {
      const [x, h0, c0, weightIh, weightHh, biasIh, biasHh] = v as [
        number[],
        number[],
        number[],
        number[],
        number[],
        number[],
        number[],
      ];
      const out = new Array<number>(batch * steps * hidden);
      const [hn, cn]: [number[], number[]] = [[], []];
      for (let b = 0; b < batch; b++) {
        let [h, c] = [h0.slice(b * hidden, (b + 1) * hidden), c0.slice(b * hidden, (b + 1) * hidden)];
        for (let t = 0; t < steps; t++) {
          const at = (b * steps + t) * inputs;
          ({ h, c } = step(cell, x.slice(at, at + inputs), h, c, { weightIh, weightHh, biasIh, biasHh }));
          h.forEach((value, j) => {
            out[(b * steps + t) * hidden + j] = value;
          });
        }
        hn.push(...h);
        cn.push(...c);
      }
      return [...out, ...hn, ...(cell === "lstm" ? cn : [])];
    };
    const tensors = [x, h0, c0].map(({ data, shape }) => u.tensor([...data], shape, core));
    const [tx, th, tc] = tensors as [u.Tensor, u.Tensor, u.Tensor];
    const given: AnyState = cell === "lstm" ? { h: th, c: tc } : { h: th };
    let result: number[] = [];
    const wanted = [...tensors, ...layer.parameters()];
    const { grads } = u.gradients(
      () => {
        const { output, state } = forward(layer, tx, given);
        result = [output, state.h, ...(state.c === undefined ? [] : [state.c])].flatMap((t) => [...t.toArray()]);
        const weighted = (t: u.Tensor, by: number[]) => u.sum(u.mul(t, u.tensor(by, t.shape)));
        const loss = u.add(weighted(output, outCotangent), weighted(state.h, hCotangent));
        return state.c === undefined ? loss : u.add(loss, weighted(state.c, cCotangent));
      },
      { parameters: wanted, core },
    );
    const inputsOf = [x, h0, c0, wi!, wh!, bi!, bh!];
    expectClose(result, reference(...inputsOf.map(({ data }) => [...data])), 1e-5, "values");
    const cotangent = [...outCotangent, ...hCotangent, ...cCotangent];
    differences(reference, inputsOf, cotangent).forEach((gradient, i) => {
      expectClose(grads.get(wanted[i]!)!, gradient, 1e-4, `gradient ${i}`);
    });
  });

  it("equals the composition of small operations on the tape", () => {
    const [batch, steps, inputs, hidden] = [3, 4, 5, 6];
    const layer = build(cell, inputs, hidden);
    const x = random([batch, steps, inputs], 3);
    const start = state(cell, [1, batch, hidden]);
    const [wi, wh, bi, bh] = layer.parameters() as [u.Parameter, u.Parameter, u.Parameter, u.Parameter];
    const part = (t: u.Tensor, gate: number) => u.slice(t, 1, gate * hidden, (gate + 1) * hidden);
    const naive = () => {
      let h = u.reshape(start.h, [batch, hidden]);
      let c = start.c === undefined ? undefined : u.reshape(start.c, [batch, hidden]);
      const outputs: u.Tensor[] = [];
      for (let t = 0; t < steps; t++) {
        const a = u.linear(u.select(x, 1, t), wi, bi);
        const b = u.linear(h, wh, bh);
        if (cell === "elman") h = u.tanh(u.add(a, b));
        else if (cell === "gru") {
          const r = u.sigmoid(u.add(part(a, 0), part(b, 0)));
          const z = u.sigmoid(u.add(part(a, 1), part(b, 1)));
          const n = u.tanh(u.add(part(a, 2), u.mul(r, part(b, 2))));
          h = u.add(u.mul(u.sub(1, z), n), u.mul(z, h));
        } else {
          const gate = (k: number) => u.add(part(a, k), part(b, k));
          c = u.add(u.mul(u.sigmoid(gate(1)), c!), u.mul(u.sigmoid(gate(0)), u.tanh(gate(2))));
          h = u.mul(u.sigmoid(gate(3)), u.tanh(c));
        }
        outputs.push(h);
      }
      return u.stack(outputs, 1);
    };
    const wanted = [x, start.h, ...(start.c === undefined ? [] : [start.c]), ...layer.parameters()];
    const run = (f: () => u.Tensor) => {
      let y: u.Tensor["toArray"] extends () => infer R ? R : never = new Float32Array();
      const result = u.gradients(
        () => {
          const out = f();
          y = out.toArray();
          return u.sum(u.mul(out, u.tensor(numbers(out.size, 9), out.shape)));
        },
        { parameters: wanted, core },
      );
      return { y, grads: wanted.map((t) => result.grads.get(t)!) };
    };
    const [fused, composed] = [run(() => forward(layer, x, start).output), run(naive)];
    expectClose(fused.y, composed.y, 1e-5, "output");
    wanted.forEach((t, i) => {
      expectClose(fused.grads[i]!, composed.grads[i]!, 2e-5, `gradient of [${t.shape}]`);
    });
  });

  it("gives a split sequence the same bits as the whole, at any batch size, and the same gradients", () => {
    const [steps, inputs, hidden] = [11, 5, 13];
    const layer = build(cell, inputs, hidden, { numLayers: 2 });
    const all = draw([9, steps, inputs], 3);
    for (const batch of [1, 2, 3, 8, 9]) {
      const x = u.tensor(all.data.slice(0, batch * steps * inputs), [batch, steps, inputs], core);
      const start = state(cell, [2, batch, hidden]);
      const whole = () => {
        const { output, state: end } = forward(layer, x, start);
        return [output, ...Object.values(end)] as u.Tensor[];
      };
      const split =
        (...cuts: number[]) =>
        () => {
          let [at, current]: [number, AnyState] = [0, start];
          const outputs = [...cuts, steps].map((cut) => {
            const { output, state: end } = forward(layer, u.slice(x, 1, at, cut), current);
            [at, current] = [cut, end];
            return output;
          });
          return [u.concat(outputs, 1), ...(Object.values(current) as u.Tensor[])];
        };
      const run = (f: () => u.Tensor[]) => {
        let values: number[] = [];
        const { grads } = u.gradients(
          () => {
            const parts = f();
            values = parts.flatMap((t) => [...t.toArray()]);
            return parts.map((t) => u.sum(u.square(t))).reduce((a, b) => u.add(a, b));
          },
          { parameters: [x, ...layer.parameters()], core },
        );
        return { values, grads };
      };
      const expected = run(whole);
      for (const cuts of [[4], [1], [3, 4, 10]]) {
        const got = run(split(...cuts));
        expect(got.values).toEqual(expected.values);
        for (const [t, gradient] of expected.grads) expectClose(got.grads.get(t)!, gradient, 1e-4, "gradient");
      }
      // A row alone has the bits that it has among others.
      const alone = layer.run(() => {
        const part = (t: u.Tensor) => u.concat([u.slice(t, 1, batch - 1)], 0);
        const one: AnyState = start.c ? { h: part(start.h), c: part(start.c) } : { h: part(start.h) };
        return forward(layer, u.slice(x, 0, batch - 1), one).output;
      });
      const last = expected.values.slice((batch - 1) * steps * hidden, batch * steps * hidden);
      expect([...alone.data]).toEqual(last);
    }
  });

  it("takes no state as zeros", () => {
    const layer = build(cell, 3, 4, { bidirectional: true });
    const x = random([2, 5, 3], 1);
    const zero = () => u.zeros([2, 2, 4], core);
    const [without, given] = [undefined, cell === "lstm" ? { h: zero(), c: zero() } : { h: zero() }].map((s) =>
      layer.run(() => forward(layer, x, s)),
    );
    expect(without).toEqual(given);
  });

  it("runs each row over its own length: any order, zero, both directions", () => {
    const [batch, steps, inputs, hidden] = [5, 6, 3, 4];
    const lengths = [3, 6, 0, 1, 6];
    const layer = build(cell, inputs, hidden, { bidirectional: true, numLayers: 2 });
    const x = random([batch, steps, inputs], 1);
    const start = state(cell, [4, batch, hidden]);
    const parameters = [x, ...layer.parameters()];
    const whole = u.gradients(() => u.sum(u.square(forward(layer, x, start, lengths).output)), { parameters, core });
    const together = layer.run(() => forward(layer, x, start, lengths));
    const sums = parameters.map((t) => new Float32Array(t.size));
    lengths.forEach((length, row) => {
      const rowState = () => {
        const part = (t: u.Tensor) => u.slice(t, 1, row, row + 1);
        return start.c ? { h: part(start.h), c: part(start.c) } : { h: part(start.h) };
      };
      const one = () => forward(layer, u.slice(u.slice(x, 0, row, row + 1), 1, 0, length), rowState());
      const alone = layer.run(one);
      const width = 2 * hidden;
      const out = together.output.data.slice(row * steps * width, (row + 1) * steps * width);
      expectClose(out.slice(0, length * width), alone.output.data, 0, `row ${row}`);
      expect(out.slice(length * width).every((v) => v === 0)).toBe(true);
      for (const [name, value] of Object.entries(alone.state)) {
        const all = (together.state as Record<string, u.PlainTensor>)[name]!;
        const mine = [0, 1, 2, 3].flatMap((k) => [
          ...all.data.slice((k * batch + row) * hidden, (k * batch + row + 1) * hidden),
        ]);
        expect(mine, `${name} of row ${row}`).toEqual([...(value as u.PlainTensor).data]);
      }
      const { grads } = u.gradients(() => u.sum(u.square(one().output)), { parameters, core });
      parameters.forEach((t, i) => {
        grads.get(t)!.forEach((g, k) => {
          sums[i]![k]! += g;
        });
      });
    });
    parameters.forEach((t, i) => {
      expectClose(whole.grads.get(t)!, sums[i]!, 1e-5, `gradient ${i}`);
    });
  });

  it("is the same batch first, time first and unbatched", () => {
    const [steps, inputs, hidden] = [5, 3, 4];
    const x = random([2, steps, inputs], 1);
    const first = build(cell, inputs, hidden, { numLayers: 2, bidirectional: true });
    const timeFirst = build(cell, inputs, hidden, { numLayers: 2, bidirectional: true, batchFirst: false });
    const a = first.run(() => forward(first, x));
    const b = timeFirst.run(() => {
      const { output, state: end } = forward(timeFirst, u.transpose(x, 0, 1));
      return { output: u.transpose(output, 0, 1), state: end };
    });
    expect(b).toEqual(a);
    const one = first.run(() => forward(first, u.select(x, 0, 1)));
    expect(one.output.shape).toEqual([steps, 2 * hidden]);
    expect(one.state.h.shape).toEqual([4, hidden]);
    expect([...one.output.data]).toEqual([...a.output.data.slice(steps * 2 * hidden)]);
  });

  it("takes ids through a table or as one-hot rows without making them", () => {
    const [vocabulary, width, hidden] = [7, 5, 6];
    // Fewer and more rows than the table has: gathered, and multiplied whole.
    for (const [batch, steps] of [
      [1, 3],
      [4, 9],
    ] as const) {
      for (const kind of ["table", "one-hot"] as const) {
        const layer = build(cell, kind === "table" ? width : vocabulary, hidden, { bidirectional: true });
        const table = new u.Embedding(vocabulary, width).init({ seed: 2, core });
        const chosen = u.ids(Int32Array.from(numbers(batch * steps, 3, 0, vocabulary), Math.floor), [batch, steps]);
        const rows = () => (kind === "table" ? table.forward(chosen) : u.oneHot(chosen, vocabulary));
        const lengths = Array.from({ length: batch }, (_, i) => Math.max(steps - 2 * i, 0));
        const run = (x: () => u.Tensor) => {
          let y: number[] = [];
          const { grads } = u.gradients(
            () => {
              const { output } = forward(layer, x(), undefined, lengths);
              y = [...output.toArray()];
              return u.sum(u.square(output));
            },
            { core, parameters: [...layer.parameters(), ...table.parameters()] },
          );
          return { y, grads };
        };
        const [lazy, made] = [run(rows), run(() => u.mul(rows(), 1))];
        expectClose(lazy.y, made.y, 1e-6, "output");
        for (const [t, gradient] of made.grads)
          expectClose(lazy.grads.get(t)!, gradient, 1e-5, `gradient [${t.shape}]`);
      }
    }
  });

  it("drops between layers only, and only while training", () => {
    const plain = build(cell, 3, 4, { numLayers: 2 });
    const dropping = build(cell, 3, 4, { numLayers: 2, dropout: 0.5 });
    const x = random([2, 5, 3], 1);
    expect(dropping.run(() => forward(dropping, x))).toEqual(plain.run(() => forward(plain, x)));
    const loss = (layer: Layer, update: number, training: boolean) =>
      u.gradients(() => u.sum(forward(layer, x).output), { core, update, training }).loss;
    expect(loss(dropping, 1, false)).toBe(loss(plain, 1, false));
    expect(loss(dropping, 1, true)).not.toBe(loss(plain, 1, true));
    expect(loss(dropping, 1, true)).toBe(loss(dropping, 1, true));
    expect(loss(dropping, 1, true)).not.toBe(loss(dropping, 2, true));
    const single = build(cell, 3, 4, { dropout: 0.9 });
    expect(loss(single, 1, true)).toBe(loss(build(cell, 3, 4), 1, true));
  });

  it("takes sequences of no steps and batches of no rows", () => {
    const layer = build(cell, 3, 4, { bidirectional: true });
    const start = state(cell, [2, 2, 4]);
    const none = layer.run(() => forward(layer, u.zeros([2, 0, 3]), start));
    expect(none.output.shape).toEqual([2, 0, 8]);
    expect([...none.state.h.data]).toEqual([...start.h.toArray()]);
    const empty = layer.run(() => forward(layer, u.zeros([0, 5, 3])));
    expect(empty.output.shape).toEqual([0, 5, 8]);
    const { grads } = u.gradients(() => u.sum(forward(layer, u.zeros([2, 0, 3]), start).state.h), {
      core,
      parameters: [start.h, ...layer.parameters()],
    });
    expect([...grads.get(start.h)!]).toEqual(new Array(16).fill(1));
  });

  it("propagates NaN along its row and no other", () => {
    const layer = build(cell, 3, 5);
    const data = draw([3, 4, 3], 1).data.map((v, i) => (i === 3 * 4 + 3 ? Number.NaN : v));
    const { output } = layer.run(() => forward(layer, u.tensor(data, [3, 4, 3])));
    output.data.forEach((v, i) => {
      const [row, t] = [Math.floor(i / 20), Math.floor(i / 5) % 4];
      expect(Number.isNaN(v)).toBe(row === 1 && t >= 1);
    });
  });

  it("freezes a parameter and leaves the others' gradients as they are", () => {
    const layer = build(cell, 3, 4);
    const x = random([2, 5, 3], 1);
    const run = () => u.gradients(() => u.sum(forward(layer, x).output), { core }).grads;
    const before = run();
    layer.parameters()[0]!.trainable = false;
    const after = run();
    expect(after.size).toBe(before.size - 1);
    for (const [p, gradient] of after) expect(gradient).toEqual(before.get(p));
  });

  it("packs what backward needs although it ran without gradients before", () => {
    const x = random([2, 5, 3], 1);
    const [used, fresh] = [build(cell, 3, 4), build(cell, 3, 4)];
    used.run(() => forward(used, x));
    const [a, b] = [used, fresh].map((layer) => {
      const { grads } = u.gradients(() => u.sum(forward(layer, x).output), { parameters: [x, ...layer.parameters()] });
      return [...grads.values()];
    });
    expect(a).toEqual(b);
  });

  it("packs anew after a write, and only then", () => {
    const layer = build(cell, 3, 4);
    const x = random([2, 5, 3], 1);
    const before = layer.run(() => forward(layer, x).output);
    const [weight] = layer.parameters() as [u.Parameter];
    const value = weight.toArray();
    weight.write(value.map((v) => v / 2));
    expect(layer.run(() => forward(layer, x).output)).not.toEqual(before);
    weight.write(value);
    expect(layer.run(() => forward(layer, x).output)).toEqual(before);
  });

  it("names what does not fit", () => {
    const layer = build(cell, 3, 4);
    class Model extends u.Module {
      readonly encoder = layer;
    }
    new Model().init({ core });
    const path = `encoder (${layer.constructor.name})`;
    const x = u.zeros([2, 5, 3], core);
    const fail = (f: () => unknown) => {
      try {
        layer.run(f);
      } catch (error) {
        return error as u.UnrolledError;
      }
      throw new Error("accepted");
    };
    expect(fail(() => forward(layer, u.zeros([2, 5, 4])))).toMatchObject({
      code: "SHAPE",
      message: `${path}: x has shape [2, 5, 4], expected [B, T, 3] or [T, 3]`,
    });
    const wrong =
      cell === "lstm" ? { h: u.zeros([1, 2, 5], core), c: u.zeros([1, 2, 4], core) } : { h: u.zeros([1, 2, 5], core) };
    expect(fail(() => forward(layer, x, wrong)).message).toBe(
      `${path}: state.h has shape [1, 2, 5], expected [1, 2, 4]`,
    );
    expect(fail(() => forward(layer, x, {} as AnyState)).code).toBe("ARGUMENT");
    expect(fail(() => forward(layer, x, undefined, [1, 2, 3])).message).toContain(
      "lengths has shape [3], expected [2]",
    );
    expect(fail(() => forward(layer, x, undefined, [1, 6])).message).toContain(
      "lengths[1] must be an integer from 0 to 5, got 6",
    );
    expect(fail(() => forward(layer, x, undefined, [1, -1])).code).toBe("ARGUMENT");
    expect(fail(() => forward(layer, x, undefined, [1, Number.NaN])).code).toBe("ARGUMENT");
  });

  it("has PyTorch's names and shapes", () => {
    const layer = build(cell, 3, 4, { numLayers: 2, bidirectional: true });
    const rows = 4 * gates[cell];
    const expected: Record<string, number[]> = {};
    for (const [level, inputs] of [
      [0, 3],
      [1, 8],
    ]) {
      for (const suffix of [`_l${level}`, `_l${level}_reverse`]) {
        expected[`weight_ih${suffix}`] = [rows, inputs!];
        expected[`weight_hh${suffix}`] = [rows, 4];
        expected[`bias_ih${suffix}`] = [rows];
        expected[`bias_hh${suffix}`] = [rows];
      }
    }
    expect(layer.namedParameters().map(([name, p]) => [name, p.shape])).toEqual(Object.entries(expected));
  });

  it("is one step of its cell", () => {
    const Cell = { elman: u.RNNCell, lstm: u.LSTMCell, gru: u.GRUCell }[cell];
    const layer = build(cell, 3, 4);
    const one = new Cell(3, 4).init({ core }) as u.RecurrentCell<u.RecurrentState>;
    layer.parameters().forEach((p, i) => {
      one.parameters()[i]!.write(p.toArray());
    });
    const start = state(cell, [2, 4]);
    const x = random([2, 3], 1);
    const got = one.run(() => one.forward(x, start as u.RecurrentState)) as Record<string, u.PlainTensor>;
    const lifted = (t: u.Tensor) => u.reshape(t, [1, ...t.shape]);
    const expected = layer.run(() => {
      const s: AnyState = start.c ? { h: lifted(start.h), c: lifted(start.c) } : { h: lifted(start.h) };
      return forward(layer, u.reshape(x, [2, 1, 3]), s).state;
    }) as unknown as Record<string, u.PlainTensor>;
    for (const name of Object.keys(got)) {
      expect([...got[name]!.data]).toEqual([...expected[name]!.data]);
      expect(got[name]!.shape).toEqual([2, 4]);
    }
    const single = one.run(() => one.forward(u.select(x, 0, 0))) as Record<string, u.PlainTensor>;
    expect(single["h"]!.shape).toEqual([4]);
  });
});

describe("options", () => {
  it("of the Elman network: activations of the state and of the outputs", () => {
    const model = new u.Elman(3, 4, 2, { nonlinearity: "hardSigmoid", outputActivation: "softmax" }).init({ core });
    const x = random([2, 5, 3], 1);
    const y = model.run((m) => m.forward(x).output);
    expect(y.shape).toEqual([2, 5, 2]);
    for (let i = 0; i < y.data.length; i += 2) expect(y.data[i]! + y.data[i + 1]!).toBeCloseTo(1, 6);
    const h = model.run((m) => m.rnn.forward(x).output);
    expect(h.data.every((v) => v >= 0 && v <= 1)).toBe(true);
    expect([...model.stateDict().keys()].slice(-2)).toEqual(["head.weight", "head.bias"]);
  });

  it("are checked", () => {
    expect(() => new u.LSTM(0, 4)).toThrow(/LSTM: inputSize must be an integer of 1 or more, got 0/);
    expect(() => new u.LSTM(3, Number.NaN)).toThrow(u.ArgumentError);
    expect(() => new u.GRU(3, 4, { numLayers: 1.5 })).toThrow(u.ArgumentError);
    expect(() => new u.GRU(3, 4, { dropout: Number.NaN })).toThrow(u.ArgumentError);
    expect(() => new u.LSTM(3, 4, { projectionSize: 4 })).toThrow(/projectionSize must be less than hiddenSize/);
    expect(() => new u.RNN(3, 4, { nonlinearity: "exp" as u.ActivationName })).toThrow(u.ArgumentError);
    expect(() => new u.RNN(3, 4, { alpha: Number.POSITIVE_INFINITY })).toThrow(u.ArgumentError);
  });
});
