/** Operators over whole axes: softmax, layer normalisation, reductions. */
import { add, mul, sub } from "../../../tensor/binary.js";
import { Ids } from "../../../tensor/ids.js";
import { layerNorm } from "../../../tensor/layer-norm.js";
import { argmax, max, mean, sum } from "../../../tensor/reduce.js";
import { axisOf, reshape } from "../../../tensor/shape.js";
import { logSoftmax, type SoftmaxOptions, softmax } from "../../../tensor/softmax.js";
import { sameShape, sizeOf, type Tensor } from "../../../tensor/tensor.js";
import { neg, reciprocal, sqrt, square } from "../../../tensor/unary.js";
import type { Operator, Operators } from "../node.js";

/** Along one axis; before version 13 over all axes from that one on, as of a matrix. */
function softmaxOver(of: (x: Tensor, options: SoftmaxOptions) => Tensor): Operator {
  return {
    inputs: ["input"],
    prepare: (node) => {
      const axis = node.integer("axis", node.version < 13 ? 1 : -1);
      return (inputs) => {
        const x = node.real(inputs, 0);
        const along = axisOf(node.label, axis, x.shape.length);
        if (node.version >= 13) return [of(x, { axis: along })];
        const rows = sizeOf(x.shape.slice(0, along));
        return [reshape(of(reshape(x, [rows, rows === 0 ? 0 : x.size / rows]), {}), x.shape)];
      };
    },
  };
}

/** Over all axes from one on; also gives the means and the inverse standard deviations, those axes kept with length 1. */
const layerNormalization: Operator = {
  inputs: ["X", "Scale", "B?"],
  prepare: (node) => {
    const axis = node.integer("axis", -1);
    const epsilon = node.float("epsilon", 1e-5);
    return (inputs) => {
      const [x, scale, bias] = [node.real(inputs, 0), node.real(inputs, 1), node.optionalReal(inputs, 2)];
      const along = axisOf(node.label, axis, x.shape.length);
      const normalized = x.shape.slice(along);
      const whole = sameShape(scale.shape, normalized) && (bias === undefined || sameShape(bias.shape, normalized));
      const options = whole ? { weight: scale, bias: bias ?? null, epsilon } : { epsilon };
      let y = layerNorm(x, normalized, options, node.label);
      if (!whole) {
        // Factors of fewer axes broadcast.
        y = mul(y, scale);
        if (bias !== undefined) y = add(y, bias);
      }
      if (node.outputCount < 2) return [y];
      const lead = x.shape.slice(0, along);
      const rows = reshape(x, [sizeOf(lead), sizeOf(normalized)]);
      const means = mean(rows, 1, { keepDims: true });
      const variances = mean(square(sub(rows, means)), 1, { keepDims: true });
      const shape = x.shape.map((length, i) => (i < along ? length : 1));
      const inverse = reciprocal(sqrt(add(variances, epsilon)));
      return [y, reshape(means, shape), reshape(inverse, shape)];
    };
  },
};

/** Axes are an attribute before the version given, an input since; none means all, or with `noop_with_empty_axes` none. */
function reduceOver(of: (x: Tensor, axis: number) => Tensor, axesAreInputSince: number): Operator {
  return {
    inputs: ["data", "axes?"],
    prepare: (node) => {
      const attribute = node.version < axesAreInputSince ? (node.integers("axes") ?? []) : undefined;
      const keep = node.integer("keepdims", 1) === 1;
      const none = node.flag("noop_with_empty_axes");
      return (inputs) => {
        const x = node.real(inputs, 0);
        const asked = attribute ?? node.wholeList(inputs, 1) ?? [];
        const all = asked.length > 0 || none ? asked : x.shape.map((_, i) => i);
        const axes = new Set(all.map((axis) => axisOf(node.label, axis, x.shape.length)));
        let y = x;
        for (const axis of axes) y = of(y, axis);
        return [
          keep
            ? y
            : reshape(
                y,
                x.shape.filter((_, i) => !axes.has(i)),
              ),
        ];
      };
    },
  };
}

const keepDims = { keepDims: true };

const argMax: Operator = {
  inputs: ["data"],
  prepare: (node) => {
    const axis = node.integer("axis", 0);
    const keep = node.integer("keepdims", 1) === 1;
    if (node.flag("select_last_index")) throw node.invalid("select_last_index", "0", "1");
    return (inputs) => {
      const x = node.real(inputs, 0);
      const chosen = argmax(x, axis);
      const along = axisOf(node.label, axis, x.shape.length);
      return [
        keep
          ? new Ids(
              chosen.data,
              x.shape.map((length, i) => (i === along ? 1 : length)),
            )
          : chosen,
      ];
    };
  },
};

export const normalizationOperators: Operators = {
  ArgMax: argMax,
  LayerNormalization: layerNormalization,
  LogSoftmax: softmaxOver(logSoftmax),
  ReduceMax: reduceOver((x, axis) => max(x, axis, keepDims), 18),
  ReduceMean: reduceOver((x, axis) => mean(x, axis, keepDims), 18),
  ReduceMin: reduceOver((x, axis) => neg(max(neg(x), axis, keepDims)), 18),
  ReduceSum: reduceOver((x, axis) => sum(x, axis, keepDims), 13),
  Softmax: softmaxOver(softmax),
};
