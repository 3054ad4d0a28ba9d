/**
 * Recurrent layers above each other, each with a size and a cell of its own, and connections that skip layers.
 *
 *   none      u^l = f^l(u^{l-1})                                u^{-1} is the input x
 *   residual  u^l = u^{l-1} + f^l(u^{l-1}) from the second layer on. Prakash et al. 2016, "Neural paraphrase generation
 *             with stacked residual LSTM networks"; Wu et al. 2016, arXiv:1609.08144
 *   input     u^l = f^l([x; u^{l-1}])                           Graves 2013, "Generating sequences with recurrent
 *             neural networks", which also gives all layers to the output
 *   dense     u^l = f^l([x; u^0; ...; u^{l-1}])                 Huang et al. 2017 (DenseNet); of recurrent layers Ding
 *             et al. 2018, "Densely connected bidirectional LSTM"
 *
 * The output is that of the last layer, or that of all layers together, [u^0; ...; u^{L-1}].
 */
import { ArgumentError } from "../../errors.js";
import { add } from "../../tensor/binary.js";
import { checkProbability, dropout } from "../../tensor/dropout.js";
import { concat } from "../../tensor/shape.js";
import type { StreamPlan } from "../../tensor/stream.js";
import { added, joined } from "../../tensor/stream-moves.js";
import type { Tensor } from "../../tensor/tensor.js";
import { Module } from "../module.js";
import type { SequenceResult } from "../recurrent.js";
import type { RecurrentState } from "../state.js";
import { partOf, type SequenceModule, type StateOf, type WiringOptions, withPrefix } from "./sequence-module.js";
import { INPUT, ofPart, WiringPlan } from "./stream-plan.js";

/** What a layer above the first gets besides the output of the layer below. */
export type LayerSkip = "none" | "residual" | "input" | "dense";

/** Options of {@link RecurrentStack}. */
export interface RecurrentStackOptions {
  /** Default "none". */
  readonly skip?: LayerSkip;
  /** "last": the output of the last layer; "all": those of all layers, side by side, the first first. Default "last". */
  readonly output?: "last" | "all";
  /** Probability of dropout of the input of every layer but the first, while training; default 0. */
  readonly dropout?: number;
}

/** States of all layers of a stack: `0.h`, `1.h`, `1.c` ..., each as its layer has it. */
export type StackState<L extends readonly SequenceModule[]> = number extends L["length"]
  ? RecurrentState
  : { readonly [K in StateName<L, keyof L & `${number}`>]: Tensor };

type StateName<L extends readonly SequenceModule[], I extends keyof L & string> = {
  [N in I]: L[N] extends SequenceModule ? `${N}.${keyof StateOf<L[N]> & string}` : never;
}[I];

/**
 * Layers of any kinds and sizes above each other:
 *
 * ```ts
 * const encoder = new RecurrentStack([new LSTM(8, 32), new GRU(8 + 32, 16)], { skip: "input", output: "all" });
 * ```
 */
export class RecurrentStack<L extends readonly SequenceModule[]> extends Module {
  /** The lowest first. */
  readonly layers: readonly [...L];
  /** What a layer gets besides the output of the layer below. */
  readonly skip: LayerSkip;
  /** Whether the output is that of all layers together. */
  readonly combined: boolean;
  /** Probability of dropout between layers while training. */
  readonly dropout: number;
  /** Features of each input step, I. */
  readonly inputSize: number;
  /** Features of each output step. */
  readonly outputSize: number;
  /** Whether sequences are (B, T, ...); else (T, B, ...). */
  readonly batchFirst: boolean;
  /** Whether it also, or only, reads sequences from their end. */
  readonly bidirectional: boolean;

