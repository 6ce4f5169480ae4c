import assert from "node:assert/strict";
import { join } from "node:path";
import type { TrainingArgumentsOptions } from "../../src/index.js";
import { startTraining } from "./process.js";
import type { Random } from "./random.js";
import { assertClean, assertEqualRun } from "./rounds.js";
import { exitCodes } from "./train.js";

/**
 * Another run each time: any engine, schedule, order of rows, strategy; killed or interrupted in any event until it comes to
 * its end. It must be the run that nobody disturbed.
 * @returns what it was, in words
 */
export async function settingsRound(dir: string, random: Random): Promise<string> {
  const { args, env, words } = anySettings(random);
  const whole = await startTraining({ ...args, output_dir: join(dir, "whole") }, env).ended;
  assert.equal(whole.code, 0, `${words}: ${whole.stderr}`);
  const output_dir = join(dir, "disturbed");
  let disturbed = "";
  for (let left = 1 + random.upTo(3); ; left--) {
    const [event, most] = random.pick(events);
    const at = `${event}:${1 + random.upTo(most)}:${random.pick(["kill", "interrupt"])}`;
    const ended = await startTraining({ ...args, output_dir }, left > 0 ? { ...env, KAISETSU_TEST_AT: at } : env).ended;
    if (ended.code === 0) {
      try {
        assertEqualRun(ended, whole.report!);
      } catch (error) {
        (error as Error).message = `${words},${disturbed}: ${(error as Error).message}`;
        throw error;
      }
      assertClean(output_dir);
      return `${words},${disturbed}`;
    }
    assert.ok(ended.signal === "SIGKILL" || ended.code === exitCodes.interrupted, `${words}, ${at}: ${ended.stderr}`);
    disturbed += ` ${at}`;
  }
}

/** Where a run is disturbed: at the first, second, … of how many. */
const events = [
  ["on_substep_end", 12],
  ["on_prediction_step", 14],
  ["on_step_begin", 8],
  ["on_step_end", 8],
  ["on_pre_optimizer_step", 8],
  ["on_log", 8],
  ["on_evaluate", 4],
  ["on_epoch_begin", 3],
  ["on_epoch_end", 3],
  ["on_train_end", 1],
] as const;

function anySettings(random: Random) {
  const engine = random.pick(["onnx", "wasm", "cpu"]);
  const byEpoch = random.chance(0.3);
  const eval_steps = random.pick([1, 2, 3]);
  const best = random.chance(0.6);
  const args: TrainingArgumentsOptions = {
    per_device_train_batch_size: random.pick([1, 2, 3]),
    per_device_eval_batch_size: random.pick([1, 2]),
    gradient_accumulation_steps: random.pick([1, 2, 3]),
    ...(random.chance(0.5) ? { max_steps: 8 } : { num_train_epochs: 2.5 }),
    learning_rate: random.pick([5e-3, 5e-2]),
    lr_scheduler_type: random.pick([
      "linear",
      "cosine",
      "constant_with_warmup",
      "reduce_lr_on_plateau",
      "greedy",
    ] as const),
    warmup_steps: random.pick([0, 2, 0.3]),
    weight_decay: random.pick([0, 0.1]),
    max_grad_norm: random.pick([0, 0.5]),
    label_smoothing_factor: random.pick([0, 0.1]),
    neftune_noise_alpha: random.pick([null, 5]),
    gradient_checkpointing: random.chance(0.3),
    train_sampling_strategy: random.pick(["random", "sequential", "group_by_length"] as const),
    dataloader_drop_last: random.chance(0.3),
    include_num_input_tokens_seen: random.pick(["no", "all", "non_padding"] as const),
    logging_steps: random.pick([1, 3]),
    logging_strategy: random.pick(["steps", "epoch"] as const),
    eval_strategy: byEpoch ? "epoch" : "steps",
    eval_steps,
    save_strategy: byEpoch ? "epoch" : "steps",
    save_steps: best ? eval_steps * random.pick([1, 2]) : random.pick([1, 2, 3]),
    save_total_limit: random.pick([null, 1, 2]),
    load_best_model_at_end: best,
    metric_for_best_model: "loss",
    eval_on_start: random.chance(0.3),
    compat: random.pick(["hf5", "hf5", "hf4.57", "hf4.45"] as const),
    seed: random.upTo(1000),
  };
  const patience = random.pick(["", "1", "2"]);
  const env: Record<string, string> = {
    KAISETSU_ENGINE: engine,
    ...(patience && { KAISETSU_TEST_PATIENCE: patience }),
  };
  return { args, env, words: `${engine} ${JSON.stringify(args)}${patience && ` patience ${patience}`}` };
}
