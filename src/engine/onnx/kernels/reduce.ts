import { emit, emitAll, indices, type Value } from "../values.js";
import { cast, fill, type Kernels, scalar, type Unary, unary, where } from "./kernel.js";

interface Reduction {
  axis?: number | number[] | null;
  reductionIndices?: number | number[] | null;
  keepDims: boolean;
}

/** Kernels that bring axes together, and those along one axis. */
export const reduceKernels: Kernels = {
  Sum: reduction((x, axes, keep) => reduce("ReduceSum", x.type === "bool" ? cast(x, "int32") : x, axes, keep, 0)),
  Mean: reduction((x, axes, keep) => reduce("ReduceMean", cast(x, "float32"), axes, keep, Number.NaN)),
  Max: reduction((x, axes, keep) => extreme("ReduceMax", x, axes, keep, Number.NEGATIVE_INFINITY)),
  Min: reduction((x, axes, keep) => extreme("ReduceMin", x, axes, keep, Number.POSITIVE_INFINITY)),
  Prod: reduction((x, axes, keep) => reduce("ReduceProd", x.type === "bool" ? cast(x, "int32") : x, axes, keep, 1)),
  All: reduction((x, axes, keep) => cast(reduce("ReduceMin", cast(x, "int32"), axes, keep, 1), "bool")),
  Any: reduction((x, axes, keep) => cast(reduce("ReduceMax", cast(x, "int32"), axes, keep, 0), "bool")),
  ArgMax: ({ x }: Unary, { axis }: { axis: number }) => argument("ArgMax", x, axis),
  ArgMin: ({ x }: Unary, { axis }: { axis: number }) => argument("ArgMin", x, axis),
  Softmax: ({ logits }: { logits: Value }, { dim }: { dim: number }) => alongAxis("Softmax", logits, dim),
  LogSoftmax: ({ logits }: { logits: Value }, { axis }: { axis: number }) => alongAxis("LogSoftmax", logits, axis),
  Cumsum: ({ x }: Unary, attributes: { axis: number; exclusive: boolean; reverse: boolean }) => cumsum(x, attributes),
  TopK: ({ x }: Unary, { k }: { k: number }) => topK(x, k),
};

function reduction(build: (x: Value, axes: number[], keepDims: boolean) => Value) {
  return ({ x }: Unary, { axis, reductionIndices, keepDims }: Reduction): Value => {
    const asked = axis ?? reductionIndices ?? x.shape.map((_, i) => i);
    const axes = (typeof asked === "number" ? [asked] : asked).map((a) => (a < 0 ? a + x.shape.length : a));
    return build(x, axes, keepDims === true);
  };
}

/** `empty` is the result for no elements at all, which ONNX Runtime refuses. */
function reduce(op: string, x: Value, axes: number[], keepDims: boolean, empty: number): Value {
  const kept = x.shape.map((size, i) => (axes.includes(i) ? 1 : size));
  const shape = keepDims ? kept : x.shape.filter((_, i) => !axes.includes(i));
  if (axes.length === 0) return x;
  if (x.size === 0) return fill(shape, empty, x.type);
  return emit(op, [x, indices(axes)], shape, x.type, { keepdims: keepDims ? 1 : 0 });
}

/** ONNX Runtime overlooks what is not a number; a sum of squares does not, and costs one reading. */
function extreme(op: string, x: Value, axes: number[], keepDims: boolean, empty: number): Value {
  const found = reduce(op, x, axes, keepDims, empty);
  if (x.type !== "float32" || x.size === 0 || axes.length === 0) return found;
  const squares = reduce("ReduceSumSquare", x, axes, keepDims, 0);
  return where(emit("IsNaN", [squares], squares.shape, "bool"), squares, found);
}

function argument(op: string, x: Value, asked: number): Value {
  const axis = asked < 0 ? asked + x.shape.length : asked;
  const shape = x.shape.filter((_, i) => i !== axis);
  const numbers = x.type === "bool" ? cast(x, "int32") : x;
  return cast(emit(op, [numbers], shape, "int64", { axis, keepdims: 0 }), "int32");
}

function alongAxis(op: string, x: Value, axis: number): Value {
  return unary(op, cast(x, "float32"), { axis: axis < 0 ? axis + x.shape.length : axis });
}

function cumsum(x: Value, { axis, exclusive, reverse }: { axis: number; exclusive: boolean; reverse: boolean }): Value {
  const numbers = x.type === "bool" ? cast(x, "int32") : x;
  return emit("CumSum", [numbers, scalar(axis < 0 ? axis + x.shape.length : axis, "int32")], x.shape, numbers.type, {
    exclusive: exclusive ? 1 : 0,
    reverse: reverse ? 1 : 0,
  });
}

/** The `k` largest along the last axis, ties in the order of their index. */
function topK(x: Value, k: number): Value[] {
  const shape = [...x.shape.slice(0, -1), k];
  const numbers = cast(x, "float32");
  const [values, positions] = emitAll("TopK", [numbers, indices([k])], [shape, shape], ["float32", "int64"], {
    axis: x.shape.length - 1,
  });
  return [cast(values!, x.type), cast(positions!, "int32")];
}
