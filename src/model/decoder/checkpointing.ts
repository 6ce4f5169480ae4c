import type { Tensor, Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import type { NamedTensors } from "../types.js";
import { custom } from "./ops.js";

/**
 * `run(x, params, constants)` that keeps only its inputs, and computes everything between again in the backward pass
 * (Chen et al. 2016). Gradients flow to `x` and `params`. Tensors that live shorter than the backward pass, but need no
 * gradient, must come in through `constants`.
 */
export function checkpointed(
  run: (x: Tensor2D, params: NamedTensors, constants: NamedTensors) => Tensor2D,
  x: Tensor2D,
  params: NamedTensors,
  constants: NamedTensors,
): Tensor2D {
  const names = Object.keys(params);
  const count = names.length + 1;
  const fixedNames = Object.keys(constants);
  const call = ([x, ...values]: Tensor[], fixed: Tensor[]) =>
    run(x as Tensor2D, zip(names, values), zip(fixedNames, fixed));
  return custom([x, ...Object.values(params)], (inputs, save) => {
    const fixed = Object.values(constants);
    save([...inputs, ...fixed]);
    return {
      value: call(inputs, fixed),
      gradFunc: (dy, saved) => {
        const fixed = saved.slice(count);
        return withOwnTape(() => tf.grads((...args: Tensor[]) => call(args, fixed))(saved.slice(0, count), dy));
      },
    };
  }) as Tensor2D;
}

const zip = (names: string[], tensors: Tensor[]): NamedTensors =>
  Object.fromEntries(names.map((name, i) => [name, tensors[i]!]));

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
