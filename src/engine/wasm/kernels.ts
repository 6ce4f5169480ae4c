import * as tf from "@tensorflow/tfjs";
import {
  castKernel,
  gatherKernel,
  identityKernel,
  sliceKernel,
  splitKernel,
  unsortedSegmentSumKernel,
} from "./data-movement.js";
import { arithmeticKernel, reductionKernel, unaryKernel } from "./elementwise.js";
import { batchMatMulKernel, fusedMatMulKernel } from "./matmul.js";
import { cumulativeKernel } from "./repairs.js";

type Replace = (original: tf.KernelFunc) => tf.KernelFunc;

/** The kernels of tfjs-wasm that are wrong, missing, or too slow to train with. */
const replacements: Record<string, Replace> = {
  BatchMatMul: () => batchMatMulKernel,
  _FusedMatMul: () => fusedMatMulKernel,
  UnsortedSegmentSum: () => unsortedSegmentSumKernel,
  Cast: castKernel,
  Slice: sliceKernel,
  Cumsum: cumulativeKernel,
  Cumprod: cumulativeKernel,
  Identity: identityKernel,
  SplitV: () => splitKernel,
  GatherV2: gatherKernel,
  Add: arithmeticKernel("add"),
  Sub: arithmeticKernel("sub"),
  Multiply: arithmeticKernel("mul"),
  Exp: unaryKernel("exp"),
  Tanh: unaryKernel("tanh"),
  Sum: reductionKernel("Sum"),
  Mean: reductionKernel("Mean"),
  Max: reductionKernel("Max"),
};

let replaced = false;

/** Registers our kernels over those of the backend "wasm"; tfjs's registry is global, so once is enough. */
export function replaceKernels(): void {
  if (replaced) return;
  replaced = true;
  for (const [kernelName, replace] of Object.entries(replacements)) {
    const stock = tf.getKernel(kernelName, "wasm");
    // Unregistered first: registering over a kernel warns.
    if (stock) tf.unregisterKernel(kernelName, "wasm");
    const missing: tf.KernelFunc = () => {
      throw new Error(`tfjs-wasm has no kernel ${kernelName}`);
    };
    tf.registerKernel({
      ...stock,
      kernelName,
      backendName: "wasm",
      kernelFunc: replace(stock?.kernelFunc ?? missing),
    });
  }
}
