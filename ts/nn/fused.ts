/** The cells that the core runs by hand-written code: Elman, LSTM and GRU, with PyTorch's parameter names. */
import { ArgumentError } from "../errors.js";
import { dropWeight } from "../tensor/dropout.js";
import { type Initializer, Parameter } from "../tensor/parameter.js";
import { PreparedWeights, type SequenceWeights, sequence } from "../tensor/sequence.js";
import type { StreamCell } from "../tensor/stream.js";
import { FusedCellStream } from "../tensor/stream-cells.js";
import type { Tensor } from "../tensor/tensor.js";
import { checkSize } from "./check.js";
import { uniform } from "./initializers.js";
import type { CellKind, CellRun, CellRunner } from "./recurrent.js";

/** What tells the fused cells apart. */
export interface FusedCell {
  /** Name for error messages. */
  readonly where: string;
  /** Number of the cell in the core. */
  readonly cell: number;
  /** Rows of the weights, in units of H. */
  readonly gates: number;
  /** Whether there is a memory c beside h. */
  readonly memory: boolean;
  /** Activation of the Elman cell; default tanh. */
  readonly activation?: number;
  readonly alpha?: number;
}

/** The options of layers and cells that concern their parameters. */
interface FusedOptions {
  readonly bias?: boolean;
  readonly initializer?: Initializer;
}

/**
 * @param projection size that h is projected to; 0 for none
 * @throws ArgumentError for sizes that are none
 */
export function fused(fusedCell: FusedCell, hidden: number, options: FusedOptions, projection = 0): CellKind {
  const { where, cell, gates, memory, activation = 0, alpha = 0 } = fusedCell;
  checkSize(where, "hiddenSize", hidden);
  if (projection !== 0) checkSize(where, "projectionSize", projection);
  if (projection >= hidden) throw new ArgumentError(where, "projectionSize", "less than hiddenSize", projection);
  const { bias = true, initializer } = options;
  const state = projection > 0 ? projection : hidden;
  const h = { name: "h", size: state };
  return {
    states: memory ? [h, { name: "c", size: hidden }] : [h],
    output: 0,
    parameters(input) {
      const bound = 1 / Math.sqrt(hidden);
      const draw = initializer ?? uniform(-bound, bound);
      const rows = gates * hidden;
      const named: [string, Parameter][] = [
        ["weight_ih", new Parameter([rows, input], draw)],
        ["weight_hh", new Parameter([rows, state], draw)],
      ];
      if (bias) named.push(["bias_ih", new Parameter([rows], draw)], ["bias_hh", new Parameter([rows], draw)]);
      if (projection > 0) named.push(["weight_hr", new Parameter([projection, hidden], draw)]);
      return named;
    },
    runner: (input) => new FusedRunner({ cell, activation, alpha, input, hidden, projection }),
  };
}

interface FusedSizes {
  readonly cell: number;
  readonly activation: number;
  readonly alpha: number;
  readonly input: number;
  readonly hidden: number;
  readonly projection: number;
}

/** @throws ArgumentError for what only compiled layers take: a wiring hands on what it is given */
function refuseOptions({ where, options }: CellRun): void {
  for (const name of ["resets", "force", "inputs"] as const) {
    const given = (options as Readonly<Record<string, unknown>>)[name];
    if (given === undefined) continue;
    const expected =
      "left out: compiled layers alone take it (CompiledRNN, CompiledLSTM and CompiledGRU load the weights)";
    throw new ArgumentError(where, name, expected, given);
  }
}

class FusedRunner implements CellRunner {
  readonly #sizes: FusedSizes;
  readonly #prepared = new PreparedWeights();
  /** Of the weights that dropout changed: apart, so that a forward pass without it changes nothing for backward. */
  readonly #dropped = new PreparedWeights();

  constructor(sizes: FusedSizes) {
    this.#sizes = sizes;
  }

  run(call: CellRun): void {
    refuseOptions(call);
    const { cell, activation, alpha, input, hidden, projection } = this.#sizes;
    const { weightIh, weightHh, biasIh, biasHh, weightHr } = weightsOf(call.parameter);
    const dropped = dropWeight(weightHh, call.weightDropout, call.stream);
    // Each property by name: objects made by spreading have a slow form, and this is made for every call.
    sequence({
      cell,
      activation,
      alpha,
      input,
      hidden,
      projection,
      where: call.where,
      core: call.core,
      steps: call.steps,
      batch: call.batch,
      reverse: call.reverse,
      lengths: call.lengthsPointer,
      x: call.x,
      xStrides: call.xStrides,
      weights: { weightIh, weightHh: dropped, biasIh, biasHh, weightHr },
      prepared: dropped === weightHh ? this.#prepared : this.#dropped,
      h0: call.initial[0] ?? null,
      c0: call.initial[1] ?? null,
      stateIndex: call.stateIndex,
      out: call.out,
      outStrides: call.outStrides,
      outColumn: call.outColumn,
      hn: call.final[0] as Tensor,
      cn: call.final[1] ?? null,
      recompute: call.recompute,
    });
  }

  streamCell(where: string, parameter: (name: string) => Parameter | null): StreamCell {
    return new FusedCellStream({ ...this.#sizes, where, prepared: this.#prepared }, () => weightsOf(parameter));
  }

  dispose(): void {
    this.#prepared.dispose();
    this.#dropped.dispose();
  }
}

function weightsOf(parameter: (name: string) => Parameter | null): SequenceWeights & { readonly weightHh: Parameter } {
  return {
    weightIh: parameter("weight_ih") as Parameter,
    weightHh: parameter("weight_hh") as Parameter,
    biasIh: parameter("bias_ih"),
    biasHh: parameter("bias_hh"),
    weightHr: parameter("weight_hr"),
  };
}
