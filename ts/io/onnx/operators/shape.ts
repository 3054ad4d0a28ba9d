/** Operators that arrange values: shapes, slices, axes; and those that make values of a shape. */
import { ArgumentError, DTypeError, LoadError, ShapeError } from "../../../errors.js";
import { add, broadcastShape, mul } from "../../../tensor/binary.js";
import { embedding, oneHot } from "../../../tensor/embedding.js";
import { Ids } from "../../../tensor/ids.js";
import { axisOf, concat, contiguousStrides, permute, replaceAxis, reshape, slice } from "../../../tensor/shape.js";
import { full, ones, sizeOf, Tensor, tensor } from "../../../tensor/tensor.js";
import { broadcast, rearrange } from "../integers.js";
import type { Inputs, Node, Operator, Operators } from "../node.js";
import { isPlainTensor, toInteger, type Value } from "../tensors.js";

/** Any value. */
function given(node: Node, inputs: Inputs, index: number): Value {
  const value = inputs[index];
  if (value === undefined) throw new DTypeError(node.label, `input ${node.inputName(index)}`, "Tensor or Ids", value);
  return value;
}

function reshaped(x: Value, shape: readonly number[]): Value {
  return x instanceof Tensor ? reshape(x, shape) : new Ids(x.data, shape);
}

const constant: Operator = {
  inputs: [],
  prepare: (node) => {
    const number = node.has("value_float") ? [node.float("value_float", 0)] : undefined;
    const numbers = number ?? node.floats("value_floats");
    const integer = node.has("value_int") ? [node.integer("value_int", 0)] : undefined;
    const integers = integer ?? node.integers("value_ints");
    const scalar = number !== undefined || integer !== undefined;
    const value = node.tensor("value");
    if (value === undefined && numbers === undefined && integers === undefined) {
      throw new LoadError("unsupported_op", `${node.label}: its value is neither a tensor nor numbers`);
    }
    return () => {
      if (value !== undefined) return [isPlainTensor(value) ? tensor(value.data, value.shape) : value];
      if (integers === undefined) {
        const data = Float32Array.from(numbers ?? []);
        return [tensor(data, scalar ? [] : [data.length])];
      }
      const data = Int32Array.from(integers, toInteger);
      return [new Ids(data, scalar ? [] : [data.length])];
    };
  },
};

const constantOfShape: Operator = {
  inputs: ["input"],
  prepare: (node) => {
    const value = node.tensor("value");
    const element = value === undefined ? 0 : (value.data[0] ?? 0);
    return (inputs) => {
      const shape = [...node.whole(inputs, 0).data];
      if (!shape.every((n) => n >= 0)) throw new ArgumentError(node.label, "input", "lengths from 0", shape);
      node.reserve(shape);
      if (value === undefined || isPlainTensor(value)) return [full(shape, element, node.context.core)];
      return [new Ids(new Int32Array(sizeOf(shape)).fill(element), shape)];
    };
  },
};

/** Lengths of the axes, from version 15 of a part of them. */
const shapeOf: Operator = {
  inputs: ["data"],
  prepare: (node) => {
    const start = node.integer("start", 0);
    const end = node.has("end") ? node.integer("end", 0) : undefined;
    return (inputs) => [new Ids(Int32Array.from(given(node, inputs, 0).shape.slice(start, end)))];
  },
};

const size: Operator = {
  inputs: ["data"],
  prepare: (node) => (inputs) => [new Ids(Int32Array.of(given(node, inputs, 0).size), [])],
};

/** 0 keeps a length (unless `allowzero`), -1 is what remains. */
const reshapeTo: Operator = {
  inputs: ["data", "shape"],
  prepare: (node) => {
    const allowZero = node.flag("allowzero");
    return (inputs) => {
      const x = given(node, inputs, 0);
      const asked = [...node.whole(inputs, 1).data];
      const shape = asked.map((n, i) => (n === 0 && !allowZero ? (x.shape[i] ?? 0) : n));
      const open = shape.indexOf(-1);
      if (open >= 0) {
        const known = sizeOf(replaceAxis(shape, open));
        shape[open] = known === 0 ? 0 : x.size / known;
      }
      if (sizeOf(shape) !== x.size || !shape.every((n) => Number.isInteger(n) && n >= 0)) {
        throw new ShapeError(node.label, `data, to become ${asked}, `, `${x.size} elements again`, x.shape);
      }
      return [reshaped(x, shape)];
    };
  },
};

