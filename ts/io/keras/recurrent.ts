/**
 * SimpleRNN, LSTM and GRU of Keras, as the layers of this package.
 *
 *   SimpleRNN   columns of one gate; one bias
 *   LSTM        columns i, f, c, o; one bias
 *   GRU         columns z, r, h; reset after the recurrent product: bias (2, 3 units), of the input and of the state;
 *               before it: one bias
 */
import { ArgumentError, LoadError } from "../../errors.js";
import { GRU } from "../../nn/gru.js";
import { LockedDropout } from "../../nn/locked-dropout.js";
import { LSTM } from "../../nn/lstm.js";
import type { Module } from "../../nn/module.js";
import { RNN } from "../../nn/rnn.js";
import { CarriedState, type RecurrentState } from "../../nn/state.js";
import { reshape } from "../../tensor/shape.js";
import type { PlainTensor, Tensor } from "../../tensor/tensor.js";
import { quoted } from "../json.js";
import { stepActivation } from "./activations.js";
import { type GateActivations, gruCell, lstmCell } from "./cells.js";
import { type Dialect, LayerConfig } from "./config.js";
import { asTensor, type Flow, KerasLayer, type LayerMaker, type LoadedLayer } from "./layer.js";
import { runSteps, type StepLayer } from "./steps.js";
import { biasOf, type LayerWeights, rowsOf, takeWeight } from "./weights.js";

/** Names of the states of a layer, in Keras' order. */
type StateNames = readonly ("h" | "c")[];

/** What {@link KerasRecurrent.run} can be told beside the inputs. */
export interface RunOptions {
  /** Every step's output, in order of time and zeros where masked, whatever the configuration says. */
  readonly aligned: boolean;
}

/**
 * A recurrent layer of Keras. Inputs: x (B, T, I), then its initial states (B, units) if any. While training, `dropout`
 * drops features of x, the same at all steps; `recurrent_dropout` is left out.
 */
export class KerasRecurrent extends KerasLayer {
  /** The layer of this package that computes it. */
  readonly cell: Module & StepLayer;
  /** Of the inputs. */
  readonly dropout: LockedDropout;
  /** Whether the output has every step, or the last alone. */
  readonly returnSequences: boolean;
  /** Whether the states are outputs too. */
  readonly returnState: boolean;
  /** Whether it reads from the end. */
  readonly goBackwards: boolean;
  /** Whether a batch goes on from the state of the one before. */
  readonly stateful: boolean;
  /** Whether masked steps put out zeros. */
  readonly zeroOutputForMask: boolean;
  readonly #states: StateNames;
  readonly #carried: CarriedState<RecurrentState> | null;

  /** @internal */
  constructor(config: LayerConfig, cell: Module & StepLayer, states: StateNames) {
    super(config);
    this.cell = cell;
    this.dropout = new LockedDropout(config.fraction("dropout"));
    this.returnSequences = config.flag("return_sequences", false);
    this.returnState = config.flag("return_state", false);
    this.goBackwards = config.flag("go_backwards", false);
    this.stateful = config.flag("stateful", false);
    this.zeroOutputForMask = config.flag("zero_output_for_mask", false);
    this.#states = states;
    this.#carried = this.stateful ? new CarriedState() : null;
  }

  /** The output, (B, T, units) or (B, units), then the final states if the layer returns them. */
  override forward(inputs: readonly Flow[], { aligned }: RunOptions = { aligned: false }): readonly Flow[] {
    const [first, ...given] = inputs;
    if (first === undefined || (given.length > 0 && given.length !== this.#states.length)) {
      throw new ArgumentError(
        this.label,
        "the inputs",
        `1, or ${1 + this.#states.length} with the initial states`,
        inputs.length,
      );
    }
    const order = {
      mask: first.mask,
      backwards: this.goBackwards,
      zeroMasked: this.zeroOutputForMask || aligned,
      inTime: aligned,
    };
    const initial = given.length > 0 ? this.#stateOf(given) : this.#carried?.get();
    const x = this.dropout.forward(asTensor(first.value));
    const { output, state } = runSteps(this.cell, x, order, this.returnSequences, initial, this.label);
    this.#carried?.set(state);
    const results: Flow[] = [{ value: output, mask: this.returnSequences ? first.mask : null }];
    if (this.returnState) {
      for (const name of this.#states) {
        const value = state[name] as Tensor;
        results.push({ value: reshape(value, value.shape.slice(1)), mask: null });
      }
    }
    return results;
  }

  /** Forgets the state that a stateful layer has carried from call to call. */
  resetStates(): void {
    this.#carried?.reset();
  }

  #stateOf(given: readonly Flow[]): RecurrentState {
    return Object.fromEntries(
      this.#states.map((name, i) => {
        const value = asTensor((given[i] as Flow).value);
        return [name, reshape(value, [1, ...value.shape])];
      }),
    );
  }

  protected override release(): void {
    this.#carried?.dispose();
  }
}

