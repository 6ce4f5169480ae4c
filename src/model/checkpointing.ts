import * as tf from "@tensorflow/tfjs";
import type { Tensor, Tensor2D } from "@tensorflow/tfjs";
import { custom } from "./ops.js";
import type { NamedTensors } from "./types.js";

/**
 * `run(params, x)` that keeps only its inputs, and computes everything between again in the backward pass
 * (Chen et al. 2016). Gradients flow to `x` and `params`; other tensors that `run` reads are constants.
 */
export function checkpointed(
  run: (params: NamedTensors, x: Tensor2D) => Tensor2D,
  params: NamedTensors,
  x: Tensor2D,
): Tensor2D {
  const names = Object.keys(params);
  const call = ([x, ...values]: Tensor[]) =>
    run(Object.fromEntries(names.map((name, i) => [name, values[i]!])), x as Tensor2D);
  return custom([x, ...Object.values(params)], (inputs, save) => {
    save(inputs);
    return {
      value: call(inputs),
      gradFunc: (dy, inputs) => withOwnTape(() => tf.grads((...args: Tensor[]) => call(args))(inputs, dy)),
    };
  }) as Tensor2D;
}

/**
 * tfjs clears the one tape it has at the end of every `tf.grads`, also of one inside a gradient function, and then
 * crashes in the outer one. The outer tape is put aside meanwhile.
 */
function withOwnTape<T>(run: () => T): T {
  const state = tf.engine().state;
  const outer = state.activeTape;
  try {
    return run();
  } finally {
    state.activeTape = outer;
  }
}
