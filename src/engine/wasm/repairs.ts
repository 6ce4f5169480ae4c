import type { KernelFunc, TensorInfo } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";

/** tfjs-wasm writes outside its tensors when the axis counts from the end. */
export function cumulativeKernel(original: KernelFunc): KernelFunc {
  return (args) => {
    const x = args.inputs.x as TensorInfo;
    const { axis } = args.attrs as unknown as { axis: number };
    return original({ ...args, attrs: { ...args.attrs, axis: axis < 0 ? axis + x.shape.length : axis } });
  };
}

/** tfjs-wasm leaves the sums over an empty axis as whatever lay in memory. */
export function sumKernel(original: KernelFunc): KernelFunc {
  return (args) => {
    const out = original(args) as TensorInfo;
    const x = args.inputs.x as TensorInfo;
    if (tf.util.sizeFromShape(x.shape) === 0) (args.backend as BackendWasm).typedArrayFromHeap(out).fill(0);
    return out;
  };
}
