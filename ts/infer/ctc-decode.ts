/**
 * Labellings from the outputs of a network trained by connectionist temporal classification (`ctcLoss`).
 *
 * Greedy: the best class of each step, repetitions merged, blanks left out; the best path, which need not be the best
 * labelling. Prefix beam search (Graves 2012, "Supervised Sequence Labelling with Recurrent Neural Networks", section
 * 7.5; in this form Hannun et al. 2014, arXiv:1408.2873): for every labelling kept, the probability of all paths that
 * lead to it, apart for those that end in a blank:
 *
 *     blank(l)    = p(blank) (blank(l) + label(l))
 *     label(l)    = p(last of l) label(l)
 *     label(l k)  = p(k) (blank(l) + label(l)), without label(l) where k is the last of l
 */
import { logAddExp } from "../core/elementary.js";
import { ArgumentError, ShapeError } from "../errors.js";
import type { PlainTensor } from "../tensor/tensor.js";
import { logProbabilities } from "./beam-search.js";

/** Options of {@link ctcGreedyDecode}. */
export interface CtcDecodeOptions {
  /** Steps of each sequence; default all T. */
  readonly lengths?: ArrayLike<number>;
  /** The class that stands for no label; default 0. */
  readonly blank?: number;
}

/** Options of {@link ctcBeamSearch}. */
export interface CtcBeamOptions extends CtcDecodeOptions {
  /** Labellings kept at each step; default 16. */
  readonly beamWidth?: number;
  /** Labellings returned for each sequence, at most `beamWidth`; default 1. */
  readonly paths?: number;
}

/** A labelling and how probable it is. */
export interface Labelling {
  /** Classes, none of them the blank. */
  readonly labels: number[];
  /** Logarithm of the sum of the probabilities of the paths to it that were kept, in nats. */
  readonly logProbability: number;
}

/** Logits (B, T, K), or (T, K) for one sequence, cut to their lengths: rows of K. */
function sequencesOf(where: string, logits: PlainTensor, options: CtcDecodeOptions) {
  const { blank = 0, lengths } = options;
  const shape = logits.shape.length === 2 ? [1, ...logits.shape] : logits.shape;
  const [batch, steps, classes] = shape;
  if (shape.length !== 3 || batch === undefined || steps === undefined || classes === undefined) {
    throw new ShapeError(where, "logits", ["B", "T", "K"], logits.shape);
  }
  if (!(Number.isInteger(blank) && blank >= 0 && blank < classes)) {
    throw new ArgumentError(where, "blank", `from 0 to ${classes - 1}`, blank);
  }
  if (lengths !== undefined && lengths.length !== batch)
    throw new ShapeError(where, "lengths", [batch], [lengths.length]);
  const sequences = Array.from({ length: batch }, (_, b) => {
    const length = lengths?.[b] ?? steps;
    if (!(Number.isInteger(length) && length >= 0 && length <= steps)) {
      throw new ArgumentError(where, `lengths[${b}]`, `from 0 to ${steps}`, length);
    }
    return Array.from({ length }, (_, t) =>
      logits.data.slice((b * steps + t) * classes, (b * steps + t + 1) * classes),
    );
  });
  return { blank, sequences };
}

/**
 * The labels of the best path of each sequence.
 * @param logits - (B, T, K) or (T, K), as `model.run` returns them
 * @throws ShapeError, ArgumentError (blank, lengths, beam)
 */
export function ctcGreedyDecode(logits: PlainTensor, options: CtcDecodeOptions = {}): number[][] {
  const { blank, sequences } = sequencesOf("ctcGreedyDecode", logits, options);
  return sequences.map((rows) => {
    const best = rows.map((row) => row.reduce((top, value, k) => (value > (row[top] as number) ? k : top), 0));
    return best.filter((label, t) => label !== blank && label !== best[t - 1]);
  });
}

/** A labelling under way: a node of the tree of all that were met. */
interface Prefix {
  readonly parent: Prefix | null;
  /** Its last label, -1 for the empty one. */
  readonly label: number;
  readonly longer: Map<number, Prefix>;
  /** Logarithms of the probabilities of the paths to it, ending in a blank or in its last label. */
  blank: number;
  labelled: number;
  /** The same one step later. */
  nextBlank: number;
  nextLabelled: number;
}

function prefix(parent: Prefix | null, label: number): Prefix {
  const none = -Infinity;
  return { parent, label, longer: new Map(), blank: none, labelled: none, nextBlank: none, nextLabelled: none };
}

/**
 * The most probable labellings of each sequence, best first, by prefix beam search.
 * @param logits - (B, T, K) or (T, K), before softmax, as `model.run` returns them
 * @throws ShapeError, ArgumentError (blank, lengths, beam)
 */
export function ctcBeamSearch(logits: PlainTensor, options: CtcBeamOptions = {}): Labelling[][] {
  const where = "ctcBeamSearch";
  const { beamWidth = 16, paths = 1 } = options;
  if (!(Number.isSafeInteger(beamWidth) && beamWidth >= 1)) {
    throw new ArgumentError(where, "beamWidth", "a whole number from 1", beamWidth);
  }
  if (!(Number.isSafeInteger(paths) && paths >= 1 && paths <= beamWidth)) {
    throw new ArgumentError(where, "paths", `a whole number from 1 to ${beamWidth}`, paths);
  }
  const { blank, sequences } = sequencesOf(where, logits, options);
  return sequences.map((rows) => {
    const start = prefix(null, -1);
    start.blank = 0;
    let beam = [start];
    for (const row of rows) beam = advance(beam, logProbabilities(row), blank, beamWidth);
    return beam.slice(0, paths).map((end) => ({ labels: labelsOf(end), logProbability: totalOf(end) }));
  });
}

/** The beam one step later. */
function advance(beam: readonly Prefix[], scores: Float64Array, blank: number, width: number): Prefix[] {
  const reached = new Set<Prefix>();
  for (const from of beam) {
    const total = totalOf(from);
    reached.add(from);
    from.nextBlank = logAddExp(from.nextBlank, total + (scores[blank] as number));
    if (from.label >= 0) {
      from.nextLabelled = logAddExp(from.nextLabelled, from.labelled + (scores[from.label] as number));
    }
    scores.forEach((score, label) => {
      if (label === blank) return;
      let to = from.longer.get(label);
      if (to === undefined) {
        to = prefix(from, label);
        from.longer.set(label, to);
      }
      reached.add(to);
      to.nextLabelled = logAddExp(to.nextLabelled, (label === from.label ? from.blank : total) + score);
    });
  }
  for (const at of reached) {
    [at.blank, at.labelled] = [at.nextBlank, at.nextLabelled];
    at.nextBlank = at.nextLabelled = -Infinity;
  }
  const ranked = Array.from(reached, (at) => ({ at, total: totalOf(at) })).sort((a, b) => b.total - a.total);
  for (const { at } of ranked.slice(width)) {
    // Impossible from now on, should it be reached again; forgotten, unless something in the tree grew out of it.
    at.blank = at.labelled = -Infinity;
    if (at.longer.size === 0) at.parent?.longer.delete(at.label);
  }
  return ranked.slice(0, width).map(({ at }) => at);
}

const totalOf = (at: Prefix): number => logAddExp(at.blank, at.labelled);

function labelsOf(end: Prefix): number[] {
  const labels: number[] = [];
  for (let at = end; at.parent !== null; at = at.parent) labels.push(at.label);
  return labels.reverse();
}
