import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { hasFused, RMS_NORM, ROTATE, runFused } from "./fused-kernels.js";

/**
 * The few operations that a decoder needs beyond tfjs core, each with a gradient that keeps less and computes less than
 * the composed one. They use kernels that every backend has, or one of our own where the backend has it.
 */

/**
 * `weight · x / sqrt(mean(x²) + eps)` over the last axis; Zhang and Sennrich 2019.
 * @param trains whether the weight needs a gradient
 */
export function rmsNorm<T extends Tensor>(x: T, weight: Tensor, eps: number, trains: boolean): T {
  return custom(trains ? [x, weight] : [x], ([x, given], save) => {
    const w = given ?? weight;
    const [value, inverse] = hasFused(RMS_NORM)
      ? runFused(RMS_NORM, { x: x!, weight: w }, { eps })
      : normalized(x!, w, eps);
    save([x!, w, inverse!]);
    return {
      value: value!,
      gradFunc: (dy, saved) => {
        const [x, w, inverse] = saved as [Tensor, Tensor, Tensor];
        const dNormalized = tf.mul(dy, w);
        const along = tf.mul(tf.mean(tf.mul(dNormalized, x), -1, true), tf.mul(tf.square(inverse), inverse));
        const dx = tf.sub(tf.mul(dNormalized, inverse), tf.mul(x, along));
        if (!trains) return [dx];
        const rows = tf.mul(dy, tf.mul(x, inverse));
        return [
          dx,
          tf.sum(
            rows,
            rows.shape.slice(0, -1).map((_, axis) => axis),
          ),
        ];
      },
    };
  }) as T;
}

function normalized(x: Tensor, weight: Tensor, eps: number): [Tensor, Tensor] {
  const inverse: Tensor = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), eps));
  return [tf.mul(tf.mul(x, inverse), weight), inverse];
}

/**
 * `activate(gate) · up`, the heart of a gated feed-forward layer (Shazeer 2020). GELU in its tanh form,
 * `x/2 · (1 + tanh(√(2/π)(x + 0.044715x³)))`, is written as `x · sigmoid(2√(2/π)(x + 0.044715x³))`, so that it and SiLU
 * are both `x · s`, and their slope is `s + x·s·(1 - s)·d` with the inner derivative d.
 */
export function gatedUnit<T extends Tensor>(activation: "gelu_pytorch_tanh" | "silu", gate: T, up: T): T {
  const k = 2 * Math.sqrt(2 / Math.PI);
  return custom([gate, up], ([x, up], save) => {
    // The sigmoid's argument over x: k(1 + 0.044715x²).
    const inner = activation === "silu" ? undefined : tf.add(tf.mul(tf.square(x!), 0.044715 * k), k);
    const s = tf.sigmoid(inner ? tf.mul(x!, inner) : x!);
    const activated = tf.mul(x!, s);
    save([activated, s, up!, ...(inner ? [inner] : [])]);
    return {
      value: tf.mul(activated, up!),
      gradFunc: (dy, [activated, s, up, inner]) => {
        const rest = tf.mul(activated!, tf.sub(1, s!));
        // d(x · inner)/dx = k(1 + 3 · 0.044715x²).
        const slope = tf.add(s!, inner ? tf.mul(rest, tf.sub(tf.mul(inner, 3), 2 * k)) : rest);
        return [tf.mul(tf.mul(dy, up!), slope), tf.mul(dy, activated!)];
      },
    };
  }) as T;
}

/**
 * Rotary position embedding (Su et al. 2021), half-split as in Hugging Face: the halves a, b of each head become
 * `a·cos - b·sin, b·cos + a·sin`.
 *
 * @param x `[batch, heads, seq, headDim]`
 * @param cos `[seq, headDim / 2]` or `[batch, 1, seq, headDim / 2]`, and so is `sin`
 */
export function rotate<T extends Tensor>(x: T, cos: Tensor, sin: Tensor): T {
  return custom([x], ([x], save) => {
    save([cos, sin]);
    // The gradient turns back.
    return { value: turned(x!, cos, sin), gradFunc: (dy, [cos, sin]) => [turned(dy, cos!, tf.neg(sin!))] };
  }) as T;
}

function turned(x: Tensor, cos: Tensor, sin: Tensor): Tensor {
  if (hasFused(ROTATE)) return runFused(ROTATE, { x, cos, sin })[0]!;
  const [a, b] = tf.split(x, 2, -1) as [Tensor, Tensor];
  return tf.concat([tf.sub(tf.mul(a, cos), tf.mul(b, sin)), tf.add(tf.mul(b, cos), tf.mul(a, sin))], -1);
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
