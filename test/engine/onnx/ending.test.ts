import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

/** Products for a second or so, begun and not waited for. */
const busy = `
  import * as tf from "@tensorflow/tfjs";
  import "kaisetsu/engine/onnx";
  await tf.setBackend("onnx");
  const a = tf.randomUniform([1000, 1000], 0, 1e-3);
  let product = a;
  for (let i = 0; i < 80; i++) product = tf.matMul(product, a);
  const reading = product.data();
  await new Promise((resolve) => setTimeout(resolve, 100));
`;

function endingWith(code: string) {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "--eval", busy + code],
    { encoding: "utf8" },
  );
  return { status, signal, stdout, stderr };
}

test("process.exit() while the engine computes ends the process with that code, and nothing else", () => {
  const { status, signal, stderr } = endingWith("process.exit(7);");
  assert.deepEqual({ status, signal }, { status: 7, signal: null }, stderr);
  assert.doesNotMatch(stderr, /terminate|Napi/);
});

test("an error that nobody catches while the engine computes is still the one that is shown", () => {
  const { status, stderr } = endingWith('throw new Error("my own mistake");');
  assert.equal(status, 1);
  assert.match(stderr, /my own mistake/);
});

test("a backend that is removed while it computes rejects what was asked of it, and the program goes on", () => {
  const { status, stdout, stderr } = endingWith(`
    const ended = reading.then(() => "read", (error) => error.message);
    tf.removeBackend("onnx");
    console.log(await ended);
    await tf.setBackend("cpu");
    console.log(tf.sum(tf.ones([41])).dataSync()[0] + 1);
  `);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /disposed\n42\n/);
});
