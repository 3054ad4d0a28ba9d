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

it("refuses an HDF5 header whose thousands of blocks overlap", () => {
  const file = read("keras/series-simplernn.h5");
  const looped = new Uint8Array(1 << 20);
  looped.set(file.subarray(0, 96));
  const view = new DataView(looped.buffer);
  view.setBigUint64(40, BigInt(looped.length), true);
  // The root's header, and nothing but messages that say where it goes on: each with all that follow.
  view.setBigUint64(64, 96n, true);
  view.setUint8(96, 1);
  view.setUint32(104, looped.length - 112, true);
  for (let at = 112; at + 24 <= looped.length; at += 24) {
    view.setUint16(at, 0x10, true);
    view.setUint16(at + 2, 16, true);
    view.setBigUint64(at + 8, BigInt(Math.min(at + 24, looped.length - 24)), true);
    view.setBigUint64(at + 16, BigInt(looped.length - Math.min(at + 24, looped.length - 24)), true);
  }
  expect(() => loadKeras(looped)).toThrow(/overlap again and again/);
});

it("refuses an HDF5 group of thousands of names, each as long as half the file", () => {
  const hostile = new Uint8Array(1 << 20);
  hostile.set(read("keras/series-simplernn.h5").subarray(0, 96));
  const view = new DataView(hostile.buffer);
  const write = (at: number, text: string): void => hostile.set(new TextEncoder().encode(text), at);
  const [node, heap, names] = [256, 400_000, 500_000];
  view.setBigUint64(40, BigInt(hostile.length), true);
  // The root's header: one message, of its symbol table.
  view.setBigUint64(64, 96n, true);
  view.setUint8(96, 1);
  view.setUint32(104, 24, true);
  view.setUint16(112, 0x11, true);
  view.setUint16(114, 16, true);
  view.setBigUint64(120, BigInt(node), true);
  view.setBigUint64(128, BigInt(heap), true);
  write(node, "SNOD");
  view.setUint16(node + 6, 8192, true);
  write(heap, "HEAP");
  view.setBigUint64(heap + 8, BigInt(hostile.length - names), true);
  view.setBigUint64(heap + 24, BigInt(names), true);
  hostile.fill(0x61, names);
  expect(() => loadKeras(hostile, { config: "{}" })).toThrow(/overlap again and again/);
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
