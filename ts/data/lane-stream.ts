/**
 * Lanes of a text that is longer than memory.
 *
 * Lanes of a whole text are contiguous parts of it, the b-th far behind the first, and nobody can read a stream in B
 * places at once. So the stream is cut into blocks of `blockBatches` batches, each laid out as `lanes` lays out a text:
 * within a block every lane follows on from batch to batch, and with the next block it starts elsewhere, so there the
 * state is reset (`first`). One lane (`batchSize` 1) goes on from block to block and is never reset.
 *
 * Every token is a target once, except the first, and those that do not fill a last batch. Memory holds one block of
 * batchSize x seqLen x blockBatches tokens and one piece of the text.
 */
import { DataError } from "../errors.js";
import { endsInHighSurrogate } from "../text/code-points.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { checkCount } from "./check.js";
import { type Batch, lanes } from "./lanes.js";
import { type TextSource, textPieces } from "./text-source.js";

/** Options of {@link streamLanes}. */
export interface LaneStreamOptions {
  /** Makes tokens of the text. */
  readonly tokenizer: Pick<Tokenizer, "encode">;
  /** Lanes, the rows of a batch. */
  readonly batchSize: number;
  /** Steps of a batch. */
  readonly seqLen: number;
  /** Batches between resets of the state; default 256. More take more memory and keep longer contexts. */
  readonly blockBatches?: number | undefined;
}

const WHERE = "streamLanes";

/** UTF-16 units that are kept for the rest of a word to come, at most. */
const LONGEST_WORD = 0x1_0000;

/** Batches of a stream. Every iteration is an epoch; the arrays of a batch are reused by the next one. */
export class LaneStream implements AsyncIterable<Batch> {
  readonly #open: () => TextSource | Promise<TextSource>;
  readonly #options: LaneStreamOptions;
  readonly #blockTokens: number;

  /** @internal use {@link streamLanes} */
  constructor(source: TextSource | (() => TextSource | Promise<TextSource>), options: LaneStreamOptions) {
    const { batchSize, seqLen, blockBatches = 256 } = options;
    checkCount(WHERE, "batchSize", batchSize);
    checkCount(WHERE, "seqLen", seqLen);
    checkCount(WHERE, "blockBatches", blockBatches);
    this.#open = typeof source === "function" ? source : () => source;
    this.#options = options;
    this.#blockTokens = batchSize * seqLen * blockBatches + 1;
  }

  /** The batches, in order. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
    const { tokenizer, batchSize, seqLen } = this.#options;
    const block = new Int32Array(this.#blockTokens);
    let size = 0;
    let blocks = 0;
    for await (const text of wholeWords(await this.#open())) {
      const tokens = tokenizer.encode(text);
      for (let from = 0; from < tokens.length; ) {
        const taken = tokens.subarray(from, from + block.length - size);
        block.set(taken, size);
        size += taken.length;
        from += taken.length;
        if (size < block.length) continue;
        yield* this.#batches(block, blocks++);
        // The last target is the first input of the next block.
        block[0] = block[size - 1] as number;
        size = 1;
      }
    }
    const needed = batchSize * seqLen + 1;
    if (size >= needed) yield* this.#batches(block.subarray(0, size), blocks++);
    if (blocks === 0) {
      throw new DataError(`${WHERE}: a batch takes ${needed} tokens (batchSize x seqLen + 1), the source has ${size}`);
    }
  }

  *#batches(tokens: Int32Array, block: number): Generator<Batch, void, undefined> {
    const { batchSize, seqLen } = this.#options;
    const goesOn = batchSize === 1 && block > 0;
    for (const batch of lanes(tokens, { batchSize, seqLen }).train) yield goesOn ? { ...batch, first: false } : batch;
  }
}

/**
 * Lanes of a text that comes in pieces, for truncated back-propagation through time in `train`.
 *
 * ```ts
 * const data = streamLanes(() => createReadStream("corpus.txt"), { tokenizer, batchSize: 32, seqLen: 64 });
 * train(model, data, { optimizer, epochs: 3 });
 * ```
 *
 * @param source - a function that opens the text anew for every epoch; or a text for one epoch
 * @throws DataError, when iterated: the source has fewer tokens than a batch takes, or bytes that are not UTF-8
 */
export function streamLanes(
  source: TextSource | (() => TextSource | Promise<TextSource>),
  options: LaneStreamOptions,
): LaneStream {
  return new LaneStream(source, options);
}

/**
 * The text in pieces that a tokenizer can encode one by one: cut where a run of spaces or line feeds begins. There both
 * kinds of tokenizers make the tokens that they make of the whole text.
 */
async function* wholeWords(source: TextSource): AsyncGenerator<string, void, undefined> {
  let held = "";
  for await (const piece of textPieces(source)) {
    const text = held + piece;
    let cut = text.length - 1;
    while (cut > 0 && !((text[cut] === " " || text[cut] === "\n") && text[cut] !== text[cut - 1])) cut--;
    if (cut <= 0 && text.length > LONGEST_WORD) cut = text.length - (endsInHighSurrogate(text) ? 1 : 0);
    held = text.slice(Math.max(cut, 0));
    if (cut > 0) yield text.slice(0, cut);
  }
  if (held !== "") yield held;
}
