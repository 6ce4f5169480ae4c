import type { KernelFunc, TensorInfo } from "@tensorflow/tfjs";

/** For an axis counted from the end: tfjs-wasm writes outside its tensors then, and tfjs-webgpu refuses. */
export function cumulativeKernel(original: KernelFunc): KernelFunc {
  return (args) => {
    const x = args.inputs.x as TensorInfo;
    const { axis } = args.attrs as unknown as { axis: number };
    return original({ ...args, attrs: { ...args.attrs, axis: axis < 0 ? axis + x.shape.length : axis } });
  };
}
