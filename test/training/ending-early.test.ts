import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, test } from "node:test";
import {
  type LogEntry,
  NonFiniteError,
  type Trainer,
  type TrainerCallback,
  type TrainingArgumentsOptions,
  type TrainingInterruptedError,
} from "../../src/index.js";
import { TrainStep } from "../../src/training/step.js";
import { checkpointNames, freshDir, makeTrainer } from "./tiny.js";

const folders: string[] = [];
after(() => {
  for (const dir of folders) rmSync(dir, { recursive: true });
});

const { begin } = TrainStep.prototype;
afterEach(() => {
  TrainStep.prototype.begin = begin;
});

/** Evaluation, saving and logging at steps and at the ends of epochs, so that an interruption meets all of them. */
const args = (output_dir: string, more: TrainingArgumentsOptions = {}): TrainingArgumentsOptions => ({
  output_dir,
  per_device_train_batch_size: 2,
  gradient_accumulation_steps: 2,
  per_device_eval_batch_size: 1,
  num_train_epochs: 2,
  learning_rate: 5e-3,
  lr_scheduler_type: "cosine",
  logging_strategy: "epoch",
  eval_strategy: "steps",
  eval_steps: 2,
  save_steps: 2,
  include_num_input_tokens_seen: "non_padding",
  ...more,
});

interface Outcome {
  parameters: Record<string, number[]>;
  history: LogEntry[];
  checkpoints: string[];
}

async function outcome(trainer: Trainer): Promise<Outcome> {
  const entries = Object.entries(trainer.model.trainableParameters());
  const result = {
    parameters: Object.fromEntries(await Promise.all(entries.map(async ([name, t]) => [name, [...(await t.data())]]))),
    history: trainer.state.log_history.map((entry) =>
      Object.fromEntries(
        Object.entries(entry)
          .filter(([key]) => !/runtime|per_second/.test(key))
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      ),
    ),
    checkpoints: checkpointNames(trainer.args.output_dir),
  };
  trainer.model.dispose();
  return result;
}

/** Calls `trainer.interrupt()` at the n-th call of an event. */
function interruptAt(event: "on_substep_end" | "on_prediction_step" | "on_epoch_end", n: number) {
  let calls = 0;
  let trainer: Trainer;
  const callback: TrainerCallback = {
    [event]: () => {
      calls += 1;
      if (calls === n) trainer.interrupt();
    },
  };
  return {
    callback,
    watch(one: Trainer) {
      trainer = one;
    },
  };
}

test("interrupted in a step, an evaluation or between epochs, a resumed run is bit for bit the undisturbed one", async () => {
  const whole = await makeTrainer({ args: args(freshDir(folders)), dropout: 0.1 });
  await whole.train();
  const expected = await outcome(whole);
  for (const [event, n] of [
    ["on_substep_end", 1],
    ["on_substep_end", 3],
    ["on_prediction_step", 2],
    ["on_prediction_step", 7],
    ["on_epoch_end", 1],
  ] as const) {
    const dir = freshDir(folders);
    const interrupt = interruptAt(event, n);
    const first = await makeTrainer({ args: args(dir), dropout: 0.1, callbacks: [interrupt.callback] });
    interrupt.watch(first);
    await assert.rejects(first.train(), (error: TrainingInterruptedError) => {
      assert.equal(error.name, "TrainingInterruptedError");
      assert.match(
        error.message,
        event === "on_substep_end" && n === 1 ? /nothing to save/ : /resume_from_checkpoint: true/,
      );
      return true;
    });
    first.model.dispose();
    const second = await makeTrainer({ args: args(dir), dropout: 0.1 });
    await second.train({ resume_from_checkpoint: checkpointNames(dir).length > 0 });
    const { parameters, history } = await outcome(second);
    assert.deepEqual(history, expected.history, `${event} ${n}`);
    assert.deepEqual(parameters, expected.parameters, `${event} ${n}`);
  }
});

test("a stop that a callback asked for holds after a resume, too", async () => {
  const dir = freshDir(folders);
  const stopAtTwo: TrainerCallback = {
    on_step_end: (_, state, control) => {
      if (state.global_step === 2) control.should_training_stop = true;
    },
    on_save: () => {
      throw new Error("killed right after the save");
    },
  };
  const first = await makeTrainer({ args: args(dir), callbacks: [stopAtTwo] });
  await assert.rejects(first.train(), /killed right after/);
  first.model.dispose();
  const second = await makeTrainer({ args: args(dir) });
  const output = await second.train({ resume_from_checkpoint: true });
  second.model.dispose();
  assert.equal(output.global_step, 2);
});

