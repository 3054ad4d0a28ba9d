/**
 * A cell's equations computed step by step with ordinary operations on the tape: slow, and nothing to be wrong in. It
 * is what compiled programs are compared with, and what runs equations that the core has no program for.
 */
import { add, div, maximum, minimum, mul, sub } from "../../tensor/binary.js";
import { dropWeight, maskedFill, type VersionedTensor } from "../../tensor/dropout.js";
import { embedding } from "../../tensor/embedding.js";
import { Ids } from "../../tensor/ids.js";
import { layerNorm } from "../../tensor/layer-norm.js";
import { linear, matmul } from "../../tensor/matmul.js";
import type { Parameter } from "../../tensor/parameter.js";
import { mean } from "../../tensor/reduce.js";
import { writeRows } from "../../tensor/rows.js";
import { permute, reshape, select, slice } from "../../tensor/shape.js";
import { softmax } from "../../tensor/softmax.js";
import { full, sameShape, type Tensor, zeros } from "../../tensor/tensor.js";
import { unary } from "../../tensor/unary.js";
import type { CellRun, ParametersRun } from "../recurrent.js";
import {
  type BinaryName,
  constantOverTime,
  type GateNode,
  type Graph,
  type GraphNode,
  type Product,
  type StackedParameter,
  sizeOfWidth,
  type Width,
} from "./graph.js";

/** Further input of every step: rows of `tensor` (any leading axes, width) by element strides of time and batch. */
export interface ExtraInput {
  readonly tensor: Tensor;
  readonly time: number;
  readonly batch: number;
}

/** Sizes of a layer by the names that widths have. */
export type Sizes = ReadonlyMap<string, number>;

type Evaluated = Tensor | number;

const binary: Readonly<Record<BinaryName, (a: Evaluated, b: Evaluated) => Tensor>> = {
  add,
  sub,
  mul,
  div,
  maximum,
  minimum,
};

/** A value as a tensor; a number has no dimensions. */
function asTensor(value: Evaluated, { core }: ParametersRun): Tensor {
  return typeof value === "number" ? full([], value, core) : value;
}

/** The value of every row (batch, width). */
export function broadcast(value: Evaluated, shape: readonly number[], call: ParametersRun): Tensor {
  const given = asTensor(value, call);
  return sameShape(given.shape, shape) ? given : add(given, zeros(shape, call.core));
}

/** First row of a gate in a stacked parameter. */
export function firstRow(stack: StackedParameter, gate: string, sizes: Sizes): number {
  let row = 0;
  for (const { name, width } of stack.gates) {
    if (name === gate) return row;
    row += sizeOfWidth(width, sizes);
  }
  return row;
}

/** What is dropped from recurrent weights in a call, the same at every step; a stream of its own for each weight. */
export function droppedWeights(
  graph: Graph,
  call: ParametersRun & Pick<CellRun, "weightDropout" | "stream">,
): Map<StackedParameter, VersionedTensor> {
  let recurrent = 0;
  return new Map(
    graph.weights.map((stack) => {
      const weight = call.parameter(stack.name) as Parameter;
      if (!stack.recurrent) return [stack, weight];
      return [stack, dropWeight(weight, call.weightDropout, (call.stream + recurrent++) >>> 0)];
    }),
  );
}

/** Values of the nodes that depend on parameters alone. */
export function evaluateConstants(graph: Graph, call: ParametersRun): Map<GraphNode, Evaluated> {
  const values = new Map<GraphNode, Evaluated>();
  const constants = constantOverTime(graph.nodes);
  for (const node of graph.nodes) {
    if (!constants.has(node)) continue;
    if (node.kind === "vector") values.set(node, call.parameter(node.vector.name) as Parameter);
    else values.set(node, pointwise(node, values, call));
  }
  return values;
}

/** Functions of values that are there. */
function pointwise(node: GraphNode, values: ReadonlyMap<GraphNode, Evaluated>, call: ParametersRun): Evaluated {
  const of = (operand: GraphNode): Evaluated => values.get(operand) as Evaluated;
  const tensorOf = (operand: GraphNode): Tensor => asTensor(of(operand), call);
  switch (node.kind) {
    case "constant":
      return node.value;
    case "unary":
      return unary(node.operation, tensorOf(node.a), node.alpha);
    case "norm": {
      const a = tensorOf(node.a);
      return layerNorm(a, a.shape.slice(-1), { epsilon: node.epsilon }, call.where);
    }
    case "softmax":
      return softmax(tensorOf(node.a));
    case "mean":
      return mean(tensorOf(node.a), -1, { keepDims: true });
    case "binary":
      return binary[node.operation](tensorOf(node.a), of(node.b));
    default:
      return of(node);
  }
}

