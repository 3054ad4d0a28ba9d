// The experiments with language: `npm run reproduce -- language` runs all, in this order.
import { ner } from "./ner.mjs";

/** @type {import("../run.mjs").Experiment[]} */
export const language = [ner];
