import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { type Engine, useEngine } from "kaisetsu";
import type { OnnxBackend } from "../../../src/engine/onnx/index.js";

let engine: Engine;
before(async () => {
  engine = await useEngine("onnx");
});

describe("memory", () => {
  test("steps of ever changing lengths leave no tensor, and neither sessions nor memory grow", async () => {
    const width = 64;
    const backend = tf.backend() as OnnxBackend;
    let w: tf.Tensor = tf.randomUniform([width, width], -0.1, 0.1, "float32", 1);
    const step = engine.jit(({ x, w }: { x: tf.Tensor; w: tf.Tensor }) => {
      const { value, grad } = tf.valueAndGrad((w) => tf.mean(tf.square(tf.matMul(x, w))))(w);
      return { loss: value, w: tf.sub(w, tf.mul(grad, 0.01)) };
    });
    const before = tf.memory();
    const run = async (steps: number) => {
      for (let i = 0; i < steps; i++) {
        const x = tf.fill([64 + ((i * 7) % 20), width], (i % 5) / 5 + 0.1);
        const { loss, w: next } = await step({ x, w });
        tf.dispose([x, w, loss]);
        w = next;
      }
    };
    await run(40);
    const warm = await backend.device.usage();
    await run(200);
    const end = await backend.device.usage();
    const after = tf.memory();
    assert.deepEqual(
      [after.numTensors, after.numDataBuffers],
      [before.numTensors, before.numDataBuffers],
      "tensors and data",
    );
    assert.deepEqual(end, warm, "buffers and sessions on the device");
    assert.ok(end.sessions <= 64, `${end.sessions} sessions`);
    step.dispose();
    w.dispose();
    const disposed = await backend.device.usage();
    assert.ok(disposed.sessions < end.sessions, "a disposed step gives its sessions back");
  });

  test("frozen matrices that a session has laid out leave the memory, and come back from disk bit by bit", async () => {
    const backend = tf.backend() as OnnxBackend;
    const numbers = Float32Array.from({ length: 2048 * 2560 }, (_, i) => Math.sin(i));
    numbers.set([-0, 1e-40]);
    const before = await backend.device.usage();
    const w = tf.tensor2d(numbers, [2048, 2560]);
    const other = tf.ones([2560, 16]);
    const step = engine.jit(({ x }: { x: tf.Tensor }) => ({
      y: tf.matMul(x, w),
      z: tf.matMul(tf.matMul(x, w), other),
    }));
    const bytes = (await backend.device.usage()).bytes;
    assert.ok(bytes >= before.bytes + numbers.byteLength);
    const expected = Float32Array.from({ length: 2560 }, (_, i) => 3 * numbers[5 * 2560 + i]!);
    for (const rows of [16, 32, 16]) {
      const x = tf.tidy(() => tf.oneHot(tf.fill([rows], 5, "int32"), 2048).mul(3));
      const { y, z } = await step({ x });
      assert.deepEqual((await y.data()).slice(-2560), expected);
      tf.dispose([x, y, z]);
      const { bytes: now } = await backend.device.usage();
      assert.ok(now < bytes - 0.9 * numbers.byteLength, `${now} bytes on the device, ${bytes} before`);
    }
    assert.deepEqual(new Uint8Array((await w.data()).buffer), new Uint8Array(numbers.buffer));
    const doubled = tf.tidy(() => tf.slice(w, [7, 0], [1, 4]).mul(2));
    assert.deepEqual(
      [...(await doubled.data())],
      [...numbers.slice(7 * 2560, 7 * 2560 + 4)].map((n) => 2 * n),
    );
    step.dispose();
    tf.dispose([w, other, doubled]);
    assert.equal((await backend.device.usage()).bytes, before.bytes);
  });

  test("a graph that nobody reads is never computed, and what it needed is freed", async () => {
    const backend = tf.backend() as OnnxBackend;
    const before = await backend.device.usage();
    const x = tf.tensor(Float32Array.from({ length: 5000 }, (_, i) => i));
    const y = tf.tidy(() => tf.mul(tf.add(x, 1), 2));
    assert.equal((await backend.device.usage()).buffers, before.buffers + 1, "x");
    x.dispose();
    assert.equal((await backend.device.usage()).buffers, before.buffers + 1, "y needs x");
    y.dispose();
    assert.deepEqual(await backend.device.usage(), before);
  });

  test("a tensor may be disposed while what was made of it is pending, and made into another shape", async () => {
    const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const flat = x.reshape([4]);
    const sum = tf.sum(x);
    x.dispose();
    assert.deepEqual([...flat.dataSync(), ...sum.dataSync()], [1, 2, 3, 4, 10]);
    tf.dispose([flat, sum]);
  });
});

describe("the backend by itself", () => {
  test("any TensorFlow.js program runs on it, variables and optimizers too", async () => {
    const x = tf.tensor2d([0, 1, 2, 3], [4, 1]);
    const y = tf.tensor2d([1, 3, 5, 7], [4, 1]);
    const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [1] })] });
    model.compile({ optimizer: tf.train.adam(0.2), loss: "meanSquaredError" });
    const before = tf.memory().numTensors;
    const { history } = await model.fit(x, y, { epochs: 60, verbose: 0 });
    assert.ok((history.loss!.at(-1) as number) < 0.2 * (history.loss![0] as number));
    assert.ok(tf.memory().numTensors <= before + 8, "only the optimizer's own state was added");
    tf.dispose([x, y]);
    model.dispose();
  });

  test("tensors of other backends, strings and complex numbers are usable", async () => {
    await useEngine("cpu");
    const fromCpu = tf.tensor1d([1, 2]);
    await useEngine("onnx");
    const sum = tf.add(fromCpu, 1);
    assert.deepEqual([...sum.dataSync()], [2, 3]);
    const words = tf.tensor1d(["a", "b"]);
    assert.deepEqual(await words.data(), ["a", "b"]);
    const complex = tf.complex([1, 2], [3, 4]);
    assert.deepEqual([...tf.real(complex).dataSync(), ...tf.imag(complex).dataSync()], [1, 2, 3, 4]);
    await useEngine("cpu");
    const moved = tf.mul(sum, 2);
    assert.deepEqual([...moved.dataSync()], [4, 6], "and back");
    await useEngine("onnx");
    tf.dispose([fromCpu, sum, words, complex, moved]);
  });

  test("a failure inside ONNX Runtime reaches the reader, and the backend goes on", async () => {
    const table = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    // What is known by now is looked at by now; a computed index only ONNX Runtime sees.
    assert.throws(() => tf.gather(table, tf.tensor1d([7], "int32")), /index value 7 is not in \[0, 1\]/);
    const outside = tf.gather(table, tf.add(tf.tensor1d([3], "int32"), tf.scalar(4, "int32")));
    await assert.rejects(outside.data(), { name: "OnnxRuntimeError", message: /out of (data )?bounds/ });
    outside.dispose();
    assert.deepEqual([...tf.sum(table).dataSync()], [10]);
    table.dispose();
  });
});
