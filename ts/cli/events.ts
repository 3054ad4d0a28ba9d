/** What `unrolled train` reports, as JSON lines or to people. */
import type { EndEvent, EpochEvent, SampleEvent, UpdateEvent, ValidEvent } from "../train/loop.js";
import type { Kept } from "./resume.js";

/** First of all: what is trained, on what, how. */
export interface StartReport {
  readonly kind: "start";
  readonly file: string;
  /** Characters of the text, those for validation included. */
  readonly characters: number;
  /** Kind of the tokenizer, as "char" or "word". */
  readonly tokenizer: string;
  /** Tokens of the text, those for validation included. */
  readonly tokens: number;
  readonly validationTokens: number;
  /** Different tokens. */
  readonly vocabulary: number;
  readonly preset: string;
  readonly cell: string;
  readonly hiddenSize: number;
  readonly numLayers: number;
  /** 0 for one-hot input. */
  readonly embeddingSize: number;
  readonly dropout: number;
  /** Values that are trained. */
  readonly parameters: number;
  readonly batchSize: number;
  readonly seqLen: number;
  readonly optimizer: string;
  readonly lr: number;
  readonly seed: number;
  readonly updatesPerEpoch: number;
  /** Limits of the run; null where there is none. */
  readonly updates: number | null;
  readonly seconds: number | null;
  readonly out: string;
  /** What `--resume` goes on from; null where the model goes to no regular file. */
  readonly checkpoint: string | null;
  /** Updates that were done before; null for a new run. */
  readonly resumedFrom: number | null;
  /** Whether there is a model of that name, which will be replaced. */
  readonly replaces: boolean;
}

/** Why a model was saved: lowest validation loss so far, a minute has passed (without validation data), the end, or Ctrl-C. */
export type SaveReason = "best" | "periodic" | "end" | "interrupted";

/** The model was saved. */
export interface SaveReport {
  readonly kind: "save";
  readonly update: number;
  readonly reason: SaveReason;
  readonly path: string;
  readonly bytes: number;
}

/** The checkpoint was written: a run that is killed now goes on from here. */
export interface CheckpointReport {
  readonly kind: "checkpoint";
  readonly update: number;
  readonly path: string;
  readonly bytes: number;
}

/** Last of all. */
export interface EndReport extends EndEvent, Kept {
  readonly seconds: number;
  readonly path: string;
}

export type Report =
  | StartReport
  | UpdateEvent
  | ValidEvent
  | SampleEvent
  | EpochEvent
  | SaveReport
  | CheckpointReport
  | EndReport;
