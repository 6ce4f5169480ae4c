import type { Tensor2D, Tensor4D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import type { Architecture, LayerType } from "./architecture.js";

/** Never -Infinity: a row with nothing to attend to (left padding) becomes uniform instead of NaN, as in transformers. */
export const MASKED = -3.4028234663852886e38;

/**
 * What to add to the attention scores, `[batch, 1, seq, seq]` by layer type: 0 where query q may see key k
 * (`k <= q`, attention_mask[k] not 0, and within the window on sliding layers), else `MASKED`.
 */
export function attentionMasks(arch: Architecture, attentionMask: Tensor2D): Record<LayerType, Tensor4D> {
  const [batch, seq] = attentionMask.shape;
  const visible = tf.reshape(tf.cast(tf.notEqual(attentionMask, 0), "float32"), [batch, 1, 1, seq]);
  const additive = (window: number): Tensor4D =>
    tf.mul(tf.sub(1, tf.mul(causal(seq, window), visible)), MASKED) as Tensor4D;
  const has = (type: LayerType) => arch.layerTypes.includes(type);
  const full = has("full_attention") || arch.slidingWindow >= seq ? additive(seq) : undefined;
  const sliding = has("sliding_attention") && arch.slidingWindow < seq ? additive(arch.slidingWindow) : full;
  return { full_attention: (full ?? sliding)!, sliding_attention: (sliding ?? full)! };
}

/** 1 where key k is at or before query q, at most `window - 1` back. */
function causal(seq: number, window: number): Tensor2D {
  const values = new Float32Array(seq * seq);
  for (let q = 0; q < seq; q++) {
    for (let k = Math.max(0, q - window + 1); k <= q; k++) values[q * seq + k] = 1;
  }
  return tf.tensor2d(values, [seq, seq]);
}
