/**
 * Long short-term memory. Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000;
 * projection: Sak, Senior & Beaufays 2014. Gate order and names are PyTorch's: rows i, f, g, o.
 *
 *   i, f, o = sigmoid(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
 *   g       = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
 *   c_t     = f c_{t-1} + i g
 *   h_t     = o tanh(c_t)                                  with a projection: W_hr (o tanh(c_t))
 */
import { cellKinds } from "../tensor/kinds.js";
import { type FusedCell, fused } from "./fused.js";
import { type CellOptions, RecurrentCell, RecurrentLayer, type RecurrentOptions } from "./recurrent.js";
import type { LSTMState } from "./state.js";

const cell: FusedCell = { where: "LSTM", cell: cellKinds.lstm, gates: 4, memory: true };

/** Options of {@link LSTM}. */
export interface LSTMOptions extends RecurrentOptions {
  /** Project h to this size, less than H; default 0: no projection. */
  readonly projectionSize?: number;
}

/**
 * LSTM layers. State: h of (numLayers * directions, B, H or projectionSize), c of (numLayers * directions, B, H).
 *
 * `CompiledLSTM` (with a projection `CompiledProjectedLSTM`) has the same parameters and takes what only compiled layers do:
 * gates held at a number, resets in mid-sequence, zoneout, dropout of the recurrence.
 */
export class LSTM extends RecurrentLayer<LSTMState> {
  /** Size that h is projected to; 0 for none. */
  readonly projectionSize: number;

  /**
   * @param inputSize - features of each input step, I
   * @param hiddenSize - units, H
   * @throws ArgumentError
   */
  constructor(inputSize: number, hiddenSize: number, options: LSTMOptions = {}) {
    super(fused(cell, hiddenSize, options, options.projectionSize), inputSize, hiddenSize, options);
    this.projectionSize = options.projectionSize ?? 0;
  }
}

/** One step of an LSTM. State: h and c of (B, H). */
export class LSTMCell extends RecurrentCell<LSTMState> {
  /**
   * @param inputSize - features of an input, I
   * @param hiddenSize - units, H
   * @throws ArgumentError
   */
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    super(fused(cell, hiddenSize, options), inputSize, hiddenSize, options);
  }
}
