/**
 * What the gates of a recurrent layer do: the value of everything its equations name, at every step.
 *
 * The core keeps none of them, so they are computed anew from the inputs and outputs of each layer and direction.
 */
import type { Core } from "../core/core.js";
import { ArgumentError } from "../errors.js";
import { GRU } from "../nn/gru.js";
import { LSTM } from "../nn/lstm.js";
import type { StateDict } from "../nn/module.js";
import type { RecurrentLayer, SequenceOptions } from "../nn/recurrent.js";
import { RNN } from "../nn/rnn.js";
import type { RecurrentState } from "../nn/state.js";
import { add, mul } from "../tensor/binary.js";
import { linear } from "../tensor/matmul.js";
import { reverseTime } from "../tensor/reverse.js";
import { runScope } from "../tensor/scope.js";
import { concat, select, slice, stack, transpose } from "../tensor/shape.js";
import { type PlainTensor, type Tensor, zeros } from "../tensor/tensor.js";
import { sigmoid, tanh } from "../tensor/unary.js";

/** What one layer, in one direction, computed. */
export interface LayerActivations {
  /** From 0, the lowest. */
  readonly layer: number;
  readonly direction: "forward" | "backward";
  /**
   * By the names of the equations, each (B, T, H) whatever `batchFirst` says, and 0 past the end of a row: of an LSTM i,
   * f, g, o, c and h; of a GRU r, z, n and h; of an RNN h.
   */
  readonly values: Readonly<Record<string, PlainTensor>>;
}

/** A layer whose gates are known here. */
export type GatedLayer = RNN | LSTM | GRU;

/**
 * Runs a layer and returns all that it computed, the lowest layer first, forward before backward. Dropout is off.
 *
 * @param x batched sequences as the layer's `forward` takes them
 * @throws ShapeError, ArgumentError
 */
export function gateActivations(
  layer: GatedLayer,
  x: Tensor,
  options: SequenceOptions<RecurrentState> = {},
): LayerActivations[] {
  const { core } = layer;
  const where = "gateActivations";
  if (!(layer instanceof RNN || layer instanceof LSTM || layer instanceof GRU)) {
    throw new ArgumentError(where, "layer", "an RNN, LSTM or GRU", layer);
  }
  if (x.shape.length !== 3) throw new ArgumentError(where, "x", "of three dimensions", x.shape);
  const { state, lengths } = options;
  const found: LayerActivations[] = [];
  runScope(core, () => {
    // What does not fit is named by the layer itself.
    (layer as RecurrentLayer<RecurrentState>).forward(x, options);
    let below = layer.batchFirst ? x : transpose(x, 0, 1);
    for (let index = 0; index < layer.numLayers; index++) {
      const outputs: Tensor[] = [];
      for (let side = 0; side < layer.directions; side++) {
        const turn = (value: Tensor): Tensor => (side === 1 ? reverseTime(value, 1, lengths) : value);
        const at = index * layer.directions + side;
        const single = singleLayer(layer, index, side, core);
        const own = state && mapValues(state, (value) => slice(value, 0, at, at + 1));
        const input = turn(below);
        const { output } = (single as RecurrentLayer<RecurrentState>).forward(input, { state: own, lengths });
        const values = { ...equations(single, input, output, own), h: output };
        outputs.push(turn(output));
        found.push({
          layer: index,
          direction: side === 1 ? "backward" : "forward",
          values: mapValues(values, (value) => masked(turn(value), lengths)),
        });
        single.dispose();
      }
      below = outputs.length === 1 ? (outputs[0] as Tensor) : concat(outputs);
    }
  });
  return found;
}

/** One layer and direction by itself, with a copy of its weights. */
function singleLayer(layer: GatedLayer, index: number, side: number, core: Core): GatedLayer {
  const { hiddenSize, bias } = layer;
  const suffix = `_l${index}${side === 1 ? "_reverse" : ""}`;
  const weights: StateDict = new Map();
  for (const [name, parameter] of layer.namedParameters()) {
    const kind = name.slice(0, -suffix.length);
    // Not the reverse one, whose name ends otherwise.
    if (name === `${kind}${suffix}`) {
      weights.set(`${kind}_l0`, { data: parameter.toArray(), shape: parameter.shape });
    }
  }
  const inputSize = weights.get("weight_ih_l0")?.shape[1] as number;
  const make = (): GatedLayer => {
    if (layer instanceof LSTM) return new LSTM(inputSize, hiddenSize, { bias, projectionSize: layer.projectionSize });
    if (layer instanceof GRU) return new GRU(inputSize, hiddenSize, { bias });
    return new RNN(inputSize, hiddenSize, { bias, nonlinearity: layer.nonlinearity, alpha: layer.alpha });
  };
  return make().loadStateDict(weights, { core });
}

/** The gates, from all inputs (B, T, I) and outputs (B, T, H). */
function equations(
  layer: GatedLayer,
  x: Tensor,
  output: Tensor,
  state: RecurrentState | undefined,
): Record<string, Tensor> {
  if (layer instanceof RNN) return {};
  const [batch, steps] = x.shape as [number, number];
  const start = (name: string, width: number): Tensor =>
    state === undefined ? zeros([batch, 1, width], x.core) : transpose(state[name] as Tensor, 0, 1);
  const before = slice(concat([start("h", layer.stateSize), output], 1), 1, 0, steps);
  const parameter = (name: string): Tensor | null => layer[`${name}_l0` as "weight_ih_l0"] ?? null;
  const fromInput = linear(x, parameter("weight_ih") as Tensor, parameter("bias_ih"));
  const fromState = linear(before, parameter("weight_hh") as Tensor, parameter("bias_hh"));
  const { hiddenSize } = layer;
  const gate = (of: Tensor, row: number): Tensor => slice(of, 2, row * hiddenSize, (row + 1) * hiddenSize);
  const both = (row: number): Tensor => add(gate(fromInput, row), gate(fromState, row));
  if (layer instanceof GRU) {
    const [r, z] = [sigmoid(both(0)), sigmoid(both(1))];
    return { r, z, n: tanh(add(gate(fromInput, 2), mul(r, gate(fromState, 2)))) };
  }
  const [i, f, g, o] = [sigmoid(both(0)), sigmoid(both(1)), tanh(both(2)), sigmoid(both(3))];
  const written = mul(i, g);
  let memory = select(start("c", hiddenSize), 1, 0);
  const memories: Tensor[] = [];
  for (let t = 0; t < steps; t++) {
    memory = add(mul(select(f, 1, t), memory), select(written, 1, t));
    memories.push(memory);
  }
  return { i, f, g, o, c: steps === 0 ? i : stack(memories, 1) };
}

/** A copy, 0 past the end of every row. */
function masked(value: Tensor, lengths: ArrayLike<number> | undefined): PlainTensor {
  const data = value.toArray();
  const [batch, steps, width] = value.shape as [number, number, number];
  for (let row = 0; row < batch; row++) {
    data.fill(0, (row * steps + (lengths?.[row] ?? steps)) * width, (row + 1) * steps * width);
  }
  return { data, shape: value.shape };
}

function mapValues<V, W>(values: Readonly<Record<string, V>>, change: (value: V) => W): Record<string, W> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
}
