import * as tf from "@tensorflow/tfjs";
import {
  type ElementType,
  emit,
  emitAll,
  hasBytes,
  hostValue,
  indices,
  reshape,
  sameShape,
  sizeOf,
  type Value,
  view,
} from "../values.js";
import { broadcastTo, cast, fill, type Kernels, scalar, transpose, type Unary } from "./kernel.js";

/** Kernels that move elements and make new tensors, but compute nothing. */
export const shapeKernels: Kernels = {
  Reshape: ({ x }: Unary, { shape }: { shape: number[] }) => reshape(x, tf.util.inferFromImplicitShape(shape, x.size)),
  ExpandDims: ({ input }: { input: Value }, { dim }: { dim: number }) => expandDims(input, dim),
  Transpose: ({ x }: Unary, { perm }: { perm: number[] }) => transpose(x, perm),
  Slice: ({ x }: Unary, { begin, size }: { begin: number | number[]; size: number | number[] }) => {
    const [starts, sizes] = tf.slice_util.parseSliceParams(x as unknown as tf.TensorInfo, begin, size);
    tf.slice_util.assertParamsValid(x as unknown as tf.TensorInfo, starts!, sizes!);
    return slice(
      x,
      starts!,
      starts!.map((start, i) => start + sizes![i]!),
    );
  },
  StridedSlice: ({ x }: Unary, attributes: StridedSlice) => stridedSlice(x, attributes),
  Reverse: ({ x }: Unary, { dims }: { dims: number | number[] }) =>
    reverse(x, tf.util.parseAxisParam(dims, x.shape as number[])),
  Concat: (list: Value[], { axis }: { axis: number }) => concat(list, axis < 0 ? axis + list[0]!.shape.length : axis),
  Pack: (list: Value[], { axis }: { axis: number }) => pack(list, axis),
  Unpack: ({ value }: { value: Value }, { axis }: { axis: number }) =>
    unpack(value, axis < 0 ? axis + value.shape.length : axis),
  SplitV: ({ x }: Unary, attributes: { numOrSizeSplits: number[] | number; axis: number }) => splitV(x, attributes),
  PadV2: ({ x }: Unary, { paddings, constantValue }: { paddings: [number, number][]; constantValue: number }) =>
    pad(x, paddings, constantValue),
  Tile: ({ x }: Unary, { reps }: { reps: number[] }) => tile(x, reps),
  BroadcastTo: ({ x }: Unary, { shape }: { shape: number[] }) => broadcastTo(x, shape),
  Diag: ({ x }: Unary) => diag(x),
  Fill: (_: object, { shape, value, dtype }: { shape: number[]; value: number; dtype?: ElementType }) =>
    fill(shape, value, dtype ?? "float32"),
  Range: (
    _: object,
    { start, stop, step, dtype }: { start: number; stop: number; step: number; dtype?: ElementType },
  ) => range(start, stop, step, dtype ?? "float32"),
  LinSpace: (_: object, { start, stop, num }: { start: number; stop: number; num: number }) =>
    sequence(num, "float32", (i) => start + (i * (stop - start)) / Math.max(1, num - 1)),
};

function expandDims(input: Value, dim: number): Value {
  const rank = input.shape.length;
  tf.util.assert(dim >= -rank - 1 && dim <= rank, () => `Axis must be in the interval [${-rank - 1}, ${rank}]`);
  return reshape(input, inserted(input.shape, dim < 0 ? dim + rank + 1 : dim, 1));
}

function inserted(shape: readonly number[], at: number, size: number): number[] {
  return [...shape.slice(0, at), size, ...shape.slice(at)];
}

export function slice(x: Value, starts: readonly number[], ends: readonly number[]): Value {
  const shape = starts.map((start, i) => ends[i]! - start);
  if (sameShape(shape, x.shape)) return x;
  const at = rowsBehindOneAnother(x, starts, shape);
  if (at !== undefined) return view(x, shape, x.offset + at);
  const axes = shape.map((_, i) => i).filter((i) => shape[i] !== x.shape[i]);
  const along = (values: readonly number[]) => indices(axes.map((axis) => values[axis]!));
  return emit("Slice", [x, along(starts), along(ends), indices(axes)], shape, x.type);
}

/** Where the slice begins, when its elements lie in a row among bytes that exist: then it needs no copy. */
function rowsBehindOneAnother(x: Value, starts: readonly number[], shape: readonly number[]): number | undefined {
  if (!x.storage || !hasBytes(x.storage)) return undefined;
  const cut = shape.findIndex((size) => size !== 1);
  if (cut >= 0 && shape.some((size, axis) => axis > cut && size !== x.shape[axis])) return undefined;
  return starts.reduce((at, start, axis) => at * x.shape[axis]! + start, 0);
}

interface StridedSlice {
  begin: number[];
  end: number[];
  strides: number[];
  beginMask: number;
  endMask: number;
  ellipsisMask: number;
  newAxisMask: number;
  shrinkAxisMask: number;
}

