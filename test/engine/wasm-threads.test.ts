import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const noLimits = process.platform === "win32" && "there is no ulimit here";
const root = new URL("../../..", import.meta.url);

/** Products large and small, batched or not, against sums that are known: every element of A B is depth. */
const products = `
  import * as tf from "@tensorflow/tfjs";
  import { useEngine } from "kaisetsu";
  export async function check(threads) {
    const engine = await useEngine("wasm", { threads });
    const results = [];
    for (const [batch, m, n, k] of [[1, 300, 500, 70], [1, 2, 900, 2000], [7, 130, 90, 64], [1, 600, 8, 500], [3, 4, 4, 4]]) {
      const right = tf.tidy(() => {
        const product = tf.matMul(tf.ones([batch, m, k]), tf.ones([batch, n, k]), false, true);
        return tf.all(tf.equal(product, k)).dataSync()[0];
      });
      results.push(right);
    }
    return engine.description + " " + results.join("");
  }
`;

test("products shared among three threads are right, and the process ends by itself", () => {
  const { stdout, stderr, status } = node(`${products}; console.log(await check(3));`);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /3 threads 11111/);
});

test("one thread is one thread, and the number cannot change once the engine runs", () => {
  const { stdout, stderr, status } = node(`${products};
    console.log(await check(1));
    await useEngine("cpu");
    await useEngine("wasm", { threads: 2 }).catch((error) => console.log(error.name, error.message));`);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /1 thread 11111\nEngineUnavailableError the wasm engine already runs with 1 thread/);
});

test("it works inside a worker thread, as in the notebook kernel, which can be ended at any time", () => {
  const { stdout, stderr, status } = node(`
    import { Worker } from "node:worker_threads";
    const code = ${JSON.stringify(`${products}; import { parentPort } from "node:worker_threads"; parentPort.postMessage(await check(2)); setInterval(() => {}, 1e6);`)};
    const url = new URL("data:text/javascript," + encodeURIComponent(code.replaceAll('"@tensorflow/tfjs"', JSON.stringify(import.meta.resolve("@tensorflow/tfjs"))).replaceAll('"kaisetsu"', JSON.stringify(import.meta.resolve("kaisetsu")))));
    const worker = new Worker(url);
    worker.once("error", (error) => { console.log(error); process.exitCode = 1; });
    worker.once("message", async (message) => { console.log(message); await worker.terminate(); console.log("ended"); });
  `);
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /2 threads 11111\nended/);
});

test("helpers that cannot start are done without, with one warning", { skip: noLimits }, () => {
  // A thread takes some five descriptors; loading what the engine needs takes one at a time.
  const script = `${products}
    import { closeSync, openSync } from "node:fs";
    import "@tensorflow/tfjs-backend-wasm";
    await useEngine("cpu");
    const held = [];
    try {
      for (;;) held.push(openSync("/dev/null"));
    } catch {
      for (const descriptor of held.splice(-14)) closeSync(descriptor);
    }
    console.log(await check(6));
    await new Promise((resolve) => setTimeout(resolve, 200));`;
  const { stdout, stderr, status } = spawnSync(
    "bash",
    ["-c", 'ulimit -n 200; exec "$0" --input-type=module -e "$1"', process.execPath, script],
    { encoding: "utf8", cwd: root, timeout: 60_000 },
  );
  assert.equal(status, 0, stderr);
  assert.match(stdout, /[1-5] threads? 11111/);
  assert.equal(stderr.match(/goes on with fewer threads/g)?.length, 1, stderr);
});

test("a helper that dies in the middle of its work leaves nothing undone", () => {
  const { stdout, stderr, status } = node(`
    import threads from "node:worker_threads";
    import { syncBuiltinESMExports } from "node:module";
    const made = [];
    const { Worker } = threads;
    threads.Worker = class extends Worker {
      constructor(...args) {
        super(...args);
        made.push(this);
      }
    };
    syncBuiltinESMExports();
    const tf = await import("@tensorflow/tfjs");
    const { useEngine } = await import("kaisetsu");
    await useEngine("wasm", { threads: 3 });
    const [a, b] = [tf.ones([900, 800]), tf.ones([800, 900])];
    const sums = [];
    for (let i = 0; i < 6; i++) {
      // It ends at once, or in the products that follow in the same turn of the event loop.
      if (i === 2) for (const worker of made) void worker.terminate();
      sums.push(tf.tidy(() => tf.all(tf.equal(tf.matMul(a, b), 800)).dataSync()[0]));
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    sums.push(tf.tidy(() => tf.all(tf.equal(tf.matMul(a, b), 800)).dataSync()[0]));
    console.log(sums.join(""), made.length);`);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /1111111 2/);
  assert.match(stderr, /goes on with fewer threads/);
});

function node(script: string) {
  return spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    cwd: root,
    timeout: 60_000,
  });
}
