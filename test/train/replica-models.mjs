// Models that the thread of a run and its replicas both make, the one from the sources and the others from the package.
import * as u from "unrolled";

export const text = "the quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs. ".repeat(4);
export const tokenizer = u.CharTokenizer.from(text);

/** @param {Pick<typeof import("unrolled"), "Module" | "Embedding" | "LSTM" | "Linear" | "crossEntropy">} unrolled */
export function taggerOf({ Module, Embedding, LSTM, Linear, crossEntropy }) {
  return class Tagger extends Module {
    embed = new Embedding(11, 5);
    encoder = new LSTM(5, 6, { bidirectional: true });
    head = new Linear(12, 3);
    /** Has no part in the loss. */
    spare = new Linear(2, 2);

    /** @param {import("unrolled").PaddedBatch<import("unrolled").Ids>} batch */
    loss({ inputs, lengths, targets }) {
      const { output } = this.encoder.forward(this.embed.forward(inputs), { lengths });
      return crossEntropy(this.head.forward(output), targets);
    }
  };
}
