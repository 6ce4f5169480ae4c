import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import {
  EarlyStoppingCallback,
  NonFiniteError,
  type TrainerCallback,
  type TrainingArgumentsOptions,
} from "../../src/index.js";
import type { CallbackEvent } from "../../src/training/callbacks.js";
import { checkpointNames, freshDir, makeTrainer } from "./tiny.js";

const folders: string[] = [];
after(() => {
  for (const dir of folders) rmSync(dir, { recursive: true });
});

const args = (more: TrainingArgumentsOptions = {}): TrainingArgumentsOptions => ({
  output_dir: freshDir(folders),
  per_device_train_batch_size: 2,
  save_strategy: "no",
  max_steps: 2,
  ...more,
});

const allEvents: CallbackEvent[] = [
  ...(["on_init_end", "on_train_begin", "on_epoch_begin", "on_step_begin", "on_substep_end"] as const),
  ...(["on_pre_optimizer_step", "on_optimizer_step", "on_step_end", "on_log", "on_prediction_step"] as const),
  ...(["on_evaluate", "on_save", "on_epoch_end", "on_train_end"] as const),
];

function recorder(into: string[]): TrainerCallback {
  return Object.fromEntries(allEvents.map((event) => [event, () => void into.push(event.slice(3))]));
}

test("callbacks are called in transformers' order", async () => {
  const events: string[] = [];
  const trainer = await makeTrainer({
    args: args({
      gradient_accumulation_steps: 2,
      logging_steps: 1,
      eval_strategy: "steps",
      save_strategy: "steps",
      save_steps: 1,
      max_steps: 1,
    }),
    n_eval: 2,
    callbacks: [recorder(events)],
  });
  await trainer.train();
  assert.deepEqual(events, [
    ...["init_end", "train_begin", "epoch_begin"],
    ...["step_begin", "substep_end", "pre_optimizer_step", "optimizer_step", "step_end"],
    ...["log", "prediction_step", "log", "evaluate", "save"],
    ...["epoch_end", "log", "train_end"],
  ]);
  trainer.model.dispose();
});

test("a callback can stop the run, and ask for a save", async () => {
  const trainer = await makeTrainer({
    args: args({ max_steps: 9 }),
    callbacks: [
      {
        on_step_end(_args, state, control) {
          control.should_save = state.global_step === 2;
          control.should_training_stop = state.global_step === 3;
        },
      },
    ],
  });
  assert.equal((await trainer.train()).global_step, 3);
  assert.deepEqual(checkpointNames(trainer.args.output_dir), ["checkpoint-2"]);
  trainer.model.dispose();
});

test("an exception in a callback leaves train(), and the trainer can be used again", async () => {
  const trainer = await makeTrainer({
    args: args(),
    callbacks: [
      {
        on_step_end(_args, state) {
          if (state.global_step === 1) throw new Error("from a callback");
        },
      },
    ],
  });
  await assert.rejects(trainer.train(), /from a callback/);
  assert.equal((await trainer.evaluate()).eval_loss! > 0, true);
  trainer.model.dispose();
});

test("evaluate() weighs each batch's mean by its rows, and gives unshifted rows padded with -100", async () => {
  let seen: { predictions: number[][]; label_ids: number[][] } | undefined;
  const trainer = await makeTrainer({
    args: args({ per_device_eval_batch_size: 2 }),
    n_eval: 5,
    compute_metrics: (prediction) => {
      seen = prediction;
      return { rows: prediction.predictions.length };
    },
  });
  const before = tf.memory().numTensors;
  const metrics = await trainer.evaluate();
  assert.equal(tf.memory().numTensors, before);
  assert.deepEqual(Object.keys(metrics), [
    ...["eval_loss", "eval_rows", "eval_runtime", "eval_samples_per_second", "eval_steps_per_second"],
  ]);
  assert.equal(metrics.eval_rows, 5);
  assert.deepEqual(trainer.state.log_history.length, 1);

  let expected = 0;
  const width = Math.max(...seen!.label_ids.map((row) => row.length));
  for (const rows of [[0, 1], [2, 3], [4]]) {
    const batch = trainer.collator.collate(rows.map((i) => trainer.eval_dataset!.get(i) as { input_ids: number[] }));
    const inputs = {
      input_ids: tf.tensor2d(batch.input_ids, undefined, "int32"),
      attention_mask: tf.tensor2d(batch.attention_mask!, undefined, "int32"),
      labels: tf.tensor2d(batch.labels, undefined, "int32"),
    };
    const { loss, logits } = trainer.model.forward(inputs);
    expected += (rows.length * (await loss!.data())[0]!) / 5;
    const best = (await tf.argMax(logits, -1).array()) as number[][];
    for (const [i, row] of rows.entries()) {
      const { length } = batch.labels[i]!;
      const padding = new Array(width - length).fill(-100);
      assert.deepEqual(seen!.label_ids[row], [...batch.labels[i]!, ...padding]);
      batch.attention_mask![i]!.forEach((real, t) => {
        if (real) assert.equal(seen!.predictions[row]![t], best[i]![t], `row ${row}, position ${t}`);
      });
    }
  }
  assert.ok(Math.abs(metrics.eval_loss! - expected) < 1e-5, `${metrics.eval_loss}, not ${expected}`);
  trainer.model.dispose();
});

