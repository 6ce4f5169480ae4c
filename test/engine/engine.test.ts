import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { currentEngine, type EngineName, useEngine } from "kaisetsu";

afterEach(() => {
  delete process.env.KAISETSU_ENGINE;
});

test("before any choice, currentEngine says what to do, and ensureEngine chooses", () => {
  const script = `
    const { currentEngine, ensureEngine } = await import("kaisetsu");
    try { currentEngine(); } catch (error) { console.log(error.name + ": " + error.message); }
    const engine = await ensureEngine();
    console.log(engine === currentEngine(), engine.name);
  `;
  const { stdout } = run(script, { KAISETSU_ENGINE: "cpu" });
  assert.match(stdout, /EngineError: no engine has been chosen yet: call `await useEngine\("auto"\)` first/);
  assert.match(stdout, /true cpu/);
});

test("the named engine becomes tfjs's backend, and asking again returns the same engine", async () => {
  const engine = await useEngine("cpu");
  assert.equal(engine.name, "cpu");
  assert.equal(tf.getBackend(), engine.backend);
  assert.equal(await useEngine("cpu"), engine);
  assert.equal(currentEngine(), engine);
});

test("auto takes something better than cpu, and says why nothing better still", async () => {
  const script = `
    const { betterEngines, useEngine } = await import("kaisetsu");
    const engine = await useEngine();
    console.log(JSON.stringify({ name: engine.name, description: engine.description, better: betterEngines() }));
  `;
  const { name, description, better } = JSON.parse(run(script).stdout) as {
    name: string;
    description: string;
    better: { name: string; reason: string }[];
  };
  const order = ["tfjs-node-gpu", "onnx", "tfjs-node", "wasm"];
  assert.ok(order.includes(name), name);
  assert.ok(description.length > 10);
  assert.deepEqual(
    better.map((rung) => rung.name),
    order.slice(0, order.indexOf(name)),
  );
  for (const rung of better) assert.ok(rung.reason.length > 10, `${rung.name} has no reason`);
});

test("where ONNX Runtime's native library is missing, wasm takes over with a clear word", () => {
  const dir = mkdtempSync(join(tmpdir(), "kaisetsu-engine-"));
  const hook = join(dir, "hook.cjs");
  writeFileSync(
    hook,
    `const Module = require("node:module");
     const load = Module._load;
     Module._load = (request, ...rest) => {
       if (request.includes("onnxruntime-node")) throw new Error("libonnxruntime.so.1: cannot open shared object file");
       if (request.includes("@tensorflow/tfjs-node")) throw new Error("it may be installed here, and is not to be");
       return load(request, ...rest);
     };`,
  );
  const script = `
    const { betterEngines, useEngine } = await import("kaisetsu");
    const engine = await useEngine("auto");
    console.log(engine.name, betterEngines().map(({ name }) => name).join());
  `;
  const { stdout, stderr } = run(script, { NODE_OPTIONS: `--require ${hook}` });
  rmSync(dir, { recursive: true });
  assert.equal(stdout, "wasm tfjs-node-gpu,onnx,tfjs-node\n");
  assert.match(stderr, /computing with wasm, since onnx cannot run here: .*libonnxruntime\.so\.1/);
});

test("KAISETSU_ENGINE stands in for auto, loses to a name, and is checked", async () => {
  process.env.KAISETSU_ENGINE = "cpu";
  assert.equal((await useEngine("auto")).name, "cpu");
  assert.equal((await useEngine("wasm")).name, "wasm");
  process.env.KAISETSU_ENGINE = "warp";
  await assert.rejects(useEngine(), /KAISETSU_ENGINE: there is no engine "warp"; choose one of auto, .*wasm/);
});

test("an unknown name and an engine that is not installed are refused with the reason", async () => {
  await useEngine("cpu");
  await assert.rejects(useEngine("gpu" as EngineName), { name: "EngineError", message: /no engine "gpu"/ });
  await assert.rejects(useEngine("tfjs-node-gpu"), {
    name: "EngineUnavailableError",
    message: /@tensorflow\/tfjs-node-gpu is not installed/,
  });
  assert.equal(currentEngine().name, "cpu", "a failed choice changes nothing");
  assert.equal(tf.getBackend(), "cpu");
});

test("a device that is not there is refused at once, and the engine in use goes on", async (t) => {
  const engine = await useEngine("onnx").catch((error: Error) => error);
  if (engine instanceof Error) {
    t.skip(engine.message);
    return;
  }
  await assert.rejects(useEngine("onnx", { device: "warp" }), {
    name: "EngineUnavailableError",
    message: /knows no device "warp"; choose one of cpu, /,
  });
  assert.equal(currentEngine(), engine);
  const product = tf.matMul(tf.ones([2, 3]), tf.ones([3, 2]));
  assert.deepEqual([...(await product.data())], [3, 3, 3, 3]);
  product.dispose();
});

test("a device of ONNX Runtime computes, or its absence is told with the remedy", async (t) => {
  const engine = await useEngine("onnx").catch((error: Error) => error);
  if (engine instanceof Error) {
    t.skip(engine.message);
    return;
  }
  for (const [device, missing] of [
    ["cuda", /cuda" is not installed.*ONNXRUNTIME_NODE_INSTALL=cuda12|knows no device|NVIDIA driver/],
    ["webgpu", /graphics driver with Vulkan.*adapter|knows no device/],
  ] as const) {
    const tried = await useEngine("onnx", { device }).catch((error: Error) => error);
    if (tried instanceof Error) assert.match(tried.message, missing);
    else assert.match(tried.description, new RegExp(` on ${device}`));
    await useEngine("onnx");
  }
});

test("no engine takes over the process's uncaught exceptions", () => {
  const script = `
    const { useEngine } = await import("kaisetsu");
    await useEngine("wasm");
    process.on("uncaughtException", (error) => console.log("handled", error.message));
    setTimeout(() => { throw new Error("from a timer"); }, 1);
    setTimeout(() => console.log("still here"), 20);
  `;
  assert.match(run(script).stdout, /handled from a timer\nstill here/);
});

test("choices made at once are taken one after the other", async () => {
  const [first, second] = await Promise.all([useEngine("wasm"), useEngine("cpu")]);
  assert.deepEqual([first.name, second.name, currentEngine().name, tf.getBackend()], ["wasm", "cpu", "cpu", "cpu"]);
});

function run(script: string, env: Record<string, string> = {}): { stdout: string; stderr: string } {
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    env: { ...process.env, KAISETSU_ENGINE: "", ...env },
    cwd: new URL("../../..", import.meta.url),
  });
  assert.equal(status, 0, stderr);
  return { stdout, stderr };
}
