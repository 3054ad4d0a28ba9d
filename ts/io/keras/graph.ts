/**
 * How the layers of a model hang together: one after the other (Sequential), or as a graph (Functional), which Keras 2
 * and TensorFlow.js write as lists of [layer, node, output] and Keras 3 as arguments of calls.
 */
import { LoadError } from "../../errors.js";
import { entriesOf, quoted } from "../json.js";
import { LayerConfig } from "./config.js";

/** A layer of the file that computes something. */
export interface DescribedLayer {
  readonly name: string;
  readonly kind: string;
  readonly description: unknown;
}

/** One call of a layer, or an input. */
export interface GraphNode {
  /** Place among the layers; null for an input. */
  readonly layer: number | null;
  /** What it takes: results of earlier nodes, and numbers. */
  readonly from: readonly (Result | number)[];
  /** Masks that are given beside the values, in the order of these; null where a value keeps its own. */
  readonly masks: readonly (Result | null)[];
}

/** One of the results of a node. */
export type Result = readonly [node: number, output: number];

/** A model's layers and their calls, in an order in which they can be made. */
export interface Graph {
  readonly layers: readonly DescribedLayer[];
  readonly nodes: readonly GraphNode[];
  readonly inputs: readonly number[];
  readonly outputs: readonly Result[];
}

/** A result in the words of the file. */
interface Reference {
  readonly layer: string;
  readonly call: number;
  readonly output: number;
}

/** What a call of a layer takes. */
interface Call {
  readonly values: readonly (Reference | number)[];
  readonly masks: readonly (Reference | null)[];
}

/** @throws LoadError (unsupported_op, graph, value) */
export function readGraph(model: LayerConfig): Graph {
  const kind = model.text("class_name");
  const config = model.get("config");
  if (kind === "Sequential") {
    // Older files have the layers themselves where the configuration is now.
    const layers = Array.isArray(config) ? config : new LayerConfig(model.where, config).get("layers");
    return sequential(listOf(layers, "layers"));
  }
  if (kind !== "Functional" && kind !== "Model") {
    throw new LoadError(
      "unsupported_op",
      `a model of class ${quoted(kind)} is not supported, only Sequential and Functional`,
    );
  }
  return functional(new LayerConfig(model.where, config));
}

const INPUT: GraphNode = { layer: null, from: [], masks: [] };

function sequential(descriptions: readonly unknown[]): Graph {
  const layers = descriptions.map(describe).filter(({ kind }) => kind !== "InputLayer");
  const nodes: GraphNode[] = [INPUT];
  layers.forEach((_, i) => nodes.push({ layer: i, from: [[i, 0]], masks: [] }));
  return { layers, nodes, inputs: [0], outputs: [[layers.length, 0]] };
}

function describe(description: unknown): DescribedLayer {
  const outer = new LayerConfig("a layer of the model", description);
  const kind = outer.text("class_name");
  const config = new LayerConfig(`a layer of class ${quoted(kind)}`, outer.get("config"));
  return { name: config.text("name", outer.text("name", "")), kind, description };
}

