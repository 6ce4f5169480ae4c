import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";

/**
 * The few operations that a decoder needs beyond tfjs core, each with a gradient that keeps less and computes less than
 * the composed one. All of them use only kernels that every backend has.
 */

/** `x / sqrt(mean(x²) + eps)` over the last axis; Zhang and Sennrich 2019. The weight is applied by the caller. */
export function rmsNormalize<T extends Tensor>(x: T, eps: number): T {
  return custom([x], ([x], save) => {
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(x!), -1, true), eps));
    const y = tf.mul(x!, inverse);
    save([y, inverse]);
    return {
      value: y,
      gradFunc: (dy, [y, inverse]) => [tf.mul(tf.sub(dy, tf.mul(y!, tf.mean(tf.mul(dy, y!), -1, true))), inverse!)],
    };
  }) as T;
}

/** GELU, tanh form: `x/2 · (1 + tanh(√(2/π)(x + 0.044715x³)))`. */
export function geluTanh<T extends Tensor>(x: T): T {
  const c = Math.sqrt(2 / Math.PI);
  return custom([x], ([x], save) => {
    const t = tf.tanh(tf.mul(x!, tf.add(tf.mul(tf.square(x!), 0.044715 * c), c)));
    save([x!, t]);
    return {
      value: tf.mul(tf.mul(x!, 0.5), tf.add(t, 1)),
      gradFunc: (dy, [x, t]) => {
        const inner = tf.add(tf.mul(tf.square(x!), 3 * 0.044715 * c * 0.5), 0.5 * c);
        const slope = tf.mul(tf.mul(tf.sub(1, tf.square(t!)), x!), inner);
        return [tf.mul(dy, tf.add(slope, tf.add(tf.mul(t!, 0.5), 0.5)))];
      },
    };
  }) as T;
}

/** SiLU: `x · sigmoid(x)`. */
export function silu<T extends Tensor>(x: T): T {
  return tf.mul(x, tf.sigmoid(x));
}

/**
 * Rotary position embedding (Su et al. 2021), half-split as in Hugging Face: `x·cos + swapHalves(x)·sin`, where the
 * sign of the first half lies in `sin`. `x`: `[batch, heads, seq, headDim]`, tables `[seq, headDim]` or `[batch, 1, seq, headDim]`.
 */
export function rotate<T extends Tensor>(x: T, cos: Tensor, sin: Tensor): T {
  return custom([x], ([x], save) => {
    save([cos, sin]);
    return {
      value: tf.add(tf.mul(x!, cos), tf.mul(swapHalves(x!), sin)),
      // Swapping the halves is its own transpose.
      gradFunc: (dy, [cos, sin]) => [tf.add(tf.mul(dy, cos!), swapHalves(tf.mul(dy, sin!)))],
    };
  }) as T;
}

function swapHalves<T extends Tensor>(x: T): T {
  const [a, b] = tf.split(x, 2, -1);
  return tf.concat([b!, a!], -1) as T;
}

/**
 * Rows `ids` (`[n]`, int32) of `table` (`[rows, width]`); the gradient adds into the rows that were read, except row
 * `padding`, as in torch's `nn.Embedding(padding_idx)`.
 */
export function lookup(table: Tensor2D, ids: Tensor1D, padding: number | null): Tensor2D {
  const shape = table.shape;
  return custom([table], ([table], save) => {
    save([ids]);
    return {
      value: tf.gather(table!, ids),
      gradFunc: (dy, [ids]) => {
        const read =
          padding === null ? dy : tf.mul(dy, tf.expandDims(tf.cast(tf.notEqual(ids!, padding), "float32"), 1));
        return [scatterAdd(ids as Tensor1D, read as Tensor2D, shape)];
      },
    };
  }) as Tensor2D;
}

/** Zeros of `shape` with `rows[i]` added at row `ids[i]`. tf.scatterND adds duplicates up on every backend. */
export function scatterAdd(ids: Tensor1D, rows: Tensor2D, shape: [number, number]): Tensor2D {
  return tf.scatterND(tf.expandDims(ids, 1), rows, shape) as Tensor2D;
}

type Save = (tensors: Tensor[]) => void;
interface ValueAndGradient {
  value: Tensor;
  gradFunc: (dy: Tensor, saved: Tensor[]) => Tensor[];
}

/**
 * `tf.customGrad` with usable types. Whatever is not in `inputs` is constant: no gradient is built for it. A tensor that
 * `gradFunc` reads must go through `save`: a tidy around the forward pass disposes what only a closure holds.
 */
export function custom(inputs: Tensor[], compute: (inputs: Tensor[], save: Save) => ValueAndGradient): Tensor {
  const op = tf.customGrad(((...args: unknown[]) => {
    const save = args.pop() as Save;
    return compute(args as Tensor[], save);
  }) as Parameters<typeof tf.customGrad>[0]);
  return op(...inputs);
}
