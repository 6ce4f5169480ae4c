import assert from "node:assert/strict";
import { test } from "node:test";
import type { SchedulerType } from "../../src/training/arguments/fields.js";
import { createScheduler, type SchedulerOptions } from "../../src/training/schedule/schedule.js";
import { referenceJson } from "../data/reference.js";

interface Row {
  lr_scheduler_type: SchedulerType;
  lr_scheduler_kwargs: Record<string, unknown>;
  warmup_steps: number;
  total_steps: number;
  learning_rate: number[];
}

function rates(type: SchedulerType, options: SchedulerOptions, steps: number): number[] {
  const scheduler = createScheduler(type, options);
  return Array.from({ length: steps }, () => {
    const rate = scheduler.getLastLr();
    scheduler.step();
    return rate;
  });
}

test("every schedule gives transformers' learning rates to 1e-12", () => {
  const rows = referenceJson<Row[]>("gemma2-tiny/schedulers.json");
  assert.ok(rows.length >= 33);
  for (const row of rows) {
    const { lr_scheduler_type: type, warmup_steps, total_steps, lr_scheduler_kwargs: kwargs } = row;
    const got = rates(type, { learning_rate: 8e-5, warmup_steps, total_steps, kwargs }, total_steps);
    row.learning_rate.forEach((expected, i) => {
      const close = Math.abs(got[i]! - expected) <= 1e-12 * Math.abs(expected);
      assert.ok(
        close,
        `${type} ${JSON.stringify(kwargs)} W=${warmup_steps} T=${total_steps} step ${i}: ${got[i]}, not ${expected}`,
      );
    });
  }
});

test("cosine_with_restarts ends at exactly zero", () => {
  const got = rates("cosine_with_restarts", { learning_rate: 8e-5, warmup_steps: 5, total_steps: 20 }, 22);
  assert.deepEqual(got.slice(20), [0, 0]);
});

test("reduce_lr_on_plateau lowers the rate after more than `patience` evaluations without improvement", () => {
  const kwargs = { patience: 1, factor: 0.5 };
  const scheduler = createScheduler("reduce_lr_on_plateau", {
    learning_rate: 1,
    warmup_steps: 0,
    total_steps: 9,
    kwargs,
  });
  const seen = [3, 2, 2, 2, 2, 2].map((loss) => {
    scheduler.stepWithMetric!(loss);
    return scheduler.getLastLr();
  });
  assert.deepEqual(seen, [1, 1, 1, 0.5, 0.5, 0.25]);
});

test("a state carried over continues the schedule, and the next rate is the saved one", () => {
  const options = { learning_rate: 1e-3, warmup_steps: 3, total_steps: 12 };
  const whole = rates("cosine", options, 12);
  const first = createScheduler("cosine", options);
  for (let i = 0; i < 5; i++) first.step();
  const second = createScheduler("cosine", options);
  second.loadStateDict(JSON.parse(JSON.stringify(first.stateDict())));
  for (let i = 5; i < 12; i++) {
    assert.equal(second.getLastLr(), whole[i]);
    second.step();
  }
});

test("arguments that a schedule does not take, lacks or cannot use are errors that name them", () => {
  const make = (type: SchedulerType, kwargs: Record<string, unknown>, warmup_steps = 0) =>
    createScheduler(type, { learning_rate: 1e-4, warmup_steps, total_steps: 10, kwargs });
  assert.throws(() => make("cosine", { num_cycle: 2 }), /num_cycle/);
  assert.throws(() => make("warmup_stable_decay", {}), /num_decay_steps/);
  assert.throws(() => make("cosine_with_min_lr", {}), /min_lr/);
  assert.throws(() => make("polynomial", { lr_end: 1 }), /lr_end/);
  assert.throws(() => make("polynomial", {}, 10), /no steps are left/);
  assert.throws(() => make("reduce_lr_on_plateau", { patients: 3 }), /patients/);
});
