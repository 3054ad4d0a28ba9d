/** Models of Keras and TensorFlow.js: Sequential ones, and graphs of layers. */
import { ArgumentError, LoadError } from "../../errors.js";
import { Module } from "../../nn/module.js";
import { Ids } from "../../tensor/ids.js";
import { type NestedNumbers, type PlainTensor, Tensor, tensor } from "../../tensor/tensor.js";
import { quoted } from "../json.js";
import { KerasBidirectional } from "./bidirectional.js";
import { type Dialect, LayerConfig } from "./config.js";
import { type GraphNode, type Result, readGraph } from "./graph.js";
import { asTensor, type Flow, inField, type KerasLayer } from "./layer.js";
import { makeLayer } from "./layers.js";
import { KerasRecurrent } from "./recurrent.js";
import type { LayerWeights } from "./weights.js";

/** Where a file keeps the weights of its layers. */
export interface ModelWeights {
  /**
   * Those of a layer.
   * @param place how many layers of the class come before it
   */
  layer(name: string, kind: string, place: number): LayerWeights;
  /** Checks that every weight was taken. @throws LoadError (unexpected_tensor) */
  finish(): void;
}

/** What a model reads: sequences (B, T, features), ids (B, T), as tensors or plain values. */
export type KerasInput = Tensor | Ids | PlainTensor | NestedNumbers;

/** A model that a file of Keras or TensorFlow.js describes, with its weights. */
export class KerasModel extends Module {
  /** In the order of the file; parameters are named `layers.0...`, with PyTorch's names and shapes inside. */
  readonly layers: readonly KerasLayer[];
  readonly #nodes: readonly GraphNode[];
  readonly #inputs: readonly number[];
  readonly #outputs: readonly Result[];

  /** @internal use `loadKeras` or `loadTfjs` */
  constructor(
    layers: readonly KerasLayer[],
    nodes: readonly GraphNode[],
    inputs: readonly number[],
    outputs: readonly Result[],
  ) {
    super();
    this.layers = layers;
    this.#nodes = nodes;
    this.#inputs = inputs;
    this.#outputs = outputs;
  }

  /**
   * Runs the model on one value for each input, inside `run`, `gradients` or an optimizer's `update`.
   *
   * @returns the outputs in the order of the file
   * @throws ArgumentError for another number of inputs, ShapeError naming the layer
   */
  forward(...inputs: readonly (Tensor | Ids)[]): Tensor[] {
    if (inputs.length !== this.#inputs.length) {
      throw new ArgumentError("KerasModel", "the inputs", `${this.#inputs.length}`, inputs.length);
    }
    const results: (readonly Flow[])[] = [];
    const resultOf = ([node, output]: Result): Flow => {
      const found = results[node]?.[output];
      if (found === undefined) throw new ArgumentError("KerasModel", "an output", "one that its layer gives", output);
      return found;
    };
    this.#nodes.forEach(({ layer, from, masks }, node) => {
      if (layer === null) {
        const value = inputs[this.#inputs.indexOf(node)];
        results.push(value === undefined ? [] : [{ value, mask: null }]);
      } else {
        const given = from.map((source, i): Flow => {
          if (typeof source === "number") return { value: tensor(source), mask: null };
          const mask = masks[i] ?? null;
          return mask === null ? resultOf(source) : { ...resultOf(source), mask: maskOf(resultOf(mask).value) };
        });
        results.push((this.layers[layer] as KerasLayer).forward(given));
      }
    });
    return this.#outputs.map((output) => asTensor(resultOf(output).value));
  }

  /** What `forward` gives, as plain arrays. Layers that are stateful go on from the call before. */
  predict(...inputs: readonly KerasInput[]): PlainTensor[] {
    return this.run(() => this.forward(...inputs.map((input) => inputOf(input))));
  }

  /** Makes stateful layers begin anew. */
  resetStates(): void {
    for (const layer of this.layers) {
      if (layer instanceof KerasRecurrent || layer instanceof KerasBidirectional) layer.resetStates();
    }
  }
}

/** A mask that a layer computes. */
function maskOf(value: Tensor | Ids): Ids {
  return value instanceof Ids ? value : new Ids(Int32Array.from(value.toArray(), Number), value.shape);
}

function inputOf(input: KerasInput): Tensor | Ids {
  if (input instanceof Tensor || input instanceof Ids) return input;
  if (typeof input === "object" && "data" in input) return tensor(input.data, input.shape);
  return tensor(input);
}

/** What can be chosen when a model of Keras or TensorFlow.js is loaded. */
export interface KerasModelOptions {
  /** Accepts weights that are NaN or infinite; default false. */
  readonly allowNonFinite?: boolean;
}

/**
 * Builds a model from its description, `{ class_name, config }`, and its weights.
 * @throws LoadError (unsupported_op, value, graph, shape, missing_tensor, unexpected_tensor)
 */
export function buildModel(
  description: unknown,
  weights: ModelWeights,
  dialect: Dialect,
  { allowNonFinite = false }: KerasModelOptions,
): KerasModel {
  const graph = readGraph(new LayerConfig("the model", description));
  const counts = new Map<string, number>();
  const values = new Map<string, PlainTensor>();
  const layers = graph.layers.map(({ name, kind, description: own }, i) => {
    const place = counts.get(kind) ?? 0;
    counts.set(kind, place + 1);
    const made = makeLayer(own, weights.layer(name, kind, place), dialect);
    for (const [field, value] of inField(`layers.${i}`, made)) values.set(field, value);
    return made.layer;
  });
  weights.finish();
  if (!allowNonFinite) checkFinite(values);
  return new KerasModel(layers, graph.nodes, graph.inputs, graph.outputs).loadStateDict(values);
}

function checkFinite(values: ReadonlyMap<string, PlainTensor>): void {
  for (const [name, { data }] of values) {
    const broken = data.findIndex((value) => !Number.isFinite(value));
    if (broken >= 0) throw new LoadError("value", `${quoted(name)} holds ${data[broken]} at element ${broken}`);
  }
}
