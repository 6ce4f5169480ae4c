import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { type EngineName, EngineUnavailableError, useEngine } from "kaisetsu";
import type { Case } from "./case.js";
import { cases } from "./cases.js";
import { Source } from "./source.js";

/** Every rung that starts on this machine computes what tfjs's cpu backend computes, and leaks nothing. */
const rungs: Rung[] = [
  { engine: "tfjs-node-gpu" },
  { engine: "tfjs-node" },
  { engine: "onnx" },
  { engine: "onnx", device: "cuda" },
  { engine: "onnx", device: "webgpu" },
  { engine: "webgpu" },
  { engine: "wasm" },
];

interface Rung {
  engine: EngineName;
  device?: string;
}

interface Result {
  shape: number[];
  dtype: string;
  values: ArrayLike<number>;
}

for (const rung of rungs) {
  const name = rung.device ? `${rung.engine} on ${rung.device}` : rung.engine;
  test(`${name} agrees with the cpu backend`, async (t) => {
    try {
      await useEngine(rung.engine, { device: rung.device });
    } catch (error) {
      if (!(error instanceof EngineUnavailableError)) throw error;
      t.skip(error.message);
      return;
    }
    for (const item of cases) {
      await t.test(item.name, { skip: item.except?.[name] }, async () => {
        const expected = await results({ ...item, compute: item.reference ?? item.compute }, { engine: "cpu" });
        const actual = await results(item, rung);
        assert.equal(actual.length, expected.length);
        expected.forEach((result, i) => {
          agree(actual[i]!, result, item.tolerance ?? 1e-5, `result ${i}`);
        });
      });
    }
  });
}

async function results({ name, compute }: Case, { engine, device }: Rung): Promise<Result[]> {
  await useEngine(engine, { device });
  const before = tf.memory().numTensors;
  const outputs = tf.tidy(() => {
    const output = compute(new Source(seed(name)));
    return Array.isArray(output) ? output : [output];
  });
  const read = await Promise.all(
    outputs.map(async (output) => ({ shape: output.shape, dtype: output.dtype, values: await output.data() })),
  );
  tf.dispose(outputs);
  assert.equal(tf.memory().numTensors, before, `${engine} leaks`);
  return read;
}

function agree(actual: Result, expected: Result, tolerance: number, label: string): void {
  assert.deepEqual(actual.shape, expected.shape, `${label}: shape`);
  assert.equal(actual.dtype, expected.dtype, `${label}: dtype`);
  assert.equal(actual.values.length, expected.values.length, `${label}: length`);
  for (let i = 0; i < expected.values.length; i++) {
    const [a, e] = [Number(actual.values[i]), Number(expected.values[i])];
    if (Object.is(a, e) || a === e) continue;
    const allowed = tolerance * Math.max(1, Math.abs(e));
    assert.ok(Math.abs(a - e) <= allowed, `${label}, element ${i}: ${a}, expected ${e} (shape [${expected.shape}])`);
  }
}

function seed(name: string): number {
  let hash = 2166136261;
  for (const character of name) hash = Math.imul(hash ^ character.charCodeAt(0), 16777619);
  return hash;
}