const flatten: Operator = {
  inputs: ["input"],
  prepare: (node) => {
    const axis = node.integer("axis", 1);
    return (inputs) => {
      const x = given(node, inputs, 0);
      const at = axis === x.shape.length ? axis : axisOf(node.label, axis, x.shape.length);
      return [reshaped(x, [sizeOf(x.shape.slice(0, at)), sizeOf(x.shape.slice(at))])];
    };
  },
};

/** Axes are an attribute before version 13, an input since. */
function axesOf(node: Node): (inputs: Inputs) => readonly number[] | undefined {
  if (node.version >= 13) return (inputs) => node.wholeList(inputs, 1);
  const axes = node.integers("axes");
  return () => axes;
}

const squeeze: Operator = {
  inputs: ["data", "axes?"],
  prepare: (node) => {
    const axes = axesOf(node);
    return (inputs) => {
      const x = given(node, inputs, 0);
      const named = axes(inputs)?.map((axis) => axisOf(node.label, axis, x.shape.length));
      const wrong = named?.find((axis) => x.shape[axis] !== 1);
      if (wrong !== undefined) throw new ShapeError(node.label, "data", `1 element along axis ${wrong}`, x.shape);
      return [
        reshaped(
          x,
          x.shape.filter((length, i) => (named === undefined ? length !== 1 : !named.includes(i))),
        ),
      ];
    };
  },
};

const unsqueeze: Operator = {
  inputs: ["data", "axes?"],
  prepare: (node) => {
    const axes = axesOf(node);
    return (inputs) => {
      const x = given(node, inputs, 0);
      const asked = axes(inputs);
      if (asked === undefined) throw new ArgumentError(node.label, "axes", "given", asked);
      const dimensions = x.shape.length + asked.length;
      const places = new Set(asked.map((axis) => axisOf(node.label, axis, dimensions)));
      if (places.size !== asked.length) throw new ArgumentError(node.label, "axes", "different from each other", asked);
      const lengths = [...x.shape];
      const shape = Array.from({ length: dimensions }, (_, i) => (places.has(i) ? 1 : (lengths.shift() as number)));
      return [reshaped(x, shape)];
    };
  },
};

const transpose: Operator = {
  inputs: ["data"],
  prepare: (node) => {
    const order = node.integers("perm");
    return (inputs) => {
      const x = given(node, inputs, 0);
      const axes = order ?? x.shape.map((_, i) => x.shape.length - 1 - i);
      if (x instanceof Tensor) return [permute(x, axes)];
      if (axes.length !== x.shape.length || new Set(axes).size !== axes.length) {
        throw new ArgumentError(node.label, "perm", `each of ${x.shape.length} axes once`, axes);
      }
      const strides = contiguousStrides(x.shape);
      const along = axes.map((axis) => axisOf(node.label, axis, x.shape.length));
      return [
        rearrange(
          x,
          along.map((axis) => x.shape[axis] as number),
          along.map((axis) => strides[axis] as number),
        ),
      ];
    };
  },
};

const concatenate: Operator = {
  inputs: ["inputs..."],
  prepare: (node) => {
    const axis = node.integer("axis", 1);
    return (inputs) => {
      const first = given(node, inputs, 0);
      node.reserve([inputs.reduce((total, part) => total + (part?.size ?? 0), 0)]);
      if (first instanceof Tensor)
        return [
          concat(
            inputs.map((_, i) => node.real(inputs, i)),
            axis,
          ),
        ];
      const parts = inputs.map((_, i) => node.whole(inputs, i));
      const along = axisOf(node.label, axis, first.shape.length);
      return [concatIds(node, parts, along)];
    };
  },
};

function concatIds(node: Node, parts: readonly Ids[], axis: number): Ids {
  const shapes = parts.map(({ shape }) => shape);
  const first = shapes[0] as readonly number[];
  for (const shape of shapes) {
    const fits = shape.length === first.length && shape.every((length, i) => i === axis || length === first[i]);
    if (!fits) throw new ShapeError(node.label, "an input", `${first} but for axis ${axis}`, shape);
  }
  const total = shapes.reduce((sum, shape) => sum + (shape[axis] as number), 0);
  const data = new Int32Array(sizeOf(replaceAxis(first, axis, total)));
  const rows = sizeOf(first.slice(0, axis));
  let at = 0;
  for (let row = 0; row < rows; row++) {
    for (const { data: part } of parts) {
      const piece = part.subarray((row * part.length) / rows, ((row + 1) * part.length) / rows);
      data.set(piece, at);
      at += piece.length;
    }
  }
  return new Ids(data, replaceAxis(first, axis, total));
}

