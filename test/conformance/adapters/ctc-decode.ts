/** Group ctc_decode: TensorFlow's greedy decoder and its prefix beam search. */
import { ctcBeamSearch, ctcGreedyDecode } from "../../../ts/index.js";
import type { Case, Results } from "../corpus.js";
import { givenIds, ofRole } from "../vjp.js";

export function ctcDecode(test: Case): Results {
  const { blank, beam_width: beamWidth, top_paths: paths } = test.document.config as Record<string, number>;
  const logits = ofRole(test, "in").get("logits");
  if (logits === undefined) throw new Error(`${test.id} has no logits`);
  const options = { blank: blank as number, lengths: givenIds(test, "in.lengths").data };
  const beams = ctcBeamSearch(logits, { ...options, beamWidth: beamWidth as number, paths: paths as number });
  const width = test.tensors.get("out.greedy")?.shape[1] as number;
  const padded = (rows: number[][]) => rows.flatMap((row) => [...row, ...new Array(width - row.length).fill(-1)]);
  return new Map([
    ["out.greedy", { data: padded(ctcGreedyDecode(logits, options)) }],
    ["out.beam_best", { data: padded(beams.map(([best]) => best?.labels ?? [])) }],
    ["out.beam_log_prob", { data: beams.flatMap((beam) => beam.map(({ logProbability }) => logProbability)) }],
  ]);
}
