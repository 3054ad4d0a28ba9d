/** What the package gives, in the order data flows. */

export { Core, createCore, getCore, loadCore } from "./core/core.js";
export { readAnalogies } from "./data/analogies.js";
export { balancedWeights, type ClassWeightOptions, classWeights } from "./data/balance.js";
export type { ByteSource } from "./data/byte-source.js";
export { type CsvOptions, type CsvRow, readCsv } from "./data/csv.js";
export { LaneStream, type LaneStreamOptions, streamLanes } from "./data/lane-stream.js";
export {
  type Batch,
  evaluationLanes,
  IGNORED_TARGET,
  Lanes,
  type LanesOptions,
  type LanesSplit,
  lanes,
} from "./data/lanes.js";
export { type BatchOrderOptions, type BucketOptions, shuffled } from "./data/order.js";
export {
  type FeatureExample,
  type IdExample,
  type PaddedBatch,
  PaddedBatches,
  type PaddedOptions,
  paddedBatches,
  type SequenceTargets,
} from "./data/padded.js";
export {
  type ConllOptions,
  type ConllSentence,
  type LineOptions,
  readConll,
  readJsonLines,
  readLines,
} from "./data/readers.js";
export { type SeriesBatch, type SeriesOptions, SeriesWindows, seriesWindows } from "./data/series.js";
export { type ExampleSplit, type SplitOptions, splitExamples } from "./data/split.js";
export type { TextSource } from "./data/text-source.js";
export {
  readBinaryWordVectors,
  readWordVectors,
  type WordVectorOptions,
  writeBinaryWordVectors,
  writeWordVectors,
} from "./data/word-vectors.js";
export {
  ArgumentError,
  CellDefinitionError,
  CorePoisonedError,
  DataError,
  DTypeError,
  HigherOrderGradientError,
  isUnrolledError,
  LoadError,
  type LoadErrorCategory,
  MissingPackageError,
  NotInitializedError,
  OutOfMemoryError,
  PromiseInUpdateError,
  ReplicaError,
  ScopeError,
  ShapeError,
  TokenizerError,
  TrainingDivergedError,
  UnregisteredParameterError,
  UnrolledError,
} from "./errors.js";
export { type BeamSearchOptions, beamSearch, type Hypothesis } from "./infer/beam-search.js";
export { compareInt8, type Int8Comparison } from "./infer/compare-int8.js";
export {
  type CtcBeamOptions,
  type CtcDecodeOptions,
  ctcBeamSearch,
  ctcGreedyDecode,
  type Labelling,
} from "./infer/ctc-decode.js";
export { type GenerateOptions, generate } from "./infer/generate.js";
export { MixtureSampler, type MixtureSamplerOptions } from "./infer/mixture-sampling.js";
export { loadPrompt, type PromptState, readPrompt, savePrompt, type TextModel } from "./infer/prompt.js";
export { Sampler, type SamplingOptions } from "./infer/sampling.js";
export { Session, type SessionOptions, type StepInput, type Streamable } from "./infer/session.js";
export { surprisal, type TokenSurprisal, tokenSurprisal, type WordSurprisal } from "./infer/surprisal.js";
export { type BestPath, type ViterbiOptions, viterbi } from "./infer/viterbi.js";
export { type Alignment, alignmentSvg } from "./inspect/alignment-svg.js";
export { type Bar, type BarChartOptions, type BarHeading, barChart } from "./inspect/bar-chart.js";
export { confusionSvg } from "./inspect/confusion-svg.js";
export { csvLog } from "./inspect/csv-log.js";
export { type CurveOptions, curveSvg, lossCurve, type Series } from "./inspect/curve.js";
export { gateActivations, type LayerActivations } from "./inspect/gates.js";
export {
  type DistanceNorms,
  gradientByDistance,
  gradientDistanceSvg,
  type Stepwise,
} from "./inspect/gradient-distance.js";
export { type HeatmapOptions, heatmapSvg } from "./inspect/heatmap.js";
export {
  type JacobianNorms,
  type JacobianOptions,
  jacobianNorms,
  jacobianSvg,
  recurrentJacobians,
} from "./inspect/jacobian.js";
export type { Matrix } from "./inspect/matrix.js";
export { progressHtml, showProgress } from "./inspect/notebook-progress.js";
export { type PrincipalComponents, principalComponents } from "./inspect/principal-components.js";
export {
  type KnownWords,
  knownWords,
  type SamplesPageOptions,
  samplesHtml,
  type TrainingSample,
} from "./inspect/samples-page.js";
export { type Saturation, type SaturationOptions, saturation, saturationSvg } from "./inspect/saturation.js";
export { type ModelSummary, type SummaryRow, summarizeModel } from "./inspect/summary.js";
export { type StateSurvival, type SurvivalOptions, stateSurvival, survivalSvg } from "./inspect/survival.js";
export { type Color, colorHex, type NamedColor, type SwatchOptions, swatchesSvg } from "./inspect/swatches.js";
export {
  type TensorBoardOptions,
  tensorBoardHeader,
  tensorBoardLog,
  tensorBoardScalars,
} from "./inspect/tensorboard.js";
export {
  type WordAxis,
  type WordAxisTable,
  wordAxisSvg,
  wordAxisTable,
  wordAxisText,
} from "./inspect/word-axes.js";
export { type WeightedWord, wordHeatHtml } from "./inspect/word-heat.js";
export { type WordMapOptions, wordMapSvg } from "./inspect/word-map.js";
export {
  type ElmanFormOptions,
  type ElmanMatrix,
  joinElmanMatrix,
  splitElmanMatrix,
} from "./io/elman-forms.js";
export { complementGate, type GateRows } from "./io/gates.js";
export {
  type DescribedModel,
  type LoadOptions,
  load,
  type ModelFile,
  type ModelFileOptions,
  type ModelSource,
  readModelFile,
  type SaveOptions,
  save,
} from "./io/model-file.js";
export { type PageFile, type PageFileHandle, pageFile } from "./io/page-file.js";
export {
  readSafetensors,
  readShardIndex,
  readShards,
  type Safetensors,
  type ShardIndex,
  type StoredTensor,
  toFloat32,
  type WritableTensor,
  writeSafetensors,
} from "./io/safetensors.js";
export {
  AdaptiveSoftmax,
  type AdaptiveSoftmaxLossOptions,
  type AdaptiveSoftmaxOptions,
} from "./nn/adaptive-softmax.js";
export { AdditiveAttention, type AdditiveAttentionOptions, ConcatAttention } from "./nn/attention/additive.js";
export {
  type Attended,
  Attention,
  type AttentionClass,
  type AttentionMemory,
  type AttentionOptions,
} from "./nn/attention/attention.js";
export { AttentionalState } from "./nn/attention/attentional-state.js";
export {
  type AttentionCache,
  CausalSelfAttention,
  type CausalSelfAttentionOptions,
  type Positions,
} from "./nn/attention/causal.js";
export { DotAttention } from "./nn/attention/dot.js";
export { GeneralAttention } from "./nn/attention/general.js";
export { LocalAttention } from "./nn/attention/local.js";
export { CompiledGRU, CompiledLSTM, CompiledProjectedLSTM, CompiledRNN } from "./nn/cells/fused-equations.js";
export { GRUResetBefore } from "./nn/cells/gru-reset-before.js";
export { IRNN, type IRNNOptions } from "./nn/cells/irnn.js";
export { defineJordan, Jordan, type JordanActivations } from "./nn/cells/jordan.js";
export { LayerNormLSTM } from "./nn/cells/layer-norm-lstm.js";
export { defineLRU, LRU, type LRUDefinition } from "./nn/cells/lru.js";
export {
  CoupledGateLSTM,
  FullGateRecurrenceLSTM,
  NoForgetGateLSTM,
  NoInputActivationLSTM,
  NoInputGateLSTM,
  NoOutputActivationLSTM,
  NoOutputGateLSTM,
  NoPeepholeLSTM,
  PeepholeLSTM,
} from "./nn/cells/lstm-variants.js";
export { MinGRU } from "./nn/cells/min-gru.js";
export { MinLSTM } from "./nn/cells/min-lstm.js";
export { MinimalGatedUnit } from "./nn/cells/minimal-gated-unit.js";
export { MUT1, MUT2, MUT3, ProjectedMUT1, ProjectedMUT2 } from "./nn/cells/mut.js";
export {
  defineRecurrentHighway,
  RecurrentHighway,
  type RecurrentHighwayDefinition,
} from "./nn/cells/recurrent-highway.js";
export { RGLRU } from "./nn/cells/rg-lru.js";
export { defineSLSTM, SLSTM, type SLSTMDefinition } from "./nn/cells/slstm.js";
export type { CellSizes, CompiledOptions, CompiledRunOptions } from "./nn/compiler/compiled.js";
export type { RecurrenceDropout } from "./nn/compiler/dropout.js";
export type { CellTools, GateOptions, NormOptions, Value, VectorOptions } from "./nn/compiler/trace.js";
export { ConditionalRandomField, type CrfLossOptions } from "./nn/crf.js";
export {
  type CellDefinitionOptions,
  type CompiledCellClass,
  type CompiledClass,
  type CompiledLayer,
  type CompiledLayerOptions,
  type CompiledSequenceOptions,
  type CompiledState,
  defineCell,
} from "./nn/define-cell.js";
export { Dropout } from "./nn/dropout.js";
export { Embedding, type EmbeddingLayerOptions, type PretrainedOptions } from "./nn/embedding.js";
export { GRU, GRUCell } from "./nn/gru.js";
export { Highway, type HighwayOptions } from "./nn/highway.js";
export { InitialState, type InitialStateOptions } from "./nn/initial-state.js";
export {
  byName,
  constant,
  forgetGateBias,
  type GateBias,
  gateBias,
  identityMatrix,
  type KaimingOptions,
  kaimingNormal,
  kaimingUniform,
  normal,
  type ParameterMatch,
  truncatedNormal,
  uniform,
  xavierNormal,
  xavierUniform,
} from "./nn/initializers.js";
export { LayerNorm, type LayerNormModuleOptions } from "./nn/layer-norm.js";
export { Linear, type LinearOptions } from "./nn/linear.js";
export { LockedDropout, type LockedDropoutOptions } from "./nn/locked-dropout.js";
export {
  activationPenalty,
  type TemporalPenaltyOptions,
  temporalActivationPenalty,
} from "./nn/losses/activation-penalties.js";
export { type BinaryCrossEntropyOptions, binaryCrossEntropyWithLogits } from "./nn/losses/binary-cross-entropy.js";
export { type ClassLossOptions, type CrossEntropyOptions, crossEntropy, nllLoss } from "./nn/losses/cross-entropy.js";
export { type CtcOptions, ctcLoss } from "./nn/losses/ctc.js";
export { type GaussianNllOptions, gaussianNllLoss } from "./nn/losses/gaussian.js";
export { gaussianMixtureLoss, handwritingLoss } from "./nn/losses/mixture-density.js";
export type { Reduction, ReductionOptions } from "./nn/losses/reduction.js";
export {
  type HuberOptions,
  huberLoss,
  l1Loss,
  mseLoss,
  type SmoothL1Options,
  smoothL1Loss,
} from "./nn/losses/regression.js";
export { type SampledSoftmaxOptions, sampledSoftmaxLoss } from "./nn/losses/sampled-softmax.js";
export { LSTM, LSTMCell, type LSTMOptions } from "./nn/lstm.js";
export { type InitOptions, Module, type Plain, type StateDict } from "./nn/module.js";
export { type OrthogonalOptions, orthogonal } from "./nn/orthogonal.js";
export { type PretrainedVectorOptions, pretrained } from "./nn/pretrained.js";
export {
  type CellOptions,
  RecurrentCell,
  RecurrentLayer,
  type RecurrentOptions,
  type SequenceOptions,
  type SequenceResult,
} from "./nn/recurrent.js";
export { Elman, type ElmanOptions, type OutputActivation, RNN, RNNCell, type RNNOptions } from "./nn/rnn.js";
export { SinusoidalPositions } from "./nn/sinusoidal-positions.js";
export { CarriedState, type HiddenState, type LSTMState, type RecurrentState } from "./nn/state.js";
export { type StreamParts, streamPlan } from "./nn/stream-plan.js";
export { TransformerLayer, type TransformerLayerOptions } from "./nn/transformer-layer.js";
export {
  Backwards,
  Bidirectional,
  type BidirectionalOptions,
  type BidirectionalState,
  type Merge,
} from "./nn/wiring/bidirectional.js";
export {
  Conditioned,
  type ConditionedOptions,
  type ConditionedSequenceOptions,
  type ConditionedState,
} from "./nn/wiring/conditioned.js";
export { Dilated } from "./nn/wiring/dilated.js";
export {
  type LayerSkip,
  RecurrentStack,
  type RecurrentStackOptions,
  type StackState,
} from "./nn/wiring/recurrent-stack.js";
export type { PartState, SequenceModule, StateOf, WiringOptions } from "./nn/wiring/sequence-module.js";
export { TimeSkip, type TimeSkipState } from "./nn/wiring/time-skip.js";
export { Zoneout, type ZoneoutOptions } from "./nn/zoneout.js";
export { CharacterEncoder, type CharacterEncoderOptions } from "./tasks/character-encoder.js";
export type { Classification, ClassifierScores, LabelledText } from "./tasks/class-scores.js";
export { type Pooling, TextClassifier, type TextClassifierOptions } from "./tasks/classifier.js";
export { ColorNames, type ColorNamesOptions, type ColorScores } from "./tasks/color-names.js";
export { DictionaryTagger } from "./tasks/dictionary-tagger.js";
export { type Decoded, type Encoded, EncoderDecoder, type EncoderDecoderOptions } from "./tasks/encoder-decoder.js";
export { HybridClassifier, type HybridClassifierOptions, type HybridWeights } from "./tasks/hybrid-classifier.js";
export { LanguageModel, type LanguageModelOptions, type RecurrentClass } from "./tasks/language-model.js";
export { NaiveBayes, type NaiveBayesOptions } from "./tasks/naive-bayes.js";
export { NextTokenModel, type NextTokenOptions } from "./tasks/next-token-model.js";
export { NGramModel, type NGramModelOptions } from "./tasks/ngram.js";
export { charRnn, minCharRnn, type Preset, presets, quick, zarembaSmall } from "./tasks/presets.js";
export type { SequenceEncoderOptions } from "./tasks/sequence-encoder.js";
export {
  type TaggedSentence,
  type TaggedText,
  type TaggedWord,
  Tagger,
  type TaggerBatch,
  type TaggerOptions,
  type TaggerScores,
  type TextSpan,
} from "./tasks/tagger.js";
export { TransformerLanguageModel, type TransformerLanguageModelOptions } from "./tasks/transformer.js";
export {
  type TextPair,
  type TranslateOptions,
  type Translation,
  type TranslationBatch,
  Translator,
  type TranslatorOptions,
} from "./tasks/translator.js";
export {
  BagOfWordsLanguageModel,
  type BagOfWordsLanguageModelOptions,
  FeedForwardLanguageModel,
  type FeedForwardLanguageModelOptions,
} from "./tasks/window-models.js";
export {
  type ExplainedClassification,
  type PredictsTexts,
  type WordInfluence,
  type WordInfluenceOptions,
  wordInfluence,
} from "./tasks/word-influence.js";
export { type BagOfWordsBatch, ContinuousBagOfWords } from "./tasks/word-vectors/cbow.js";
export { type CoOccurrences, coOccurrenceBatches, coOccurrences, GloVe } from "./tasks/word-vectors/glove.js";
export { SkipGram, type SkipGramBatch } from "./tasks/word-vectors/skip-gram.js";
export {
  trainWordVectors,
  type WordVectorProgress,
  type WordVectorTrainingOptions,
} from "./tasks/word-vectors/training.js";
export { bagOfWordsBatches, skipGramBatches, subsample, type WindowOptions } from "./tasks/word-vectors/windows.js";
export { add, div, maximum, minimum, mul, sub } from "./tensor/binary.js";
export { dropout, maskedFill } from "./tensor/dropout.js";
export { type EmbeddingOptions, embedding, oneHot } from "./tensor/embedding.js";
export { Ids, ids } from "./tensor/ids.js";
export type { ActivationName } from "./tensor/kinds.js";
export { type LayerNormOptions, layerNorm } from "./tensor/layer-norm.js";
export { linear, type MatmulOptions, matmul } from "./tensor/matmul.js";
export { type Initializer, Parameter } from "./tensor/parameter.js";
export { type GradientOptions, type Gradients, gradients, isRecording } from "./tensor/record.js";
export { argmax, max, mean, type ReduceOptions, sum } from "./tensor/reduce.js";
export { runScope } from "./tensor/scope.js";
export { concat, detach, permute, reshape, select, slice, stack, transpose } from "./tensor/shape.js";
export { logSoftmax, type SoftmaxOptions, softmax } from "./tensor/softmax.js";
export type { StreamPlan } from "./tensor/stream.js";
export type { RecordContext } from "./tensor/tape.js";
export {
  full,
  type NestedNumbers,
  ones,
  type PlainTensor,
  Tensor,
  tensor,
  zeros,
} from "./tensor/tensor.js";
export {
  abs,
  cos,
  elu,
  exp,
  hardSigmoid,
  hardSigmoidOnnx,
  hardTanh,
  identity,
  leakyRelu,
  log,
  neg,
  reciprocal,
  relu,
  sigmoid,
  sin,
  softplus,
  softsign,
  sqrt,
  square,
  tanh,
} from "./tensor/unary.js";
export { BpeTokenizer, type BpeTokenizerOptions } from "./text/bpe-tokenizer.js";
export type { BpeMerge } from "./text/bpe-training.js";
export { ByteTokenizer } from "./text/byte-tokenizer.js";
export { CharTokenizer, type CharTokenizerOptions, type UnknownCharacter } from "./text/char-tokenizer.js";
export {
  convertTags,
  spanTags,
  type TagRules,
  type TagScheme,
  type TagSpan,
  tagRules,
  tagSpans,
} from "./text/entity-tags.js";
export { type TokenizerReader, tokenizerFromJSON } from "./text/from-json.js";
export type { TokenDecoder, Tokenizer, TokenizerJSON } from "./text/tokenizer.js";
export {
  type VocabularyFromOptions,
  type VocabularyOptions,
  VocabularyTokenizer,
} from "./text/vocabulary-tokenizer.js";
export { WORD_SHAPES, wordShape } from "./text/word-shape.js";
export type { WordSplit } from "./text/word-splits.js";
export { WordTokenizer, type WordTokenizerOptions } from "./text/word-tokenizer.js";
export {
  type AnalogyAccuracy,
  type AnalogyAccuracyOptions,
  type AnalogyOptions,
  type AnalogyQuestion,
  type AnalogyScore,
  type Neighbour,
  WordVectors,
} from "./text/word-vectors.js";
export { Adadelta, type AdadeltaOptions } from "./train/adadelta.js";
export { Adagrad, type AdagradOptions } from "./train/adagrad.js";
export { Adam, type AdamOptions } from "./train/adam.js";
export { AdamW, type AdamWOptions } from "./train/adamw.js";
export { WeightAverage, type WeightAverageState } from "./train/average.js";
export { AveragedSGD, type AveragedSGDOptions, NonMonotoneTrigger } from "./train/averaged-sgd.js";
export { type Progress, readCheckpoint, writeCheckpoint } from "./train/checkpoint.js";
export { type ClipOptions, clipGradients } from "./train/clip.js";
export { type FinderOptions, type FinderPoint, type FinderResult, findLearningRate } from "./train/finder.js";
export { Lion, type LionOptions } from "./train/lion.js";
export {
  type BatchSource,
  type CheckpointEvent,
  type EarlyStopOptions,
  type EndEvent,
  type EpochEvent,
  type LossFunction,
  type ModelWithLoss,
  type Replication,
  type SampleEvent,
  type StartEvent,
  type TrainCallback,
  type TrainEvent,
  type TrainingData,
  TrainingRun,
  type TrainOptions,
  train,
  type UpdateEvent,
  type ValidEvent,
} from "./train/loop.js";
export { limitNorm } from "./train/max-norm.js";
export { Accuracy } from "./train/metrics/accuracy.js";
export { Bleu, type BleuScore, tokenize13a } from "./train/metrics/bleu.js";
export { type ConfidenceInterval, confidenceInterval } from "./train/metrics/confidence.js";
export { type ClassScores, ConfusionMatrix } from "./train/metrics/confusion.js";
export { EntityScores } from "./train/metrics/entities.js";
export { MeanAbsoluteError, MeanAbsoluteScaledError } from "./train/metrics/forecast.js";
export { Likelihood } from "./train/metrics/likelihood.js";
export type { Classes } from "./train/metrics/targets.js";
export { NAdam, type NAdamOptions } from "./train/nadam.js";
export {
  type AccumulationOptions,
  Optimizer,
  type OptimizerOptions,
  type OptimizerState,
  type ParameterGroup,
  type UpdateResult,
} from "./train/optimizer.js";
export { type OverlappingBatch, type OverlappingTraining, overlappingLanes } from "./train/overlap.js";
export type { ReplicaWorker } from "./train/replicas/messages.js";
export { type ReplicaOptions, replicas } from "./train/replicas/replicas.js";
export { type ServeOptions, serveReplica } from "./train/replicas/serve.js";
export type { Sharding } from "./train/replicas/sharding.js";
export { RMSprop, type RMSpropOptions } from "./train/rmsprop.js";
export {
  type CosineAnnealingOptions,
  type CosineWarmRestartsOptions,
  cosineAnnealing,
  cosineWarmRestarts,
} from "./train/schedules/cosine.js";
export {
  type ExponentialDecayOptions,
  exponentialDecay,
  inverseSquareRoot,
  inverseTimeDecay,
  type LinearScheduleOptions,
  linearSchedule,
  multiStepDecay,
  type PolynomialDecayOptions,
  polynomialDecay,
  stepDecay,
} from "./train/schedules/decay.js";
export { type CycleOptions, type OneCycleOptions, oneCycle, oneCycleMomentum } from "./train/schedules/one-cycle.js";
export { type PlateauState, ReduceOnPlateau, type ReduceOnPlateauOptions } from "./train/schedules/plateau.js";
export { byEpoch, type Schedule, type WarmUpOptions, warmUp } from "./train/schedules/schedule.js";
export { SGD, type SGDOptions } from "./train/sgd.js";
export {
  type NamedGradients,
  tiedGradients,
  type UnrolledGradients,
  unrolledGradients,
} from "./train/unrolled.js";
export { type TruncatedWindow, truncatedWindows } from "./train/windows.js";
