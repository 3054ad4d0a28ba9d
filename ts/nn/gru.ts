/**
 * Gated recurrent units. Cho et al. 2014, in the form of cuDNN and PyTorch, whose reset gate acts after the recurrent
 * product: rows r, z, n.
 *
 *   r, z = sigmoid(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
 *   n    = tanh(W_in x_t + b_in + r (W_hn h_{t-1} + b_hn))
 *   h_t  = (1 - z) n + z h_{t-1}
 */
import { cellKinds } from "../tensor/kinds.js";
import { type FusedCell, fused } from "./fused.js";
import { type CellOptions, RecurrentCell, RecurrentLayer, type RecurrentOptions } from "./recurrent.js";
import type { HiddenState } from "./state.js";

const cell: FusedCell = { where: "GRU", cell: cellKinds.gru, gates: 3, memory: false };

/**
 * GRU layers. State: h of (numLayers * directions, B, H).
 *
 * `CompiledGRU` has the same parameters and takes what only compiled layers do:
 * gates held at a number, resets in mid-sequence, zoneout, dropout of the recurrence.
 */
export class GRU extends RecurrentLayer<HiddenState> {
  /**
   * @param inputSize - features of each input step, I
   * @param hiddenSize - units, H
   * @throws ArgumentError
   */
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super(fused(cell, hiddenSize, options), inputSize, hiddenSize, options);
  }
}

/** One step of a GRU. State: h of (B, H). */
export class GRUCell extends RecurrentCell<HiddenState> {
  /**
   * @param inputSize - features of an input, I
   * @param hiddenSize - units, H
   * @throws ArgumentError
   */
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    super(fused(cell, hiddenSize, options), inputSize, hiddenSize, options);
  }
}
