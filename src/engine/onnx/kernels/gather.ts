import { emit, hostValue, reshape, sizeOf, type Value } from "../values.js";
import { cast, fill, type Kernels, scalar, where } from "./kernel.js";

/** Kernels that pick or place elements by index. */
export const gatherKernels: Kernels = {
  GatherV2: ({ x, indices }: { x: Value; indices: Value }, attributes: { axis: number; batchDims: number }) =>
    gather(x, indices, attributes),
  GatherNd: ({ params, indices }: { params: Value; indices: Value }) => gatherNd(params, indices),
  ScatterNd: ({ indices, updates }: { indices: Value; updates: Value }, { shape }: { shape: number[] }) =>
    scatterAdd(indices, updates, shape),
  TensorScatterUpdate: (inputs: { tensor: Value; indices: Value; updates: Value }) =>
    emit(
      "ScatterND",
      [inputs.tensor, cast(inputs.indices, "int64"), inputs.updates],
      inputs.tensor.shape,
      inputs.tensor.type,
    ),
  UnsortedSegmentSum: ({ x, segmentIds }: { x: Value; segmentIds: Value }, { numSegments }: { numSegments: number }) =>
    segmentSum(x, segmentIds, numSegments),
  OneHot: ({ indices }: { indices: Value }, attributes: OneHot) => oneHot(indices, attributes),
  Select: ({ condition, t, e }: { condition: Value; t: Value; e: Value }) => select(condition, t, e),
};

function gather(x: Value, at: Value, { axis, batchDims }: { axis: number; batchDims: number }): Value {
  const along = axis < 0 ? axis + x.shape.length : axis;
  const rows = cast(at, "int32");
  if (!batchDims) {
    return emit("Gather", [x, rows], [...x.shape.slice(0, along), ...at.shape, ...x.shape.slice(along + 1)], x.type, {
      axis: along,
    });
  }
  return gatherBatched(x, rows, along, batchDims);
}

/** Each batch has its own indices: the leading axes become part of the index of a GatherND. */
function gatherBatched(x: Value, at: Value, axis: number, batchDims: number): Value {
  if (axis !== batchDims)
    throw new Error(`onnx: gather with batchDims ${batchDims} along axis ${axis} is not supported`);
  const shape = [...x.shape.slice(0, axis), ...at.shape.slice(batchDims), ...x.shape.slice(axis + 1)];
  const positions = reshape(cast(at, "int64"), [...at.shape, 1]);
  return emit("GatherND", [x, positions], shape, x.type, { batch_dims: batchDims });
}

function gatherNd(params: Value, at: Value): Value {
  const depth = at.shape.at(-1)!;
  const shape = [...at.shape.slice(0, -1), ...params.shape.slice(depth)];
  return emit("GatherND", [params, cast(at, "int64")], shape, params.type);
}

function scatterAdd(at: Value, updates: Value, shape: number[]): Value {
  const zeros = fill(shape, 0, updates.type);
  if (updates.size === 0) return zeros;
  return emit("ScatterND", [zeros, cast(at, "int64"), updates], shape, updates.type, { reduction: "add" });
}

function segmentSum(x: Value, segmentIds: Value, segments: number): Value {
  const rows = [...x.shape.slice(segmentIds.shape.length)];
  return scatterAdd(reshape(segmentIds, [...segmentIds.shape, 1]), x, [segments, ...rows]);
}

interface OneHot {
  depth: number;
  onValue: number;
  offValue: number;
  dtype?: "float32" | "int32" | "bool";
}

/** Compared with a row of all classes: an index outside of them gives a row of off values. */
function oneHot(at: Value, { depth, onValue, offValue, dtype }: OneHot): Value {
  const type = dtype ?? "int32";
  const shape = [...at.shape, depth];
  if (sizeOf(shape) === 0) return fill(shape, 0, type);
  const classes = hostValue(
    [depth],
    "int32",
    Int32Array.from({ length: depth }, (_, i) => i),
  );
  const hit = emit("Equal", [reshape(cast(at, "int32"), [...at.shape, 1]), classes], shape, "bool");
  if (onValue === 1 && offValue === 0) return cast(hit, type);
  return cast(where(hit, scalar(onValue), scalar(offValue)), type);
}

function select(condition: Value, t: Value, e: Value): Value {
  const rank = t.shape.length;
  const mask =
    condition.shape.length === 1 && rank > 1
      ? reshape(condition, [condition.size, ...Array.from({ length: rank - 1 }, () => 1)])
      : condition;
  return where(cast(mask, "bool"), t, e);
}
