import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

/** A program whose engine's thread gets little memory for its books, and fills it: each tensor that lies there is an entry. */
const program = `
  import threads from "node:worker_threads";
  import { syncBuiltinESMExports } from "node:module";
  const { Worker } = threads;
  threads.Worker = class extends Worker {
    constructor(url, options) {
      super(url, { ...options, resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1 } });
    }
  };
  syncBuiltinESMExports();
  const tf = await import("@tensorflow/tfjs");
  await import("kaisetsu/engine/onnx");
  await tf.setBackend("onnx");
  const values = Float32Array.from({ length: 1100 }, (_, i) => i);
  const fill = () => {
    let last;
    for (let i = 0; i < 30_000; i++) last = tf.tensor1d(values);
    return tf.add(last, 1);
  };
`;

function run(code: string) {
  return spawnSync(process.execPath, ["--input-type=module", "--eval", program + code], {
    encoding: "utf8",
    timeout: 60_000,
  });
}

test("a thread that runs out of memory: what was asked of it rejects and says why, and so does what comes after", () => {
  const { status, stdout, stderr } = run(`
    const told = async (promise) => promise.then(() => "read", (error) => error.name + ": " + error.message);
    console.log(await told(fill().data()));
    console.log(await told(tf.add(tf.ones([3]), 1).data()));
  `);
  assert.equal(status, 0, stderr);
  const [first, second] = stdout.trim().split("\n");
  assert.match(first!, /OnnxRuntimeError: the thread of the onnx engine has died .*memory/);
  assert.match(second!, /OnnxRuntimeError: the thread of the onnx engine has died/);
});

test("a program that sleeps until its result is there does not sleep for ever", {
  skip: process.platform !== "linux" && "only Linux tells which threads live",
}, () => {
  const { status, stdout, stderr } = run(`
    try {
      fill().dataSync();
    } catch (error) {
      console.log(error.name, error.message);
    }
    process.exit(5);
  `);
  assert.equal(status, 5, stderr);
  assert.match(stdout, /OnnxRuntimeError the thread of the onnx engine has died/);
});

test("a step for which there is no memory is an error that says what to do, and the engine goes on", {
  skip: process.platform !== "linux" && "only Linux limits the memory of a process",
}, () => {
  const code = `
    import * as tf from "@tensorflow/tfjs";
    import "kaisetsu/engine/onnx";
    await tf.setBackend("onnx");
    const rows = tf.randomUniform([6000, 64]);
    const scores = tf.sin(tf.matMul(rows, rows, false, true));
    await tf.matMul(scores, rows).data().catch((error) => console.log(error.name, error.message));
    console.log(...(await tf.add(tf.tensor1d([1, 2]), 1).data()));
  `;
  const limited = ["--data=400000000", process.execPath, "--input-type=module", "--eval", code];
  const { status, stdout, stderr } = spawnSync("prlimit", limited, { encoding: "utf8", timeout: 60_000 });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /OnnxRuntimeError the onnx engine has no memory left .*gradient_checkpointing/);
  assert.match(stdout, /^2 3$/m);
});
