import type { Scalar, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { frozenHeadLoss } from "./frozen-head.js";
import { capped, labelLogit, targets } from "./labels.js";
import { custom, scatterAdd } from "./ops.js";

/** Numbers in one `[tokens, vocab]` tile (64 MB of float32). Five tiles or so live at a time. */
const TILE_ELEMENTS = 1 << 24;

export interface HeadOptions {
  /** `cap · tanh(logits / cap)`, Gemma 2. */
  softcap: number | null;
  /** Whether the head's weight trains; a frozen one gets no gradient. */
  trains: boolean;
  label_smoothing_factor?: number;
  /** For tests: how many tokens one tile holds, and how many words a chunk of a frozen head. */
  tile_tokens?: number;
  chunk_words?: number;
}

/**
 * Sum of the cross-entropies of `hidden · headᵀ` against `labels`, without ever holding all logits (as in Liger's fused
 * linear cross-entropy): the gradients are computed along with the loss, part by part.
 *
 * @param hidden `[tokens, hidden]`
 * @param head `[vocab, hidden]`
 * @param labels `[tokens]` int32, already shifted; -100 carries no loss
 */
export function linearCrossEntropySum(
  hidden: Tensor2D,
  head: Tensor2D,
  labels: Tensor1D,
  options: HeadOptions,
): Scalar {
  const { softcap, chunk_words } = options;
  if (options.trains) {
    return custom([hidden, head], ([h, e], save) =>
      withGradients(save, tiled(h as Tensor2D, e as Tensor2D, labels, options)),
    ) as Scalar;
  }
  return custom([hidden], ([h], save) =>
    withGradients(
      save,
      options.label_smoothing_factor
        ? tiled(h as Tensor2D, head, labels, options)
        : frozenHeadLoss(h as Tensor2D, head, labels, { softcap, chunk_words }),
    ),
  ) as Scalar;
}

interface LossAndGradients {
  loss: Scalar;
  gradient: Tensor2D;
  headGradient?: Tensor2D | undefined;
}

function withGradients(save: (tensors: tf.Tensor[]) => void, { loss, gradient, headGradient }: LossAndGradients) {
  save(headGradient ? [gradient, headGradient] : [gradient]);
  return {
    value: loss,
    gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => saved.map((gradient) => tf.mul(gradient, dy)),
  };
}

/** Tokens go through in tiles, and each tile leaves only its loss and its gradients behind. */
function tiled(h: Tensor2D, e: Tensor2D, labels: Tensor1D, options: HeadOptions): LossAndGradients {
  const losses: Scalar[] = [];
  const gradients: Tensor2D[] = [];
  let headGradient: Tensor2D | undefined;
  for (const tile of tiles(h, labels, e.shape[0], options.tile_tokens)) {
    const result = tf.tidy(() => lossAndGradients(tile.hidden, e, tile.labels, options));
    losses.push(result.loss);
    gradients.push(result.hidden);
    if (result.head) headGradient = headGradient ? tf.add(headGradient, result.head) : result.head;
  }
  return {
    loss: losses.length === 1 ? losses[0]! : (tf.addN(losses) as Scalar),
    gradient: gradients.length === 1 ? gradients[0]! : tf.concat(gradients, 0),
    headGradient,
  };
}

/** `[tokens, vocab]`, whole: for small vocabularies. */
export function linearLogits(hidden: Tensor2D, head: Tensor2D, softcap: number | null): Tensor2D {
  const logits: Tensor2D = tf.matMul(hidden, head, false, true);
  return softcap ? tf.mul(tf.tanh(tf.div(logits, softcap)), softcap) : logits;
}

function lossAndGradients(h: Tensor2D, e: Tensor2D, labels: Tensor1D, options: HeadOptions) {
  const { softcap, label_smoothing_factor: smoothing = 0 } = options;
  const vocab = e.shape[0];
  const { weight, index } = targets(labels);
  const logits = capped<Tensor2D>(tf.matMul(h, e, false, true), softcap);
  const { lse, shares } = logSumExp(logits.value);
  const own = labelLogit(h, e, index, softcap);
  // loss = lse - (1 - s)·z_label - s·mean(z); its gradient by z is softmax - s/V - (1 - s)·onehot(label)
  let perToken = tf.sub(lse, tf.mul(own.value, 1 - smoothing));
  let slope = shares;
  if (smoothing) {
    perToken = tf.sub(perToken, tf.mul(tf.mean(logits.value, -1), smoothing));
    slope = tf.sub(slope, smoothing / vocab);
  }
  slope = tf.mul(slope, tf.expandDims(weight, 1));
  if (logits.slope) slope = tf.mul(slope, logits.slope);
  let ownSlope = tf.mul(weight, 1 - smoothing);
  if (own.slope) ownSlope = tf.mul(ownSlope, own.slope);
  const ownColumn = tf.expandDims(ownSlope, 1);
  const hidden: Tensor2D = tf.sub(tf.matMul(slope, e), tf.mul(own.rows, ownColumn));
  const head: Tensor2D | undefined = options.trains
    ? tf.sub(tf.matMul(slope, h, true, false), scatterAdd(index, tf.mul(h, ownColumn), e.shape))
    : undefined;
  return { loss: tf.sum(tf.mul(perToken, weight)) as Scalar, hidden, head };
}

function logSumExp(logits: Tensor2D): { lse: Tensor1D; shares: Tensor2D } {
  const top = tf.max(logits, -1, true);
  const powers: Tensor2D = tf.exp(tf.sub(logits, top));
  const sum = tf.sum(powers, -1, true);
  const lse: Tensor1D = tf.reshape(tf.add(top, tf.log(sum)), [-1]);
  return { lse, shares: tf.div(powers, sum) };
}

function* tiles(hidden: Tensor2D, labels: Tensor1D, vocab: number, tileTokens?: number) {
  const [tokens, width] = hidden.shape;
  const step = tileTokens ?? Math.max(1, Math.floor(TILE_ELEMENTS / vocab));
  if (step >= tokens) {
    yield { hidden, labels };
    return;
  }
  for (let from = 0; from < tokens; from += step) {
    const size = Math.min(step, tokens - from);
    yield { hidden: tf.slice2d(hidden, [from, 0], [size, width]), labels: tf.slice1d(labels, from, size) };
  }
}
