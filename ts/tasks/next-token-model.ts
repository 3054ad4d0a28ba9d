/** What models of the next token have in common whose last layer is a linear one or an adaptive softmax. */
import { type Batch, IGNORED_TARGET } from "../data/lanes.js";
import { AdaptiveSoftmax } from "../nn/adaptive-softmax.js";
import { Linear } from "../nn/linear.js";
import { crossEntropy } from "../nn/losses/cross-entropy.js";
import { Module } from "../nn/module.js";
import type { CarriedState, RecurrentState } from "../nn/state.js";
import { checkProbability, dropout } from "../tensor/dropout.js";
import type { Ids } from "../tensor/ids.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { Config } from "./config.js";
import { meanTokenLoss } from "./mean-token-loss.js";

/** Options of every such model. */
export interface NextTokenOptions {
  /** Its tokens are the classes. */
  readonly tokenizer: Tokenizer;
  /** Probability of dropout, while training; default 0. */
  readonly dropout?: number | undefined;
  /**
   * Makes the last layer an {@link AdaptiveSoftmax} of these clusters, several times faster with many tokens of which the
   * first are the most frequent, as `VocabularyTokenizer` has them. Default: a linear layer.
   */
  readonly cutoffs?: readonly number[] | undefined;
}

/** A model with its own loss, and a state between calls: see `LanguageModel`. */
export abstract class NextTokenModel extends Module {
  /** Its tokens are the classes. */
  readonly tokenizer: Tokenizer;
  /** Probability of dropout while training. */
  readonly dropout: number;
  /** Features to logits; of an adaptive softmax the logits are ln p. */
  abstract readonly head: Linear | AdaptiveSoftmax;

  /** @internal */
  constructor(options: NextTokenOptions) {
    super();
    this.tokenizer = options.tokenizer;
    this.dropout = options.dropout ?? 0;
    checkProbability(new.target.name, "dropout", this.dropout);
  }

  /** What the last layer sees, (B, T, any), of ids (B, T), and the state after them. @internal */
  protected abstract features(
    ids: Ids,
    state: RecurrentState | undefined,
  ): { readonly features: Tensor; readonly state: RecurrentState };

  /** @internal */
  protected drop(x: Tensor): Tensor {
    return dropout(x, this.dropout, this.stream);
  }

  /**
   * Logits of the next token after each token.
   * @param ids - (B, T)
   * @param options.state - from the call before; default: nothing was before
   * @returns logits (B, T, V) and the state after the last step
   * @throws ShapeError, ArgumentError (an id that is none)
   */
  forward(
    ids: Ids,
    options: { readonly state?: RecurrentState | undefined } = {},
  ): { logits: Tensor; state: RecurrentState } {
    const { features, state } = this.features(ids, options.state);
    return { logits: this.head.forward(features), state };
  }

  /**
   * Mean cross-entropy of a batch in nats a token; what `train` minimises.
   * @param carried - the state before the batch, replaced by the one after it; nothing when `batch.first` is set
   */
  loss(batch: Batch, carried: CarriedState<RecurrentState>): Tensor {
    if (batch.first) carried.reset();
    const { features, state } = this.features(batch.inputs, carried.get());
    carried.set(state);
    const { head } = this;
    if (head instanceof Linear) return crossEntropy(head.forward(features), batch.targets);
    return head.loss(features, batch.targets, { ignoreIndex: IGNORED_TARGET });
  }

  /**
   * Mean cross-entropy in nats a token, exact: every token but the first is predicted once.
   * @param text - a text, or its ids
   * @param options.batchSize - lanes that start from nothing each; default 1, the whole context for every token; more are faster
   * @throws DataError when there are fewer than two tokens
   */
  evaluate(text: string | Int32Array, options: { readonly batchSize?: number } = {}): number {
    return meanTokenLoss(this, text, options.batchSize ?? 1);
  }
}

/** The last layer that the options ask for. @internal */
export function newHead(size: number, { tokenizer, cutoffs }: NextTokenOptions): Linear | AdaptiveSoftmax {
  return cutoffs === undefined
    ? new Linear(size, tokenizer.size)
    : new AdaptiveSoftmax(size, tokenizer.size, { cutoffs, headBias: true });
}

/** The options that a file has. @internal */
export function nextTokenOptionsFrom(config: Config): NextTokenOptions {
  return {
    tokenizer: config.tokenizer(),
    dropout: config.number("dropout"),
    cutoffs: config.numbers("cutoffs"),
  };
}
