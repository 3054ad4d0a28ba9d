// The experiments with language: `npm run reproduce -- language` runs all, in this order.
import { addition } from "./addition.mjs";
import { attentionLength } from "./attention-length.mjs";
import { awd } from "./awd.mjs";
import { characters } from "./characters.mjs";
import { colors } from "./colors.mjs";
import { gardenPath } from "./garden-path.mjs";
import { names } from "./names.mjs";
import { ner } from "./ner.mjs";
import { ptb } from "./ptb.mjs";
import { sentiment } from "./sentiment.mjs";
import { translation } from "./translation.mjs";
import { wordModels } from "./word-models.mjs";
import { wordVectors } from "./word-vectors.mjs";

/** @type {import("../run.mjs").Experiment[]} */
export const language = [
  sentiment,
  names,
  ner,
  characters,
  colors,
  gardenPath,
  awd,
  ptb,
  wordModels,
  wordVectors,
  translation,
  addition,
  attentionLength,
];