/** Runs a cell over sequences, step by step. */
export function runReference(graph: Graph, call: CellRun, sizes: Sizes, extras: ReadonlyMap<string, ExtraInput>): void {
  const { batch, steps, lengths, reverse, core } = call;
  if (batch === 0) return;
  const rows = Array.from({ length: batch }, (_, row) => row);
  const constants = evaluateConstants(graph, call);
  const weights = droppedWeights(graph, call);
  const lengthOf = (row: number): number => lengths?.[row] ?? steps;
  const timeOf = (step: number, row: number): number =>
    reverse && step < lengthOf(row) ? lengthOf(row) - 1 - step : step;
  /** Rows of a strided tensor at this step; those past a row's length are zeros. */
  const rowsAt = (step: number, { tensor, time, batch: stride }: ExtraInput, width: number): Tensor => {
    const places = rows.map((row) => (timeOf(step, row) * time + row * stride) / width);
    const chosen = embedding(reshape(tensor, [-1, width]), new Ids(Int32Array.from(places), [batch]));
    return keepRows(chosen, (row) => step < lengthOf(row));
  };
  const keepRows = (value: Tensor, keep: (row: number) => boolean): Tensor => {
    if (rows.every(keep)) return value;
    const width = value.shape[1] as number;
    const mask = Int32Array.from({ length: value.size }, (_, i) => (keep(Math.floor(i / width)) ? 0 : 1));
    return maskedFill(value, mask, 0);
  };
  let state = graph.states.map(({ width }, i) => {
    const initial = call.initial[i] ?? null;
    const size = sizeOfWidth(width, sizes);
    if (initial === null) return zeros([batch, size], core);
    return select(reshape(initial, [-1, batch, size]), 0, call.stateIndex);
  });
  for (let step = 0; step < steps; step++) {
    const values = new Map(constants);
    for (const node of graph.nodes) {
      if (values.has(node)) continue;
      const width = node.width === null ? 1 : sizeOfWidth(node.width, sizes);
      if (node.kind === "x") {
        values.set(node, rowsAt(step, { tensor: call.x, ...call.xStrides }, width));
      } else if (node.kind === "state") {
        values.set(node, state[graph.states.findIndex(({ name }) => name === node.name)] as Tensor);
      } else if (node.kind === "extra") {
        values.set(node, rowsAt(step, extras.get(node.name) as ExtraInput, width));
      } else if (node.kind === "gate") {
        values.set(node, gate(node, values, weights, call, sizes));
      } else {
        values.set(node, pointwise(node, values, call));
      }
    }
    const live = (row: number): boolean => step < lengthOf(row);
    state = graph.next.map((node, i) => {
      const previous = state[i] as Tensor;
      const value = broadcast(values.get(node) as Evaluated, previous.shape, call);
      return rows.every(live)
        ? value
        : add(
            keepRows(value, live),
            keepRows(previous, (row) => !live(row)),
          );
    });
    if (call.out === null) continue;
    const { time, batch: stride } = call.outStrides;
    const output = keepRows(state[graph.output] as Tensor, live);
    writeRows(
      output,
      call.out,
      rows.map((row) => call.outColumn + timeOf(step, row) * time + row * stride),
    );
  }
  state.forEach((value, i) => {
    const width = value.shape[1] as number;
    writeRows(
      value,
      call.final[i] as Tensor,
      rows.map((row) => (call.stateIndex * batch + row) * width),
    );
  });
}

/** Sum of products and biases. */
function gate(
  node: GateNode,
  values: ReadonlyMap<GraphNode, Evaluated>,
  weights: ReadonlyMap<StackedParameter, Tensor>,
  call: CellRun,
  sizes: Sizes,
): Tensor {
  const width = sizeOfWidth(node.width, sizes);
  const part = (stack: StackedParameter, parameter: Tensor): Tensor => {
    const first = firstRow(stack, node.name, sizes);
    return slice(parameter, 0, first, first + width);
  };
  const terms = node.products.map((product) => {
    const weight = part(product.weight, weights.get(product.weight) as Tensor);
    const depth = sizeOfWidth(product.source.width as Width, sizes);
    return multiply(broadcast(values.get(product.source) as Evaluated, [call.batch, depth], call), weight, product);
  });
  for (const stack of node.biases) {
    const bias = call.parameter(stack.name);
    if (bias !== null) terms.push(part(stack, bias));
  }
  return terms.reduce((total, term) => add(total, term));
}

/** source (B, D) times weight (W, D), or block by block (W, D / heads). */
function multiply(source: Tensor, weight: Tensor, { heads }: Product): Tensor {
  if (heads === 1) return linear(source, weight);
  const [batch, depth] = source.shape as [number, number];
  const width = weight.shape[0] as number;
  const byHead = permute(reshape(source, [batch, heads, depth / heads]), [1, 0, 2]);
  const blocks = reshape(weight, [heads, width / heads, depth / heads]);
  const products = matmul(byHead, blocks, { transposeB: true });
  return reshape(permute(products, [1, 0, 2]), [batch, width]);
}
