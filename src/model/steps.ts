import { setImmediate } from "node:timers/promises";
import * as tf from "@tensorflow/tfjs";
import type { NamedTensors } from "./types.js";

/** A pure step over named tensors; the inputs stay the caller's, the outputs become the caller's. */
export interface Step {
  (inputs: NamedTensors): Promise<NamedTensors>;
  dispose(): void;
}

/** Runs a step on the engine in use: traced and replayed where it can, else operation by operation. */
export function traceable(step: (inputs: NamedTensors) => NamedTensors, _name: string): Step {
  const run = async (inputs: NamedTensors) => {
    // Without a pause, a long generation on a synchronous backend would starve timers and signals.
    await setImmediate();
    return tf.tidy(() => step(inputs) as tf.TensorContainer) as NamedTensors;
  };
  return Object.assign(run, { dispose() {} });
}
