/** The entry `unrolled/keras`: apart from the main one, which would carry the readers of the formats for everyone. */

export { KerasAttention } from "./attention.js";
export { KerasBidirectional, type MergeMode } from "./bidirectional.js";
export { type LoadKerasOptions, loadKeras } from "./keras-file.js";
export { type Flow, KerasLayer } from "./layer.js";
export { type KerasInput, KerasModel, type KerasModelOptions } from "./model.js";
export { KerasRecurrent } from "./recurrent.js";
export { loadTfjs, tfjsWeightFiles } from "./tfjs.js";
