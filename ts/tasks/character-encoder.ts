/**
 * Vectors of words from their characters: the last states of a recurrent layer that reads a word from both ends (Ling et
 * al. 2015, "Finding function in form"; Lample et al. 2016, "Neural architectures for named entity recognition"), so that
 * a word never seen still has its spelling.
 */
import { ArgumentError } from "../errors.js";
import { Embedding } from "../nn/embedding.js";
import { Module } from "../nn/module.js";
import type { RecurrentLayer } from "../nn/recurrent.js";
import type { RecurrentState } from "../nn/state.js";
import { concat, select } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import type { RecurrentClass } from "./language-model.js";
import { padded } from "./sequence-encoder.js";

/** Options of {@link CharacterEncoder}. */
export interface CharacterEncoderOptions {
  /** The characters (code points) that are known; all others are one. */
  readonly alphabet: string;
  /** RNN, LSTM, GRU, or a cell of `defineCell` with a state h. */
  readonly cell: RecurrentClass;
  /** Size of the embeddings of characters. */
  readonly embeddingSize: number;
  /** Units of each direction. */
  readonly hiddenSize: number;
}

/** Characters of a word that are read, the first ones. */
const MOST_CHARACTERS = 40;

/** Id of all characters that are not known. */
const UNKNOWN = 0;

/** Words to vectors (N, 2 hiddenSize); that of the word without characters is 0. */
export class CharacterEncoder extends Module {
  /** Of characters. */
  readonly embedding: Embedding;
  /** Reads a word in both directions. */
  readonly rnn: RecurrentLayer<RecurrentState>;
  readonly #ids: ReadonlyMap<string, number>;

  /** @throws ArgumentError */
  constructor({ alphabet, cell: Cell, embeddingSize, hiddenSize }: CharacterEncoderOptions) {
    super();
    const characters = [...alphabet];
    this.#ids = new Map(characters.map((character, i) => [character, i + 1]));
    if (this.#ids.size !== characters.length || characters.length === 0) {
      throw new ArgumentError("CharacterEncoder", "alphabet", "one character or more, all different", alphabet);
    }
    this.embedding = new Embedding(characters.length + 1, embeddingSize);
    this.rnn = new Cell(embeddingSize, hiddenSize, { bidirectional: true });
  }

  /** A vector for each word, (N, 2 hiddenSize), all in one call of the recurrent layer. */
  forward(words: readonly string[]): Tensor {
    const { inputs, lengths } = padded(words.map((word) => this.#encode(word)));
    const { state } = this.rnn.forward(this.embedding.forward(inputs), { lengths });
    const { h } = state;
    if (h === undefined) throw new ArgumentError(this.label, "cell", "one with a state h", "none");
    return concat([select(h, 0, 0), select(h, 0, 1)]);
  }

  #encode(word: string): number[] {
    // No character has more than two units; so a long word costs no more than what is read of it.
    const read = [...word.slice(0, 2 * MOST_CHARACTERS)].slice(0, MOST_CHARACTERS);
    return read.map((character) => this.#ids.get(character) ?? UNKNOWN);
  }
}
