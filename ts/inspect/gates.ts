/**
 * What the gates of a recurrent layer do: the value of everything its equations name, at every step.
 *
 * The core keeps none of them, so they are computed anew: those of an LSTM or a GRU from the inputs and outputs of each
 * layer and direction, those of other cells step by step, with the gates as further states.
 */
import { ArgumentError } from "../errors.js";
import { OBSERVED } from "../nn/compiler/variants.js";
import type { ObservableLayer } from "../nn/define-cell.js";
import { GRU } from "../nn/gru.js";
import { LSTM } from "../nn/lstm.js";
import type { StateDict } from "../nn/module.js";
import type { RecurrentLayer, SequenceOptions, StateSize } from "../nn/recurrent.js";
import { RNN } from "../nn/rnn.js";
import { mapValues, type RecurrentState } from "../nn/state.js";
import { add, mul } from "../tensor/binary.js";
import { linear } from "../tensor/matmul.js";
import { reverseTime } from "../tensor/reverse.js";
import { runScope } from "../tensor/scope.js";
import { concat, select, slice, stack, transpose } from "../tensor/shape.js";
import { type PlainTensor, type Tensor, zeros } from "../tensor/tensor.js";
import { sigmoid, tanh } from "../tensor/unary.js";

type AnyLayer = RecurrentLayer<RecurrentState>;

/** What one layer, in one direction, computed. */
export interface LayerActivations {
  /** From 0, the lowest. */
  readonly layer: number;
  /** In which it reads. */
  readonly direction: "forward" | "backward";
  /**
   * By the names of the equations, each (B, T, H) whatever `batchFirst` says, and 0 past the end of a row: of an LSTM i,
   * f, g, o, c and h; of a GRU r, z, n and h; of an RNN h; of other cells every gate that has one activation, and the
   * states.
   */
  readonly values: Readonly<Record<string, PlainTensor>>;
}

/**
 * Runs a layer and returns all that it computed, the lowest layer first, forward before backward. Dropout is off.
 *
 * @param layer RNN, LSTM, GRU, or of a cell made by `defineCell` without further inputs
 * @param x batched sequences as the layer's `forward` takes them
 * @throws ShapeError, ArgumentError
 */
export function gateActivations<S extends RecurrentState>(
  layer: RecurrentLayer<S>,
  x: Tensor,
  options: SequenceOptions<S> = {},
): LayerActivations[] {
  const { core } = layer;
  const where = "gateActivations";
  if (x.shape.length !== 3) throw new ArgumentError(where, "x", "of three dimensions", x.shape);
  const { state, lengths } = options;
  const found: LayerActivations[] = [];
  runScope(core, () => {
    // What does not fit is named by the layer itself.
    layer.forward(x, options);
    let below = layer.batchFirst ? x : transpose(x, 0, 1);
    for (let index = 0; index < layer.numLayers; index++) {
      const outputs: Tensor[] = [];
      for (let side = 0; side < layer.directions; side++) {
        const turn = (value: Tensor): Tensor => (side === 1 ? reverseTime(value, 1, lengths) : value);
        const at = index * layer.directions + side;
        const single = singleLayer(layer as unknown as AnyLayer, index, side);
        const own = state && mapValues(state, (value) => slice(value, 0, at, at + 1));
        const { output, values } = activations(single, turn(below), own, lengths);
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
function singleLayer(layer: AnyLayer, index: number, side: number): AnyLayer {
  const { hiddenSize, bias, core } = layer;
  const suffix = `_l${index}${side === 1 ? "_reverse" : ""}`;
  const own = layer.namedParameters().filter(([name]) => name.endsWith(suffix));
  const weights: StateDict = new Map(
    own.map(([name, parameter]) => [
      `${name.slice(0, -suffix.length)}_l0`,
      { data: parameter.toArray(), shape: parameter.shape },
    ]),
  );
  const inputSize = index === 0 ? layer.inputSize : layer.outputSize;
  const make = (): unknown => {
    if (layer instanceof LSTM) return new LSTM(inputSize, hiddenSize, { bias, projectionSize: layer.projectionSize });
    if (layer instanceof GRU) return new GRU(inputSize, hiddenSize, { bias });
    if (layer instanceof RNN) {
      return new RNN(inputSize, hiddenSize, { bias, nonlinearity: layer.nonlinearity, alpha: layer.alpha });
    }
    if ("observed" in layer) return (layer as ObservableLayer).observed(inputSize);
    throw new ArgumentError("gateActivations", "layer", "an RNN, LSTM, GRU or of a cell made by defineCell", layer);
  };
  return (make() as AnyLayer).loadStateDict(weights, { core });
}

/** What one layer in one direction computes, each value and the output (B, T, any). */
interface Computed {
  readonly output: Tensor;
  readonly values: Record<string, Tensor>;
}

function activations(
  layer: AnyLayer,
  x: Tensor,
  state: RecurrentState | undefined,
  lengths: SequenceOptions<RecurrentState>["lengths"],
): Computed {
  const fused: unknown = layer;
  if (!(fused instanceof RNN || fused instanceof LSTM || fused instanceof GRU)) return observe(layer, x, state);
  const { output } = layer.forward(x, { state, lengths });
  return { output, values: { ...equations(fused, x, output, state), h: output } };
}

/** One step at a time, the gates being among the states. */
function observe(layer: AnyLayer, x: Tensor, start: RecurrentState | undefined): Computed {
  const [batch, steps] = x.shape as [number, number];
  const nothing = (width: number, length: number): Tensor => zeros([length, batch, width], x.core);
  let state = start && {
    ...Object.fromEntries(layer.states.map(({ name, size }) => [name, nothing(size, 1)])),
    ...start,
  };
  const [outputs, states]: [Tensor[], RecurrentState[]] = [[], []];
  for (let t = 0; t < steps; t++) {
    const result = layer.forward(slice(x, 1, t, t + 1), { state });
    outputs.push(result.output);
    states.push(result.state);
    ({ state } = result);
  }
  const overTime = (parts: Tensor[], width: number): Tensor =>
    transpose(parts.length === 0 ? nothing(width, 0) : concat(parts, 0), 0, 1);
  const isGate = ({ name }: StateSize): boolean => name.startsWith(OBSERVED);
  // Gates first, as equations have them; a state of a gate's name is that gate's value.
  const sorted = [...layer.states.filter(isGate), ...layer.states.filter((state) => !isGate(state))];
  const values = sorted.map(({ name, size }): [string, Tensor] => [
    name.replace(OBSERVED, ""),
    overTime(
      states.map((of) => of[name] as Tensor),
      size,
    ),
  ]);
  const output = outputs.length === 0 ? overTime([], layer.outputSize) : concat(outputs, 1);
  return { output, values: Object.fromEntries(values) };
}

/** The gates, from all inputs (B, T, I) and outputs (B, T, H). */
function equations(
  layer: RNN | LSTM | GRU,
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
