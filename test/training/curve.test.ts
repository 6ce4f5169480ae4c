import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { AutoModelForCausalLM, PeftModel, TrainingArguments, useEngine } from "../../src/index.js";
import { TrainStep } from "../../src/training/step.js";
import { referenceJson, referencePath } from "../data/reference.js";

/** 200 steps of LoRA in PyTorch: test/reference/training/make_curve.py. */
interface Curve {
  batch: number;
  seq: number;
  steps: number;
  learning_rate: number;
  weight_decay: number;
  max_grad_norm: number;
  losses: number[];
  gradient_norms: number[];
}

const curve = referenceJson<Curve>("gemma2-tiny/curve.json");

// wasm takes six times as long: a quarter of the curve has to do.
for (const [name, steps] of [
  ["onnx", curve.steps],
  ["wasm", curve.steps / 4],
] as const) {
  test(`on ${name} ${steps} steps have PyTorch's losses to 1e-4`, async () => {
    const engine = await useEngine(name);
    const before = tf.memory().numTensors;
    const base = await AutoModelForCausalLM.fromPretrained(referencePath("gemma2-tiny/tiny-gemma2"));
    const model = await PeftModel.fromPretrained(base, referencePath("gemma2-tiny/adapter-initial"));
    const { learning_rate, weight_decay, max_grad_norm, batch, seq } = curve;
    const args = new TrainingArguments({ output_dir: "unused", learning_rate, weight_decay, max_grad_norm });
    const step = new TrainStep(model, engine, args);
    for (let i = 0; i < steps; i++) {
      const input_ids = words(i, base.config.vocab_size);
      const rows = { input_ids, labels: input_ids, attention_mask: input_ids.map((row) => row.map(() => 1)) };
      const scale = 1 / (batch * (seq - 1));
      const loss = await step.accumulate(rows, scale, i);
      const norm = await step.update(learning_rate);
      near(loss, curve.losses[i]!, 1e-4, `loss of step ${i}`);
      near(norm, curve.gradient_norms[i]!, 1e-3, `gradient norm of step ${i}`);
    }
    step.dispose();
    model.dispose();
    assert.equal(tf.memory().numTensors, before, "tensors leaked");
  });
}

/** The same words in make_curve.py. */
function words(step: number, vocab: number): number[][] {
  const { batch, seq } = curve;
  const first = (step % 4) * batch * seq;
  return Array.from({ length: batch }, (_, row) =>
    Array.from({ length: seq }, (_, column) => {
      const position = first + row * seq + column + 1;
      return 3 + ((Math.imul(position, 2654435761) >>> 0) % (vocab - 3));
    }),
  );
}

function near(actual: number, expected: number, tolerance: number, what: string): void {
  const off = Math.abs(actual - expected) / expected;
  assert.ok(off < tolerance, `${what} is ${actual}, PyTorch has ${expected}`);
}
