/**
 * Encoder and decoder: a sequence is read into a state, from which another is written (many-to-many, unaligned).
 *
 * Sutskever, Vinyals & Le 2014, "Sequence to sequence learning with neural networks": the decoder starts from the
 * encoder's last state; the source is read backwards (`reverseSource`).
 *
 *     s_0 = h_T      s_t = f(y_{t-1}, s_{t-1})      p(y_t) = softmax(W s_t + b)
 *
 * Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder": besides, every step of the decoder sees
 * the last output of the encoder (`contextAtEveryStep`).
 *
 *     s_t = f([y_{t-1}; h_T], s_{t-1})
 *
 * Luong, Pham & Manning 2015: the state attends to the outputs of the encoder; with input feeding the next step sees
 * what came of it.
 *
 *     s_t = f([y_{t-1}; u_{t-1}], s_{t-1})      u_t = tanh(W_c [attend(s_t); s_t])      p(y_t) = softmax(W u_t + b)
 *
 * Bahdanau, Cho & Bengio 2015: the state before the step attends, and the step sees the context. The output layer is
 * the one above in place of their maxout units.
 *
 *     c_t = attend(s_{t-1})      s_t = f([y_{t-1}; c_t], s_{t-1})      u_t = tanh(W_c [c_t; s_t])
 */
import { ArgumentError, ShapeError } from "../errors.js";
import type { Attention, AttentionMemory } from "../nn/attention/attention.js";
import { checkLengths } from "../nn/check.js";
import { Embedding } from "../nn/embedding.js";
import { normal } from "../nn/initializers.js";
import { Linear } from "../nn/linear.js";
import { Module } from "../nn/module.js";
import type { RecurrentLayer } from "../nn/recurrent.js";
import type { RecurrentState } from "../nn/state.js";
import { add } from "../tensor/binary.js";
import { uniformDraws } from "../tensor/draws.js";
import { checkProbability, dropout } from "../tensor/dropout.js";
import { Ids } from "../tensor/ids.js";
import { argmax } from "../tensor/reduce.js";
import { concat, reshape, select, slice } from "../tensor/shape.js";
import { type Tensor, zeros } from "../tensor/tensor.js";
import { tanh } from "../tensor/unary.js";
import type { RecurrentClass } from "./language-model.js";

/** Options of {@link EncoderDecoder}. */
export interface EncoderDecoderOptions {
  /** Ids of the source: 0 to sourceSize - 1. */
  readonly sourceSize: number;
  /** Ids of the target. */
  readonly targetSize: number;
  /** RNN, LSTM, GRU, or a cell of `defineCell` whose output is its state h. */
  readonly cell: RecurrentClass;
  /** Units of a layer, H. */
  readonly hiddenSize: number;
  /** Size of the embeddings of both sides; default hiddenSize. */
  readonly embeddingSize?: number | undefined;
  /** Layers of each side; default 1. */
  readonly numLayers?: number | undefined;
  /** Probability of dropout after the embeddings, between layers and before the output layer; default 0. */
  readonly dropout?: number | undefined;
  /** Whether the encoder reads in both directions; the decoder then starts from the sum of both states. Default false. */
  readonly bidirectional?: boolean | undefined;
  /** Whether the encoder reads the source backwards; not with attention. Default false. */
  readonly reverseSource?: boolean | undefined;
  /** Whether every step of the decoder sees the encoder's last output; default false. */
  readonly contextAtEveryStep?: boolean | undefined;
  /** Makes the attention of its sizes; default: no attention. */
  readonly attention?: ((querySize: number, memorySize: number) => Attention) | undefined;
  /**
   * Which state attends: that after the step (`"after"`, Luong), or the one before it, so that the step sees the context
   * (`"before"`, Bahdanau). Default "after".
   */
  readonly attend?: "after" | "before" | undefined;
  /** Whether the next step sees what came of the attention of this one; with `attend` "after". Default false. */
  readonly inputFeeding?: boolean | undefined;
  /**
   * Uses the target's embeddings as weight of the output layer (Press & Wolf 2017, "Using the Output Embedding to Improve
   * Language Models"); u_t then has the size of the embeddings. Default false.
   */
  readonly tieWeights?: boolean | undefined;
}

