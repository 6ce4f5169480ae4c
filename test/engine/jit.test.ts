import assert from "node:assert/strict";
import { before, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { currentEngine, type Engine, type NamedTensors, useEngine } from "kaisetsu";

let engine: Engine;
before(async () => {
  engine = await useEngine("cpu");
});

test("a jit step computes what the step computes and leaves only its outputs", async () => {
  const x = tf.tensor1d([1, 2, 3]);
  const squares = engine.jit(({ x }: { x: tf.Tensor }) => ({ sum: tf.sum(tf.square(x)), double: tf.mul(x, 2) }));
  const before = tf.memory().numTensors;
  const { sum, double } = await squares({ x });
  assert.equal(sum.dataSync()[0], 14);
  assert.deepEqual([...double.dataSync()], [2, 4, 6]);
  assert.equal(tf.memory().numTensors, before + 2);
  tf.dispose([x, sum, double]);
});

test("outputs are the caller's even when they are an input, a weight, or the same tensor twice", async () => {
  const x = tf.tensor1d([1, 2]);
  const weight = tf.tensor1d([5, 6]);
  const step = engine.jit((inputs: { x: tf.Tensor }) => {
    const twice = tf.add(inputs.x, 1);
    return { same: inputs.x, weight, once: twice, again: twice };
  });
  tf.dispose(await step({ x }));
  assert.deepEqual([...x.dataSync(), ...weight.dataSync()], [1, 2, 5, 6], "neither was disposed with the outputs");
  tf.dispose([x, weight]);
});

test("gradients work inside, and nothing leaks over many calls", async () => {
  const w = tf.tensor2d([1, 2, 3, 4], [2, 2]);
  const x = tf.tensor2d([1, 0, 0, 1], [2, 2]);
  const step = engine.jit((inputs: { w: tf.Tensor; x: tf.Tensor }) => {
    const { value, grad } = tf.valueAndGrad((w) => tf.sum(tf.square(tf.matMul(inputs.x, w))))(inputs.w);
    return { loss: value, grad };
  });
  const before = tf.memory().numTensors;
  for (let i = 0; i < 10; i++) {
    const { loss, grad } = await step({ w, x });
    assert.equal(loss.dataSync()[0], 30);
    assert.deepEqual([...grad.dataSync()], [2, 4, 6, 8]);
    tf.dispose([loss, grad]);
  }
  assert.equal(tf.memory().numTensors, before);
  tf.dispose([w, x]);
});

test("timers get their turn between steps", async () => {
  const x = tf.scalar(1);
  const step = engine.jit((inputs: { x: tf.Tensor }) => ({ y: tf.add(inputs.x, 1) }));
  // An endless chain of steps that a timer ends: without a pause in each step the timer would never fire.
  let done = false;
  setTimeout(() => {
    done = true;
  }, 1);
  let steps = 0;
  while (!done && steps < 1e6) {
    tf.dispose(await step({ x }));
    steps++;
  }
  assert.ok(done, "a timer of 1 ms did not fire during a million steps");
  x.dispose();
});

test("misuse is named: promise, wrong outputs, disposed input, disposed function, another engine", async () => {
  const x = tf.scalar(1);
  const before = tf.memory().numTensors;
  const misuse = (step: unknown) =>
    engine.jit(step as (inputs: NamedTensors) => NamedTensors, { name: "train" })({ x });
  await assert.rejects(
    misuse(async () => ({})),
    /jit\(train\): the step must be synchronous/,
  );
  await assert.rejects(
    misuse(() => tf.scalar(1)),
    /must return an object of named tensors/,
  );
  await assert.rejects(
    misuse(() => ({ loss: 3 })),
    /output "loss" is not a tensor/,
  );
  await assert.rejects(
    misuse(() => {
      throw new Error("inside");
    }),
    /inside/,
  );
  const ok = engine.jit((inputs: { x: tf.Tensor }) => ({ y: tf.add(inputs.x, 1) }));
  await useEngine("wasm");
  await assert.rejects(ok({ x }), /made for the backend "cpu", but "wasm" is current/);
  engine = await useEngine("cpu");
  ok.dispose();
  await assert.rejects(ok({ x }), /called after dispose/);
  assert.equal(tf.memory().numTensors, before, "a failed step leaves nothing behind");
  x.dispose();
  const again = currentEngine().jit((inputs: { x: tf.Tensor }) => ({ y: tf.add(inputs.x, 1) }));
  await assert.rejects(again({ x }), /input "x" has been disposed/);
});