  /** @throws ArgumentError when a layer's input is not of the size of what the layers below and the skips give */
  constructor(layers: readonly [...L], options: RecurrentStackOptions = {}) {
    super();
    const { skip = "none", output = "last", dropout = 0 } = options;
    const where = "RecurrentStack";
    const [first] = layers;
    if (first === undefined) throw new ArgumentError(where, "layers", "at least one layer", layers);
    if (!["none", "residual", "input", "dense"].includes(skip)) {
      throw new ArgumentError(where, "skip", '"none", "residual", "input" or "dense"', skip);
    }
    if (output !== "last" && output !== "all") throw new ArgumentError(where, "output", '"last" or "all"', output);
    checkProbability(where, "dropout", dropout);
    let below = 0;
    let all = 0;
    layers.forEach((layer, l) => {
      const skipped = { none: 0, residual: 0, input: first.inputSize, dense: first.inputSize + all - below }[skip];
      const expected = l === 0 ? first.inputSize : skipped + below;
      const what = `layers[${l}]`;
      if (layer.inputSize !== expected)
        throw new ArgumentError(where, `${what}.inputSize`, `${expected}`, layer.inputSize);
      if (skip === "residual" && l > 0 && layer.outputSize !== below) {
        throw new ArgumentError(where, `${what}.outputSize`, `${below}, to be added to its input`, layer.outputSize);
      }
      if (layer.batchFirst !== first.batchFirst) {
        throw new ArgumentError(where, `${what}.batchFirst`, `${first.batchFirst}, as of layers[0]`, layer.batchFirst);
      }
      below = layer.outputSize;
      all += below;
    });
    this.layers = layers;
    this.skip = skip;
    this.combined = output === "all";
    this.dropout = dropout;
    this.inputSize = first.inputSize;
    this.outputSize = this.combined ? all : below;
    this.batchFirst = first.batchFirst;
    this.bidirectional = layers.some((layer) => layer.bidirectional);
  }

  /**
   * Runs all layers over sequences (B, T, inputSize), or (T, B, inputSize) without `batchFirst`, or one sequence
   * (T, inputSize).
   *
   * @throws ShapeError, ArgumentError (lengths, state; resets and force of layers that do not take them)
   */
  forward(x: Tensor, options: WiringOptions<StackState<L>> = {}): SequenceResult<StackState<L>> {
    const { state, ...others } = options;
    const outputs: Tensor[] = [];
    const states: RecurrentState[] = [];
    const batchAxis = this.batchFirst ? 0 : 1;
    this.layers.forEach((layer, l) => {
      const below = outputs[l - 1];
      const input =
        below === undefined ? x : dropout(this.#inputOf(x, outputs, below), this.dropout, this.stream, batchAxis);
      const result = layer.forward(input, { ...others, state: partOf(`${l}`, state) });
      outputs.push(this.skip === "residual" && below !== undefined ? add(below, result.output) : result.output);
      states.push(withPrefix(`${l}`, result.state));
    });
    const output = this.combined && outputs.length > 1 ? concat(outputs) : (outputs[outputs.length - 1] as Tensor);
    return { output, state: Object.assign({}, ...states) as StackState<L> };
  }

  /** How a stream takes single steps: where all layers have such a plan. @internal */
  streamPlan(): StreamPlan | null {
    if (this.forward !== RecurrentStack.prototype.forward) return null;
    const plan = new WiringPlan(this.inputSize);
    const outputs: number[] = [];
    const sizes: number[] = [];
    for (const [l, layer] of this.layers.entries()) {
      const part = layer.streamPlan?.();
      if (!part) return null;
      const below = outputs[l - 1] ?? INPUT;
      const skipped = { none: [], residual: [], input: [INPUT], dense: [INPUT, ...outputs.slice(0, -1)] }[this.skip];
      const widths = {
        none: [],
        residual: [],
        input: [this.inputSize],
        dense: [this.inputSize, ...sizes.slice(0, -1)],
      };
      const join = () => plan.add(joined([...widths[this.skip], sizes[l - 1] as number]), [...skipped, below]);
      const own = plan.addPart(part, l === 0 || skipped.length === 0 ? below : join(), ofPart(`${l}`));
      outputs.push(this.skip === "residual" && l > 0 ? plan.add(added(layer.outputSize), [below, own]) : own);
      sizes.push(layer.outputSize);
    }
    if (this.combined && outputs.length > 1) plan.add(joined(sizes), outputs);
    return plan;
  }

  #inputOf(x: Tensor, outputs: readonly Tensor[], below: Tensor): Tensor {
    if (this.skip === "input") return concat([x, below]);
    return this.skip === "dense" ? concat([x, ...outputs]) : below;
  }
}
