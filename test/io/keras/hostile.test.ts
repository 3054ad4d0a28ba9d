/** Damaged and hostile files: whatever they hold, loading ends soon, with a model or with a LoadError. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isUnrolledError, LoadError } from "../../../ts/index.js";
import { type KerasModel, loadKeras, loadTfjs } from "../../../ts/io/keras/index.js";
import { Random } from "../../reference/random.js";

const fixtures = join(import.meta.dirname, "../../fixtures");
const read = (name: string): Uint8Array => new Uint8Array(readFileSync(join(fixtures, name)));

/** Whether a load gave a model; throws for any error but a LoadError. */
function loads(load: () => KerasModel): boolean {
  try {
    load().dispose();
    return true;
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    return false;
  }
}

describe.each(["keras/series-simplernn.h5", "keras/series-simplernn.keras"])("%s", (name) => {
  // Written by Keras 3.15.1, model.save.
  const file = read(name);

  it("loads as it is", () => {
    expect(loads(() => loadKeras(file))).toBe(true);
  });

  it("is refused when it is cut anywhere", () => {
    for (let length = 0; length < file.length; length += 61) {
      expect(loads(() => loadKeras(file.subarray(0, length)))).toBe(false);
    }
  });

  it("loads or is refused with any byte changed", () => {
    const random = new Random(11);
    for (let round = 0; round < 1000; round++) {
      const damaged = file.slice();
      const changes = 1 + random.below(3);
      for (let change = 0; change < changes; change++) {
        // Small numbers and all bits set lead astray more often than others.
        damaged[random.below(file.length)] = [0, 1, 0x7f, 0x80, 0xff, random.below(256)][random.below(6)] as number;
      }
      loads(() => loadKeras(damaged));
    }
  });
});

it("refuses an HDF5 tree whose nodes are their own children", () => {
  const file = read("keras/series-simplernn.h5");
  const tree = Buffer.from(file).indexOf("TREE");
  const looped = file.slice();
  const view = new DataView(looped.buffer);
  // Two entries, both of which lead back to the node.
  view.setUint16(tree + 6, 2, true);
  view.setBigUint64(tree + 32, BigInt(tree), true);
  view.setBigUint64(tree + 48, BigInt(tree), true);
  expect(() => loadKeras(looped)).toThrow(/contains itself/);
});

describe("descriptions", () => {
  interface Fixture {
    readonly id: string;
    readonly json: { readonly modelTopology: unknown };
    readonly weights: string;
    readonly inputs: readonly { readonly shape: readonly number[]; readonly data: readonly number[] }[];
  }
  const { models } = JSON.parse(new TextDecoder().decode(read("tfjs/models.json"))) as { models: Fixture[] };

  /** Every place of a JSON value that a loader looks at: the object or list it is in, and its key there. */
  function placesIn(value: unknown): [holder: Record<string, unknown>, key: string][] {
    if (typeof value !== "object" || value === null) return [];
    const holder = value as Record<string, unknown>;
    return Object.keys(holder)
      .filter((key) => !/initializer|regularizer|constraint/.test(key))
      .flatMap((key): [Record<string, unknown>, string][] => [[holder, key], ...placesIn(holder[key])]);
  }

  // Among them every kind of layer that the fixtures have, but for merging.
  const chosen = models.filter(({ id }) => ["encoder-decoder", "masking", "bidirectional-ave", "repeat"].includes(id));
  it.each(chosen.map((model) => [model.id, model] as const))("%s, with every value replaced", (_id, model) => {
    const bytes = Uint8Array.from(Buffer.from(model.weights, "base64"));
    const json = structuredClone(model.json);
    for (const [holder, key] of placesIn(json)) {
      const before = holder[key];
      for (const value of [null, -1, 2.5, 1e15, "__proto__", [], {}]) {
        holder[key] = value;
        try {
          const loaded = loadTfjs(JSON.stringify(json), new Map([["weights.bin", bytes]]));
          loaded.predict(...model.inputs.map(({ data, shape }) => ({ data: Float32Array.from(data), shape })));
          loaded.dispose();
        } catch (error) {
          if (!isUnrolledError(error)) throw new Error(`${key} = ${JSON.stringify(value)}`, { cause: error });
        }
      }
      holder[key] = before;
    }
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});
