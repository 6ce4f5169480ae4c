import type { KernelFunc, TensorInfo } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { type Native, nativeFor } from "./native.js";
import { type Chunk, chunk, type Shareable } from "./threads/work.js";

/** exp and tanh, four elements at a time. */
export function unaryKernel(name: "exp" | "tanh"): (original: KernelFunc) => KernelFunc {
  return (original) => (args) => {
    const x = args.inputs.x as TensorInfo;
    if (x.dtype !== "float32") return original(args);
    const backend = args.backend as BackendWasm;
    const out = backend.makeOutput(x.shape, "float32");
    const [from, to] = addresses(backend, x, out) as [number, number];
    const native = nativeFor(backend);
    inPieces(native, tf.util.sizeFromShape(x.shape), (count, start) => [name, count, from + start, to + start]);
    return out;
  };
}

/** Operands of one shape, or one of them a single number; other broadcasts stay with tfjs (XNNPACK). */
export function arithmeticKernel(name: "add" | "sub" | "mul"): (original: KernelFunc) => KernelFunc {
  return (original) => (args) => {
    let { a, b } = args.inputs as { a: TensorInfo; b: TensorInfo };
    const size = (info: TensorInfo) => tf.util.sizeFromShape(info.shape);
    if (name !== "sub" && size(a) === 1) [a, b] = [b, a];
    const same = tf.util.arraysEqual(a.shape, b.shape);
    const withNumber = size(b) === 1 && b.shape.length <= a.shape.length;
    if (a.dtype !== "float32" || b.dtype !== "float32" || !(same || withNumber)) return original(args);
    const backend = args.backend as BackendWasm;
    const out = backend.makeOutput(a.shape, "float32");
    const [left, right, to] = addresses(backend, a, b, out) as [number, number, number];
    inPieces(nativeFor(backend), size(a), (count, start) =>
      same
        ? [name, count, left + start, right + start, to + start]
        : [`${name}Scalar`, count, left + start, right, to + start],
    );
    return out;
  };
}

type Call = [Shareable, ...number[]];

/** Elements of a piece, which a thread takes at once: enough that waking it pays. */
const pieceSize = 1 << 17;

/** Runs the call over `size` elements, in pieces for several threads when they are many. `start` is in bytes. */
function inPieces(native: Native, size: number, call: (count: number, start: number) => Call): void {
  if (size === 0) return;
  if (!native.pool?.open || size < 2 * pieceSize) {
    const [name, ...args] = call(size, 0);
    (native[name] as (...args: number[]) => void)(...args);
    return;
  }
  const list: Chunk[] = [];
  for (let at = 0; at < size; at += pieceSize) list.push(chunk(...call(Math.min(pieceSize, size - at), 4 * at)));
  native.pool.run(list);
}

function addresses(backend: BackendWasm, ...infos: TensorInfo[]): number[] {
  return infos.map(({ dataId }) => backend.dataIdMap.get(dataId).memoryOffset);
}

/** Sum, mean and max over the last axes (rows) or the first (columns); tfjs's loops do one element at a time. */
export function reductionKernel(name: "Sum" | "Mean" | "Max"): (original: KernelFunc) => KernelFunc {
  return (original) => (args) => {
    const x = args.inputs.x as TensorInfo;
    const attrs = args.attrs as unknown as {
      axis?: number | number[];
      reductionIndices?: number[];
      keepDims?: boolean;
    };
    const backend = args.backend as BackendWasm;
    const axes = tf.util.parseAxisParam(attrs.reductionIndices ?? attrs.axis!, x.shape).sort((p, q) => p - q);
    const rank = x.shape.length;
    const empty = tf.util.sizeFromShape(x.shape) === 0;
    const last = axes.every((axis, i) => axis === rank - axes.length + i);
    const first = axes.every((axis, i) => axis === i);
    if (x.dtype !== "float32" || empty || !(last || first)) {
      const out = original(args) as TensorInfo;
      // tfjs leaves sums over nothing as whatever lay in memory.
      if (empty && name === "Sum") backend.typedArrayFromHeap(out).fill(0);
      return out;
    }
    const [outShape, reducedShape] = tf.backend_util.computeOutAndReduceShapes(x.shape, axes);
    const out = backend.makeOutput(
      attrs.keepDims ? tf.backend_util.expandShapeToKeepDim(outShape, axes) : outShape,
      "float32",
    );
    const [kept, reduced] = [tf.util.sizeFromShape(outShape), tf.util.sizeFromShape(reducedShape)];
    const native = nativeFor(backend);
    const at = ({ dataId }: TensorInfo) => backend.dataIdMap.get(dataId).memoryOffset;
    if (last) native[name === "Max" ? "maxRows" : "sumRows"](kept, reduced, at(x), at(out));
    else native[name === "Max" ? "maxColumns" : "sumColumns"](reduced, kept, at(x), at(out));
    if (name === "Mean") {
      const values = backend.typedArrayFromHeap(out);
      for (let i = 0; i < values.length; i++) values[i]! /= reduced;
    }
    return out;
  };
}
