import type { Value } from "../values.js";
import { unaryKernels } from "./unary.js";

export interface Activation {
  activation?: string | null;
  leakyreluAlpha?: number;
}

/** What a fused kernel does to its result at last. */
export function activate(x: Value, { activation, leakyreluAlpha }: Activation, preluWeights?: Value): Value {
  if (!activation || activation === "linear") return x;
  const name = activation === "leakyrelu" ? "LeakyRelu" : activation[0]!.toUpperCase() + activation.slice(1);
  return unaryKernels[name]!({ x, alpha: preluWeights } as never, { alpha: leakyreluAlpha } as never) as Value;
}
