import assert from "node:assert/strict";
import { before, test } from "node:test";
import type { Scalar, Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { linearCrossEntropySum, linearLogits } from "../../src/model/decoder/cross-entropy.js";
import { linearArgmax } from "../../src/model/decoder/frozen-head.js";
import { relativeDifference, values } from "./reference.js";

before(() => tf.setBackend("cpu"));

/** The textbook form, with whole logits and a one-hot matrix. */
function composed(h: Tensor2D, e: Tensor2D, labels: Tensor1D, softcap: number | null, smoothing: number): Scalar {
  const vocab = e.shape[0];
  const logs = tf.logSoftmax(linearLogits(h, e, softcap));
  const weight = tf.cast(tf.notEqual(labels, -100), "float32");
  const onehot = tf.cast(tf.oneHot(tf.mul<Tensor1D>(labels, tf.cast(weight, "int32")), vocab), "float32");
  const target = tf.add(tf.mul(onehot, 1 - smoothing), smoothing / vocab);
  return tf.neg(tf.sum(tf.mul(tf.sum(tf.mul(target, logs), -1), weight)));
}

const setup = () => ({
  h: tf.randomNormal([11, 5], 0, 1, "float32", 1) as Tensor2D,
  e: tf.randomNormal([13, 5], 0, 2, "float32", 2) as Tensor2D,
  labels: tf.tensor1d([3, 0, -100, 12, 3, 3, -100, 7, 1, 2, -100], "int32"),
});

// 70: too high for exponentials without a maximum.
for (const softcap of [null, 4, 70]) {
  for (const smoothing of [0, 0.1]) {
    test(`tiles give the whole loss and gradients (softcap ${softcap}, smoothing ${smoothing})`, () => {
      tf.tidy(() => {
        const { h, e, labels } = setup();
        const expected = tf.valueAndGrads((h: Tensor, e: Tensor) =>
          composed(h as Tensor2D, e as Tensor2D, labels, softcap, smoothing),
        )([h, e], tf.scalar(0.7));
        for (const size of [undefined, 1, 4]) {
          const options = { softcap, label_smoothing_factor: smoothing, tile_tokens: size, chunk_words: size };
          const both = tf.valueAndGrads((h: Tensor, e: Tensor) =>
            linearCrossEntropySum(h as Tensor2D, e as Tensor2D, labels, { ...options, trains: true }),
          )([h, e], tf.scalar(0.7));
          assert.ok(relativeDifference(values(both.value), values(expected.value)) < 1e-6);
          both.grads.forEach((gradient, i) => {
            assert.ok(relativeDifference(values(gradient), values(expected.grads[i]!)) < 1e-5);
          });
          const frozen = tf.grad((h: Tensor) =>
            linearCrossEntropySum(h as Tensor2D, e, labels, { ...options, trains: false }),
          )(h, tf.scalar(0.7));
          assert.ok(relativeDifference(values(frozen), values(expected.grads[0]!)) < 1e-5);
        }
      });
    });
  }
}

test("no tensor as large as the whole logits appears", () => {
  const { h, e, labels } = setup();
  const engine = tf.engine();
  const track = engine.trackTensor;
  let largest = 0;
  engine.trackTensor = function (this: typeof engine, ...args: Parameters<typeof track>) {
    track.apply(this, args);
    largest = Math.max(largest, args[0].size);
  };
  try {
    tf.tidy(() => linearCrossEntropySum(h, e, labels, { softcap: 4, trains: false, chunk_words: 2 }));
    tf.tidy(() => linearCrossEntropySum(h, e, labels, { softcap: 4, trains: true, tile_tokens: 2 }));
    tf.tidy(() => linearArgmax(h, e, labels, { softcap: 4, chunk_words: 2 }).loss_sum);
  } finally {
    engine.trackTensor = track;
  }
  assert.ok(largest <= e.size, `${largest} elements, whole logits have ${11 * 13}`);
  tf.dispose([h, e, labels]);
});

test("the most likely word and the loss are those of whole logits, whatever the chunks", () => {
  tf.tidy(() => {
    const { h, e, labels } = setup();
    // Words 2 and 9 are equal: the first is taken.
    const twins = tf.concat([tf.slice(e, [0, 0], [9, 5]), tf.slice(e, [2, 0], [1, 5]), tf.slice(e, [10, 0], [3, 5])]);
    const head = tf.mul(twins, 3) as Tensor2D;
    const expected = tf.argMax(linearLogits(h, head, 30), -1).dataSync();
    const loss = values(composed(h, head, labels, 30, 0));
    for (const chunk_words of [undefined, 1, 4]) {
      const { loss_sum, predictions } = linearArgmax(h, head, labels, { softcap: 30, chunk_words });
      assert.deepEqual([...predictions.dataSync()], [...expected]);
      assert.ok(relativeDifference(values(loss_sum), loss) < 1e-6);
    }
  });
});
