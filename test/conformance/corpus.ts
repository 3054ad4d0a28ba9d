/**
 * Reads the conformance corpus: results of other systems, with tolerances.
 *
 * It parses safetensors by itself, in as few lines as its own well-formed files need: a case must be readable even when
 * the library's loader, which is under test, is broken.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** A tensor of a case. */
export interface CaseTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | Uint8Array;
}

/** |actual - expected| may be atol + rtol |expected|. */
export interface Tolerance {
  readonly atol: number;
  readonly rtol: number;
}

/** One line of the index. */
export interface CaseEntry {
  readonly id: string;
  readonly group: string;
  readonly op: string;
  readonly kind: string;
  readonly json: string;
  readonly tensors?: string;
}

/** The text of a case. */
export interface CaseDocument {
  readonly config: Readonly<Record<string, unknown>>;
  readonly files?: readonly string[];
  readonly expect?: Readonly<Record<string, Tolerance>>;
  readonly scalars?: Readonly<Record<string, Partial<Tolerance> & { readonly value: number | string }>>;
  readonly series?: Readonly<Record<string, Tolerance & { readonly values: readonly number[] }>>;
}

/** What an adapter gets. */
export interface Case {
  readonly id: string;
  readonly group: string;
  readonly op: string;
  readonly document: CaseDocument;
  readonly tensors: ReadonlyMap<string, CaseTensor>;
  /** The bytes of a file that the case names, by its path from the corpus. */
  readonly file: (path: string) => Uint8Array;
}

/** A hostile or damaged file and what a loader must do with it. */
export interface MalformedEntry {
  readonly id: string;
  readonly format: string;
  readonly file: string;
  readonly must: "reject" | "accept" | "either";
  readonly error: string | null;
  readonly mention_any?: readonly string[];
  readonly context?: Readonly<Record<string, unknown>>;
  readonly expect?: Readonly<Record<string, readonly number[]>>;
}

/** What an adapter returns: every expectation's value by its name. */
export type Results = Map<string, { readonly data: ArrayLike<number>; readonly shape?: readonly number[] }>;

/** The corpus as a whole. */
export interface Corpus {
  readonly root: string;
  readonly entries: readonly CaseEntry[];
  readonly malformed: readonly MalformedEntry[];
}

/** Opens the corpus at CONFORMANCE_DIR, by default beside the project; null where there is none. */
export function openCorpus(): Corpus | null {
  const root = resolve(process.env["CONFORMANCE_DIR"] ?? join(import.meta.dirname, "../../../shared/conformance"));
  if (!existsSync(join(root, "index.json"))) return null;
  const index = readJson(join(root, "index.json")) as { cases: CaseEntry[]; malformed: string };
  const malformed = readJson(join(root, index.malformed)) as { cases: MalformedEntry[] };
  return { root, entries: index.cases, malformed: malformed.cases };
}

/** Reads one case. */
export function readCase({ root }: Corpus, { id, group, op, json, tensors }: CaseEntry): Case {
  return {
    id,
    group,
    op,
    document: readJson(join(root, json)) as CaseDocument,
    tensors: tensors === undefined ? new Map() : readTensors(join(root, tensors)),
    file: (path) => new Uint8Array(readFileSync(join(root, path))),
  };
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8"));
}

/** 8 bytes of header length, the header, the data; F32, I32 and U8 only. */
function readTensors(path: string): Map<string, CaseTensor> {
  const bytes = readFileSync(path);
  const data = 8 + Number(bytes.readBigUInt64LE(0));
  type Header = Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  const header = JSON.parse(bytes.toString("utf8", 8, data)) as Header;
  delete header["__metadata__"];
  return new Map(
    Object.entries(header).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [begin, end],
        },
      ]) => {
        // A copy, because views need alignment.
        const { buffer } = Uint8Array.from(bytes.subarray(data + begin, data + end));
        const make = { F32: Float32Array, I32: Int32Array, U8: Uint8Array }[dtype];
        if (make === undefined) throw new Error(`${path}: dtype ${dtype} of ${name}`);
        return [name, { shape, data: new make(buffer) }];
      },
    ),
  );
}

/** Every expectation that does not hold, one sentence each. */
export function disagreements({ document, tensors }: Case, results: Results): string[] {
  const found: string[] = [];
  for (const [name, tolerance] of Object.entries(document.expect ?? {})) {
    const expected = tensors.get(name);
    const actual = results.get(name);
    if (expected === undefined || actual === undefined) found.push(`${name}: no value`);
    else if (actual.shape !== undefined && actual.shape.join() !== expected.shape.join()) {
      found.push(`${name}: shape [${actual.shape}], expected [${expected.shape}]`);
    } else found.push(...worst(name, actual.data, expected.data, tolerance));
  }
  for (const [name, { value, atol = 0, rtol = 0 }] of Object.entries(document.scalars ?? {})) {
    // JSON has no infinities, so the corpus spells them.
    const expected = typeof value === "number" ? value : Number(value.replace("inf", "Infinity"));
    found.push(...worst(name, results.get(name)?.data ?? [], [expected], { atol, rtol }));
  }
  for (const [name, { values, ...tolerance }] of Object.entries(document.series ?? {})) {
    found.push(...worst(name, results.get(name)?.data ?? [], values, tolerance));
  }
  return found;
}

function worst(name: string, actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: Tolerance): string[] {
  if (actual.length !== expected.length) return [`${name}: ${actual.length} values, expected ${expected.length}`];
  let at = -1;
  let excess = 1;
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i] as number, expected[i] as number];
    if (Object.is(a, e)) continue;
    const ratio = Math.abs(a - e) / (tolerance.atol + tolerance.rtol * Math.abs(e));
    // Also where the ratio is NaN.
    if (!(ratio <= excess)) {
      at = i;
      excess = Number.isNaN(ratio) ? Infinity : ratio;
    }
  }
  return at < 0 ? [] : [`${name}[${at}]: ${actual[at]}, expected ${expected[at]} (${excess} times the tolerance)`];
}
