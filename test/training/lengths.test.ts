import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import type { OnnxBackend } from "../../src/engine/onnx/index.js";
import { AutoModelForCausalLM, type Batch, PeftModel, TrainingArguments, useEngine } from "../../src/index.js";
import { bucketLength, inFewLengths } from "../../src/training/bucket.js";
import { TrainStep } from "../../src/training/step.js";
import { referencePath } from "../data/reference.js";

const row = (length: number): Batch => {
  const input_ids = [Array.from({ length }, (_, i) => 3 + ((i * 7919) % 200))];
  return { input_ids, attention_mask: [new Array<number>(length).fill(1)], labels: input_ids };
};

/** bench/lengths.js does 10,000 steps of this. */
test("rows of ever changing lengths: few sessions, and neither tensors nor buffers pile up", async () => {
  const engine = await useEngine("onnx");
  const base = await AutoModelForCausalLM.fromPretrained(referencePath("gemma2-tiny/tiny-gemma2"));
  const model = await PeftModel.fromPretrained(base, referencePath("gemma2-tiny/adapter-initial"));
  const args = new TrainingArguments({ output_dir: "unused" });
  const step = new TrainStep(model, engine, args);
  const { device } = tf.backend() as OnnxBackend;
  const seen = [];
  for (let round = 0; round < 3; round++) {
    for (let length = 1; length <= 45; length += 4) {
      const loss = await step.accumulate(row(length + round), 1 / Math.max(1, length), 0);
      assert.ok(Number.isFinite(loss));
      await step.update(1e-4);
    }
    const { sessions, buffers } = await device.usage();
    seen.push({ sessions, buffers, tensors: tf.memory().numTensors });
  }
  const [first, second, third] = seen;
  assert.ok(third!.sessions <= 6 + 4, `${third!.sessions} sessions for 36 lengths`);
  assert.deepEqual(third, second);
  assert.equal(second!.tensors, first!.tensors);
  step.dispose();
  model.dispose();
});

/** A text of so many tokens behind as many of padding. */
const leftPadded = (padding: number, length: number): Batch => {
  const { input_ids } = row(length);
  const behind = (filler: number, values: number[]) => [[...new Array<number>(padding).fill(filler), ...values]];
  return {
    input_ids: behind(0, input_ids[0]!),
    attention_mask: behind(0, new Array<number>(length).fill(1)),
    labels: behind(-100, input_ids[0]!),
  };
};

test("the added padding changes neither loss nor gradient", async () => {
  const results = [];
  for (const name of ["onnx", "wasm"] as const) {
    const engine = await useEngine(name);
    const base = await AutoModelForCausalLM.fromPretrained(referencePath("gemma2-tiny/tiny-gemma2"));
    const model = await PeftModel.fromPretrained(base, referencePath("gemma2-tiny/adapter-initial"));
    const step = new TrainStep(model, engine, new TrainingArguments({ output_dir: "unused", max_grad_norm: 1 }));
    const losses = [];
    for (const batch of [row(19), row(5), leftPadded(6, 13)]) losses.push(await step.accumulate(batch, 0.1, 0));
    results.push([...losses, await step.update(1e-3)]);
    step.dispose();
    model.dispose();
  }
  for (const [i, value] of results[0]!.entries()) {
    assert.ok(Math.abs(value - results[1]![i]!) < 1e-5 * value, `${value} and ${results[1]![i]}`);
  }
});

test("lengths are multiples of 8, then eight between one power of two and the next", async () => {
  const lengths = new Set(Array.from({ length: 512 }, (_, i) => bucketLength(i + 1)));
  assert.deepEqual([...lengths].slice(0, 3), [8, 16, 24]);
  assert.deepEqual([...lengths].slice(-9), [256, 288, 320, 352, 384, 416, 448, 480, 512]);
  assert.equal(lengths.size, 32);
  const packed = { ...row(5), position_ids: [[0, 1, 0, 1, 2]] };
  const { attention_mask, labels, position_ids } = inFewLengths(packed, await useEngine("onnx"));
  assert.deepEqual(attention_mask, [[1, 1, 1, 1, 1, 0, 0, 0]]);
  assert.deepEqual(labels[0]!.slice(5), [-100, -100, -100]);
  assert.deepEqual(position_ids, [[0, 1, 0, 1, 2, 0, 1, 2]]);
  assert.equal(inFewLengths(packed, await useEngine("wasm")), packed);
  const left = leftPadded(2, 5);
  assert.equal(inFewLengths(left, await useEngine("onnx")), left);
});
