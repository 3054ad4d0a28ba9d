/**
 * Conditional random field: the scores of whole sequences of tags, on top of a network that scores each tag at each step.
 * Collobert et al. 2011, "Natural language processing (almost) from scratch"; Lample et al. 2016, "Neural architectures for
 * named entity recognition".
 *
 *     score(y) = start[y_1] + sum_t x[t, y_t] + sum_(t > 1) transitions[y_(t - 1), y_t] + end[y_T]
 *     p(y | x) = e^score(y) / sum over all y' of e^score(y')
 *
 * `viterbi` finds the best sequence. Names of parameters and initialisation are those of pytorch-crf.
 */
import { type ChainScores, crfLosses, crfMarginals } from "../tensor/crf.js";
import type { Ids } from "../tensor/ids.js";
import { Parameter } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import { checkSize } from "./check.js";
import { uniform } from "./initializers.js";
import { type ReductionOptions, reduce } from "./losses/reduction.js";
import { Module } from "./module.js";

/** Options of {@link ConditionalRandomField}'s loss. */
export interface CrfLossOptions extends ReductionOptions {
  /** Steps of each sequence, from 0 to T; default all T. */
  readonly lengths?: ArrayLike<number> | undefined;
}

/** Scores of tags after tags. */
export class ConditionalRandomField extends Module {
  /** K. */
  readonly tags: number;
  /** (K): of beginning with a tag. */
  readonly start_transitions: Parameter;
  /** (K): of ending with it. */
  readonly end_transitions: Parameter;
  /** (K, K): of column's tag after row's. */
  readonly transitions: Parameter;

  /**
   * @param tags - K
   * @throws ArgumentError
   */
  constructor(tags: number) {
    super();
    checkSize("ConditionalRandomField", "tags", tags);
    const draw = uniform(-0.1, 0.1);
    this.tags = tags;
    this.start_transitions = new Parameter([tags], draw);
    this.end_transitions = new Parameter([tags], draw);
    this.transitions = new Parameter([tags, tags], draw);
  }

  #scores(emissions: Tensor): ChainScores {
    const { transitions, start_transitions: start, end_transitions: end } = this;
    return { emissions, transitions, start, end };
  }

  /**
   * -ln p(targets | emissions) in nats, by reduction the mean or sum of sequences, or each by itself (B). A sequence of
   * no steps has the loss 0.
   * @param emissions - (B, T, K), logits
   * @param targets - tags (B, T); past the lengths they are not looked at
   * @throws ShapeError, ArgumentError for a length or a tag out of range
   */
  loss(emissions: Tensor, targets: Ids, options: CrfLossOptions = {}): Tensor {
    return reduce(this.label, crfLosses(this.#scores(emissions), targets, options.lengths), options);
  }

  /**
   * The probability of each tag at each step, all sequences of tags considered, (B, T, K); 0 past the lengths. No gradient
   * flows through it.
   * @param emissions - (B, T, K), logits
   * @param lengths - steps of each sequence, from 0 to T; default all T
   * @throws ShapeError, ArgumentError for a length out of range
   */
  marginals(emissions: Tensor, lengths?: ArrayLike<number>): Tensor {
    return crfMarginals(this.#scores(emissions), lengths);
  }
}