const expand: Operator = {
  inputs: ["input", "shape"],
  prepare: (node) => (inputs) => {
    const x = given(node, inputs, 0);
    const shape = broadcastShape(node.label, x.shape, [...node.whole(inputs, 1).data]);
    node.reserve(shape);
    if (x instanceof Ids) return [broadcast(node.label, x, shape)];
    return [x.size === sizeOf(shape) ? reshape(x, shape) : mul(x, ones(shape, node.context.core))];
  },
};

/** Elements at positions of an axis; negative positions count from the back. */
const gather: Operator = {
  inputs: ["data", "indices"],
  prepare: (node) => {
    const axis = node.integer("axis", 0);
    return (inputs) => {
      const x = given(node, inputs, 0);
      return [take(node, x, axisOf(node.label, axis, x.shape.length), node.whole(inputs, 1))];
    };
  },
};

function take(node: Node, x: Value, axis: number, indices: Ids): Value {
  const length = x.shape[axis] as number;
  const wrong = indices.data.find((index) => index < -length || index >= length);
  if (wrong !== undefined) {
    throw new ArgumentError(node.label, "indices", `from ${-length} to ${length - 1}, the axis's`, wrong);
  }
  const positions = new Ids(
    indices.data.map((index) => (index < 0 ? index + length : index)),
    indices.shape,
  );
  const shape = replaceAxis(x.shape, axis, ...indices.shape);
  node.reserve(shape);
  if (x instanceof Ids) return takeIds(x, axis, positions, shape);
  const others = replaceAxis(x.shape, axis);
  if (sizeOf(shape) === 0) return reshape(full([0], 0, node.context.core), shape);
  // Rows of a table: the axis first, the others as one.
  const order = [axis, ...x.shape.map((_, i) => i).filter((i) => i !== axis)];
  const rowsFirst = axis === 0 ? x : permute(x, order);
  const table = rowsFirst.shape.length === 2 ? rowsFirst : reshape(rowsFirst, [length, sizeOf(others)]);
  const rows = embedding(table, positions, { where: node.label });
  if (axis === 0) return others.length === 1 ? rows : reshape(rows, shape);
  const found = reshape(rows, [...indices.shape, ...others]);
  const lead = others.map((_, i) => i + indices.shape.length).slice(0, axis);
  const taken = indices.shape.map((_, i) => i);
  const rest = others.map((_, i) => i + indices.shape.length).slice(axis);
  return permute(found, [...lead, ...taken, ...rest]);
}

function takeIds(x: Ids, axis: number, positions: Ids, shape: readonly number[]): Ids {
  const length = x.shape[axis] as number;
  const inner = sizeOf(x.shape.slice(axis + 1));
  const data = new Int32Array(sizeOf(shape));
  let at = 0;
  for (let outer = 0; outer < sizeOf(x.shape.slice(0, axis)); outer++) {
    for (const position of positions.data) {
      const from = (outer * length + position) * inner;
      data.set(x.data.subarray(from, from + inner), at);
      at += inner;
    }
  }
  return new Ids(data, shape);
}

/** Rows of `values`' second number at the index and the first elsewhere; elsewhere only for an index that is none. */
const oneHotOf: Operator = {
  inputs: ["indices", "depth", "values"],
  prepare: (node) => {
    const axis = node.integer("axis", -1);
    return (inputs) => {
      const indices = node.whole(inputs, 0);
      const depth = Number(
        given(node, inputs, 1) instanceof Ids ? node.whole(inputs, 1).data[0] : node.real(inputs, 1).item(),
      );
      if (!(depth >= 1)) throw new ArgumentError(node.label, "depth", "1 or more", depth);
      const values = node.real(inputs, 2);
      if (values.size !== 2) throw new ShapeError(node.label, "values", [2], values.shape);
      const [off, on] = values.toArray() as unknown as [number, number];
      node.reserve([...indices.shape, depth + 1]);
      // One class more, for indices that are none.
      const classOf = (index: number): number =>
        index < -depth || index >= depth ? depth : index < 0 ? index + depth : index;
      const classes = new Ids(indices.data.map(classOf), indices.shape);
      const { core } = node.context;
      const none = classes.data.includes(depth);
      const rows = none ? slice(oneHot(classes, depth + 1, core), -1, 0, depth) : oneHot(classes, depth, core);
      const y = off === 0 && on === 1 ? rows : add(mul(rows, on - off), off);
      const along = axisOf(node.label, axis, y.shape.length);
      if (along === y.shape.length - 1) return [y];
      const order = indices.shape.map((_, i) => i);
      return [permute(y, [...order.slice(0, along), order.length, ...order.slice(along)])];
    };
  },
};

