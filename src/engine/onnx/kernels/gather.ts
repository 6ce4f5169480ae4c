import * as tf from "@tensorflow/tfjs";
import { emit, hostValue, reshape, sizeOf, type Value } from "../values.js";
import { binary, broadcastTo, cast, clip, fill, type Kernels, scalar, transpose, where } from "./kernel.js";

/** Kernels that pick or place elements by index. */
export const gatherKernels: Kernels = {
  GatherV2: ({ x, indices }: { x: Value; indices: Value }, attributes: { axis: number; batchDims: number }) =>
    gather(x, indices, attributes),
  GatherNd: ({ params, indices }: { params: Value; indices: Value }) => gatherNd(params, indices),
  ScatterNd: ({ indices, updates }: { indices: Value; updates: Value }, { shape }: { shape: number[] }) =>
    scatterNd(indices, updates, shape),
  TensorScatterUpdate: (inputs: { tensor: Value; indices: Value; updates: Value }) =>
    emit(
      "ScatterND",
      [inputs.tensor, cast(inputs.indices, "int64"), inputs.updates],
      inputs.tensor.shape,
      inputs.tensor.type,
    ),
  SparseToDense: (inputs: Sparse, { outputShape }: { outputShape: number[] }) => sparseToDense(inputs, outputShape),
  UnsortedSegmentSum: ({ x, segmentIds }: { x: Value; segmentIds: Value }, { numSegments }: { numSegments: number }) =>
    segmentSum(x, segmentIds, numSegments),
  OneHot: ({ indices }: { indices: Value }, attributes: OneHot) => oneHot(indices, attributes),
  Select: ({ condition, t, e }: { condition: Value; t: Value; e: Value }) => select(condition, t, e),
};

function gather(x: Value, at: Value, { axis, batchDims }: { axis: number; batchDims: number }): Value {
  const [along] = tf.util.parseAxisParam(axis, x.shape as number[]) as [number];
  checkIndices(at, x.shape[along]!);
  const info = tf.backend_util.segment_util.collectGatherOpShapeInfo(asTensor(x), asTensor(at), along, batchDims);
  const rows = cast(at, "int32");
  if (info.batchSize === 1) {
    const shape = [...x.shape.slice(0, along), at.size, ...x.shape.slice(along + 1)];
    return reshape(emit("Gather", [x, reshape(rows, [at.size])], shape, x.type, { axis: along }), info.outputShape);
  }
  return reshape(gatherBatched(x, rows, info), info.outputShape);
}

/** Each batch has its own indices. */
function gatherBatched(x: Value, at: Value, info: { batchSize: number; outerSize: number } & SliceOf): Value {
  const { batchSize, outerSize, dimSize, sliceSize } = info;
  const count = at.size / batchSize;
  // GatherND picks along the axis right behind the batch.
  const rows = transpose(reshape(x, [batchSize, outerSize, dimSize, sliceSize]), [0, 2, 1, 3]);
  const positions = reshape(cast(at, "int64"), [batchSize, count, 1]);
  const picked = emit("GatherND", [rows, positions], [batchSize, count, outerSize, sliceSize], x.type, {
    batch_dims: 1,
  });
  return transpose(picked, [0, 2, 1, 3]);
}

interface SliceOf {
  dimSize: number;
  sliceSize: number;
}

/** Looks at indices that are known by now; ONNX Runtime counts negative ones from the end, and finds others when it runs. */
function checkIndices(at: Value, size: number): void {
  const host = at.storage?.host;
  if (!host) return;
  for (let i = at.offset; i < at.offset + at.size; i++) {
    const index = Number(host[i]);
    if (index < 0 || index >= size) throw new Error(`GatherV2: the index value ${index} is not in [0, ${size - 1}]`);
  }
}

function gatherNd(params: Value, at: Value): Value {
  const [shape] = tf.gather_util.prepareAndValidate(asTensor(params), asTensor(at));
  if (sizeOf(shape) === 0) return fill(shape, 0, params.type);
  return emit("GatherND", [params, cast(at, "int64")], shape, params.type);
}

/** Indices of one axis may come without the axis for their parts. */
function scatterNd(at: Value, updates: Value, shape: number[]): Value {
  const { sliceRank, numUpdates } = tf.backend_util.calculateShapes(asTensor(updates), asTensor(at), shape);
  const rows = shape.slice(sliceRank);
  return scatterAdd(reshape(at, [numUpdates, sliceRank]), reshape(updates, [numUpdates, ...rows]), shape);
}

interface Sparse {
  sparseIndices: Value;
  sparseValues: Value;
  defaultValue: Value;
}

/** One value may stand for all. */
function sparseToDense({ sparseIndices: at, sparseValues: values, defaultValue }: Sparse, shape: number[]): Value {
  const { sliceRank, numUpdates } = tf.backend_util.calculateShapes(asTensor(values), asTensor(at), shape);
  const dense = broadcastTo(cast(defaultValue, values.type), shape);
  if (values.size === 0) return dense;
  const updates = broadcastTo(values, [numUpdates, ...shape.slice(sliceRank)]);
  const rows = reshape(cast(at, "int64"), [numUpdates, sliceRank]);
  return emit("ScatterND", [dense, rows, updates], shape, values.type);
}

function scatterAdd(at: Value, updates: Value, shape: number[]): Value {
  const zeros = fill(shape, 0, updates.type);
  if (updates.size === 0) return zeros;
  return emit("ScatterND", [zeros, cast(at, "int64"), updates], shape, updates.type, { reduction: "add" });
}

function segmentSum(x: Value, segmentIds: Value, segments: number): Value {
  const rows = x.shape.slice(segmentIds.shape.length);
  const ids = reshape(cast(segmentIds, "int32"), [segmentIds.size]);
  const known = binary("Equal", ids, clip(ids, 0, segments - 1), "bool");
  // What belongs to no segment is added, as zero, to one that exists.
  const column = [segmentIds.size, ...rows.map(() => 1)];
  const kept = where(reshape(known, column), reshape(x, [segmentIds.size, ...rows]), scalar(0, x.type));
  return scatterAdd(reshape(clip(ids, 0, segments - 1), [segmentIds.size, 1]), kept, [segments, ...rows]);
}

/** TensorFlow.js's helpers look at shape and type only. */
function asTensor(value: Value): tf.Tensor {
  return { shape: value.shape, rank: value.shape.length, dtype: value.type, size: value.size } as unknown as tf.Tensor;
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
