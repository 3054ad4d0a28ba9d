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

  get where(): string {
    return this.#layer.where;
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

  int8Bytes(core: Core, ids: boolean): number {
    const { cell, input, hidden, projection } = this.#layer;
    return core.raw.ur_int8_layer_bytes(cell, ids ? 0 : input, hidden, projection) >>> 0;
  }

  writeInt8(core: Core, at: number, to: number): void {
    core.checkStatus(core.raw.ur_int8_layer(at, to), this.where);
  }
}

/** Places in the arguments of a linear layer; the same as in crate/src/bindings.rs. */
const LINEAR = { cell: 0, input: 1, output: 2, packed: 3, bias: 4, x: 5, y: 6 } as const;
const LINEAR_WORDS = 8;
/** What stands for it in place of the number of a fused cell. */
const LINEAR_CELL = 3;

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

  get where(): string {
    return this.#layer.label;
  }

  get version(): number {
    return this.#layer.weight.version;
  }

  fill(core: Core, at: number, { inputs: [x] }: StreamEdges): number {
    const { weight, bias } = this.#layer;
    operand(weight, this.where, core);
    const packed = weight.pack(0);
    const added = bias === null ? 0 : operand(bias, this.where, core);
    const y = at + LINEAR_WORDS * 4;
    const words = core.i32;
    const block = at >>> 2;
    words[block + LINEAR.cell] = LINEAR_CELL;
    words[block + LINEAR.input] = this.#layer.inFeatures;
    words[block + LINEAR.output] = this.output;
    words[block + LINEAR.packed] = packed;
    words[block + LINEAR.bias] = added;
    words[block + LINEAR.x] = x as number;
    words[block + LINEAR.y] = y;
    return y;
  }

  int8Bytes(core: Core): number {
    return core.raw.ur_int8_bytes(this.output, this.#layer.inFeatures) >>> 0;
  }

  writeInt8(core: Core, at: number, to: number): void {
    core.raw.ur_int8(core.i32[(at >>> 2) + LINEAR.packed] as number, this.output, this.#layer.inFeatures, to);
  }
}
