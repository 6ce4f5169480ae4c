import * as tf from "@tensorflow/tfjs";

/** Numbers of AdamW that never change within a run. */
export interface AdamWOptions {
  beta1: number;
  beta2: number;
  epsilon: number;
  weight_decay: number;
}

/** Numbers that change from step to step. They are tensors, so that a traced step can be replayed with new ones. */
export interface AdamWScalars {
  /** 1 - learning rate * weight decay. */
  decay: tf.Scalar;
  /** Learning rate / (1 - beta1^k). */
  step_size: tf.Scalar;
  /** sqrt(1 - beta2^k). */
  root_correction: tf.Scalar;
}

/** The scalars of update `k` (from 1), computed in double and rounded once, as torch does. */
export function adamwScalars(
  options: AdamWOptions,
  learningRate: number,
  k: number,
): Record<keyof AdamWScalars, number> {
  return {
    decay: 1 - learningRate * options.weight_decay,
    step_size: learningRate / (1 - options.beta1 ** k),
    root_correction: Math.sqrt(1 - options.beta2 ** k),
  };
}

/**
 * `torch.optim.AdamW` on flat vectors `[n]`: decoupled weight decay, bias-corrected moments.
 * @param decayMask `[n]` of 1 (decays) and 0; absent when every element decays, as with LoRA
 */
export function adamw(
  { params, m, v, grad }: { params: tf.Tensor1D; m: tf.Tensor1D; v: tf.Tensor1D; grad: tf.Tensor1D },
  scalars: AdamWScalars,
  options: AdamWOptions,
  decayMask?: tf.Tensor1D,
): { params: tf.Tensor1D; m: tf.Tensor1D; v: tf.Tensor1D } {
  const newM = tf.add(m, tf.mul(tf.sub(grad, m), 1 - options.beta1)) as tf.Tensor1D;
  const newV = tf.add(tf.mul(v, options.beta2), tf.mul(tf.mul(grad, grad), 1 - options.beta2)) as tf.Tensor1D;
  const denominator = tf.add(tf.div(tf.sqrt(newV), scalars.root_correction), options.epsilon);
  const factor = decayMask ? tf.sub(1, tf.mul(decayMask, tf.sub(1, scalars.decay))) : scalars.decay;
  const decayed = options.weight_decay === 0 ? params : tf.mul(params, factor);
  const newParams = tf.sub(decayed, tf.div(tf.mul(newM, scalars.step_size), denominator)) as tf.Tensor1D;
  return { params: newParams, m: newM, v: newV };
}

const withoutDecay = [/bias/, /layernorm/, /rmsnorm/, /(^|\.)norm($|\.)/, /_norm($|\.)/];

/**
 * Whether weight decay applies to a parameter: not to biases and normalisations (`Trainer.get_decay_parameter_names`).
 * Embeddings and LoRA's matrices do decay.
 */
export function decays(parameterName: string): boolean {
  const name = parameterName.toLowerCase();
  return !withoutDecay.some((pattern) => pattern.test(name));
}
