import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

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

function node(script: string) {
  return spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    cwd: root,
    timeout: 60_000,
  });
}
