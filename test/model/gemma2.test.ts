import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { Tensor } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import {
  AutoModelForCausalLM,
  type CausalLM,
  type ModelInputs,
  type NamedTensors,
  useEngine,
} from "../../src/index.js";
import { figures, forwardFigures, largestDifference, relativeDifference, values, withoutLeaks } from "./reference.js";

/** Mean loss and its gradients, as a training step takes them. */
function lossAndGradients(model: CausalLM, inputs: ModelInputs, options = {}) {
  const params = model.trainableParameters();
  const names = Object.keys(params);
  const labels = inputs.labels!.arraySync();
  const count = labels.flatMap((row) => row.slice(1)).filter((label) => label !== -100).length;
  const named = (list: Tensor[]): NamedTensors => Object.fromEntries(names.map((name, i) => [name, list[i]!]));
  const { value, grads } = tf.valueAndGrads((...list: Tensor[]) =>
    tf.div(model.lossSum(named(list), inputs, options), count).asScalar(),
  )(Object.values(params));
  return { loss: value, gradients: named(grads) };
}

for (const engine of ["cpu", "wasm", "onnx"] as const) {
  describe(`Gemma 2 on ${engine}`, () => {
    before(() => useEngine(engine));

    for (const side of ["right", "left"]) {
      test(`logits, loss and gradients equal transformers' (padding ${side})`, async () => {
        await withoutLeaks(async () => {
          const model = await AutoModelForCausalLM.fromPretrained(figures("tiny-gemma2"));
          const figure = await forwardFigures(`forward-${side}`);
          const { logits, loss } = model.forward(figure.inputs);
          assert.ok(largestDifference(values(logits), figure.logits.values, figure.mask) < 1e-4);
          assert.ok(Math.abs(values(loss!)[0]! - figure.loss) < 1e-5);

          const step = lossAndGradients(model, figure.inputs);
          assert.ok(Math.abs(values(step.loss)[0]! - figure.loss) < 1e-5);
          assert.deepEqual(Object.keys(step.gradients).sort(), [...figure.gradients.keys()].sort());
          for (const [name, expected] of figure.gradients) {
            const difference = relativeDifference(values(step.gradients[name]!), expected.values);
            assert.ok(difference < 1e-3, `gradient of ${name} is ${difference} off`);
          }
          tf.dispose([logits, loss!, step.loss, step.gradients, { ...figure.inputs }]);
          model.dispose();
        });
      });
    }
  });
}

describe("Gemma 2", () => {
  before(() => useEngine("wasm"));

  test("gradient checkpointing gives equal gradients and leaves the caller's tape alone", async () => {
    await withoutLeaks(async () => {
      const model = await AutoModelForCausalLM.fromPretrained(figures("tiny-gemma2"));
      const { inputs } = await forwardFigures("forward-right");
      const plain = lossAndGradients(model, inputs);
      const checkpointed = lossAndGradients(model, inputs, { gradient_checkpointing: true });
      assert.equal(values(checkpointed.loss)[0], values(plain.loss)[0]);
      for (const [name, gradient] of Object.entries(plain.gradients)) {
        assert.ok(relativeDifference(values(checkpointed.gradients[name]!), values(gradient)) < 1e-6, name);
      }
      tf.dispose([plain, checkpointed, { ...inputs }] as unknown as tf.TensorContainer);
      model.dispose();
    });
  });

  test("gradient checkpointing keeps less memory alive", async () => {
    const model = await AutoModelForCausalLM.fromPretrained(figures("tiny-gemma2"));
    const { inputs } = await forwardFigures("forward-right");
    const peak = (options: object) => {
      const engine = tf.engine();
      const start = engine.state.numBytes;
      let most = 0;
      const track = engine.trackTensor;
      engine.trackTensor = function (this: typeof engine, ...args: Parameters<typeof track>) {
        track.apply(this, args);
        most = Math.max(most, engine.state.numBytes - start);
      };
      try {
        const step = lossAndGradients(model, inputs, options);
        tf.dispose(step as unknown as tf.TensorContainer);
      } finally {
        engine.trackTensor = track;
      }
      assert.ok(most > 0);
      return most;
    };
    const plain = peak({});
    const checkpointed = peak({ gradient_checkpointing: true });
    assert.ok(checkpointed < 0.75 * plain, `${checkpointed} bytes against ${plain}`);
    tf.dispose({ ...inputs });
    model.dispose();
  });

  test("evaluate gives the summed loss and the argmax of the logits", async () => {
    await withoutLeaks(async () => {
      const model = await AutoModelForCausalLM.fromPretrained(figures("tiny-gemma2-sharded"));
      const { inputs } = await forwardFigures("forward-left");
      const params = model.trainableParameters();
      const whole = model.logits(params, inputs);
      const expected = tf.argMax(whole, -1);
      const sum = model.lossSum(params, inputs);
      const { loss_sum, predictions } = model.evaluate(params, inputs);
      assert.deepEqual(predictions.arraySync(), expected.arraySync());
      assert.equal(predictions.dtype, "int32");
      assert.ok(Math.abs(values(loss_sum)[0]! - values(sum)[0]!) < 1e-3);
      tf.dispose([whole, expected, sum, loss_sum, predictions, { ...inputs }]);
      model.dispose();
    });
  });

  test("inputs of a wrong type or shape are refused by name", async () => {
    const model = await AutoModelForCausalLM.fromPretrained(figures("tiny-gemma2"));
    const input_ids = tf.zeros([1, 4], "int32") as tf.Tensor2D;
    const attention_mask = tf.ones([1, 5], "int32") as tf.Tensor2D;
    assert.throws(() => model.forward({ input_ids, attention_mask }), /attention_mask is int32 \[1,5\]/);
    tf.dispose([input_ids, attention_mask]);
    model.dispose();
  });
});
