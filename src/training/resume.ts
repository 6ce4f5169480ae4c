import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { findNewestCheckpoint, inspectCheckpoint } from "../checkpoint/find.js";
import type { TrainingArguments } from "./arguments.js";
import { ResumeError } from "./errors.js";
import type { TrainerState } from "./state.js";
import type { Trainer, TrainOptions } from "./trainer.js";

/** Where a run goes on. */
export interface ResumePoint {
  dir: string;
  state: TrainerState;
  /** Undefined for a checkpoint that Python wrote. */
  run_id: string | undefined;
}

/**
 * The checkpoint that `train()` was asked to resume from, looked through byte by byte; undefined for a fresh start.
 * @throws ResumeError when there is none, the one named is damaged, or the arguments make it another run
 */
export async function resumePoint(trainer: Trainer, options: TrainOptions): Promise<ResumePoint | undefined> {
  const asked = options.resume_from_checkpoint;
  if (asked === undefined || asked === null || asked === false) return undefined;
  const point = asked === true ? await newest(trainer.args.output_dir) : await named(asked);
  await compareArguments(point.dir, trainer.args, options.allow_changed_arguments ?? false);
  return point;
}

async function newest(outputDir: string): Promise<ResumePoint> {
  const { checkpoint, skipped } = await findNewestCheckpoint(outputDir);
  for (const { dir, reason } of skipped) console.error(`kaisetsu: ${dir} is passed over and kept: ${reason}.`);
  if (!checkpoint) {
    const damaged = skipped.length > 0 ? ` (${skipped.length} damaged ones were passed over)` : "";
    throw new ResumeError(`No valid checkpoint found in output directory (${outputDir})${damaged}.`);
  }
  return pointOf(checkpoint.dir, checkpoint.inspection);
}

async function named(dir: string): Promise<ResumePoint> {
  const inspection = await inspectCheckpoint(dir);
  if (inspection.state === "missing" || inspection.state === "damaged") {
    throw new ResumeError(`Can't find a valid checkpoint at ${dir}: ${inspection.reason}.`);
  }
  return pointOf(dir, inspection);
}

type Usable = Extract<Awaited<ReturnType<typeof inspectCheckpoint>>, { trainerState: TrainerState }>;

function pointOf(dir: string, inspection: Awaited<ReturnType<typeof inspectCheckpoint>>): ResumePoint {
  const { trainerState, manifest, state, reason } = inspection as Usable;
  if (state === "python") console.error(`kaisetsu: ${dir}: ${reason}.`);
  return { dir, state: trainerState, run_id: manifest?.run_id };
}

/** Arguments that decide which numbers a run makes; with another value, a resume would mix two runs. */
const essential: (keyof TrainingArguments)[] = [
  "per_device_train_batch_size",
  "gradient_accumulation_steps",
  "seed",
  "data_seed",
  "train_sampling_strategy",
  "dataloader_drop_last",
  "label_smoothing_factor",
  "neftune_noise_alpha",
  "max_grad_norm",
  "lr_scheduler_type",
  "adam_beta1",
  "adam_beta2",
  "adam_epsilon",
  "weight_decay",
  "learning_rate",
];

/** Arguments that may change, but that the user should know to be others than before. */
const notable: (keyof TrainingArguments)[] = [
  "num_train_epochs",
  "max_steps",
  "warmup_steps",
  "logging_steps",
  "eval_steps",
  "save_steps",
];

async function compareArguments(dir: string, args: TrainingArguments, allowed: boolean): Promise<void> {
  let saved: Record<string, unknown>;
  try {
    saved = JSON.parse(await readFile(join(dir, "training_args.json"), "utf8"));
  } catch {
    // Python's checkpoints have none that can be read.
    return;
  }
  const now = args.toDict();
  const changes = (names: (keyof TrainingArguments)[]) =>
    names
      .filter((name) => name in saved && JSON.stringify(saved[name]) !== JSON.stringify(now[name]))
      .map((name) => `${name}: ${JSON.stringify(saved[name])} -> ${JSON.stringify(now[name])}`);
  const breaking = changes(essential);
  const harmless = changes(notable);
  if (harmless.length > 0) console.error(`kaisetsu: changed since ${dir}: ${harmless.join(", ")}.`);
  if (breaking.length === 0) return;
  if (!allowed) {
    throw new ResumeError(
      `${dir} was trained with other settings (${breaking.join(", ")}), so going on would be another run. Restore them, ` +
        "start afresh in another output_dir, or pass allow_changed_arguments: true to train().",
    );
  }
  console.error(`kaisetsu: going on from ${dir} with other settings, as asked: ${breaking.join(", ")}.`);
}
