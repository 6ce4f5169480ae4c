import { existsSync } from "node:fs";
import { join } from "node:path";
import { findNewestCheckpoint, inspectCheckpoint, listCheckpoints } from "../../checkpoint/find.js";
import { ResumeError } from "../errors.js";
import type { TrainerState } from "../state.js";
import type { Trainer, TrainOptions } from "../trainer.js";
import { changedSettings } from "./changed-settings.js";

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
  await compareSettings(point.dir, trainer, options.allow_changed_arguments ?? false);
  return point;
}

/** The newest whole checkpoint of one run; undefined when there is none. */
export async function newestOwnCheckpoint(outputDir: string, runId: string): Promise<ResumePoint | undefined> {
  for (const { dir } of await listCheckpoints(outputDir)) {
    const inspection = await inspectCheckpoint(dir);
    if (inspection.state === "whole" && inspection.manifest.run_id === runId) return pointOf(dir, inspection);
  }
  return undefined;
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
  else if (!existsSync(join(dir, "optimizer.safetensors"))) {
    console.error(
      `kaisetsu: ${dir} holds the model only (save_only_model): training goes on with a fresh optimizer, so it is not ` +
        "the run that an undisturbed one would have been.",
    );
  }
  return { dir, state: trainerState, run_id: manifest?.run_id };
}

/** @throws ResumeError when going on would be another run, unless that was asked for */
async function compareSettings(dir: string, trainer: Trainer, allowed: boolean): Promise<void> {
  const { breaking, harmless } = await changedSettings(dir, trainer);
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