/** Starts, ends, axes and steps are attributes before version 10, inputs since. */
const sliceOf: Operator = {
  inputs: ["data", "starts?", "ends?", "axes?", "steps?"],
  prepare: (node) => {
    const old = node.version < 10;
    const [oldStarts, oldEnds, oldAxes] = ["starts", "ends", "axes"].map((name) =>
      old ? node.integers(name) : undefined,
    );
    return (inputs) => {
      let x = given(node, inputs, 0);
      const starts = oldStarts ?? node.wholeList(inputs, 1) ?? [];
      const ends = oldEnds ?? node.wholeList(inputs, 2) ?? [];
      const axes = oldAxes ?? node.wholeList(inputs, 3) ?? starts.map((_, i) => i);
      const steps = node.wholeList(inputs, 4) ?? starts.map(() => 1);
      if (ends.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length) {
        throw new ArgumentError(node.label, "ends, axes and steps", `as many as starts, ${starts.length}`, ends);
      }
      starts.forEach((start, i) => {
        const axis = axisOf(node.label, axes[i] as number, x.shape.length);
        x = sliceAxis(node, x, axis, start, ends[i] as number, steps[i] as number);
      });
      return [x];
    };
  },
};

function sliceAxis(node: Node, x: Value, axis: number, start: number, end: number, step: number): Value {
  if (step === 0) throw new ArgumentError(node.label, "steps", "other than 0", step);
  const length = x.shape[axis] as number;
  // Positions count from the back when negative, and are cut to the ends of the axis; backwards, -1 is before its begin.
  const [low, high] = step > 0 ? [0, length] : [-1, length - 1];
  const bound = (position: number): number =>
    Math.min(high, Math.max(low, position < 0 ? position + length : position));
  const [first, last] = [bound(start), bound(end)];
  const count = Math.max(0, Math.ceil((last - first) / step));
  if (step === 1 && x instanceof Tensor) return slice(x, axis, first, first + count);
  const positions = Int32Array.from({ length: count }, (_, i) => first + i * step);
  return take(node, x, axis, new Ids(positions));
}

/** Pieces along an axis: of given lengths, else equal ones (the last smaller where that is not even). */
const split: Operator = {
  inputs: ["input", "split?"],
  prepare: (node) => {
    const axis = node.integer("axis", 0);
    const attribute = node.version < 13 ? node.integers("split") : undefined;
    const parts = node.integer("num_outputs", node.outputCount);
    return (inputs) => {
      const x = given(node, inputs, 0);
      const along = axisOf(node.label, axis, x.shape.length);
      const length = x.shape[along] as number;
      const each = Math.ceil(length / parts);
      const equal = Array.from({ length: parts }, (_, i) => Math.max(0, Math.min(each, length - i * each)));
      const lengths = attribute ?? node.wholeList(inputs, 1) ?? equal;
      if (!lengths.every((n) => n >= 0) || lengths.reduce((a, b) => a + b, 0) !== length) {
        throw new ArgumentError(node.label, "split", `lengths of ${length} in all`, lengths);
      }
      let at = 0;
      return lengths.map((n) => {
        at += n;
        return sliceAxis(node, x, along, at - n, at, 1);
      });
    };
  },
};

export const shapeOperators: Operators = {
  Concat: concatenate,
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Expand: expand,
  Flatten: flatten,
  Gather: gather,
  OneHot: oneHotOf,
  Reshape: reshapeTo,
  Shape: shapeOf,
  Size: size,
  Slice: sliceOf,
  Split: split,
  Squeeze: squeeze,
  Transpose: transpose,
  Unsqueeze: unsqueeze,
};
