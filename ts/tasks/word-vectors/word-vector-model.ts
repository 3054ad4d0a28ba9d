/** What models have in common that are trained for their word vectors: a table of them, and what it is drawn from. */
import { checkSize } from "../../nn/check.js";
import { constant, uniform } from "../../nn/initializers.js";
import { Module } from "../../nn/module.js";
import { type Initializer, Parameter } from "../../tensor/parameter.js";
import { WordVectors } from "../../text/word-vectors.js";

/** A vector a word, and what more a model has. */
export abstract class WordVectorModel extends Module {
  /** u, (V, D) */
  readonly vectors: Parameter;

  /**
   * @param vocabSize - words, V
   * @param size - length of a vector, D
   * @param draw - the first values of vectors of a size
   * @throws ArgumentError unless both are whole numbers from 1
   * @internal
   */
  constructor(vocabSize: number, size: number, draw: (size: number) => Initializer) {
    super();
    checkSize(new.target.name, "vocabSize", vocabSize);
    checkSize(new.target.name, "size", size);
    this.vectors = new Parameter([vocabSize, size], draw(size));
  }

  /** Length of a vector. */
  protected get size(): number {
    return this.vectors.shape[1] as number;
  }

  /** u of every word. */
  wordVectors(words: readonly string[]): WordVectors {
    return new WordVectors(words, this.vectors.toArray(), this.size);
  }
}

/** Both models of word2vec: a vector to read a word by and one to predict it by, drawn as by word2vec.c. */
export abstract class Word2Vec extends WordVectorModel {
  /** v of skip-gram, V of bags of words, (V, D) */
  readonly outputVectors: Parameter;

  /**
   * @param vocabSize - words, V
   * @param size - length of a vector, D
   * @throws ArgumentError unless both are whole numbers from 1
   */
  constructor(vocabSize: number, size: number) {
    super(vocabSize, size, (width) => uniform(-0.5 / width, 0.5 / width));
    this.outputVectors = new Parameter([vocabSize, size], constant(0));
  }
}