/** What the encoder made of a batch of sources. */
export interface Encoded {
  /** The decoder's first state. */
  readonly state: RecurrentState;
  /** (B, 1, H), what every step sees; absent without `contextAtEveryStep`. */
  readonly context?: Tensor | undefined;
  /** Absent without attention. */
  readonly memory?: AttentionMemory | undefined;
}

/** Some steps of the decoder. */
export interface Decoded {
  /** (B, S, targetSize) */
  readonly logits: Tensor;
  /** After the last step. */
  readonly state: RecurrentState;
  /** (B, S, T), with attention. */
  readonly weights?: Tensor | undefined;
}

/** Name of what is fed back, (1, B, U) or the state that attends next, (1, B, H), among the decoder's states. */
const FED = "fed";

/** Two recurrent networks, with or without attention. Sequences are (B, T). */
export class EncoderDecoder extends Module {
  /** Of the source's ids. */
  readonly sourceEmbedding: Embedding;
  /** Of the target's ids. */
  readonly targetEmbedding: Embedding;
  /** Reads the source. */
  readonly encoder: RecurrentLayer<RecurrentState>;
  /** Writes the target. */
  readonly decoder: RecurrentLayer<RecurrentState>;
  /** Null without attention. */
  readonly attention: Attention | null;
  /** W_c, (U, memory and H), with U = H or, tied, the size of the embeddings; null without attention where U = H */
  readonly combine: Linear | null;
  /** Logits of the target's ids. */
  readonly head: Linear;
  /** Probability of dropout after the embeddings, between layers and before the output layer. */
  readonly dropout: number;
  readonly #options: EncoderDecoderOptions;
  readonly #topSize: number;

  /** @throws ArgumentError */
  constructor(options: EncoderDecoderOptions) {
    super();
    const { cell: Cell, hiddenSize, numLayers = 1, embeddingSize = hiddenSize, bidirectional = false } = options;
    const refuse = (option: string, expected: string, value: unknown): never => {
      throw new ArgumentError("EncoderDecoder", option, expected, value);
    };
    const { attention, attend = "after", inputFeeding = false } = options;
    if (attend !== "after" && attend !== "before") refuse("attend", '"after" or "before"', attend);
    if (inputFeeding && (attention === undefined || attend === "before")) {
      refuse("inputFeeding", 'false unless there is attention with attend "after"', inputFeeding);
    }
    if (attention !== undefined && options.reverseSource === true) {
      refuse("reverseSource", "false with attention", true);
    }
    this.#options = options;
    this.dropout = options.dropout ?? 0;
    checkProbability("EncoderDecoder", "dropout", this.dropout);
    this.sourceEmbedding = new Embedding(options.sourceSize, embeddingSize);
    const { tieWeights = false } = options;
    // Rows of length about 1: what suits the logits, which are dot products with them.
    const initializer = tieWeights ? normal(0, 1 / Math.sqrt(embeddingSize)) : undefined;
    this.targetEmbedding = new Embedding(options.targetSize, embeddingSize, initializer && { initializer });
    const topSize = tieWeights ? embeddingSize : hiddenSize;
    const between = { numLayers, dropout: numLayers > 1 ? this.dropout : 0 };
    this.encoder = new Cell(embeddingSize, hiddenSize, { ...between, bidirectional });
    const memorySize = bidirectional ? 2 * hiddenSize : hiddenSize;
    const seen =
      embeddingSize +
      (options.contextAtEveryStep === true ? hiddenSize : 0) +
      (inputFeeding ? topSize : 0) +
      (attention !== undefined && attend === "before" ? memorySize : 0);
    this.decoder = new Cell(seen, hiddenSize, between);
    if (this.decoder.outputSize !== hiddenSize) {
      refuse("cell", `one whose output has hiddenSize, ${hiddenSize}, units`, Cell);
    }
    this.attention = attention?.(hiddenSize, memorySize) ?? null;
    const combined = hiddenSize + (this.attention === null ? 0 : memorySize);
    this.combine = combined === topSize ? null : new Linear(combined, topSize, { bias: false });
    this.head = new Linear(topSize, options.targetSize);
    if (tieWeights) this.head.weight = this.targetEmbedding.weight;
    this.#topSize = topSize;
  }

