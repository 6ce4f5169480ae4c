import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import type { LogEntry, Trainer, TrainingArgumentsOptions } from "../../src/index.js";
import { checkpointNames, freshDir, makeTrainer } from "./tiny.js";

const folders: string[] = [];
after(() => {
  for (const dir of folders) rmSync(dir, { recursive: true });
});

const args = (output_dir: string): TrainingArgumentsOptions => ({
  output_dir,
  per_device_train_batch_size: 2,
  gradient_accumulation_steps: 2,
  num_train_epochs: 3,
  learning_rate: 5e-3,
  warmup_ratio: 0.2,
  lr_scheduler_type: "cosine",
  // Neither a divisor of save_steps, so that a log entry spans the interruption.
  logging_steps: 3,
  eval_strategy: "steps",
  eval_steps: 2,
  save_steps: 2,
  save_total_limit: 2,
  load_best_model_at_end: true,
  metric_for_best_model: "eval_loss",
});

test("a run that is stopped and resumed is bit for bit the undisturbed run, with dropout", async () => {
  const undisturbed = await makeTrainer({ args: args(freshDir(folders)), dropout: 0.1 });
  await undisturbed.train();

  for (const stopAfter of [4, 5]) {
    const dir = freshDir(folders);
    const first = await makeTrainer({ args: args(dir), dropout: 0.1, callbacks: [crashAfter(stopAfter)] });
    await assert.rejects(first.train(), /crash/);
    first.model.dispose();
    assert.deepEqual(checkpointNames(dir), ["checkpoint-2", "checkpoint-4"]);

    const second = await makeTrainer({ args: args(dir), dropout: 0.1 });
    await second.train({ resume_from_checkpoint: true });
    assert.deepEqual(withoutTimes(second.state.log_history), withoutTimes(undisturbed.state.log_history));
    assert.equal(second.state.best_metric, undisturbed.state.best_metric);
    assert.deepEqual(await parameters(second), await parameters(undisturbed));
    second.model.dispose();
  }
  undisturbed.model.dispose();
});

test("a finished run resumed does nothing and gives the same result", async () => {
  const dir = freshDir(folders);
  const first = await makeTrainer({ args: { ...args(dir), max_steps: 4 } });
  const before = await first.train();
  const again = await makeTrainer({ args: { ...args(dir), max_steps: 4 } });
  const after = await again.train({ resume_from_checkpoint: true });
  assert.equal(after.global_step, 4);
  assert.equal(after.training_loss, before.training_loss);
  assert.deepEqual(await parameters(again), await parameters(first));
  again.model.dispose();
  first.model.dispose();
});

test("resuming with settings that make it another run is refused, unless it is asked for", async () => {
  const dir = freshDir(folders);
  const first = await makeTrainer({ args: { ...args(dir), max_steps: 2 } });
  await first.train();
  first.model.dispose();
  const other = await makeTrainer({ args: { ...args(dir), max_steps: 4, seed: 7 } });
  await assert.rejects(other.train({ resume_from_checkpoint: true }), /seed: 42 -> 7.*allow_changed_arguments/);
  const output = await other.train({ resume_from_checkpoint: true, allow_changed_arguments: true });
  assert.equal(output.global_step, 4);
  other.model.dispose();
});

test("every optimizer step leaves as many tensors as it found", async () => {
  const counts: number[] = [];
  const trainer = await makeTrainer({
    args: { ...args(freshDir(folders)), max_steps: 6 },
    dropout: 0.1,
    callbacks: [
      {
        on_step_end() {
          counts.push(tf.memory().numTensors);
        },
      },
    ],
  });
  const before = tf.memory().numTensors;
  await trainer.train();
  assert.equal(counts.length, 6);
  assert.deepEqual(new Set(counts).size, 1, `tensors after each step: ${counts}`);
  assert.equal(tf.memory().numTensors, before, "tensors after training");
  trainer.model.dispose();
});

function crashAfter(step: number) {
  return {
    on_step_begin(_: unknown, state: { global_step: number }) {
      if (state.global_step === step) throw new Error("crash");
    },
  };
}

function withoutTimes(history: LogEntry[]): LogEntry[] {
  return history.map((entry) =>
    Object.fromEntries(Object.entries(entry).filter(([key]) => !/runtime|per_second/.test(key))),
  );
}

async function parameters(trainer: Trainer): Promise<Record<string, number[]>> {
  const entries = Object.entries(trainer.model.trainableParameters());
  return Object.fromEntries(await Promise.all(entries.map(async ([name, t]) => [name, [...(await t.data())]])));
}
