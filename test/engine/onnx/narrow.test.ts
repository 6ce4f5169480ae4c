import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { type Engine, useEngine } from "kaisetsu";
import type { OnnxBackend } from "../../../src/engine/onnx/index.js";
import { bfloatToFloat, floatToBfloat, halfToFloat } from "../../../src/model/dtype.js";
import { narrowTensor } from "../../../src/model/narrow-tensor.js";

let engine: Engine;
before(async () => {
  engine = await useEngine("onnx");
});

const DECODE = { bfloat16: bfloatToFloat, float16: halfToFloat };

describe("float32 tensors that are kept in 16 bits", () => {
  for (const dtype of ["bfloat16", "float16"] as const) {
    test(`every finite ${dtype} is the number that it stands for`, async () => {
      const bits = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i).filter((bits) =>
        Number.isFinite(DECODE[dtype](bits)),
      );
      const expected = Float32Array.from(bits, DECODE[dtype]);
      const tensor = narrowTensor(bits, [expected.length], dtype);
      assert.equal(tensor.dtype, "float32");
      for (const read of [await tensor.data<"float32">(), tensor.dataSync<"float32">()]) {
        assert.ok(read.every((value, i) => value === expected[i]));
      }
      tensor.dispose();
    });
  }

  test("any operation gives what it gives for a tensor of 32 bits, and nothing is left", async () => {
    const before = [tf.memory().numTensors, tf.memory().numDataBuffers];
    const shape: [number, number] = [5000, 256];
    const table = tf.randomNormal(shape, 0, 1, "float32", 2) as tf.Tensor2D;
    const bits = Uint16Array.from(await table.data(), floatToBfloat);
    const wide = tf.tensor2d(Float32Array.from(bits, bfloatToFloat), shape);
    const narrow = narrowTensor(bits, shape, "bfloat16") as tf.Tensor2D;
    const x = tf.randomNormal([3, 256], 0, 1, "float32", 3) as tf.Tensor2D;
    const outputs = (w: tf.Tensor2D) => ({
      rows: tf.slice2d(w, [700, 0], [300, 256]),
      columns: tf.slice2d(w, [10, 3], [20, 100]),
      gathered: tf.gather(w, [4999, 0, 17]),
      column: tf.gather(w, [5, 1], 1),
      product: tf.matMul(x, w, false, true),
      other: tf.matMul(w, x, false, true),
      reshaped: tf.sum(tf.reshape(tf.clone(w), [50, 100, 256]), 2),
      sum: tf.add(w, 1),
    });
    const expected = tf.tidy(() => outputs(wide));
    const step = engine.jit(() => outputs(narrow));
    for (const actual of [tf.tidy(() => outputs(narrow)), await step({})]) {
      for (const [name, want] of Object.entries(expected)) {
        const got = actual[name as keyof typeof expected];
        assert.deepEqual(got.shape, want.shape, name);
        const [a, b] = [await got.data(), await want.data()];
        assert.ok(
          a.every((value, i) => value === b[i]),
          name,
        );
      }
      tf.dispose(actual);
    }
    step.dispose();
    tf.dispose([expected, table, wide, narrow, x] as tf.TensorContainer);
    assert.deepEqual([tf.memory().numTensors, tf.memory().numDataBuffers], before);
  });

  test("two bytes a number on the device; an input of a step gets four, since it is to change", async () => {
    const { device } = tf.backend() as OnnxBackend;
    const start = (await device.usage()).bytes;
    const narrow = narrowTensor(new Uint16Array(20_000).fill(0x3f80), [100, 200], "bfloat16");
    const sum = tf.sum(narrow);
    assert.equal((await sum.data())[0], 20_000);
    assert.ok((await device.usage()).bytes <= start + 40_000 + 4);
    const step = engine.jit(({ w }: { w: tf.Tensor }) => ({ w: tf.mul(w, 0.5) }));
    const { w } = await step({ w: narrow });
    assert.deepEqual([(await w.data())[0], (await narrow.data())[0]], [0.5, 1]);
    tf.dispose([narrow, sum, w]);
    step.dispose();
    assert.equal((await device.usage()).bytes, start);
  });
});
