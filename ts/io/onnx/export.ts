/**
 * Models as ONNX files, for other runtimes. States stay explicit: the file takes h0 (and c0) and gives hn (and cn), each
 * (layers * directions, batch, H), so that a sequence can go on where another ended; zeros begin one.
 */
import { ArgumentError } from "../../errors.js";
import type { Embedding } from "../../nn/embedding.js";
import { GRU } from "../../nn/gru.js";
import type { Linear } from "../../nn/linear.js";
import { LSTM } from "../../nn/lstm.js";
import { RecurrentLayer } from "../../nn/recurrent.js";
import { RNN } from "../../nn/rnn.js";
import type { RecurrentState } from "../../nn/state.js";
import type { ActivationName } from "../../tensor/kinds.js";
import type { Parameter } from "../../tensor/parameter.js";
import { inOrder } from "./operators/recurrent.js";
import {
  type WritableAttribute,
  type WritableNode,
  type WritableTensor,
  type WritableValue,
  writeModel,
} from "./protobuf.js";

/** Version of the operators in the files; runtimes since 2022 have it. */
const OPSET = 17;

/** A recurrent layer between tokens and scores, such as `LanguageModel`. */
export interface TokenModel {
  /** Absent where tokens are fed as one-hot vectors. */
  readonly embedding?: Embedding;
  /** The recurrent layers. */
  readonly rnn: RecurrentLayer<RecurrentState>;
  /** Logits of tokens. */
  readonly head: Linear;
}

/** What an operator's gates and activations are; the layer's own gates are PyTorch's. */
interface Kind {
  readonly operator: "RNN" | "LSTM" | "GRU";
  /** Where each gate of ONNX is among the layer's. */
  readonly gates: readonly number[];
  readonly states: readonly ("h" | "c")[];
  /** Of one direction. */
  readonly attributes: Readonly<Record<string, WritableAttribute>>;
}

/** The activations of the operator RNN, with their numbers. */
const activations: Readonly<Partial<Record<ActivationName, readonly [name: string, alpha?: number, beta?: number]>>> = {
  elu: ["Elu"],
  hardSigmoid: ["HardSigmoid", 1 / 6, 0.5],
  hardSigmoidOnnx: ["HardSigmoid", 0.2, 0.5],
  identity: ["Affine", 1, 0],
  leakyRelu: ["LeakyRelu"],
  relu: ["Relu"],
  sigmoid: ["Sigmoid"],
  softplus: ["Softplus"],
  softsign: ["Softsign"],
  tanh: ["Tanh"],
};

function kindOf(layer: RecurrentLayer<RecurrentState>): Kind {
  if (layer instanceof LSTM && layer.stateSize === layer.hiddenSize) {
    return { operator: "LSTM", gates: [0, 3, 1, 2], states: ["h", "c"], attributes: {} };
  }
  if (layer instanceof GRU) {
    return { operator: "GRU", gates: [1, 0, 2], states: ["h"], attributes: { linear_before_reset: 1 } };
  }
  if (layer instanceof RNN) {
    const known = activations[layer.nonlinearity];
    if (known === undefined) {
      throw new ArgumentError("saveOnnx", "nonlinearity", "an activation that ONNX has", layer.nonlinearity);
    }
    const [
      name,
      alpha = layer.nonlinearity === "elu" || layer.nonlinearity === "leakyRelu" ? layer.alpha : undefined,
      beta,
    ] = known;
    const repeated = <V>(value: V): V[] => new Array<V>(layer.directions).fill(value);
    return {
      operator: "RNN",
      gates: [0],
      states: ["h"],
      attributes: {
        activations: { strings: repeated(name) },
        ...(alpha === undefined ? {} : { activation_alpha: { floats: repeated(alpha) } }),
        ...(beta === undefined ? {} : { activation_beta: { floats: repeated(beta) } }),
      },
    };
  }
  throw new ArgumentError(
    "saveOnnx",
    "model",
    "an RNN, a GRU or an LSTM without projection, or a model with one",
    layer,
  );
}

/**
 * A recurrent layer as an ONNX file, opset 17, or a model of tokens with `rnn`, `head` and perhaps `embedding`, such as
 * `LanguageModel`. Dropout has no part in it.
 *
 * A layer takes `x`, (batch, time, I) or as its `batchFirst` says, and gives `output`; a model takes `ids`, (batch,
 * time), and gives `logits`, (batch, time, classes).
 *
 * @throws ArgumentError for a layer that the operators RNN, LSTM and GRU do not cover
 */
export function saveOnnx(model: RecurrentLayer<RecurrentState> | TokenModel): Uint8Array {
  const graph = new Graph();
  if (model instanceof RecurrentLayer) {
    const lead = model.batchFirst ? ["batch", "time"] : ["time", "batch"];
    graph.inputs.push({ name: "x", shape: [...lead, model.inputSize] });
    graph.recurrent(model, "", "x", "output");
    graph.outputs.unshift({ name: "output", shape: [...lead, model.outputSize] });
  } else {
    graph.inputs.push({ name: "ids", whole: true, shape: ["batch", "time"] });
    const { embedding, rnn, head } = model;
    const x =
      embedding === undefined
        ? graph.add("OneHot", [
            "ids",
            graph.constant("classes", [rnn.inputSize], []),
            graph.tensor("off_on", Float32Array.of(0, 1), [2]),
          ])
        : graph.add("Gather", [graph.parameter("embedding.weight", embedding.weight), "ids"]);
    const lead = rnn.batchFirst ? ["batch", "time"] : ["time", "batch"];
    graph.recurrent(rnn, "rnn.", x, "rnn");
    const tied = head.weight === embedding?.weight;
    const weight = tied ? "embedding.weight" : graph.parameter("head.weight", head.weight);
    const product = graph.add("MatMul", ["rnn", graph.add("Transpose", [weight])]);
    if (head.bias === null) graph.add("Identity", [product], "logits");
    else graph.add("Add", [product, graph.parameter("head.bias", head.bias)], "logits");
    graph.outputs.unshift({ name: "logits", shape: [...lead, head.outFeatures] });
  }
  return graph.write();
}