  /** Whether a step sees what the steps before it came to, so that they cannot be taken all at once. */
  get #feedsBack(): boolean {
    return this.#options.inputFeeding === true || (this.attention !== null && this.#options.attend === "before");
  }

  /**
   * Reads the sources.
   * @param source - (B, T), T at least 1
   * @param lengths - how many ids of each row count, from 0 to T; default all
   * @throws ShapeError, ArgumentError
   */
  encode(source: Ids, lengths?: ArrayLike<number>): Encoded {
    const [batch, steps] = source.shape;
    if (source.shape.length !== 2 || batch === undefined || steps === undefined || steps === 0) {
      throw new ShapeError(this.label, "the source", ["B", "1 or more"], source.shape);
    }
    checkLengths(this.label, lengths, batch, steps);
    const read = this.#options.reverseSource === true ? reversed(source, batch, steps, lengths) : source;
    const ends = lengths === undefined ? undefined : Int32Array.from(lengths);
    const embedded = this.#drop(this.sourceEmbedding.forward(read));
    const { output, state: last } = this.encoder.forward(embedded, { lengths: ends });
    const state = this.encoder.bidirectional ? joined(last) : last;
    const hidden = state["h"];
    if (hidden === undefined) throw new ArgumentError(this.label, "cell", "one whose output is its state h", "none");
    const top = slice(hidden, 0, -1);
    return {
      state: this.#feedsBack
        ? { ...state, [FED]: this.#options.inputFeeding ? zeros([1, batch, this.#topSize], top.core) : top }
        : state,
      context:
        this.#options.contextAtEveryStep === true ? reshape(top, [batch, 1, hidden.shape[2] as number]) : undefined,
      memory: this.attention?.prepare(output, ends),
    };
  }

  /**
   * Takes steps of the decoder: what follows each of these ids.
   * @param inputs - (B, S)
   * @param state - default: the first, of `encoded`
   */
  decode(inputs: Ids, encoded: Encoded, state: RecurrentState = encoded.state): Decoded {
    const steps = inputs.shape[1] ?? 0;
    if (!this.#feedsBack || steps === 1) return this.#steps(inputs, encoded, state);
    return this.#oneByOne(steps, encoded, state, (t) => column(inputs, t));
  }

  /**
   * Logits of the targets (teacher forcing): step t is given `inputs[t]`, or by chance what the model holds most likely
   * there. Bengio et al. 2015, "Scheduled sampling for sequence prediction with recurrent neural networks".
   *
   * @param source - (B, T)
   * @param lengths - of the source rows
   * @param inputs - (B, S), the targets, each one step later
   * @param options.teacherForcing - probability that a step is given `inputs` while recording; default 1
   * @returns logits (B, S, targetSize), and the weights of the attention (B, S, T)
   */
  forward(
    source: Ids,
    lengths: ArrayLike<number> | undefined,
    inputs: Ids,
    options: { readonly teacherForcing?: number } = {},
  ): Decoded {
    const { teacherForcing = 1 } = options;
    checkProbability(this.label, "teacherForcing", teacherForcing);
    const encoded = this.encode(source, lengths);
    const [batch = 0, steps = 0] = inputs.shape;
    if (teacherForcing === 1) return this.decode(inputs, encoded);
    const draws = uniformDraws(this.stream, batch * steps);
    return this.#oneByOne(steps, encoded, encoded.state, (t, before) => {
      const given = column(inputs, t);
      if (before === undefined) return given;
      const chosen = argmax(before).data;
      return new Ids(
        given.data.map((id, row) => ((draws[t * batch + row] ?? 0) < teacherForcing ? id : (chosen[row] as number))),
        given.shape,
      );
    });
  }

  #oneByOne(
    steps: number,
    encoded: Encoded,
    first: RecurrentState,
    input: (step: number, before: Tensor | undefined) => Ids,
  ): Decoded {
    let state = first;
    const taken: Decoded[] = [];
    for (let t = 0; t < steps; t++) {
      const step = this.#steps(input(t, taken[t - 1]?.logits), encoded, state);
      state = step.state;
      taken.push(step);
    }
    const weights = taken.flatMap((step) => step.weights ?? []);
    return {
      logits: concat(
        taken.map(({ logits }) => logits),
        1,
      ),
      state,
      weights: weights.length > 0 ? concat(weights, 1) : undefined,
    };
  }

  /** Some steps in one call; a single one where one depends on another. */
  #steps(inputs: Ids, { context, memory }: Encoded, state: RecurrentState): Decoded {
    const { attention, combine } = this;
    const { attend = "after", inputFeeding = false } = this.#options;
    const embedded = this.#drop(this.targetEmbedding.forward(inputs));
    const [batch, steps] = inputs.shape as [number, number];
    const seen: Tensor[] = [embedded];
    if (context !== undefined) seen.push(add(context, zeros([batch, steps, context.shape[2] as number], context.core)));
    const fed = state[FED];
    const query = fed === undefined ? undefined : reshape(fed, [batch, 1, fed.shape[2] as number]);
    let attended =
      attend === "before" && query !== undefined && memory !== undefined ? attention?.attend(query, memory) : undefined;
    if (attended !== undefined) seen.push(attended.context);
    else if (inputFeeding && query !== undefined) seen.push(query);
    const { output, state: next } = this.decoder.forward(seen.length > 1 ? concat(seen) : embedded, { state });
    if (attend === "after" && memory !== undefined) attended = attention?.attend(output, memory);
    const joint = attended === undefined ? output : concat([attended.context, output]);
    const top = combine === null ? output : tanh(combine.forward(joint));
    const after = inputFeeding ? top : output;
    return {
      logits: this.head.forward(this.#drop(top)),
      state: this.#feedsBack ? { ...next, [FED]: reshape(after, [1, batch, after.shape[2] as number]) } : next,
      weights: attended?.weights,
    };
  }

  #drop(x: Tensor): Tensor {
    return dropout(x, this.dropout, this.stream);
  }
}

/** Step t of every row, (B, 1). */
function column(ids: Ids, t: number): Ids {
  const [batch, steps] = ids.shape as [number, number];
  return new Ids(
    Int32Array.from({ length: batch }, (_, row) => ids.data[row * steps + t] as number),
    [batch, 1],
  );
}

/** Each row backwards from its own end; what is after it stays. */
function reversed(source: Ids, batch: number, steps: number, lengths: ArrayLike<number> | undefined): Ids {
  const data = source.data.slice();
  for (let row = 0; row < batch; row++) data.subarray(row * steps, row * steps + (lengths?.[row] ?? steps)).reverse();
  return new Ids(data, source.shape);
}

/** The states of both directions, (layers * 2, B, width), added: (layers, B, width). */
function joined(state: RecurrentState): RecurrentState {
  return Object.fromEntries(
    Object.entries(state).map(([name, value]) => {
      const [both, batch, width] = value.shape as [number, number, number];
      const pairs = reshape(value, [both / 2, 2, batch, width]);
      return [name, add(select(pairs, 1, 0), select(pairs, 1, 1))];
    }),
  );
}
