import type { KernelFunc, TensorInfo } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";

/**
 * The gradient of `gather`, which tfjs-wasm lacks. Adds row i of x to row segmentIds[i] of the result, so its cost does
 * not depend on the number of segments (the cpu backend runs a handful of kernels for each word of the vocabulary).
 * Ids outside 0..numSegments - 1 are dropped, as TensorFlow does.
 */
export const unsortedSegmentSumKernel: KernelFunc = ({ inputs, attrs, backend }) => {
  const { x, segmentIds } = inputs as unknown as { x: TensorInfo; segmentIds: TensorInfo };
  const { numSegments } = attrs as unknown as { numSegments: number };
  const wasm = backend as BackendWasm;
  const rowShape = x.shape.slice(segmentIds.shape.length);
  const rowSize = tf.util.sizeFromShape(rowShape);
  const out = wasm.makeOutput([numSegments, ...rowShape], x.dtype);
  const [values, ids, sums] = [x, segmentIds, out].map((info) => wasm.typedArrayFromHeap(info)) as [
    tf.TypedArray,
    tf.TypedArray,
    tf.TypedArray,
  ];
  sums.fill(0);
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    if (id < 0 || id >= numSegments) continue;
    const [from, to] = [i * rowSize, id * rowSize];
    for (let j = 0; j < rowSize; j++) sums[to + j]! += values[from + j]!;
  }
  return out;
};

/** tfjs-wasm truncates a number to a byte, so that 0.5 and 256 become false. */
export function castKernel(original: KernelFunc): KernelFunc {
  return (args) => {
    const x = args.inputs.x as TensorInfo;
    const { dtype } = args.attrs as unknown as { dtype: string };
    if (dtype !== "bool" || (x.dtype !== "float32" && x.dtype !== "int32")) return original(args);
    const wasm = args.backend as BackendWasm;
    const out = wasm.makeOutput(x.shape, "bool");
    const [from, to] = [wasm.typedArrayFromHeap(x), wasm.typedArrayFromHeap(out)];
    for (let i = 0; i < from.length; i++) to[i] = from[i] === 0 ? 0 : 1;
    return out;
  };
}

/** tfjs-wasm copies the tensor. Data never changes in place, so a clone can share it, as on tfjs's cpu backend. */
export function identityKernel(original: KernelFunc): KernelFunc {
  return (args) => {
    const { dataId, shape, dtype } = args.inputs.x as TensorInfo;
    if (dtype === "string") return original(args);
    (args.backend as BackendWasm).incRef(dataId);
    return { dataId, shape, dtype };
  };
}

/** tfjs-wasm copies the whole source out of its heap before it takes one row. */
export function sliceKernel(original: KernelFunc): KernelFunc {
  return (args) => {
    const x = args.inputs.x as TensorInfo;
    if (x.dtype === "string") return original(args);
    const { begin, size } = args.attrs as unknown as { begin: number | number[]; size: number | number[] };
    const [start, shape] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size) as [number[], number[]];
    tf.slice_util.assertParamsValid(x as tf.Tensor, start, shape);
    return slice(x, start, shape, args.backend as BackendWasm);
  };
}

/** Rows of a table (axis 0), copied whole; tfjs-wasm computes the place of each element anew. */
export function gatherKernel(original: KernelFunc): KernelFunc {
  return (args) => {
    const { x, indices } = args.inputs as { x: TensorInfo; indices: TensorInfo };
    const { axis, batchDims } = args.attrs as unknown as { axis: number; batchDims: number };
    if (axis !== 0 || batchDims || x.shape.length === 0 || x.dtype === "string") return original(args);
    const backend = args.backend as BackendWasm;
    const [rows, ...rowShape] = x.shape as [number, ...number[]];
    const out = backend.makeOutput([...indices.shape, ...rowShape], x.dtype);
    const width = tf.util.sizeFromShape(rowShape);
    const [from, ids, to] = [x, indices, out].map((info) => backend.typedArrayFromHeap(info)) as tf.TypedArray[];
    for (let i = 0; i < ids!.length; i++) {
      const id = ids![i]!;
      if (id < 0 || id >= rows) throw new Error(`GatherV2: the index value ${id} is not in [0, ${rows - 1}]`);
      copy(from!, id * width, to!, i * width, width);
    }
    return out;
  };
}

/** A slice for each part. */
export const splitKernel: KernelFunc = ({ inputs, attrs, backend }) => {
  const x = inputs.x as TensorInfo;
  const { numOrSizeSplits, axis } = attrs as unknown as { numOrSizeSplits: number | number[]; axis: number };
  const along = tf.util.parseAxisParam(axis, x.shape)[0]!;
  let from = 0;
  return tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits, along).map((size) => {
    const start = x.shape.map((_, i) => (i === along ? from : 0));
    const shape = x.shape.map((whole, i) => (i === along ? size : whole));
    from += size;
    return slice(x, start, shape, backend as BackendWasm);
  });
};

function slice(x: TensorInfo, start: number[], shape: number[], backend: BackendWasm): TensorInfo {
  const out = backend.makeOutput(shape, x.dtype);
  if (tf.util.sizeFromShape(shape) === 0) return out;
  copyRuns(backend.typedArrayFromHeap(x), x.shape, start, shape, backend.typedArrayFromHeap(out));
  return out;
}

/** Copies the longest runs that are contiguous in the source. */
function copyRuns(from: tf.TypedArray, fromShape: number[], start: number[], shape: number[], to: tf.TypedArray): void {
  const strides = [...tf.util.computeStrides(fromShape), 1].slice(-fromShape.length || 1);
  // `axis` is the outermost whose run, with all whole axes inside it, is contiguous.
  let axis = shape.length - 1;
  while (axis > 0 && shape[axis] === fromShape[axis]) axis--;
  const run = tf.util.sizeFromShape(shape.slice(Math.max(axis, 0)));
  const outer = shape.slice(0, Math.max(axis, 0));
  let source = start.reduce((offset, value, i) => offset + value * strides[i]!, 0);
  const index = outer.map(() => 0);
  for (let target = 0; target < to.length; target += run) {
    copy(from, source, to, target, run);
    for (let i = outer.length - 1; i >= 0; i--) {
      source += strides[i]!;
      if (++index[i]! < outer[i]!) break;
      source -= strides[i]! * outer[i]!;
      index[i] = 0;
    }
  }
}

function copy(from: tf.TypedArray, source: number, to: tf.TypedArray, target: number, length: number): void {
  // A view and set() cost more than a short loop saves.
  if (length > 32) to.set(from.subarray(source, source + length), target);
  else for (let i = 0; i < length; i++) to[target + i] = from[source + i]!;
}