/** A graph that grows by nodes; values that have no name of their own are numbered. */
class Graph {
  readonly inputs: WritableValue[] = [];
  readonly outputs: WritableValue[] = [];
  readonly #nodes: WritableNode[] = [];
  readonly #initializers: WritableTensor[] = [];
  #count = 0;

  /** Adds a node and returns the name of its output. */
  add(
    operator: string,
    inputs: readonly string[],
    output = `${operator}_${++this.#count}`,
    attributes: Readonly<Record<string, WritableAttribute>> = {},
  ): string {
    this.#nodes.push({ operator, inputs, outputs: [output], attributes });
    return output;
  }

  tensor(name: string, data: Float32Array, shape: readonly number[]): string {
    this.#initializers.push({ name, shape, data });
    return name;
  }

  parameter(name: string, parameter: Parameter): string {
    return this.tensor(name, parameter.toArray(), parameter.shape);
  }

  /** Whole numbers. */
  constant(name: string, data: readonly number[], shape: readonly number[] = [data.length]): string {
    this.#initializers.push({ name, shape, data });
    return name;
  }

  /** Adds all layers; their inputs and outputs for the states are the graph's. */
  recurrent(layer: RecurrentLayer<RecurrentState>, prefix: string, x: string, output: string): void {
    const kind = kindOf(layer);
    const { directions, numLayers, hiddenSize, batchFirst } = layer;
    const parameters = new Map(layer.namedParameters());
    const stateShape = [numLayers * directions, "batch", hiddenSize];
    for (const state of kind.states) {
      this.inputs.push({ name: `${state}0`, shape: stateShape });
      this.outputs.push({ name: `${state}n`, shape: stateShape });
    }
    const joined = this.constant(`${prefix}joined`, [0, 0, directions * hiddenSize]);
    const swap = { perm: { integers: [1, 0, 2] } };
    let below = batchFirst ? this.add("Transpose", [x], undefined, swap) : x;
    const finals: Record<string, string[]> = { h: [], c: [] };
    for (let k = 0; k < numLayers; k++) {
      const weights = this.#weights(layer, kind, parameters, k, `${prefix}l${k}.`);
      const initial = kind.states.map((state) => this.#layerState(`${state}0`, k, numLayers, directions));
      const outputs = ["Y", "h", "c"].slice(0, 1 + kind.states.length).map((name) => `${prefix}l${k}.${name}n`);
      this.#nodes.push({
        operator: kind.operator,
        name: `${prefix}l${k}`,
        inputs: [below, ...weights, "", ...initial],
        outputs,
        attributes: {
          ...kind.attributes,
          hidden_size: hiddenSize,
          direction: directions === 2 ? "bidirectional" : "forward",
        },
      });
      kind.states.forEach((state, i) => {
        finals[state]?.push(outputs[i + 1] as string);
      });
      // (T, directions, B, H) to (T, B, directions * H)
      const byRow = this.add("Transpose", [outputs[0] as string], undefined, { perm: { integers: [0, 2, 1, 3] } });
      const top = k === numLayers - 1 && !batchFirst ? output : undefined;
      below = this.add("Reshape", [byRow, joined], top);
    }
    if (batchFirst) this.add("Transpose", [below], output, swap);
    for (const state of kind.states) this.add("Concat", finals[state] as string[], `${state}n`, { axis: 0 });
  }

  /** W, R and B of one layer, all directions. */
  #weights(
    layer: RecurrentLayer<RecurrentState>,
    { gates }: Kind,
    parameters: ReadonlyMap<string, Parameter>,
    k: number,
    prefix: string,
  ): string[] {
    const { directions, hiddenSize, bias } = layer;
    const suffixes = ["", "_reverse"].slice(0, directions);
    const rows = gates.length * hiddenSize;
    const all = (names: readonly string[]): Float32Array => {
      const parts = suffixes.flatMap((suffix) =>
        names.map((name) => {
          const parameter = parameters.get(`${name}_l${k}${suffix}`) as Parameter;
          return inOrder(parameter.toArray(), gates, gates.length);
        }),
      );
      const data = new Float32Array(parts.reduce((size, part) => size + part.length, 0));
      let at = 0;
      for (const part of parts) {
        data.set(part, at);
        at += part.length;
      }
      return data;
    };
    const inputSize = k === 0 ? layer.inputSize : layer.outputSize;
    return [
      this.tensor(`${prefix}W`, all(["weight_ih"]), [directions, rows, inputSize]),
      this.tensor(`${prefix}R`, all(["weight_hh"]), [directions, rows, hiddenSize]),
      bias ? this.tensor(`${prefix}B`, all(["bias_ih", "bias_hh"]), [directions, 2 * rows]) : "",
    ];
  }

  /** The part of a state that belongs to one layer. */
  #layerState(state: string, k: number, numLayers: number, directions: number): string {
    if (numLayers === 1) return state;
    const [start, end] = [k, k + 1].map((layer) => this.constant(`${state}.${k}.${layer}`, [layer * directions]));
    return this.add("Slice", [state, start as string, end as string, this.constant(`${state}.${k}.axis`, [0])]);
  }

  write(): Uint8Array {
    return writeModel({
      name: "unrolled",
      opsets: { "": OPSET },
      inputs: this.inputs,
      outputs: this.outputs,
      initializers: this.#initializers,
      nodes: this.#nodes,
    });
  }
}
