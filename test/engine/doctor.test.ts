import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

function doctor(...args: string[]) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [main, "doctor", ...args], { encoding: "utf8" });
  return { stdout, stderr, status };
}

test("doctor --json names the engine, why not a better one, the machine and measured speed", () => {
  const { stdout, status } = doctor("--json");
  assert.equal(status, 0, stdout);
  const report = JSON.parse(stdout);
  assert.ok(["tfjs-node-gpu", "tfjs-node", "onnx", "wasm"].includes(report.engine.name));
  for (const row of report.engines) assert.ok(row.detail.length > 10, `${row.name}: ${row.detail}`);
  assert.equal(report.problem, null);
  assert.ok(report.machine.threads >= 1 && report.machine.memory_gib > 0);
  assert.equal(report.versions.node, process.versions.node);
  assert.ok(report.benchmark.product.gflops > 0);
  assert.ok(report.benchmark.train_step.tokens_per_second > 0);
});

test("doctor in words says which engine runs and marks those that do not", () => {
  const { stdout, status } = doctor("--no-benchmark", "--engine", "wasm");
  assert.equal(status, 0, stdout);
  assert.match(stdout, /→ wasm .*kaisetsu's kernels/);
  assert.match(stdout, /✗ tfjs-node-gpu .*not installed/);
  assert.match(stdout, /Engine: wasm \(asked for\)/);
});

test("doctor exits with 1 for an engine that does not run, with the reason", () => {
  const missing = doctor("--no-benchmark", "--engine", "tfjs-node-gpu");
  assert.equal(missing.status, 1);
  assert.match(missing.stdout, /Problem: the package @tensorflow\/tfjs-node-gpu is not installed/);
  const unknown = doctor("--no-benchmark", "--engine", "warp");
  assert.equal(unknown.status, 1);
  assert.match(unknown.stdout, /there is no engine "warp"/);
});

test("doctor --help tells the exit codes", () => {
  const { stdout, status } = doctor("--help");
  assert.equal(status, 0);
  assert.match(stdout, /Exit codes:/);
});