/** Keras' weights of a recurrent layer. */
interface RecurrentWeights {
  readonly units: number;
  readonly inputs: number;
  readonly kernel: PlainTensor;
  readonly recurrentKernel: PlainTensor;
  readonly bias: PlainTensor | null;
}

function takeRecurrent(
  config: LayerConfig,
  weights: LayerWeights,
  gates: number,
  biasRows: readonly number[],
): RecurrentWeights {
  const units = config.size("units");
  const cell = weights.inside("cell");
  const kernel = takeWeight(cell, "kernel", [-1, gates * units]);
  const recurrentKernel = takeWeight(cell, "recurrent_kernel", [units, gates * units]);
  const biased = config.flag("use_bias", true);
  const bias = biased ? takeWeight(cell, "bias", [...biasRows, gates * units]) : null;
  return { units, inputs: kernel.shape[0] as number, kernel, recurrentKernel, bias };
}

/** A layer, and what its parameters are to be: Keras' weights with the gates in the layer's order. */
function loaded(
  config: LayerConfig,
  cell: Module,
  states: StateNames,
  { kernel, recurrentKernel, bias }: RecurrentWeights,
  order: readonly number[],
): LoadedLayer {
  const values = new Map([
    ["cell.weight_ih_l0", rowsOf(kernel, order)],
    ["cell.weight_hh_l0", rowsOf(recurrentKernel, order)],
  ]);
  const parameters = new Map(cell.namedParameters());
  if (bias !== null) {
    const second = parameters.get("bias_hh_l0");
    values.set(second === undefined ? "cell.bias_l0" : "cell.bias_ih_l0", biasOf(bias, order));
    if (second !== undefined && bias.shape.length === 2) values.set("cell.bias_hh_l0", biasOf(bias, order, 1));
    else if (second !== undefined) {
      values.set("cell.bias_hh_l0", { data: new Float32Array(second.size), shape: second.shape });
      // Keras has one bias: training both would learn it at twice the rate.
      second.trainable = false;
    }
  }
  return { layer: new KerasRecurrent(config, cell as Module & StepLayer, states), values };
}

export const simpleRNN: LayerMaker = (config, weights, dialect) => {
  const { name, alpha } = stepActivation(config, "activation", "tanh", dialect);
  const taken = takeRecurrent(config, weights, 1, []);
  const { inputs, units, bias } = taken;
  return loaded(config, new RNN(inputs, units, { nonlinearity: name, alpha, bias: bias !== null }), ["h"], taken, [0]);
};

export const lstm: LayerMaker = (config, weights, dialect) => {
  const activations = gateActivations(config, dialect);
  const taken = takeRecurrent(config, weights, 4, []);
  const { inputs, units, bias } = taken;
  const Cell = areUsual(activations) ? LSTM : lstmCell(activations);
  return loaded(config, new Cell(inputs, units, { bias: bias !== null }), ["h", "c"], taken, [0, 1, 2, 3]);
};

export const gru: LayerMaker = (config, weights, dialect) => {
  const resetAfter = config.flag("reset_after", dialect.resetAfter);
  const activations = gateActivations(config, dialect);
  const taken = takeRecurrent(config, weights, 3, resetAfter ? [2] : []);
  const { inputs, units, bias } = taken;
  const Cell = areUsual(activations) && resetAfter ? GRU : gruCell(activations, resetAfter);
  // Keras' z, r, h to PyTorch's r, z, n.
  return loaded(config, new Cell(inputs, units, { bias: bias !== null }), ["h"], taken, [1, 0, 2]);
};

const cells: ReadonlyMap<string, LayerMaker> = new Map([
  ["SimpleRNNCell", simpleRNN],
  ["LSTMCell", lstm],
  ["GRUCell", gru],
]);

/** RNN around one of Keras' cells: the layer of that cell, with the configurations of both. */
export const wrappedCell: LayerMaker = (config, weights, dialect) => {
  const description = new LayerConfig(`${config.where} cell`, config.get("cell"));
  const kind = description.text("class_name");
  const make = cells.get(kind);
  if (make === undefined) {
    throw new LoadError("unsupported_op", `${config.where}: the cell ${quoted(kind)} is not supported`);
  }
  const cell = new LayerConfig(description.where, description.get("config"));
  return make(new LayerConfig(config.where, new Map([...cell.entries, ...config.entries])), weights, dialect);
};

function gateActivations(config: LayerConfig, dialect: Dialect): GateActivations {
  return {
    activation: stepActivation(config, "activation", "tanh", dialect),
    recurrent: stepActivation(config, "recurrent_activation", dialect.recurrentActivation, dialect),
  };
}

/** Whether the activations are those of the package's own cells, which are faster. */
function areUsual({ activation, recurrent }: GateActivations): boolean {
  return activation.name === "tanh" && recurrent.name === "sigmoid";
}
