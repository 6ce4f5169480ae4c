import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { TorchGenerator } from "../../data/random/torch-random.js";
import type { Weights } from "../decoder/decoder.js";
import { custom } from "../decoder/ops.js";
import type { NamedTensors } from "../types.js";
import type { LoraConfigFields } from "./lora-config.js";
import type { Target } from "./target-modules.js";

/** A target with the size of the linear module under it. */
export interface Adapter extends Target {
  in: number;
  out: number;
}

/** Names of an adapter's tensors, as in `adapter_model.safetensors`; the magnitude is DoRA's. */
export function adapterNames({ module }: Target): { A: string; B: string; magnitude: string } {
  const prefix = `base_model.model.${module}`;
  return {
    A: `${prefix}.lora_A.weight`,
    B: `${prefix}.lora_B.weight`,
    magnitude: `${prefix}.lora_magnitude_vector`,
  };
}

export const dropoutName = (module: string): string => `${module}.lora_dropout`;

/**
 * `weights` with adapters: `y = W x + s · B(A(drop(x)))` (Hu et al. 2021). With a magnitude vector m in `params` it is
 * DoRA (Liu et al. 2024): the sum `W + s·BA` is scaled row by row to length m.
 *
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
    trains: weights.trains,
    linear(name, x, bias = true) {
      const adapter = adapters.get(name);
      if (!adapter) return weights.linear(name, x, bias);
      const { A, B, magnitude } = adapterNames(adapter);
      const mask = masks?.[dropoutName(name)];
      const dropped: Tensor2D = mask ? tf.mul(x, tf.reshape(mask, x.shape)) : x;
      const update = lowRank(dropped, params[A] as Tensor2D, params[B] as Tensor2D, adapter.scaling);
      if (!params[magnitude]) return tf.add(weights.linear(name, x, bias), update);

      const scale = rowScale(params[magnitude], () => sumOf(weights, adapter, params));
      const product = weights.linear(name, x, false);
      const turned = mask ? weights.linear(name, dropped, false) : product;
      const change = tf.add(tf.mul(tf.sub(scale, 1), turned), tf.mul(scale, update));
      const offset = bias ? weights.get(`${name}.bias`) : undefined;
      const base = offset ? tf.add(product, offset) : product;
      return tf.add(base, change);
    },
  };
}

/**
 * `scaling · (x Aᵀ) Bᵀ`. The scale goes onto the narrow products, and B's gradient is computed as its transpose: a product
 * with few rows is twice as fast as one with few columns.
 */
function lowRank(x: Tensor2D, A: Tensor2D, B: Tensor2D, scaling: number): Tensor2D {
  return custom([x, A, B], ([x, A, B], save) => {
    const low: Tensor2D = tf.mul(tf.matMul(x as Tensor2D, A as Tensor2D, false, true), scaling);
    save([x!, A!, B!, low]);
    return {
      value: tf.matMul(low, B as Tensor2D, false, true),
      gradFunc: (dy, saved) => {
        const [x, A, B, low] = saved as [Tensor2D, Tensor2D, Tensor2D, Tensor2D];
        const dLow: Tensor2D = tf.mul(tf.matMul(dy as Tensor2D, B), scaling);
        const dB = tf.transpose(tf.matMul(low, dy as Tensor2D, true, false));
        return [tf.matMul(dLow, A), tf.matMul(dLow, x, true, false), dB];
      },
    };
  }) as Tensor2D;
}

/** DoRA's `m / ‖W + s·BA‖` by row. As in the paper (4.3), no gradient goes through the norm. */
function rowScale(magnitude: Tensor, sum: () => Tensor2D): Tensor1D {
  return custom([magnitude], ([m], save) => {
    const norm = tf.norm(sum(), "euclidean", 1);
    save([norm]);
    return { value: tf.div(m!, norm), gradFunc: (dy, [norm]) => [tf.div(dy, norm!)] };
  }) as Tensor1D;
}

/** `W + s · B · A`, `[out, in]`. */
function sumOf(weights: Weights, adapter: Adapter, params: NamedTensors): Tensor2D {
  const { A, B } = adapterNames(adapter);
  const delta = tf.matMul(params[B] as Tensor2D, params[A] as Tensor2D);
  return tf.add(weights.get(`${adapter.module}.weight`)!, tf.mul(delta, adapter.scaling));
}

/** The one matrix that computes what the module and its adapter compute together. */
export function mergedWeight(weights: Weights, adapter: Adapter, params: NamedTensors): Tensor2D {
  return tf.tidy(() => {
    const sum = sumOf(weights, adapter, params);
    const magnitude = params[adapterNames(adapter).magnitude];
    return magnitude
      ? tf.mul(
          sum,
          tf.expandDims(
            rowScale(magnitude, () => sum),
            1,
          ),
        )
      : sum;
  });
}

/**
 * First values as PEFT gives them after `torch.manual_seed(seed)`: A uniform in ±1/√in (or normal with 1/r), B zero,
 * magnitudes the lengths of the rows, so that the adapted model starts equal to its base.
 */
export function initialAdapters(
  weights: Weights,
  adapters: Iterable<Adapter>,
  config: Readonly<LoraConfigFields>,
  seed: number,
): NamedTensors {
  const random = new TorchGenerator(seed);
  const values: NamedTensors = {};
  for (const adapter of adapters) {
    const { A, B, magnitude } = adapterNames(adapter);
    const { r, in: input, out } = adapter;
    // PEFT makes two nn.Linear first, which draw their default values, and only then draws A again and clears B.
    let a = random.kaimingUniform(r, input);
    const b = random.kaimingUniform(out, r);
    if (config.init_lora_weights === true) a = random.kaimingUniform(r, input);
    if (config.init_lora_weights === "gaussian") a = random.normal(r * input, 0, 1 / r);
    values[A] = tf.tensor2d(a, [r, input]);
    values[B] = config.init_lora_weights === false ? tf.tensor2d(b, [out, r]) : tf.zeros([out, r]);
    if (config.use_dora) values[magnitude] = tf.tidy(() => tf.norm(sumOf(weights, adapter, values), "euclidean", 1));
  }
  return values;
}
