/** The fused and the linear cells of streams; those of compiled layers are in stream-program.ts. */
import type { Core } from "../core/core.js";
import type { Parameter } from "./parameter.js";
import { ARGUMENT_WORDS, type SequenceLayer, type SequenceWeights, WORD, writeLayer } from "./sequence.js";
import type { StreamCell, StreamEdges } from "./stream.js";
import { operand } from "./tensor.js";

/** A fused layer, whose output is its first state. */
export class FusedCellStream implements StreamCell {
  readonly words = ARGUMENT_WORDS;
  readonly #layer: SequenceLayer;
  readonly #weights: () => SequenceWeights;

  /** @param weights - gives the weights as they are now */
  constructor(layer: SequenceLayer, weights: () => SequenceWeights) {
    this.#layer = layer;
    this.#weights = weights;
  }

  get output(): number {
    const { hidden, projection } = this.#layer;
    return projection > 0 ? projection : hidden;
  }

  get version(): number {
    return this.#layer.prepared.packings;
  }

  fill(core: Core, at: number, { inputs: [x], id, states: [h, c] }: StreamEdges): number {
    const { prepared, cell, input, hidden, projection, where } = this.#layer;
    const weights = this.#weights();
    const block = at >>> 2;
    writeLayer(core, this.#layer, weights, prepared.reserve(core, cell, input, hidden, projection), block);
    prepared.refresh({ core, where, weights }, at, false);
    const words = core.i32;
    words[block + WORD.x] = x as number;
    words[block + WORD.ids] = id;
    words[block + WORD.hn] = h as number;
    words[block + WORD.cn] = c ?? 0;
    return h as number;
  }
}

/** What stands for a linear layer in place of the number of a fused cell; the same as in crate/src/bindings.rs. */
const LINEAR_CELL = 3;
const LINEAR_WORDS = 7;

/** A linear layer: weight (K, H) and bias (K). */
interface LinearLayer {
  readonly label: string;
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly weight: Parameter;
  readonly bias: Parameter | null;
}

/** A linear layer, whose output lies behind its arguments. */
export class LinearStream implements StreamCell {
  readonly words: number;
  readonly output: number;
  readonly #layer: LinearLayer;

  /** @param layer - is looked at when its arguments are filled: its fields may be replaced */
  constructor(layer: LinearLayer) {
    this.output = layer.outFeatures;
    this.words = LINEAR_WORDS + this.output;
    this.#layer = layer;
  }

  get version(): number {
    return this.#layer.weight.version;
  }

  fill(core: Core, at: number, { inputs: [x] }: StreamEdges): number {
    const { label, inFeatures, weight, bias } = this.#layer;
    operand(weight, label, core);
    const packed = weight.pack(0);
    const added = bias === null ? 0 : operand(bias, label, core);
    const y = at + LINEAR_WORDS * 4;
    core.i32.set([LINEAR_CELL, inFeatures, this.output, packed, added, x as number, y], at >>> 2);
    return y;
  }
}
