import type { KernelFunc, NamedAttrMap, TensorInfo } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { cumulativeKernel } from "../cumulative.js";
import type { Replace } from "../replace-kernels.js";

/** The kernels of tfjs-webgpu that are wrong, or fail, where a model may come along. */
export const webgpuKernels: Record<string, Replace> = {
  BatchMatMul: batchMatMulKernel,
  Softmax: softmaxKernel,
  Cumsum: cumulativeKernel,
  Cumprod: cumulativeKernel,
  Sum: sumKernel,
  UnsortedSegmentSum: unsortedSegmentSumKernel,
};

/** What we use of tfjs-webgpu's backend. */
interface Backend {
  makeTensorInfo(shape: number[], dtype: tf.DataType, values?: ArrayLike<number>): TensorInfo;
  disposeData(dataId: object): void;
}

/**
 * The number of a batch, modulo an operand's own number of batches, finds the operand's matrix. That is wrong where a
 * broadcast dimension follows another one (`[2, 1]` to `[2, 3]`): then the operand is repeated first.
 */
function batchMatMulKernel(original: KernelFunc): KernelFunc {
  return (args) => {
    const backend = args.backend as Backend;
    const { a, b } = args.inputs as { a: TensorInfo; b: TensorInfo };
    const batch = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
    const repeated = [a, b].map((operand) => repeat(operand, batch, backend));
    const [left, right] = repeated;
    const product = original({ ...args, inputs: { a: left ?? a, b: right ?? b } });
    for (const operand of repeated) if (operand) backend.disposeData(operand.dataId);
    return product;
  };
}

function repeat({ dataId, dtype, shape }: TensorInfo, batch: number[], backend: Backend): TensorInfo | undefined {
  const own = shape.slice(0, -2);
  const padded = [...batch.slice(own.length).map(() => 1), ...own];
  const first = padded.findIndex((size) => size !== 1);
  if (first < 0 || padded.slice(first).every((size, i) => size === batch[first + i])) return undefined;
  const reps = [...batch.map((size, i) => size / padded[i]!), 1, 1];
  return call("Tile", { x: { dataId, dtype, shape: [...padded, ...shape.slice(-2)] } }, { reps }, backend);
}

/**
 * The search for a row's maximum begins with -3.402823e38, above the least float32. A row where everything is masked with
 * that became 0 / 0; it is to be uniform.
 */
function softmaxKernel(original: KernelFunc): KernelFunc {
  return (args) => {
    const limits = { clipValueMin: -3.4e38, clipValueMax: Number.POSITIVE_INFINITY };
    const backend = args.backend as Backend;
    const logits = call("ClipByValue", { x: args.inputs.logits! }, limits, backend);
    const result = original({ ...args, inputs: { logits } });
    backend.disposeData(logits.dataId);
    return result;
  };
}

/** There are no empty buffers in WebGPU, and this kernel does not look. */
function sumKernel(original: KernelFunc): KernelFunc {
  return (args) => {
    const x = args.inputs.x as TensorInfo;
    if (tf.util.sizeFromShape(x.shape) > 0) return original(args);
    const { axis, keepDims } = args.attrs as unknown as { axis?: number | number[]; keepDims: boolean };
    const axes = tf.util.parseAxisParam(axis ?? x.shape.map((_, i) => i), x.shape);
    const kept = x.shape.map((size, i) => (axes.includes(i) ? 1 : size));
    const shape = keepDims ? kept : x.shape.filter((_, i) => !axes.includes(i));
    return zeros(shape, x.dtype, args.backend as Backend);
  };
}

/** The same; what was added to nothing is 0. */
function unsortedSegmentSumKernel(original: KernelFunc): KernelFunc {
  return (args) => {
    const x = args.inputs.x as TensorInfo;
    if (tf.util.sizeFromShape(x.shape) > 0) return original(args);
    const { numSegments } = args.attrs as unknown as { numSegments: number };
    return zeros([numSegments, ...x.shape.slice(1)], x.dtype, args.backend as Backend);
  };
}

function zeros(shape: number[], dtype: tf.DataType, backend: Backend): TensorInfo {
  const size = tf.util.sizeFromShape(shape);
  return backend.makeTensorInfo(shape, dtype, dtype === "float32" ? new Float32Array(size) : new Int32Array(size));
}

function call(name: string, inputs: Record<string, TensorInfo>, attrs: NamedAttrMap, backend: Backend): TensorInfo {
  const { kernelFunc } = tf.getKernel(name, "webgpu");
  return kernelFunc({ inputs, attrs, backend }) as TensorInfo;
}
