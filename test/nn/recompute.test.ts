import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";
import { expectClose, numbers } from "../tensor/reference.js";

const core = u.createCore();
const [batch, steps, inputs, hidden, vocabulary] = [3, 7, 5, 6, 4];

type Layer = u.RecurrentLayer<u.RecurrentState>;
type Options = u.RecurrentOptions & { readonly projectionSize?: number };
const layers = { RNN: u.RNN, LSTM: u.LSTM, GRU: u.GRU };
type CellName = keyof typeof layers;

const random = (shape: readonly number[], seed: number) =>
  u.tensor(
    numbers(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
    shape,
    core,
  );

interface Case {
  readonly options?: Options;
  readonly lengths?: readonly number[];
  /** How tokens come in; default: dense rows. */
  readonly tokens?: "embedding" | "oneHot";
  readonly states?: boolean;
}

const cases: Record<string, Case> = {
  "plain sequences": {},
  "initial states": { states: true },
  lengths: { lengths: [2, 7, 0], states: true },
  "both directions": { options: { bidirectional: true }, states: true },
  "lengths in both directions": { options: { bidirectional: true }, lengths: [7, 1, 5], states: true },
  "time first": { options: { batchFirst: false, bidirectional: true }, lengths: [3, 0, 6] },
  "two layers with dropout": { options: { numLayers: 2, dropout: 0.3, weightDropout: 0.4 }, states: true },
  embeddings: { tokens: "embedding", lengths: [6, 7, 1] },
  "one-hot tokens": { tokens: "oneHot", options: { bidirectional: true } },
};

const every = (["RNN", "LSTM", "GRU"] as const).flatMap((cell) =>
  Object.entries(cases).map(([name, value]): [string, CellName, Case] => [`${cell}, ${name}`, cell, value]),
);
every.push(["LSTM, projection", "LSTM", { options: { projectionSize: 2, bidirectional: true }, lengths: [2, 7, 5] }]);

/** Outputs and states, and the gradients of everything that has one, in a fixed order. */
function run(cell: CellName, { options = {}, lengths, tokens, states }: Case, recompute: number | undefined) {
  const size = tokens === "oneHot" ? vocabulary : inputs;
  const layer = new layers[cell](size, hidden, { ...options, recompute }) as Layer;
  layer.init({ seed: 4, core });
  const lead = options.batchFirst === false ? [steps, batch] : [batch, steps];
  const ids = u.ids(
    Int32Array.from({ length: batch * steps }, (_, i) => (i * 7 + 3) % vocabulary),
    lead,
  );
  const table = random([vocabulary, inputs], 5);
  const x = random([...lead, inputs], 6);
  const slices = layer.numLayers * layer.directions;
  const h = random([slices, batch, layer.stateSize], 7);
  const c = random([slices, batch, hidden], 8);
  const cotangent = random([...lead, layer.outputSize], 9);
  const state = states ? (cell === "LSTM" ? { h, c } : { h }) : undefined;
  const values: Float32Array[] = [];
  const parameters = [...layer.parameters(), x, table, h, c];
  const { loss, grads } = u.gradients(
    () => {
      const input =
        tokens === "oneHot" ? u.oneHot(ids, vocabulary, core) : tokens === "embedding" ? u.embedding(table, ids) : x;
      const { output, state: end } = layer.forward(input, { state, lengths });
      values.push(output.toArray(), ...Object.values(end).map((tensor) => tensor.toArray()));
      const ends = Object.values(end).map((tensor, i) => u.sum(u.mul(tensor, random(tensor.shape, 10 + i))));
      return ends.reduce(u.add, u.sum(u.mul(output, cotangent)));
    },
    { core, seed: 3, update: 5, parameters },
  );
  return { loss, values, gradients: parameters.map((parameter) => grads.get(parameter) as Float32Array) };
}

describe("recompute", () => {
  it.each(every)("changes nothing: %s", (_, cell, configuration) => {
    const whole = run(cell, configuration, undefined);
    for (const segment of [1, 2, 3, 6, 7, 20]) {
      const parts = run(cell, configuration, segment);
      expect(parts.values).toEqual(whole.values);
      expect(parts.loss).toBe(whole.loss);
      parts.gradients.forEach((gradient, i) => {
        expectClose(gradient, whole.gradients[i] as Float32Array, 2e-6, `segments of ${segment}, gradient ${i}`);
      });
    }
  });

  it("stores the states between segments in place of every step", () => {
    const [long, wide, length] = [1024, 32, 16];
    const state = batch * wide * 4;
    const measure = (recompute: number | undefined) => {
      const own = u.createCore();
      const layer = new u.LSTM(inputs, wide, { recompute, batchFirst: false }).init({ core: own });
      const x = u.tensor(numbers(long * batch * inputs, 1), [long, batch, inputs], own);
      let used = 0;
      u.gradients(
        () => {
          const before = own.arenaUsed;
          const { output } = layer.forward(x);
          used = own.arenaUsed - before;
          return u.sum(output);
        },
        { core: own },
      );
      return { used, capacity: own.arenaCapacity };
    };
    const [whole, parts] = [measure(undefined), measure(length)];
    // Output, and of every step four gates, h and c; against h and c between segments, and the last segment.
    const [output, saved, kept] = [long * state, long * 6 * state, (long / length) * 2 * state];
    expect(whole.used).toBeGreaterThan(output + saved);
    expect(parts.used).toBeLessThan(1.1 * (output + kept + length * 6 * state) + 4096);
    expect(parts.capacity).toBeLessThan(whole.capacity / 2);
  });

  it("names a segment that is none", () => {
    expect(() => new u.LSTM(2, 3, { recompute: 0 })).toThrow("recompute");
    expect(() => new u.LSTM(2, 3, { recompute: 1.5 })).toThrow(u.ArgumentError);
  });
});