function functional(config: LayerConfig): Graph {
  const all = listOf(config.get("layers"), "layers").map((description) => ({
    ...describe(description),
    calls: listOf(new LayerConfig("a layer", description).get("inbound_nodes") ?? [], "inbound_nodes").map(callOf),
  }));
  const layers = all.filter(({ kind }) => kind !== "InputLayer");
  const places = new Map(layers.map(({ name }, i) => [name, i]));
  const nodes: GraphNode[] = [];
  const known = new Map<string, number>();
  const keyOf = (layer: string, call: number): string => `${call} ${layer}`;
  for (const { name, kind } of all) {
    if (kind !== "InputLayer") continue;
    known.set(keyOf(name, 0), nodes.length);
    nodes.push(INPUT);
  }
  const find = ({ layer, call, output }: Reference): Result | undefined => {
    const node = known.get(keyOf(layer, call));
    return node === undefined ? undefined : [node, output];
  };
  let pending = layers.flatMap(({ name, calls }) => calls.map((made, call) => ({ name, call, made })));
  while (pending.length > 0) {
    const before = pending.length;
    pending = pending.filter(({ name, call, made }) => {
      const from = made.values.map((value) => (typeof value === "number" ? value : find(value)));
      const masks = made.masks.map((mask) => (mask === null ? null : find(mask)));
      if (from.includes(undefined) || masks.includes(undefined)) return true;
      known.set(keyOf(name, call), nodes.length);
      nodes.push({
        layer: places.get(name) as number,
        from: from as (Result | number)[],
        masks: masks as (Result | null)[],
      });
      return false;
    });
    if (pending.length === before) {
      throw new LoadError(
        "graph",
        `the layer ${quoted(pending[0]?.name ?? "")} takes what nothing gives, or its own output`,
      );
    }
  }
  const ends = (entry: string): Result[] =>
    endsOf(config.get(entry), entry).map((reference) => {
      const found = find(reference);
      if (found === undefined) {
        throw new LoadError("graph", `${entry} names ${quoted(reference.layer)}, which is no layer of the model`);
      }
      return found;
    });
  return { layers, nodes, inputs: ends("input_layers").map(([node]) => node), outputs: ends("output_layers") };
}

/** Inputs or outputs of a model: a list of [layer, call, output], or one of them alone. */
function endsOf(value: unknown, entry: string): Reference[] {
  const list = listOf(value, entry);
  return (typeof list[0] === "string" ? [list] : list).map((item) => referenceOf(item, entry));
}

function referenceOf(value: unknown, where: string): Reference {
  const [layer, call, output] = listOf(value, where);
  if (typeof layer !== "string" || !Number.isSafeInteger(call) || !Number.isSafeInteger(output)) {
    throw new LoadError(
      "graph",
      `${where}: expected [layer, call, output], got ${JSON.stringify(value)?.slice(0, 120)}`,
    );
  }
  return { layer, call: call as number, output: output as number };
}

/** A call in the words of the file: of Keras 2 a list of [layer, call, output, options], of Keras 3 `{ args, kwargs }`. */
function callOf(call: unknown): Call {
  if (Array.isArray(call)) {
    const values = call.map((item: unknown) => {
      checkOptions(entriesOf(Array.isArray(item) ? item[3] : undefined) ?? new Map());
      return referenceOf(item, "inbound_nodes");
    });
    return { values, masks: [] };
  }
  const made = entriesOf(call);
  if (made === undefined) throw new LoadError("graph", "inbound_nodes: a call is neither a list nor an object");
  const { initial_state: states, mask, ...others } = Object.fromEntries(entriesOf(made.get("kwargs")) ?? []);
  checkOptions(new Map(Object.entries(others)));
  return {
    values: [...argumentsOf(made.get("args") ?? []), ...argumentsOf(states ?? [])],
    masks: (Array.isArray(mask) ? (mask as unknown[]) : [mask ?? null]).map((one) =>
      one === null ? null : tensorOf(one),
    ),
  };
}

/** Options of a call that change nothing here. @throws LoadError (unsupported_op) for others */
function checkOptions(options: ReadonlyMap<string, unknown>): void {
  for (const [name, value] of options) {
    if (name !== "training" && value !== null && value !== false) {
      throw new LoadError("unsupported_op", `inbound_nodes: the option ${quoted(name)} of a call is not supported`);
    }
  }
}

/** The arguments of a call, which may be in lists. */
function argumentsOf(value: unknown): (Reference | number)[] {
  if (Array.isArray(value)) return value.flatMap(argumentsOf);
  return [typeof value === "number" ? value : tensorOf(value)];
}

/** The result that an argument of a call is. */
function tensorOf(value: unknown): Reference {
  const entries = entriesOf(value);
  if (entries?.get("class_name") !== "__keras_tensor__") {
    throw new LoadError("unsupported_op", "inbound_nodes: a call has an argument that is no result of a layer");
  }
  return referenceOf(entriesOf(entries.get("config"))?.get("keras_history"), "keras_history");
}

function listOf(value: unknown, entry: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new LoadError("value", `the model: ${entry} is no list`);
  return value as readonly unknown[];
}
