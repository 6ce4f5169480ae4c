import type { Tensor } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import type { FloatDtype } from "./dtype.js";

/** The kernel's name; only the onnx backend has it. */
export const NARROW_TENSOR = "KaisetsuNarrowTensor";

/** Whether the engine can keep a float32 tensor in 16 bits. */
export function hasNarrowTensors(): boolean {
  return tf.getKernel(NARROW_TENSOR, tf.getBackend()) !== undefined;
}

/**
 * A float32 tensor that takes 2 bytes a number, of exactly the numbers that `bits` stand for. Every operation can read it;
 * slices, gathered rows and `x · Wᵀ` do so without ever having it whole in 32 bits.
 *
 * @param bits given away: unusable afterwards
 * @param dtype what they are
 */
export function narrowTensor(bits: Uint16Array, shape: number[], dtype: Exclude<FloatDtype, "float32">): Tensor {
  // TensorFlow.js has no name for attributes that are arrays of numbers of 16 bits.
  const attributes = { bits, shape, type: dtype } as unknown as tf.NamedAttrMap;
  return tf.engine().runKernel(NARROW_TENSOR, {}, attributes) as Tensor;
}

/** From now on the tensor takes 4 bytes a number: no operation has to widen it. Nothing happens to one that does already. */
export function widen(tensor: Tensor): void {
  (tf.backend() as { widen?(tensor: tf.TensorInfo): void }).widen?.(tensor);
}
