import * as tf from "@tensorflow/tfjs";
import type { NamedTensors } from "../model/types.js";
import { nextTurn } from "../next-turn.js";
import { EngineError } from "./errors.js";
import type { Engine, JitFunction } from "./types.js";

/**
 * An engine whose backend computes each operation at once: `jit` runs the step as it is, inside `tf.tidy`. On wasm,
 * tfjs-node and cpu that is on the calling thread: the event loop stands still for the whole step and turns between steps.
 */
export function eagerEngine(name: Engine["name"], backend: string, description: string): Engine {
  return {
    name,
    backend,
    description,
    jit: (step, options) => eagerJit(step, options?.name ?? (step.name || "step"), backend),
  };
}

function eagerJit<I extends NamedTensors, O extends NamedTensors>(
  step: (inputs: I) => O,
  label: string,
  backend: string,
): JitFunction<I, O> {
  let disposed = false;

  const run = async (inputs: I): Promise<O> => {
    if (disposed) throw new EngineError(`jit(${label}) was called after dispose()`);
    // A training loop is a chain of these; without a pause no timer, signal or message would ever get its turn.
    await nextTurn();
    if (tf.getBackend() !== backend) {
      throw new EngineError(
        `jit(${label}) was made for the backend "${backend}", but "${tf.getBackend()}" is current: ` +
          "make it anew with currentEngine().jit after useEngine",
      );
    }
    for (const [key, input] of Object.entries(inputs)) checkInput(label, key, input);
    return tf.tidy(() => owned(label, step(inputs)) as tf.TensorContainer) as O;
  };

  return Object.assign(run, {
    dispose() {
      disposed = true;
    },
  });
}

function checkInput(label: string, key: string, input: unknown): void {
  if (!(input instanceof tf.Tensor)) throw new EngineError(`jit(${label}): input "${key}" is not a tensor`);
  if (input.isDisposed) throw new EngineError(`jit(${label}): input "${key}" has been disposed`);
}

/** Clones share their data. They make an output that is also an input, a weight, or a second output safe to dispose. */
function owned<O extends NamedTensors>(label: string, outputs: O): O {
  if (outputs instanceof Promise) {
    throw new EngineError(`jit(${label}): the step must be synchronous, but it returned a promise`);
  }
  if (typeof outputs !== "object" || outputs === null || Array.isArray(outputs) || outputs instanceof tf.Tensor) {
    throw new EngineError(`jit(${label}): the step must return an object of named tensors, such as { loss }`);
  }
  const clones: NamedTensors = {};
  for (const [key, output] of Object.entries(outputs)) {
    if (!(output instanceof tf.Tensor)) throw new EngineError(`jit(${label}): output "${key}" is not a tensor`);
    if (output.isDisposed) throw new EngineError(`jit(${label}): output "${key}" was disposed inside the step`);
    clones[key] = tf.clone(output);
  }
  return clones as O;
}
