import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import {
  AutoModelForCausalLM,
  type EngineName,
  EngineUnavailableError,
  PeftModel,
  TrainingArguments,
  useEngine,
} from "../../src/index.js";
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

interface Rung {
  name: EngineName;
  device?: string;
  /** Of the curve, as far as this takes seconds: a WebGPU adapter may be a program on the CPU. */
  steps: number;
}

const rungs: Rung[] = [
  { name: "tfjs-node-gpu", steps: curve.steps / 4 },
  { name: "onnx", steps: curve.steps },
  { name: "onnx", device: "cuda", steps: curve.steps / 4 },
  { name: "onnx", device: "webgpu", steps: 3 },
  { name: "tfjs-node", steps: curve.steps / 4 },
  { name: "webgpu", steps: 3 },
  { name: "wasm", steps: curve.steps / 4 },
];

for (const { name, device, steps } of rungs) {
  test(`on ${name} ${device ?? ""} ${steps} steps have PyTorch's losses to 1e-4`, async (t) => {
    const engine = await useEngine(name, { device }).catch((error) => error as EngineUnavailableError);
    if (engine instanceof Error) {
      if (!(engine instanceof EngineUnavailableError)) throw engine;
      t.skip(engine.message);
      return;
    }
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
