/** Cases of the conformance corpus, read without the library's own loader. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = process.env["CONFORMANCE_DIR"]!;

export interface CaseTensor {
  shape: number[];
  data: Float32Array;
}

export interface Case {
  id: string;
  op: string;
  config: Record<string, unknown>;
  expect: Record<string, { atol: number; rtol: number }>;
  scalars?: Record<string, { value: number; atol: number; rtol: number }>;
  tensors: Map<string, CaseTensor>;
}

/** The cases of a group, in the order of the index. */
export function cases(group: string): Case[] {
  const index = JSON.parse(readFileSync(join(root, "index.json"), "utf8")) as {
    cases: { group: string; json: string; tensors: string }[];
  };
  return index.cases
    .filter((entry) => entry.group === group)
    .map((entry) => ({
      ...(JSON.parse(readFileSync(join(root, entry.json), "utf8")) as Case),
      tensors: readTensors(join(root, entry.tensors)),
    }));
}

function readTensors(path: string): Map<string, CaseTensor> {
  const file = readFileSync(path);
  const length = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, 8 + length)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, CaseTensor>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const bytes = new Uint8Array(file.subarray(8 + length + data_offsets[0], 8 + length + data_offsets[1])).buffer;
    const data = dtype === "F32" ? new Float32Array(bytes) : Float32Array.from(new Int32Array(bytes));
    tensors.set(name, { shape, data });
  }
  return tensors;
}

/** What is outside the case's tolerance; empty when all of it is inside. */
export function misses(given: Case, name: string, actual: ArrayLike<number>, offset = 0): string[] {
  const { atol, rtol } = given.expect[name]!;
  const expected = given.tensors.get(name)!.data;
  return Array.from(actual, (value, i) => [value, expected[offset + i]!] as const)
    .filter(([value, wanted]) => !(Math.abs(value - wanted) <= atol + rtol * Math.abs(wanted)))
    .map(([value, wanted]) => `${given.id} ${name}: ${value}, expected ${wanted}`);
}
