/**
 * Training on rows of ever changing lengths: does memory stay flat, do sessions stay bounded, does no tensor leak?
 *
 *   node bench/lengths.js [--steps 10000] [--longest 512] [--config bench/configs/tiny.json] [--engine onnx]
 *
 *   --steps N       optimizer steps, each on one row of another length
 *   --longest S     lengths are multiples of 8 up to S
 *   --config FILE   a Hugging Face config.json
 *
 * Prints a line every tenth of the run, and ends with 1 when the second half of the run grew by more than a tenth.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs";
import { AutoModelForCausalLM, getPeftModel, LoraConfig, TrainingArguments, useEngine } from "../dist/src/index.js";
import { TrainStep } from "../dist/src/training/step.js";
import { helpIfAsked } from "./help.js";

helpIfAsked(import.meta.url);

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "10000" },
    longest: { type: "string", default: "512" },
    config: { type: "string", default: join(dirname(fileURLToPath(import.meta.url)), "configs/tiny.json") },
    engine: { type: "string", default: "onnx" },
  },
});
const [steps, longest] = [Number(values.steps), Number(values.longest)];
const engine = await useEngine(values.engine);
const config = JSON.parse(readFileSync(values.config, "utf8"));
const model = getPeftModel(
  AutoModelForCausalLM.fromConfig(config, { seed: 1, dtype: "float32" }),
  new LoraConfig({ r: 4, target_modules: ["q_proj", "v_proj", "gate_proj"], task_type: "CAUSAL_LM" }),
);
const step = new TrainStep(model, engine, new TrainingArguments({ output_dir: "unused", max_grad_norm: 1 }));
const start = performance.now();
const seen = [];
let tensors;
let loss;
for (let i = 0; i < steps; i++) {
  const length = 8 * (1 + (hash(i) % (longest / 8)));
  const input_ids = [Array.from({ length }, (_, j) => 1 + (hash(i * 512 + j) % (config.vocab_size - 1)))];
  const rows = { input_ids, labels: input_ids, attention_mask: [new Array(length).fill(1)] };
  loss = await step.accumulate(rows, 1 / (length - 1), i);
  await step.update(1e-4);
  tensors ??= tf.memory().numTensors;
  if ((i + 1) % Math.ceil(steps / 10) === 0 || i + 1 === steps) await report(i + 1);
}
const [half, end] = [seen[Math.floor(seen.length / 2) - 1] ?? seen[0], seen.at(-1)];
const problems = [];
if (end.resident > 1.1 * half.resident) problems.push("memory grew");
if (end.tensors !== tensors) problems.push(`${end.tensors - tensors} tensors leaked`);
if (end.sessions > 70) problems.push(`${end.sessions} sessions`);
if (!Number.isFinite(loss)) problems.push(`the loss is ${loss}`);
console.log(problems.length > 0 ? problems.join("; ") : "flat");
process.exit(problems.length > 0 ? 1 : 0);

async function report(done) {
  const { sessions = 0, buffers = 0 } = (await tf.backend().device?.usage()) ?? {};
  const resident = process.memoryUsage().rss / 1e6;
  seen.push({ resident, tensors: tf.memory().numTensors, sessions });
  const ms = (performance.now() - start) / done;
  console.log(
    `${done} steps: ${resident.toFixed(0)} MB resident, ${sessions} sessions, ${buffers} buffers on the device, ` +
      `${tf.memory().numTensors} tensors, ${ms.toFixed(1)} ms a step, loss ${loss.toFixed(4)}`,
  );
}

/** Knuth's multiplicative hash. */
function hash(n) {
  return Math.imul(n + 1, 2654435761) >>> 7;
}