test("a loss that is not a number stops the run, names step and rows, and keeps the last good checkpoint", async () => {
  const output_dir = freshDir(folders);
  const trainer = await makeTrainer({
    args: args({
      output_dir,
      max_steps: 9,
      save_strategy: "steps",
      save_steps: 1,
      train_sampling_strategy: "sequential",
      lr_scheduler_type: "constant",
      // One step with it, and the parameters are too large to compute with.
      learning_rate: 1e38,
    }),
  });
  await assert.rejects(trainer.train(), (error: Error) => {
    assert.ok(error instanceof NonFiniteError);
    assert.match(error.message, /is (NaN|Infinity) at step 2 of 9 \(training rows 2, 3\)/);
    assert.match(error.message, /The last good checkpoint is .*checkpoint-1\./);
    return true;
  });
  assert.deepEqual(checkpointNames(output_dir), ["checkpoint-1"]);
  assert.ok(!existsSync(join(output_dir, "trainer_state.json")), "the run has not ended well");
  trainer.model.dispose();
});

test('with nan_policy "skip" such a step is left out, and the parameters stay as they were', async () => {
  const trainer = await makeTrainer({
    args: args({ max_steps: 4, nan_policy: "skip", logging_steps: 1 }),
    mask_labels_of_batch: 1,
  });
  const output = await trainer.train();
  assert.equal(output.global_step, 4);
  assert.ok(Number.isFinite(output.training_loss));
  assert.ok(Number.isNaN(trainer.state.log_history[1]!.grad_norm));
  const params = Object.values(trainer.model.trainableParameters());
  for (const tensor of params) assert.ok((await tensor.data()).every(Number.isFinite));
  trainer.model.dispose();
});

test("a batch without any label to learn from is named, not turned into NaN", async () => {
  const trainer = await makeTrainer({ args: args(), mask_labels_of_batch: 0 });
  await assert.rejects(trainer.train(), /every label of this step is -100/);
  trainer.model.dispose();
});

test("early stopping ends the run after `patience` evaluations without improvement", async () => {
  const scores = [0.5, 0.7, 0.6, 0.65, 0.9];
  const trainer = await makeTrainer({
    args: args({
      max_steps: 5,
      eval_strategy: "steps",
      eval_steps: 1,
      save_strategy: "steps",
      save_steps: 1,
      metric_for_best_model: "combined_score",
      load_best_model_at_end: true,
    }),
    n_eval: 1,
    compute_metrics: () => ({ combined_score: scores.shift()! }),
    callbacks: [new EarlyStoppingCallback({ early_stopping_patience: 2 })],
  });
  const output = await trainer.train();
  assert.equal(output.global_step, 4);
  assert.equal(trainer.state.best_metric, 0.7);
  assert.match(trainer.state.best_model_checkpoint!, /checkpoint-2$/);
  trainer.model.dispose();
});

test("what is missing for the arguments is an error before training", async () => {
  const make = (more: TrainingArgumentsOptions, n_eval = 1) => makeTrainer({ args: args(more), n_eval });
  await assert.rejects(make({ eval_strategy: "epoch" }, 0), /needs an eval_dataset/);
  await assert.rejects(make({ save_strategy: "best" }), /metric_for_best_model must be given/);
  const unnamed = await make({ eval_strategy: "steps", eval_steps: 1, metric_for_best_model: "score" });
  await assert.rejects(unnamed.train(), /asks for eval_score, but the evaluation has only: eval_loss/);
  unnamed.model.dispose();
});

test("rows that are not tokenised are named", async () => {
  const trainer = await makeTrainer({ args: args() });
  const raw = { length: 3, get: () => ({ messages: [] }) };
  Object.assign(trainer, { train_dataset: raw });
  await assert.rejects(trainer.train(), /Row \d has no input_ids \(it has: messages\)/);
  trainer.model.dispose();
});
