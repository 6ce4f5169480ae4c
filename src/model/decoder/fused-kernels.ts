import type { NamedAttrMap, Tensor } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import type { NamedTensors } from "../types.js";

/**
 * Kernels that only some backends have (today onnx): several operations of a decoder in one. Whoever uses one must know
 * the composed form too. None has a gradient.
 */

/** `x`, `weight`, `eps` -> weight · x / sqrt(mean(x²) + eps) over the last axis, and 1 / sqrt(…) with a last axis of 1. */
export const RMS_NORM = "KaisetsuRmsNorm";
/** `x`, `cos`, `sin` -> the rotary embedding, as `rotate` in ops.ts describes it. */
export const ROTATE = "KaisetsuRotate";

export function hasFused(kernelName: string): boolean {
  return tf.getKernel(kernelName, tf.getBackend()) !== undefined;
}

export function runFused(kernelName: string, inputs: NamedTensors, attributes: NamedAttrMap = {}): Tensor[] {
  return [tf.engine().runKernel(kernelName, inputs, attributes)].flat() as Tensor[];
}
