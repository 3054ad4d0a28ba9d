/** The entry `unrolled/onnx`: apart from the main one, which would carry the reader of the format for everyone. */

export { saveOnnx, type TokenModel } from "./export.js";
export { loadOnnx, type OnnxInput, OnnxModel, type OnnxOptions, type OnnxValues } from "./model.js";
