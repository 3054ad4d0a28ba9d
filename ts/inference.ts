/**
 * What runs trained models, without what trains, measures and draws them: a part of the main entry, for functions on
 * servers that must start fast and have no bundler to leave the rest away. Its classes are those of the main entry.
 */

export { Core, createCore, getCore, loadCore } from "./core/core.js";
export {
  ArgumentError,
  CorePoisonedError,
  isUnrolledError,
  LoadError,
  type LoadErrorCategory,
  OutOfMemoryError,
  ShapeError,
  TokenizerError,
  UnrolledError,
} from "./errors.js";
export { type GenerateOptions, generate } from "./infer/generate.js";
export { loadPrompt, type PromptState, readPrompt, savePrompt, type TextModel } from "./infer/prompt.js";
export { Sampler, type SamplingOptions } from "./infer/sampling.js";
export { Session, type SessionOptions, type StepInput, type Streamable } from "./infer/session.js";
export { surprisal, type TokenSurprisal, tokenSurprisal, type WordSurprisal } from "./infer/surprisal.js";
export {
  type DescribedModel,
  type LoadOptions,
  load,
  type ModelFile,
  type ModelFileOptions,
  type ModelSource,
  readModelFile,
} from "./io/model-file.js";
export { readSafetensors, readShards, type Safetensors, type StoredTensor, toFloat32 } from "./io/safetensors.js";
export { Embedding, type EmbeddingLayerOptions } from "./nn/embedding.js";
export { GRU, GRUCell } from "./nn/gru.js";
export { LayerNorm, type LayerNormModuleOptions } from "./nn/layer-norm.js";
export { Linear, type LinearOptions } from "./nn/linear.js";
export { LSTM, LSTMCell, type LSTMOptions } from "./nn/lstm.js";
export { type InitOptions, Module, type Plain, type StateDict } from "./nn/module.js";
export type { RecurrentOptions, SequenceOptions, SequenceResult } from "./nn/recurrent.js";
export { RNN, RNNCell, type RNNOptions } from "./nn/rnn.js";
export { CarriedState, type HiddenState, type LSTMState, type RecurrentState } from "./nn/state.js";
export { type StreamParts, streamPlan } from "./nn/stream-plan.js";
export { Bidirectional, type BidirectionalOptions, type BidirectionalState } from "./nn/wiring/bidirectional.js";
export { LanguageModel, type LanguageModelOptions, type RecurrentClass } from "./tasks/language-model.js";
export { add, div, mul, sub } from "./tensor/binary.js";
export { Ids, ids } from "./tensor/ids.js";
export { Parameter } from "./tensor/parameter.js";
export { argmax, max, mean, type ReduceOptions, sum } from "./tensor/reduce.js";
export { runScope } from "./tensor/scope.js";
export { concat, permute, reshape, select, slice, stack, transpose } from "./tensor/shape.js";
export { logSoftmax, type SoftmaxOptions, softmax } from "./tensor/softmax.js";
export { full, type PlainTensor, Tensor, tensor, zeros } from "./tensor/tensor.js";
export { relu, sigmoid, tanh } from "./tensor/unary.js";
export { BpeTokenizer, type BpeTokenizerOptions } from "./text/bpe-tokenizer.js";
export { ByteTokenizer } from "./text/byte-tokenizer.js";
export { CharTokenizer, type CharTokenizerOptions, type UnknownCharacter } from "./text/char-tokenizer.js";
export { tokenizerFromJSON } from "./text/from-json.js";
export type { TokenDecoder, Tokenizer, TokenizerJSON } from "./text/tokenizer.js";
export { VocabularyTokenizer } from "./text/vocabulary-tokenizer.js";
export { WordTokenizer, type WordTokenizerOptions } from "./text/word-tokenizer.js";
