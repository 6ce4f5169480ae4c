import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import {
  DataCollatorWithFlattening,
  EarlyStoppingCallback,
  type LogEntry,
  type Trainer,
  type TrainingArgumentsOptions,
} from "../../src/index.js";
import { readSafetensors } from "../../src/model/files/safetensors.js";
import { referenceJson, referencePath } from "../data/reference.js";
import { checkpointNames, freshDir, makeTrainer } from "./tiny.js";

/** One of the runs of Python's Trainer in test/reference. */
interface ReferenceRun {
  args: TrainingArgumentsOptions;
  n_train: number;
  n_eval: number;
  collator?: "flattening";
  scripted_metrics: number[] | null;
  early_stopping?: { early_stopping_patience: number; early_stopping_threshold: number } | null;
  optimizer_steps: number;
  training_loss: number;
  trace: { step: number; checkpoints: string[]; best_model_checkpoint: string | null; best_metric: number | null }[];
  log_history: LogEntry[];
  checkpoints_left: string[];
  trainer_state: Record<string, unknown> | null;
}

const folders: string[] = [];
after(() => {
  for (const dir of folders) rmSync(dir, { recursive: true });
});

for (const name of readdirSync(referencePath("gemma2-tiny/runs"))) {
  test(`the run ${name} is the one that transformers does`, async () => {
    const run = referenceJson<ReferenceRun>(`gemma2-tiny/runs/${name}/run.json`);
    const trace: ReferenceRun["trace"] = [];
    const output_dir = freshDir(folders);
    const scores = [...(run.scripted_metrics ?? [])];
    const trainer = await makeTrainer({
      args: { train_sampling_strategy: "sequential", ...run.args, output_dir, seed: 0 },
      n_train: run.n_train,
      n_eval: run.n_eval,
      collator: run.collator === "flattening" ? new DataCollatorWithFlattening() : undefined,
      compute_metrics: run.scripted_metrics ? () => ({ combined_score: scores.shift()! }) : undefined,
      callbacks: [
        ...(run.early_stopping ? [new EarlyStoppingCallback(run.early_stopping)] : []),
        {
          on_save(args, state) {
            const { global_step: step, best_metric } = state;
            const best = state.best_model_checkpoint;
            const checkpoints = checkpointNames(args.output_dir);
            trace.push({ step, checkpoints, best_model_checkpoint: best && basename(best), best_metric });
          },
        },
      ],
    });
    const output = await trainer.train();

    assert.equal(output.global_step, run.optimizer_steps);
    closeTo(output.training_loss, run.training_loss, "training_loss");
    // A run written out by hand has no summary at its end.
    const summary = "train_loss" in run.log_history.at(-1)! ? 0 : 1;
    const { log_history } = trainer.state;
    compareLogs(log_history.slice(0, log_history.length - summary), run.log_history);
    assert.equal(trace.length, run.trace.length);
    for (const [i, expected] of run.trace.entries()) {
      const { best_metric, ...rest } = trace[i]!;
      const {
        best_metric: expectedBest,
        event: _,
        epoch: __,
        ...expectedRest
      } = expected as typeof expected & { event: string; epoch: number };
      assert.deepEqual(rest, expectedRest);
      if (expectedBest !== null) closeTo(best_metric!, expectedBest, "best_metric");
    }
    assert.deepEqual(checkpointNames(output_dir), run.checkpoints_left);
    if (run.trainer_state) compareState(output_dir, run);
    await compareAdapter(trainer, name);
    trainer.model.dispose();
  });
}

function compareLogs(got: LogEntry[], expected: LogEntry[]): void {
  assert.equal(got.length, expected.length);
  for (const [i, entry] of expected.entries()) {
    const timing = /runtime|per_second/;
    const own = Object.keys(got[i]!).filter((key) => !timing.test(key));
    assert.deepEqual(own, Object.keys(entry), `keys of log entry ${i}`);
    for (const [key, value] of Object.entries(entry)) closeTo(got[i]![key]!, value, `${key} of log entry ${i}`);
  }
}

function compareState(outputDir: string, run: ReferenceRun): void {
  const last = run.checkpoints_left.at(-1)!;
  const text = readFileSync(join(outputDir, last, "trainer_state.json"), "utf8");
  const state = JSON.parse(text) as Record<string, unknown>;
  const { log_history, best_metric, best_model_checkpoint, ...rest } = state;
  const expected = { ...run.trainer_state! };
  compareLogs(log_history as LogEntry[], (expected.log_history as LogEntry[]).map(sortedKeys));
  closeTo(best_metric as number, expected.best_metric as number, "best_metric");
  assert.equal(basename(best_model_checkpoint as string), expected.best_model_checkpoint);
  for (const key of ["log_history", "best_metric", "best_model_checkpoint"]) delete expected[key];
  assert.deepEqual(rest, expected);
  assert.deepEqual(Object.keys(state), Object.keys(run.trainer_state!), "order of the keys in the file");
  assert.match(text, /"epoch": \d+\.\d/);
}

function sortedKeys(entry: LogEntry): LogEntry {
  return Object.fromEntries(Object.entries(entry).sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function compareAdapter(trainer: Trainer, name: string): Promise<void> {
  const path = referencePath(`gemma2-tiny/runs/${name}/final-adapter/adapter_model.safetensors`);
  const expected = await readSafetensors(path).catch(() => undefined);
  if (!expected) return;
  const params = trainer.model.trainableParameters();
  assert.deepEqual(Object.keys(params).sort(), [...expected.keys()].sort());
  for (const [key, { values }] of expected) {
    const got = await params[key]!.data();
    // By norm: where a gradient is near zero, Adam turns the last bit of rounding into a whole step.
    const difference = norm(Array.from(values, (value, i) => got[i]! - value)) / norm([...values]);
    assert.ok(difference <= 1e-3, `${key} differs by ${difference} of its norm`);
  }
}

function norm(values: number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

/** 1e-3 relative; exact where the reference is 0 (the first learning rate). */
function closeTo(got: number, expected: number, what: string): void {
  assert.ok(Math.abs(got - expected) <= 1e-3 * Math.abs(expected), `${what}: ${got}, not ${expected}`);
}
