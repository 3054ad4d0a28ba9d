/** Every recurrent cell of the library: where it is, what it comes from, and its equations in float64. */
import * as u from "../../../ts/index.js";
import type { Reference, Vector } from "./equations.js";
import {
  elman,
  gru,
  gruResetBefore,
  jordan,
  lstm,
  minimalGatedUnit,
  mut,
  recurrentHighway,
} from "./gated-equations.js";
import { lru, minGRU, minLSTM, rglru } from "./linear-equations.js";
import { layerNormLSTM, odyssey, sLSTM } from "./lstm-equations.js";

/** Any layer: its overloads differ in the type of state only. */
export type AnyLayer = u.RecurrentLayer<u.RecurrentState>;

/** A layer's options, and whatever a cell has besides. */
type Options = u.RecurrentOptions & { readonly [size: `${string}Size`]: number };

export interface Entry {
  readonly name: string;
  /** Below ts/nn. */
  readonly file: string;
  readonly source: string;
  readonly reference: Reference;
  readonly make: (inputSize: number, hiddenSize: number, options: Options) => AnyLayer;
  /** Sizes that have options of their own, with the letter that stands for them in formulas. */
  readonly sizes?: Readonly<Record<`${string}Size`, string>>;
  /** inputSize must equal hiddenSize. */
  readonly square?: boolean;
  /** Where initial states are drawn from, if not from [-1, 1). */
  readonly states?: Readonly<Record<string, readonly [low: number, high: number]>>;
}

/** The class of a layer or of one step, whatever its options are called. */
export type LayerClass = new (inputSize: number, hiddenSize: number, options?: never) => unknown;

function entry(
  name: string,
  file: string,
  source: string,
  Layer: LayerClass,
  reference: Reference,
  more: Partial<Entry> = {},
): Entry {
  const make = (input: number, hidden: number, options: Options) =>
    new Layer(input, hidden, options as never) as AnyLayer;
  return { name, file, source, reference, make, ...more };
}

const relu = (x: number): number => Math.max(x, 0);
const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
const softmax = (v: Vector): Vector => {
  const total = v.reduce((sum, x) => sum + Math.exp(x), 0);
  return v.map((x) => Math.exp(x) / total);
};
const ODYSSEY = "Greff et al. 2017";
const MUTANTS = "Jozefowicz, Zaremba & Sutskever 2015";

