import type { Tensor, Tensor2D, Tensor4D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import type { Architecture, LayerType } from "../architecture.js";

/** Never -Infinity: a row with nothing to attend to (left padding) becomes uniform instead of NaN, as in transformers. */
export const MASKED = -3.4028234663852886e38;

/**
 * What to add to the attention scores, `[batch, 1, seq, seq]` by layer type: 0 where query q may see key k
 * (`k <= q`, attention_mask[k] not 0, and within the window on sliding layers), else `MASKED`. With positions, several
 * texts lie in a row: a new one begins wherever they do not go on by 1, and no text sees another.
 */
export function attentionMasks(arch: Architecture, attentionMask: Tensor2D, positions?: Tensor2D) {
  const [batch, seq] = attentionMask.shape;
  let visible: Tensor = tf.reshape(tf.cast(tf.notEqual(attentionMask, 0), "float32"), [batch, 1, 1, seq]);
  if (positions) visible = tf.mul(visible, sameText(positions));
  const additive = (window: number): Tensor4D =>
    tf.mul(tf.sub(1, tf.mul(causal(seq, window), visible)), MASKED) as Tensor4D;
  const has = (type: LayerType) => arch.layerTypes.includes(type);
  const full = has("full_attention") || arch.slidingWindow >= seq ? additive(seq) : undefined;
  const sliding = has("sliding_attention") && arch.slidingWindow < seq ? additive(arch.slidingWindow) : full;
  const masks: Record<LayerType, Tensor4D> = {
    full_attention: (full ?? sliding)!,
    sliding_attention: (sliding ?? full)!,
  };
  return masks;
}

/** 1 where two tokens belong to the same text, `[batch, 1, seq, seq]`. */
function sameText(positions: Tensor2D): Tensor4D {
  const [batch, seq] = positions.shape;
  const before = tf.slice(positions, [0, 0], [batch, seq - 1]);
  const jumps = tf.notEqual(tf.sub(tf.slice(positions, [0, 1], [batch, seq - 1]), before), 1);
  const starts = tf.concat([tf.zeros([batch, 1]), tf.cast(jumps, "float32")], 1);
  const text = tf.cumsum(starts, 1);
  const same = tf.equal(tf.reshape(text, [batch, 1, seq, 1]), tf.reshape(text, [batch, 1, 1, seq]));
  return tf.cast(same, "float32") as Tensor4D;
}

/** 1 where key k is at or before query q, at most `window - 1` back. */
function causal(seq: number, window: number): Tensor2D {
  const values = new Float32Array(seq * seq);
  for (let q = 0; q < seq; q++) {
    for (let k = Math.max(0, q - window + 1); k <= q; k++) values[q * seq + k] = 1;
  }
  return tf.tensor2d(values, [seq, seq]);
}
