import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { AutoModelForCausalLM, useEngine } from "../../src/index.js";
import {
  assertForward,
  figures,
  forwardFigures,
  lossAndGradients,
  relativeDifference,
  values,
  withoutLeaks,
} from "./reference.js";

for (const engine of ["cpu", "wasm", "onnx"] as const) {
  describe(`Gemma 2 on ${engine}`, () => {
    before(() => useEngine(engine));

    for (const side of ["right", "left"]) {
      test(`logits, loss and gradients equal transformers' (padding ${side})`, async () => {
        await withoutLeaks(async () => {
          const model = await AutoModelForCausalLM.fromPretrained(figures("tiny-gemma2"));
          const figure = await forwardFigures(`forward-${side}`);
          assertForward(model, figure);
          tf.dispose({ ...figure.inputs });
          model.dispose();
        });
      });
    }
  });
}

describe("Gemma 2", () => {
  before(() => useEngine("auto"));

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
