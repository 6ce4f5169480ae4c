import type { Tensor, Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { randomNormal } from "../data/random.js";
import { TorchGenerator } from "../data/torch-random.js";
import type { Weights } from "./decoder.js";
import type { LoraConfigFields } from "./lora-config.js";
import type { Target } from "./target-modules.js";
import type { NamedTensors } from "./types.js";

/** A target with the size of the linear module under it. */
export interface Adapter extends Target {
  in: number;
  out: number;
}

/** Names of an adapter's tensors, as in `adapter_model.safetensors`. */
export function adapterNames({ module }: Target): { A: string; B: string } {
  const prefix = `base_model.model.${module}`;
  return { A: `${prefix}.lora_A.weight`, B: `${prefix}.lora_B.weight` };
}

/**
 * `weights` with adapters: `y = W x + s · B(A(drop(x)))`.
 * @param masks dropout masks by module name; absent: no dropout
 */
export function withAdapters(
  weights: Weights,
  adapters: ReadonlyMap<string, Adapter>,
  params: NamedTensors,
  masks: NamedTensors | undefined,
): Weights {
  return {
    get: weights.get,
    linear(name, x) {
      const base = weights.linear(name, x);
      const adapter = adapters.get(name);
      if (!adapter) return base;
      const { A, B } = adapterNames(adapter);
      const mask = masks?.[dropoutName(name)];
      const dropped: Tensor2D = mask ? tf.mul(x, tf.reshape(mask, x.shape)) : x;
      // The scale goes onto the narrow product.
      const low = tf.mul(tf.matMul(dropped, params[A] as Tensor2D, false, true), adapter.scaling) as Tensor2D;
      return tf.add(base, tf.matMul(low, params[B] as Tensor2D, false, true));
    },
  };
}

export const dropoutName = (module: string): string => `${module}.lora_dropout`;

/**
 * First values as PEFT gives them after `torch.manual_seed(seed)`: A uniform in ±1/√in (or normal with 1/r), B zero,
 * so that the adapted model starts equal to its base.
 */
export function initialAdapters(adapters: Iterable<Adapter>, config: LoraConfigFields, seed: number): NamedTensors {
  const random = new TorchGenerator(seed);
  // nn.Linear's default values, kaiming_uniform(a = √5).
  const linear = (fanIn: number, size: number) => random.uniform(size, -Math.sqrt(1 / fanIn), Math.sqrt(1 / fanIn));
  const values: NamedTensors = {};
  for (const adapter of adapters) {
    const { A, B } = adapterNames(adapter);
    const { r, in: input, out } = adapter;
    // PEFT makes two nn.Linear, which draw their default values, and only then draws A again and clears B.
    let a = linear(input, r * input);
    const b = linear(r, out * r);
    if (config.init_lora_weights === true) a = linear(input, r * input);
    if (config.init_lora_weights === "gaussian") a = randomNormal({ seed, name: A }, r * input, 0, 1 / r);
    values[A] = tf.tensor2d(a, [r, input]);
    values[B] = config.init_lora_weights === false ? tf.tensor2d(b, [out, r]) : tf.zeros([out, r]);
  }
  return values;
}

/** `W + s · B · A`, `[out, in]`. */
export function mergedWeight(weight: Tensor, adapter: Adapter, params: NamedTensors): Tensor {
  const { A, B } = adapterNames(adapter);
  return tf.tidy(() => {
    const delta = tf.matMul(params[B] as Tensor2D, params[A] as Tensor2D);
    return tf.add(weight, tf.mul(delta, adapter.scaling));
  });
}