test("max_train_seconds: saved, stopped in time, and the rest of the run is the same run", async () => {
  const slow: TrainerCallback = { on_step_end: () => new Promise((resolve) => setTimeout(resolve, 400)) };
  const settings = { save_steps: 100, eval_strategy: "no" as const, num_train_epochs: 3 };
  const whole = await makeTrainer({ args: args(freshDir(folders), settings), dropout: 0.1 });
  await whole.train();
  const expected = await outcome(whole);
  const dir = freshDir(folders);
  const first = await makeTrainer({
    args: args(dir, { ...settings, max_train_seconds: 1.5 }),
    dropout: 0.1,
    callbacks: [slow],
  });
  const before = performance.now();
  const output = await first.train();
  first.model.dispose();
  assert.ok(!output.finished && output.global_step > 0 && output.global_step < 9, `${output.global_step} steps`);
  assert.ok(performance.now() - before < 4000);
  assert.deepEqual(checkpointNames(dir), [`checkpoint-${output.global_step}`]);
  const second = await makeTrainer({ args: args(dir, settings), dropout: 0.1 });
  const { finished } = await second.train({ resume_from_checkpoint: true });
  assert.ok(finished);
  const { parameters, history } = await outcome(second);
  assert.deepEqual(history, expected.history);
  assert.deepEqual(parameters, expected.parameters);
});

test("max_train_seconds shorter than one step: ends between micro-batches, with nothing half done, and says why", async (context) => {
  const said = context.mock.method(console, "error", () => {});
  const slow: TrainerCallback = { on_substep_end: () => new Promise((resolve) => setTimeout(resolve, 400)) };
  const dir = freshDir(folders);
  const settings = { gradient_accumulation_steps: 4, max_train_seconds: 0.3, eval_strategy: "no" as const };
  const trainer = await makeTrainer({ args: args(dir, settings), callbacks: [slow] });
  const output = await trainer.train();
  trainer.model.dispose();
  assert.deepEqual([output.finished, output.global_step, checkpointNames(dir)], [false, 0, []]);
  const text = said.mock.calls.map(({ arguments: [line] }) => line).join("\n");
  assert.match(text, /nearly over after step 0 of .*nothing to save\. Give it more time than one step takes/);
});

test("a loss that is no number: stop names step and rows and changes nothing; skip goes on; rollback lowers the rate", async () => {
  const run = async (nan_policy: "stop" | "skip" | "rollback", once: boolean) => {
    const dir = freshDir(folders);
    const trainer = await makeTrainer({ args: args(dir, { nan_policy, save_steps: 1, eval_strategy: "no" }) });
    spoilThirdStep(trainer, once);
    return { trainer, dir, done: trainer.train() };
  };
  const stopped = await run("stop", false);
  await assert.rejects(stopped.done, (error: Error) => {
    assert.ok(error instanceof NonFiniteError);
    assert.match(error.message, /loss of a training batch is NaN at step 3 of 6 \(training rows \d+, \d+\)/);
    assert.match(error.message, /last good checkpoint is .*checkpoint-2\./);
    return true;
  });
  assert.deepEqual(checkpointNames(stopped.dir), ["checkpoint-1", "checkpoint-2"]);
  stopped.trainer.model.dispose();

  const skipped = await run("skip", false);
  assert.equal((await skipped.done).global_step, 6);
  skipped.trainer.model.dispose();

  const rolled = await run("rollback", true);
  assert.equal((await rolled.done).global_step, 6);
  const rate = rolled.trainer.state.log_history.findLast((entry) => "learning_rate" in entry)!.learning_rate!;
  const usual = skipped.trainer.state.log_history.findLast((entry) => "learning_rate" in entry)!.learning_rate!;
  assert.ok(rate > 0 && rate < usual, `${rate} after a roll back, ${usual} without`);
  const books = JSON.parse(readFileSync(join(rolled.dir, "checkpoint-6/bookkeeping.json"), "utf8"));
  assert.equal(books.rollbacks, 1);
  assert.equal(books.rate_factor, 0.5);
  rolled.trainer.model.dispose();

  const hopeless = await run("rollback", false);
  await assert.rejects(hopeless.done, /Rolling back 8 times .* did not help/);
  hopeless.trainer.model.dispose();
});

test("a roll back before the first save begins anew with half the rate", async () => {
  const settings = { nan_policy: "rollback" as const, save_strategy: "no" as const, eval_strategy: "no" as const };
  const trainer = await makeTrainer({ args: args(freshDir(folders), settings), dropout: 0.1 });
  spoilThirdStep(trainer, true);
  const half = await makeTrainer({
    args: args(freshDir(folders), { ...settings, learning_rate: 2.5e-3 }),
    dropout: 0.1,
  });
  assert.equal((await trainer.train()).global_step, 6);
  await half.train();
  const [rolled, expected] = [await outcome(trainer), await outcome(half)];
  assert.deepEqual(rolled.parameters, expected.parameters);
  assert.deepEqual(rolled.history, expected.history);
});

/** Makes the loss of the third step NaN: always, or only the first time. */
function spoilThirdStep(trainer: Trainer, once: boolean): void {
  let spoiled = false;
  let done = false;
  trainer.addCallback({
    on_step_begin: (_, state) => {
      spoiled = state.global_step === 2 && !(once && done);
      done ||= spoiled;
    },
  });
  // Through an input of the traced step: an engine that replays it would not see another function.
  TrainStep.prototype.begin = function (batch, scale, draw) {
    return begin.call(this, batch, spoiled ? Number.NaN : scale, draw);
  };
}
