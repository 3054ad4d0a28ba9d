/** Which adapter runs which operation, and what has none yet. */
import type { Case, Results } from "../corpus.js";
import { attention } from "./attention.js";
import { concatenated, elman, gruResetAfter, gruResetBefore, imageInit, jordan, lstmVariant, mutant } from "./cells.js";
import { clipNorm, clipValue } from "./clip.js";
import { ctcDecode } from "./ctc-decode.js";
import { embedding } from "./embedding.js";
import { generation, surprisalOf } from "./generate.js";
import { highway } from "./highway.js";
import { kerasAttention, kerasEmbeddingLstm, kerasLstmInit, kerasRecurrent, kerasStack } from "./keras.js";
import { kerasLoss } from "./keras-loss.js";
import { layerNorm } from "./layer-norm.js";
import { bceWithLogits, crossEntropyLoss, ctc, huber, l1, logSoftmaxOf, mse, nll, softmaxOf } from "./loss.js";
import { binaryClassifier, encoderDecoder, tagger, tiedLanguageModel } from "./model.js";
import { charModel, kerasFile, stateDict, tfjsFile } from "./model-files.js";
import { onnx } from "./onnx.js";
import { kerasOptim, optim } from "./optim.js";
import { torchCell, torchRnn } from "./recurrent.js";
import { kerasSchedule, schedule } from "./schedule.js";
import { stacked } from "./stack.js";
import { tbptt } from "./tbptt.js";
import { charLmTrain, minCharRnn, regressionTrain } from "./train.js";
import { analogy, bagOfWords, glove, skipGram } from "./word-vectors.js";

/** Runs a case and returns what it computed, under the names of the expectations. */
export type Adapter = (test: Case) => Results;

/** By group, then by operation. */
export const adapters: Readonly<Record<string, Readonly<Record<string, Adapter>>>> = {
  torch_rnn: { rnn_tanh: torchRnn, rnn_relu: torchRnn, lstm: torchRnn, gru: torchRnn },
  torch_cell: { rnn_tanh_cell: torchCell, lstm_cell: torchCell, gru_cell: torchCell },
  cells: {
    elman,
    jordan,
    rnn_concat_form: concatenated,
    rnn_image_init: imageInit,
    gru_reset_after: gruResetAfter,
    gru_reset_before: gruResetBefore,
    lstm_peephole: lstmVariant,
    lstm_variant_NIG: lstmVariant,
    lstm_variant_NFG: lstmVariant,
    lstm_variant_NOG: lstmVariant,
    lstm_variant_NIAF: lstmVariant,
    lstm_variant_NOAF: lstmVariant,
    lstm_variant_CIFG: lstmVariant,
    lstm_variant_NP: lstmVariant,
    mut1: mutant,
    mut2: mutant,
    mut3: mutant,
  },
  attention: { attention_dot: attention, attention_general: attention, attention_concat: attention },
  model: {
    seq2seq_sutskever: encoderDecoder,
    seq2seq_cho: encoderDecoder,
    seq2seq_luong: encoderDecoder,
    classifier_binary: binaryClassifier,
    classifier_tagger: tagger,
    char_lm_tied: tiedLanguageModel,
  },
  wordvec: { sgns: skipGram, cbow: bagOfWords, glove, analogy_3cosadd: analogy },
  highway: { highway },
  embedding: { embedding },
  optim: { sgd: optim, adagrad: optim, rmsprop: optim, adam: optim, adamw: optim, adadelta: optim },
  keras_optim: {
    keras_sgd: kerasOptim,
    keras_adagrad: kerasOptim,
    keras_rmsprop: kerasOptim,
    keras_adam: kerasOptim,
    keras_adadelta: kerasOptim,
  },
  schedule: {
    step: schedule,
    multistep: schedule,
    exponential: schedule,
    cosine: schedule,
    cosine_warm_restarts: schedule,
    linear: schedule,
    lambda_inverse_sqrt: schedule,
    onecycle: schedule,
    plateau: schedule,
  },
  keras_schedule: {
    "cosine-decay-warmup": kerasSchedule,
    "exponential-decay": kerasSchedule,
    "exponential-staircase": kerasSchedule,
    "inverse-time": kerasSchedule,
    polynomial: kerasSchedule,
  },
  clip: { clip_grad_norm: clipNorm, clip_grad_value: clipValue },
  loss: {
    cross_entropy: crossEntropyLoss,
    nll,
    ctc,
    bce_with_logits: bceWithLogits,
    mse,
    l1,
    huber,
    softmax: softmaxOf,
    log_softmax: logSoftmaxOf,
  },
  keras: {
    SimpleRNN: kerasRecurrent,
    LSTM: kerasRecurrent,
    GRU: kerasRecurrent,
    LSTM_init: kerasLstmInit,
    "Embedding+LSTM": kerasEmbeddingLstm,
    Attention: kerasAttention,
    stack: kerasStack,
  },
  keras_loss: {
    mse: kerasLoss,
    huber: kerasLoss,
    "bce-logits": kerasLoss,
    "categorical-ce-smooth": kerasLoss,
    "sparse-ce-logits": kerasLoss,
    "sparse-ce-ignore": kerasLoss,
  },
  layernorm: { layer_norm: layerNorm },
  ctc_decode: { ctc_decode: ctcDecode },
  train: { char_lm_train: charLmTrain, regression_train: regressionTrain, min_char_rnn: minCharRnn },
  stack: { stack_input_skip: stacked, stack_residual: stacked },
  tbptt: { gru_tbptt: tbptt, lstm_tbptt: tbptt, rnn_tanh_tbptt: tbptt },
  generate: { char_lm_generate: generation },
  surprisal: { surprisal: surprisalOf },
  onnx_node: {
    Adagrad: onnx,
    Adam: onnx,
    Gather: onnx,
    GRU: onnx,
    HardSigmoid: onnx,
    LayerNormalization: onnx,
    LogSoftmax: onnx,
    LSTM: onnx,
    Momentum: onnx,
    NegativeLogLikelihoodLoss: onnx,
    RNN: onnx,
    SoftmaxCrossEntropyLoss: onnx,
  },
  onnx_ext: { GRU: onnx, LSTM: onnx, RNN: onnx },
  model_files: {
    safetensors_state_dict: stateDict,
    safetensors_charlm: charModel,
    keras_file: kerasFile,
    tfjs_layers_model: tfjsFile,
  },
};

/**
 * What the library has not got: groups, or operations of a group that is covered otherwise. A case that is neither here
 * nor above is an error, so that nothing goes missing unseen.
 */
export const missing: ReadonlySet<string> = new Set();

/** Formats of malformed files that no loader reads yet. */
export const missingFormats: ReadonlySet<string> = new Set();
