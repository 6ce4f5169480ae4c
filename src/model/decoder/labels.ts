import type { Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";

/** 1 and the label where there is one, 0 and index 0 where the label is -100. */
export function targets(labels: Tensor1D): { weight: Tensor1D; index: Tensor1D } {
  const counted: Tensor1D = tf.cast(tf.notEqual(labels, -100), "int32");
  return { weight: tf.cast(counted, "float32"), index: tf.mul<Tensor1D>(labels, counted) };
}

/** The label's own logit, `[tokens]`, from gathered rows of the head: no one-hot matrix exists. */
export function labelLogit(hidden: Tensor2D, head: Tensor2D, index: Tensor1D, softcap: number | null) {
  const rows: Tensor2D = tf.gather(head, index);
  return { rows, ...capped(tf.sum(tf.mul(hidden, rows), -1) as Tensor1D, softcap) };
}

/** The soft-cap and its derivative by the raw logits. */
export function capped<T extends tf.Tensor>(raw: T, softcap: number | null): { value: T; slope: T | undefined } {
  if (!softcap) return { value: raw, slope: undefined };
  const t = tf.tanh(tf.div(raw, softcap));
  return { value: tf.mul(t, softcap), slope: tf.sub(1, tf.square(t)) as T };
}
