import { cumulativeKernel } from "../cumulative.js";
import type { Replace } from "../replace-kernels.js";
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

/** The kernels of tfjs-wasm that are wrong, missing, or too slow to train with. */
export const wasmKernels: Record<string, Replace> = {
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
