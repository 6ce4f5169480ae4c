import type { Value } from "../values.js";
import { binary, cast, type Kernels, scalar, unary } from "./kernel.js";

interface BatchNorm {
  x: Value;
  mean: Value;
  variance: Value;
  offset?: Value;
  scale?: Value;
}

/** Normalization with statistics that are given. */
export const normalizationKernels: Kernels = {
  FusedBatchNorm: (inputs: BatchNorm, { varianceEpsilon }: { varianceEpsilon?: number }) => {
    const { x, mean, variance, offset, scale } = inputs;
    const deviation = unary("Sqrt", binary("Add", variance, scalar(varianceEpsilon ?? 0.001)));
    const factor = binary("Div", scale ?? scalar(1), deviation);
    const scaled = binary("Mul", binary("Sub", cast(x, "float32"), mean), factor);
    return cast(offset ? binary("Add", scaled, offset) : scaled, x.type);
  },
};
