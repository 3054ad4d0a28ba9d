/** The cells that the commands know by name. */
import { GRUResetBefore } from "../nn/cells/gru-reset-before.js";
import { LayerNormLSTM } from "../nn/cells/layer-norm-lstm.js";
import {
  CoupledGateLSTM,
  FullGateRecurrenceLSTM,
  NoForgetGateLSTM,
  NoInputActivationLSTM,
  NoInputGateLSTM,
  NoOutputActivationLSTM,
  NoOutputGateLSTM,
  NoPeepholeLSTM,
  PeepholeLSTM,
} from "../nn/cells/lstm-variants.js";
import { MinGRU } from "../nn/cells/min-gru.js";
import { MinLSTM } from "../nn/cells/min-lstm.js";
import { MinimalGatedUnit } from "../nn/cells/minimal-gated-unit.js";
import { MUT3, ProjectedMUT1, ProjectedMUT2 } from "../nn/cells/mut.js";
import { RecurrentHighway } from "../nn/cells/recurrent-highway.js";
import { RGLRU } from "../nn/cells/rg-lru.js";
import { SLSTM } from "../nn/cells/slstm.js";
import { GRU } from "../nn/gru.js";
import { LSTM } from "../nn/lstm.js";
import { RNN } from "../nn/rnn.js";
import type { RecurrentClass } from "../tasks/language-model.js";

export const cells: ReadonlyMap<string, RecurrentClass> = new Map<string, RecurrentClass>([
  ["lstm", LSTM],
  ["gru", GRU],
  ["rnn", RNN],
  ["peephole-lstm", PeepholeLSTM],
  ["layer-norm-lstm", LayerNormLSTM],
  ["coupled-gate-lstm", CoupledGateLSTM],
  ["no-input-gate-lstm", NoInputGateLSTM],
  ["no-forget-gate-lstm", NoForgetGateLSTM],
  ["no-output-gate-lstm", NoOutputGateLSTM],
  ["no-input-activation-lstm", NoInputActivationLSTM],
  ["no-output-activation-lstm", NoOutputActivationLSTM],
  ["no-peephole-lstm", NoPeepholeLSTM],
  ["full-gate-recurrence-lstm", FullGateRecurrenceLSTM],
  ["gru-reset-before", GRUResetBefore],
  ["minimal-gated-unit", MinimalGatedUnit],
  ["mut1", ProjectedMUT1],
  ["mut2", ProjectedMUT2],
  ["mut3", MUT3],
  ["recurrent-highway", RecurrentHighway],
  ["min-gru", MinGRU],
  ["min-lstm", MinLSTM],
  ["slstm", SLSTM],
  ["rg-lru", RGLRU],
]);
