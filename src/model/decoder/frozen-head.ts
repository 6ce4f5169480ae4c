import type { Scalar, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { labelLogit, targets } from "./labels.js";

/**
 * Numbers in one `[tokens, words]` chunk of logits, 1 MB of float32: about ten operations run over each, and as long as
 * both cores' second-level caches hold it they are three times as fast.
 */
const CHUNK_ELEMENTS = 1 << 18;
/** Shorter products are slow, and every chunk is a dozen operations to record. */
const MIN_WORDS = 256;
const MAX_CHUNKS = 64;
/** Below it, exp(cap) and a sum of a million of them are far from float32's end: no maximum has to be taken off first. */
const SAFE_CAP = 60;

export interface FrozenHeadOptions {
  /** `cap · tanh(logits / cap)`, Gemma 2. */
  softcap: number | null;
  /** For tests: how many words one chunk holds. */
  chunk_words?: number | undefined;
}

/** What the logits of all words so far come to: `sum` of exp(logit - top), and the same weights on `rows`. */
interface Sums {
  /** `[tokens, 1]`; absent while logits are capped low enough to need none. */
  top: Tensor2D | undefined;
  /** `[tokens, 1]` */
  sum: Tensor2D;
  /** `[tokens, hidden]`: sum over words of exp(logit - top) · dlogit/dhidden. */
  rows: Tensor2D;
}

/**
 * Sum of the cross-entropies of `hidden · headᵀ` against `labels`, and its gradient by `hidden`, for a head that does not
 * train. The vocabulary goes through in chunks: each adds to the softmax's denominator and, not yet divided by it, to the
 * gradient. So every row of the head is read once, and no logits are kept.
 *
 * @param hidden `[tokens, hidden]`
 * @param head `[vocab, hidden]`
 * @param labels `[tokens]` int32, already shifted; -100 carries no loss
 */
export function frozenHeadLoss(
  hidden: Tensor2D,
  head: Tensor2D,
  labels: Tensor1D,
  { softcap, chunk_words }: FrozenHeadOptions,
): { loss: Scalar; gradient: Tensor2D } {
  const scaled: Tensor2D = softcap ? tf.div(hidden, softcap) : hidden;
  let sums: Sums | undefined;
  for (const chunk of chunks(hidden, head, chunk_words)) {
    const more = tf.tidy(() => sumsOf(scaled, chunk.head, softcap) as unknown as tf.TensorContainer) as unknown as Sums;
    sums = sums ? joined(sums, more) : more;
  }
  const { top, sum, rows } = sums!;
  const { weight, index } = targets(labels);
  const own = labelLogit(hidden, head, index, softcap);
  const logs: Tensor2D = top ? tf.add(tf.log(sum), top) : tf.log(sum);
  const loss = tf.sum(tf.mul(tf.sub(tf.reshape(logs, [-1]), own.value), weight)) as Scalar;
  const ownSlope = own.slope ? tf.mul(weight, own.slope) : weight;
  const shares: Tensor2D = tf.mul(rows, tf.div(tf.expandDims(weight, 1), sum));
  return { loss, gradient: tf.sub(shares, tf.mul(own.rows, tf.expandDims(ownSlope, 1))) };
}

/** The summed loss without its gradient, and the most likely token at every position, `[tokens]` int32. */
export function linearArgmax(
  hidden: Tensor2D,
  head: Tensor2D,
  labels: Tensor1D,
  { softcap, chunk_words }: FrozenHeadOptions,
): { loss_sum: Scalar; predictions: Tensor1D } {
  const scaled: Tensor2D = softcap ? tf.div(hidden, softcap) : hidden;
  let all: { top: Tensor1D; sum: Tensor1D; best: Tensor1D } | undefined;
  for (const chunk of chunks(hidden, head, chunk_words)) {
    all = tf.tidy(() => {
      const logits = cappedLogits(scaled, chunk.head, softcap).logits;
      const top: Tensor1D = tf.max(logits, -1);
      const sum: Tensor1D = tf.sum(tf.exp(tf.sub(logits, tf.expandDims(top, 1))), -1);
      const best: Tensor1D = tf.add(tf.argMax(logits, -1), tf.scalar(chunk.from, "int32"));
      if (!all) return { top, sum, best };
      const higher: Tensor1D = tf.maximum(all.top, top);
      return {
        top: higher,
        sum: tf.add(tf.mul(all.sum, tf.exp(tf.sub(all.top, higher))), tf.mul(sum, tf.exp(tf.sub(top, higher)))),
        // Of equal words the first.
        best: tf.where(tf.greater(top, all.top), best, all.best),
      };
    });
  }
  const { top, sum, best } = all!;
  const { weight, index } = targets(labels);
  const own = labelLogit(hidden, head, index, softcap).value;
  const losses = tf.mul(tf.sub(tf.add(tf.log(sum), top), own), weight);
  return { loss_sum: tf.sum(losses) as Scalar, predictions: best };
}

function sumsOf(scaled: Tensor2D, head: Tensor2D, softcap: number | null): Sums {
  const { logits, t } = cappedLogits(scaled, head, softcap);
  const top: Tensor2D | undefined = softcap && softcap <= SAFE_CAP ? undefined : tf.max(logits, -1, true);
  const powers: Tensor2D = tf.exp(top ? tf.sub(logits, top) : logits);
  const slopes: Tensor2D = t ? tf.mul(powers, tf.sub(1, tf.square(t))) : powers;
  return { top, sum: tf.sum(powers, -1, true), rows: tf.matMul(slopes, head) };
}

/** @param scaled the hidden states, divided by the soft-cap if there is one */
function cappedLogits(scaled: Tensor2D, head: Tensor2D, softcap: number | null) {
  const products: Tensor2D = tf.matMul(scaled, head, false, true);
  if (!softcap) return { logits: products, t: undefined };
  const t: Tensor2D = tf.tanh(products);
  return { logits: tf.mul<Tensor2D>(t, softcap), t };
}

function joined(a: Sums, b: Sums): Sums {
  if (!a.top || !b.top) return { top: undefined, sum: tf.add(a.sum, b.sum), rows: tf.add(a.rows, b.rows) };
  const top: Tensor2D = tf.maximum(a.top, b.top);
  const [less, more] = [tf.exp(tf.sub(a.top, top)), tf.exp(tf.sub(b.top, top))];
  return {
    top,
    sum: tf.add(tf.mul(a.sum, less), tf.mul(b.sum, more)),
    rows: tf.add(tf.mul(a.rows, less), tf.mul(b.rows, more)),
  };
}

function* chunks(hidden: Tensor2D, head: Tensor2D, chunkWords?: number) {
  const [tokens] = hidden.shape;
  const [vocab, width] = head.shape;
  const words = chunkWords ?? Math.ceil(Math.max(MIN_WORDS, CHUNK_ELEMENTS / tokens, vocab / MAX_CHUNKS));
  for (let from = 0; from < vocab; from += words) {
    const count = Math.min(words, vocab - from);
    yield { from, head: count === vocab ? head : tf.slice2d(head, [from, 0], [count, width]) };
  }
}