export const catalogue: readonly Entry[] = [
  entry("RNN", "rnn.ts", "Elman 1990", u.RNN, elman(Math.tanh)),
  entry("CompiledRNN", "cells/fused-equations.ts", "of RNN", u.CompiledRNN, elman(Math.tanh)),
  entry("IRNN", "cells/irnn.ts", "Le, Jaitly & Hinton 2015", u.IRNN, elman(relu)),
  entry(
    "Jordan",
    "cells/jordan.ts",
    "Jordan 1986",
    u.Jordan,
    jordan(Math.tanh, (v) => v.map(logistic)),
    {
      sizes: { outputSize: "O" },
    },
  ),
  entry(
    "Jordan, ReLU and softmax",
    "cells/jordan.ts",
    "Jordan 1986",
    u.defineJordan({ hiddenActivation: "relu", outputActivation: "softmax" }),
    jordan(relu, softmax),
    { sizes: { outputSize: "O" } },
  ),
  entry("LSTM", "lstm.ts", "Hochreiter & Schmidhuber 1997; Gers et al. 2000", u.LSTM, lstm(false)),
  entry("LSTM, projected", "lstm.ts", "Sak, Senior & Beaufays 2014", u.LSTM, lstm(true), {
    sizes: { projectionSize: "P" },
  }),
  entry("CompiledLSTM", "cells/fused-equations.ts", "of LSTM", u.CompiledLSTM, lstm(false)),
  entry(
    "CompiledProjectedLSTM",
    "cells/fused-equations.ts",
    "of LSTM, projected",
    u.CompiledProjectedLSTM,
    lstm(true),
    {
      sizes: { projectionSize: "P" },
    },
  ),
  entry("PeepholeLSTM", "cells/lstm-variants.ts", "Gers & Schmidhuber 2000", u.PeepholeLSTM, odyssey("vanilla")),
  entry("NoInputGateLSTM", "cells/lstm-variants.ts", `${ODYSSEY}, NIG`, u.NoInputGateLSTM, odyssey("NIG")),
  entry("NoForgetGateLSTM", "cells/lstm-variants.ts", `${ODYSSEY}, NFG`, u.NoForgetGateLSTM, odyssey("NFG")),
  entry("NoOutputGateLSTM", "cells/lstm-variants.ts", `${ODYSSEY}, NOG`, u.NoOutputGateLSTM, odyssey("NOG")),
  entry(
    "NoInputActivationLSTM",
    "cells/lstm-variants.ts",
    `${ODYSSEY}, NIAF`,
    u.NoInputActivationLSTM,
    odyssey("NIAF"),
  ),
  entry(
    "NoOutputActivationLSTM",
    "cells/lstm-variants.ts",
    `${ODYSSEY}, NOAF`,
    u.NoOutputActivationLSTM,
    odyssey("NOAF"),
  ),
  entry("CoupledGateLSTM", "cells/lstm-variants.ts", `${ODYSSEY}, CIFG`, u.CoupledGateLSTM, odyssey("CIFG")),
  entry("NoPeepholeLSTM", "cells/lstm-variants.ts", `${ODYSSEY}, NP`, u.NoPeepholeLSTM, odyssey("NP")),
  entry(
    "FullGateRecurrenceLSTM",
    "cells/lstm-variants.ts",
    `${ODYSSEY}, FGR`,
    u.FullGateRecurrenceLSTM,
    odyssey("FGR"),
  ),
  entry("LayerNormLSTM", "cells/layer-norm-lstm.ts", "Ba, Kiros & Hinton 2016", u.LayerNormLSTM, layerNormLSTM),
  entry("SLSTM", "cells/slstm.ts", "Beck et al. 2024", u.SLSTM, sLSTM(1, "sigmoid"), { states: { n: [0.5, 1.5] } }),
  entry(
    "SLSTM, 2 heads, exponential forget gate",
    "cells/slstm.ts",
    "Beck et al. 2024",
    u.defineSLSTM({ heads: 2, forgetGate: "exponential" }),
    sLSTM(2, "exponential"),
    { states: { n: [0.5, 1.5] } },
  ),
  entry("GRU", "gru.ts", "Cho et al. 2014, reset after the product", u.GRU, gru),
  entry("CompiledGRU", "cells/fused-equations.ts", "of GRU", u.CompiledGRU, gru),
  entry("GRUResetBefore", "cells/gru-reset-before.ts", "Cho et al. 2014", u.GRUResetBefore, gruResetBefore),
  entry("MinimalGatedUnit", "cells/minimal-gated-unit.ts", "Zhou et al. 2016", u.MinimalGatedUnit, minimalGatedUnit),
  entry("MUT1", "cells/mut.ts", MUTANTS, u.MUT1, mut(1), { square: true }),
  entry("ProjectedMUT1", "cells/mut.ts", MUTANTS, u.ProjectedMUT1, mut(1, true)),
  entry("MUT2", "cells/mut.ts", MUTANTS, u.MUT2, mut(2), { square: true }),
  entry("ProjectedMUT2", "cells/mut.ts", MUTANTS, u.ProjectedMUT2, mut(2, true)),
  entry("MUT3", "cells/mut.ts", MUTANTS, u.MUT3, mut(3)),
  entry(
    "RecurrentHighway",
    "cells/recurrent-highway.ts",
    "Zilly et al. 2017",
    u.RecurrentHighway,
    recurrentHighway(5, "coupled"),
  ),
  entry(
    "RecurrentHighway, depth 2, separate gates",
    "cells/recurrent-highway.ts",
    "Zilly et al. 2017",
    u.defineRecurrentHighway({ depth: 2, carry: "separate" }),
    recurrentHighway(2, "separate"),
  ),
  entry("MinGRU", "cells/min-gru.ts", "Feng et al. 2024", u.MinGRU, minGRU),
  entry("MinLSTM", "cells/min-lstm.ts", "Feng et al. 2024", u.MinLSTM, minLSTM),
  entry("LRU", "cells/lru.ts", "Orvieto et al. 2023", u.LRU, lru, { sizes: { outputSize: "O" } }),
  entry("RGLRU", "cells/rg-lru.ts", "De et al. 2024", u.RGLRU, rglru, { square: true }),
];