function stridedSlice(x: Value, attributes: StridedSlice): Value {
  const { begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } = attributes;
  const plan = tf.slice_util.sliceInfo(
    x.shape as number[],
    begin,
    end,
    strides,
    beginMask,
    endMask,
    ellipsisMask,
    newAxisMask,
    shrinkAxisMask,
  );
  if (sizeOf(plan.finalShape) === 0) return hostValue(plan.finalShape, x.type);
  const { length } = plan.begin;
  const source = x.shape.length === length ? x : reshape(x, plan.finalShapeSparse.slice(0, length));
  const shape = tf.slice_util.computeOutShape(plan.begin, plan.end, plan.strides);
  // Going backwards past the first element is -1 in TensorFlow.js, which ONNX would count from the end.
  const ends = plan.end.map((stop, i) => (plan.strides[i]! < 0 && stop < 0 ? -source.shape[i]! - 1 : stop));
  const axes = plan.begin.map((_, i) => i);
  const sliced = emit(
    "Slice",
    [source, indices(plan.begin), indices(ends), indices(axes), indices(plan.strides)],
    shape,
    x.type,
  );
  return reshape(sliced, plan.finalShape);
}

export function reverse(x: Value, axes: number[]): Value {
  if (axes.length === 0) return x;
  const to = (value: number) => indices(axes.map(() => value));
  return emit("Slice", [x, to(-1), to(Number.MIN_SAFE_INTEGER), indices(axes), to(-1)], x.shape, x.type);
}

export function concat(list: Value[], axis: number): Value {
  tf.backend_util.assertParamsConsistent(
    list.map((x) => x.shape as number[]),
    axis,
  );
  const shape = [...list[0]!.shape];
  shape[axis] = list.reduce((total, x) => total + x.shape[axis]!, 0);
  const parts = list.filter((x) => x.size > 0);
  if (parts.length === 1) return parts[0]!;
  return emit("Concat", parts, shape, list[0]!.type, { axis });
}

function pack(list: Value[], axis: number): Value {
  const [first] = list as [Value];
  for (const x of list) {
    tf.util.assertShapesMatch(first.shape as number[], x.shape as number[], "All tensors passed to stack must match. ");
    tf.util.assert(first.type === x.type, () => "All tensors passed to stack must have matching dtypes");
  }
  return concat(
    list.map((x) => reshape(x, inserted(x.shape, axis, 1))),
    axis,
  );
}

function unpack(value: Value, axis: number): Value[] {
  const shape = value.shape.filter((_, i) => i !== axis);
  const parts = split(
    value,
    Array.from({ length: value.shape[axis]! }, () => 1),
    axis,
  );
  return parts.map((part) => reshape(part, shape));
}

function splitV(x: Value, { numOrSizeSplits, axis }: { numOrSizeSplits: number[] | number; axis: number }): Value[] {
  const [along] = tf.util.parseAxisParam(axis, x.shape as number[]);
  return split(x, tf.backend_util.prepareSplitSize(x as unknown as tf.Tensor, numOrSizeSplits, along), along!);
}

function split(x: Value, sizes: number[], axis: number): Value[] {
  const shapes = sizes.map((size) => x.shape.map((old, i) => (i === axis ? size : old)));
  if (sizes.length === 1) return [x];
  return emitAll("Split", [x, indices(sizes)], shapes, x.type, { axis });
}

export function pad(x: Value, paddings: [number, number][], value: number): Value {
  const shape = x.shape.map((size, i) => size + paddings[i]![0] + paddings[i]![1]);
  if (sameShape(shape, x.shape)) return x;
  if (x.size === 0) return fill(shape, value, x.type);
  const amounts = [...paddings.map(([before]) => before), ...paddings.map(([, after]) => after)];
  return emit("Pad", [x, indices(amounts), scalar(value, x.type)], shape, x.type, { mode: "constant" });
}

function tile(x: Value, reps: number[]): Value {
  const shape = x.shape.map((size, i) => size * reps[i]!);
  if (sameShape(shape, x.shape)) return x;
  if (x.shape.every((size, i) => size === 1 || reps[i] === 1)) return broadcastTo(x, shape);
  return emit("Tile", [x, indices(reps)], shape, x.type);
}

/** A diagonal is every (n + 1)th of n·n elements. */
function diag(x: Value): Value {
  const { size } = x;
  const rows = pad(
    reshape(x, [size, 1]),
    [
      [0, 0],
      [0, size],
    ],
    0,
  );
  return reshape(slice(reshape(rows, [rows.size]), [0], [size * size]), [...x.shape, ...x.shape]);
}

/** Counts down, without being told, where the end lies below the start. */
function range(start: number, stop: number, asked: number, type: ElementType): Value {
  const step = stop < start && asked === 1 ? -1 : asked;
  return sequence(Math.max(0, Math.ceil((stop - start) / step)), type, (i) => start + i * step);
}

function sequence(length: number, type: ElementType, at: (i: number) => number): Value {
  const data = type === "int32" ? new Int32Array(length) : new Float32Array(length);
  for (let i = 0; i < length; i++) data[i] = at(i);
  const value = hostValue([length], type === "int32" ? "int32" : "float32", data);
  return type === "bool" ? cast(value, "bool") : value;
}
