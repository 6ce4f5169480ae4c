import type { KernelFunc, TensorInfo } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { nativeFor } from "./native.js";

/** exp and tanh, four elements at a time. */
export function unaryKernel(name: "exp" | "tanh"): (original: KernelFunc) => KernelFunc {
  return (original) => (args) => {
    const x = args.inputs.x as TensorInfo;
    if (x.dtype !== "float32") return original(args);
    const backend = args.backend as BackendWasm;
    const out = backend.makeOutput(x.shape, "float32");
    const at = ({ dataId }: TensorInfo) => backend.dataIdMap.get(dataId).memoryOffset;
    nativeFor(backend)[name](tf.util.sizeFromShape(x.shape), at(x), at(out));
    return out;
  };
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
