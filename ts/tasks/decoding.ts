/** The decoder after sources that were read: takes steps of many hypotheses at a time, for greedy and beam search. */
import type { BeamRow } from "../infer/beam-search.js";
import type { Plain } from "../nn/module.js";
import { mapValues } from "../nn/state.js";
import { Ids } from "../tensor/ids.js";
import { reshape } from "../tensor/shape.js";
import { logSoftmax } from "../tensor/softmax.js";
import { type PlainTensor, type Tensor, tensor } from "../tensor/tensor.js";
import type { Encoded, EncoderDecoder } from "./encoder-decoder.js";
import { padded } from "./sequence-encoder.js";

/** What the encoder made of a batch of sources, and where each hypothesis in the decoder has come to. */
export class Decoding {
  readonly #network: EncoderDecoder;
  readonly #start: number;
  readonly #lengths: Int32Array;
  readonly #read: Plain<Encoded>;
  /** The source of each row, and what the encoder made of them; in memory of its own while the rows stay the same. */
  #sources: readonly number[] = [];
  #encoded: Encoded | undefined;
  #owned: Tensor[] = [];
  /** The decoder's state, a row for each hypothesis of the latest step. */
  #state: Readonly<Record<string, PlainTensor>> = {};

  /** @param start - the token before the first */
  constructor(network: EncoderDecoder, sources: readonly Int32Array[], start: number) {
    this.#network = network;
    this.#start = start;
    const { inputs, lengths } = padded(sources);
    this.#lengths = lengths;
    this.#read = network.run((net) => net.encode(inputs, lengths));
  }

  /** A step of each hypothesis; `search` is the number of its source. @returns ln p of all tokens, a row for each */
  advance(rows: readonly BeamRow[]): Float32Array[] {
    const encoded = this.#encodedFor(rows.map(({ search }) => search));
    const ids = Int32Array.from(rows, ({ from, token }) => (from < 0 ? this.#start : token));
    const inputs = new Ids(ids, [rows.length, 1]);
    const first = rows.every(({ from }) => from < 0);
    const kept = first
      ? undefined
      : mapValues(this.#state, (value) =>
          rowsOf(
            value,
            1,
            rows.map(({ from }) => from),
          ),
        );
    const { scores, state } = this.#network.run((network) => {
      const before = kept && mapValues(kept, ({ data, shape }) => tensor(data, shape, network.core));
      const { logits, state } = network.decode(inputs, encoded, before);
      return { scores: logSoftmax(reshape(logits, [rows.length, logits.shape[2] as number])), state };
    });
    this.#state = state;
    const size = scores.shape[1] as number;
    return rows.map((_, row) => scores.data.subarray(row * size, (row + 1) * size) as Float32Array);
  }

  #encodedFor(sources: readonly number[]): Encoded {
    const same = sources.length === this.#sources.length && sources.every((source, i) => source === this.#sources[i]);
    if (this.#encoded !== undefined && same) return this.#encoded;
    this.release();
    const keep = (value: PlainTensor, axis = 0): Tensor => {
      const { data, shape } = rowsOf(value, axis, sources);
      const kept = tensor(data, shape, this.#network.core);
      this.#owned.push(kept);
      return kept;
    };
    const { state, context, memory } = this.#read;
    this.#sources = sources;
    this.#encoded = {
      state: mapValues(state, (value) => keep(value, 1)),
      context: context && keep(context),
      memory: memory && {
        memory: keep(memory.memory),
        keys: keep(memory.keys),
        mask: memory.mask && keep(memory.mask),
        lengths: Int32Array.from(sources, (source) => this.#lengths[source] as number),
      },
    };
    return this.#encoded;
  }

  /** Frees what the encoder put out, and nothing of the network. */
  release(): void {
    for (const kept of this.#owned) kept.dispose();
    this.#owned = [];
    this.#encoded = undefined;
  }
}

/** These entries along an axis, one after the other. */
function rowsOf({ data, shape }: PlainTensor, axis: number, rows: readonly number[]): PlainTensor {
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const outer = shape.slice(0, axis).reduce((a, b) => a * b, 1);
  const from = shape[axis] as number;
  const values = new Float32Array(outer * rows.length * inner);
  for (let block = 0; block < outer; block++) {
    rows.forEach((row, i) => {
      const start = (block * from + row) * inner;
      values.set(data.subarray(start, start + inner), (block * rows.length + i) * inner);
    });
  }
  return { data: values, shape: [...shape.slice(0, axis), rows.length, ...shape.slice(axis + 1)] };
}
