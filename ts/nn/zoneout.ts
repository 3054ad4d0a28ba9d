/**
 * Zoneout: units keep their state of the step before with some probability. Krueger et al. 2017, "Zoneout: Regularizing
 * RNNs by Randomly Preserving Hidden Activations".
 *
 *   h_t = m h_{t-1} + (1 - m) cell(x_t, h_{t-1})     m is 1 with probability p, for each unit and step by itself;
 *                                                    p in place of m when not training
 *
 * An LSTM's c has an m of its own. The output gate reads the cell's new c, not the kept one, as in the paper's
 * equations.
 */
import { ArgumentError, ShapeError } from "../errors.js";
import { add, minimum, mul, sub } from "../tensor/binary.js";
import { checkProbability, dropout } from "../tensor/dropout.js";
import { currentTape } from "../tensor/scope.js";
import { select, stack } from "../tensor/shape.js";
import { ones, type Tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";
import type { RecurrentCell, SequenceResult } from "./recurrent.js";
import type { RecurrentState } from "./state.js";

/** Options of {@link Zoneout}. */
export interface ZoneoutOptions {
  /** Probability that a unit of h is kept; default 0.05, as the paper has it for characters. */
  readonly h?: number;
  /** Probability that a unit of c (LSTM) is kept; default 0.5. */
  readonly c?: number;
}

/**
 * A cell with zoneout, for steps that are taken one at a time. Whole sequences are many times faster by the option
 * `zoneout` of compiled layers, of which `CompiledLSTM` and `CompiledGRU` are the usual ones.
 */
export class Zoneout<S extends RecurrentState> extends Module {
  /** Takes the steps. */
  readonly cell: RecurrentCell<S>;
  readonly #keep: Readonly<Record<string, number>>;

  /**
   * @param cell - takes the steps
   * @throws ArgumentError for a probability that is none
   */
  constructor(cell: RecurrentCell<S>, options: ZoneoutOptions = {}) {
    super();
    const { h = 0.05, c = 0.5 } = options;
    checkProbability("Zoneout", "h", h);
    checkProbability("Zoneout", "c", c);
    this.cell = cell;
    this.#keep = { h, c };
  }

  /**
   * One step, as the cell's: x (B, inputSize) and a state of (B, hiddenSize) tensors, default zeros, to the next state.
   * @throws ShapeError
   */
  forward(x: Tensor, state?: S): S {
    const next = this.cell.forward(x, state);
    const kept = Object.entries(next).map(([name, value]) => [name, this.#mix(name, value, state?.[name])]);
    return Object.fromEntries(kept) as S;
  }

  #mix(name: string, value: Tensor, previous: Tensor | undefined): Tensor {
    const p = this.#keep[name] ?? 0;
    const tape = currentTape();
    if (p === 0) return value;
    if (tape === null || !tape.training) {
      const moved = mul(value, 1 - p);
      return previous === undefined ? moved : add(moved, mul(previous, p));
    }
    // Dropout of ones, without its scale: 0 with probability p, else 1.
    const moves = minimum(dropout(ones(value.shape, value.core), p, this.stream), 1);
    const moved = mul(value, moves);
    return previous === undefined ? moved : add(moved, mul(previous, sub(1, moves)));
  }

  /**
   * Whole sequences (B, T, inputSize) to outputs h (B, T, hiddenSize) and the last state.
   * @throws ShapeError, ArgumentError (no steps)
   */
  forwardSequence(x: Tensor, options: { readonly state?: S | undefined } = {}): SequenceResult<S> {
    const { inputSize } = this.cell;
    const [, steps, features] = x.shape;
    if (x.shape.length !== 3 || steps === undefined || features !== inputSize) {
      throw new ShapeError(this.label, "x", ["B", "T", inputSize], x.shape);
    }
    if (steps === 0) throw new ArgumentError(this.label, "x", "at least one step", x.shape);
    let { state } = options;
    const outputs: Tensor[] = [];
    for (let t = 0; t < steps; t++) {
      state = this.forward(select(x, 1, t), state);
      outputs.push(state["h"] as Tensor);
    }
    return { output: stack(outputs, 1), state: state as S };
  }
}
