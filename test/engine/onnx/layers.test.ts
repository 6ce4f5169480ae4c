import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import "kaisetsu/engine/onnx";
import { assertClose, floats } from "./compare.js";

test("a convolutional net of tf.layers trains as on the cpu backend, and all of it here", async (t) => {
  const warnings = t.mock.method(console, "warn", () => {});
  const expected = await train("cpu");
  assert.ok(expected.losses.at(-1)! < 0.8 * expected.losses[0]!, `it learns: ${expected.losses}`);
  const actual = await train("onnx");
  assertClose(actual.losses, expected.losses, 1e-5);
  assertClose(actual.predictions, expected.predictions, 1e-4);
  const messages = warnings.mock.calls.map(({ arguments: [message] }) => String(message));
  assert.deepEqual(
    messages.filter((message) => message.startsWith("kaisetsu")),
    [],
  );
});

async function train(backend: string): Promise<{ losses: number[]; predictions: number[] }> {
  await tf.setBackend(backend);
  const seed = (n: number) => tf.initializers.glorotUniform({ seed: n });
  const model = tf.sequential({
    layers: [
      tf.layers.conv2d({
        inputShape: [12, 12, 1],
        filters: 6,
        kernelSize: 5,
        padding: "same",
        activation: "relu",
        kernelInitializer: seed(1),
      }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      // A bias before the normalization would have nothing but rounding errors as its gradient.
      tf.layers.depthwiseConv2d({ kernelSize: 3, padding: "same", useBias: false, depthwiseInitializer: seed(2) }),
      tf.layers.batchNormalization(),
      tf.layers.conv2d({ filters: 8, kernelSize: 3, strides: 2, activation: "tanh", kernelInitializer: seed(3) }),
      tf.layers.conv2dTranspose({ filters: 4, kernelSize: 2, kernelInitializer: seed(4) }),
      tf.layers.averagePooling2d({ poolSize: 2, padding: "same" }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 5, activation: "softmax", kernelInitializer: seed(5) }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(0.01), loss: "categoricalCrossentropy" });
  const images = tf.tensor(floats(1, [24, 12, 12, 1]).values, [24, 12, 12, 1]);
  const labels = tf.oneHot(tf.range(0, 24, 1, "int32").mod(tf.scalar(5, "int32")), 5);
  const { history } = await model.fit(images, labels, { batchSize: 8, epochs: 4, shuffle: false, verbose: 0 });
  // Prediction takes other paths: fused kernels, and the statistics that were learned.
  const predicted = model.predict(images) as tf.Tensor;
  const predictions = [...(await predicted.data())];
  tf.dispose([images, labels, predicted]);
  model.dispose();
  return { losses: history.loss as number[], predictions };
}
