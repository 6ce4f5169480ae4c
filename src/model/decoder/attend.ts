import type { Tensor, Tensor3D, Tensor4D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { custom } from "./ops.js";

export interface AttendOptions {
  /** Added to the scores, broadcast to `[batch, heads, seq, keys]`. */
  mask: Tensor4D;
  /** `[batch, heads, seq, keys]` */
  shape: [number, number, number, number];
  scale: number;
  /** `cap · tanh(scores / cap)` before the mask, Gemma 2. */
  softcap: number | null;
}

/**
 * `softmax(cap(scale · q kᵀ) + mask) v`. Its gradient takes the softmax's row sums from the short rows of the output
 * (Dao et al. 2022, section 3.1), and the scale goes along with the products.
 *
 * @param q `[groups, rows, headDim]`: the heads that share a key head are rows of one group
 * @param k `[groups, keys, headDim]`, and so is `v`
 */
export function attend(
  q: Tensor3D,
  k: Tensor3D,
  v: Tensor3D,
  { mask, shape, scale, softcap }: AttendOptions,
): Tensor3D {
  return custom([q, k, v], (inputs, save) => {
    const [q, k, v] = inputs as [Tensor3D, Tensor3D, Tensor3D];
    const product: Tensor3D = tf.mul(tf.matMul(q, k, false, true), softcap ? scale / softcap : scale);
    const t = softcap ? tf.tanh(product) : undefined;
    const scores = tf.add(tf.reshape(t ? tf.mul(t, softcap!) : product, shape), mask);
    const shares = tf.reshape(tf.softmax(scores, -1) as Tensor, product.shape) as Tensor3D;
    const mixed: Tensor3D = tf.matMul(shares, v);
    save([q, k, v, shares, mixed, ...(t ? [t] : [])]);
    return {
      value: mixed,
      gradFunc: (dy, saved) => {
        const [q, k, v, shares, mixed] = saved as [Tensor3D, Tensor3D, Tensor3D, Tensor3D, Tensor3D];
        const t = saved[5];
        const perRow = tf.sum(tf.mul(dy, mixed), -1, true);
        const dScores = tf.mul(shares, tf.sub(tf.matMul(dy as Tensor3D, v, false, true), perRow));
        const dProduct: Tensor = t ? tf.mul(dScores, tf.sub(1, tf.square(t))) : dScores;
        return [
          tf.mul(tf.matMul(dProduct as Tensor3D, k), scale),
          tf.mul(tf.matMul(dProduct as Tensor3D, q, true, false), scale),
          tf.matMul(shares, dy as Tensor3D, true, false),
        ];
      },
    };
  }) as Tensor3D;
}

/**
 * The same where keys and values lie in several parts that follow one another, such as a cache and what is newer; they are
 * not copied together. Without a gradient.
 *
 * @param parts keys and values, each `[groups, keys, headDim]`
 */
export function attendToParts(
  q: Tensor3D,
  parts: [Tensor3D, Tensor3D][],
  { mask, shape, scale, softcap }: AttendOptions,
): Tensor3D {
  const scores = tf.concat(
    parts.map(([k]) => tf.matMul(q, k, false, true)),
    -1,
  );
  const product: Tensor3D = tf.mul(scores, softcap ? scale / softcap : scale);
  const capped = softcap ? tf.mul(tf.tanh(product), softcap) : product;
  const shares = tf.reshape(tf.softmax(tf.add(tf.reshape(capped, shape), mask), -1) as Tensor, product.shape);
  const sizes = parts.map(([k]) => k.shape[1]);
  const mixed = tf.split(shares, sizes, -1).map((share, i) => tf.matMul(share as Tensor3D, parts[i]![1]));
  return mixed.reduce((sum, part) => tf.add(sum, part)) as Tensor3D;
}
