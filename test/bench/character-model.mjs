// The model of W2 and W3, for every thread that trains it.
import * as unrolled from "unrolled";

export const symbols = 65;
export const tokenizer = new unrolled.CharTokenizer(
  Array.from({ length: symbols }, (_, k) => String.fromCharCode(48 + k)),
);

/**
 * @param {number} hiddenSize
 * @param {number} numLayers
 */
export function createCharacterModel(hiddenSize, numLayers) {
  return new unrolled.LanguageModel({ tokenizer, cell: unrolled.LSTM, hiddenSize, numLayers });
}

/**
 * Every batch begins with no state.
 * @param {unrolled.LanguageModel} model
 * @param {Pick<unrolled.Batch, "inputs" | "targets">} batch
 */
export function characterLoss(model, { inputs, targets }) {
  return unrolled.crossEntropy(model.forward(inputs).logits, targets);
}
