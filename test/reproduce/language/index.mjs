// The experiments with language: `npm run reproduce -- language` runs all, in this order.

/** @type {import("../run.mjs").Experiment[]} */
export const language = [];
