import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TrainingArguments } from "../training/arguments/arguments.js";
import { TrainerState } from "../training/state.js";

/**
 * Whether training as `args` asks for it has ended: all of `max_steps` are done, or (the rule of the source notebook) the
 * epoch has come within 0.1 of `num_train_epochs`.
 */
export function isFinished(state: TrainerState, args: TrainingArguments): boolean {
  if (args.max_steps > 0) return state.global_step >= args.max_steps;
  return state.epoch >= args.num_train_epochs - 0.1;
}

/**
 * The state that `Trainer.train()` leaves in `output_dir` when it ends (also by early stopping); undefined when there is
 * none, or it cannot be read.
 */
export async function readFinalState(outputDir: string): Promise<TrainerState | undefined> {
  try {
    return TrainerState.fromJson(await readFile(join(outputDir, "trainer_state.json"), "utf8"));
  } catch {
    return undefined;
  }
}

/** Its presence says that training in this folder has ended, and that nobody has called `saveModel()` since. */
export const unsavedName = ".kaisetsu-model-unsaved";

/** Before the final state is written: a kill between the two leaves a run that is merely unfinished. */
export async function markUnsaved(outputDir: string): Promise<void> {
  await writeFile(join(outputDir, unsavedName), "", { flush: true });
}

export async function markSaved(outputDir: string): Promise<void> {
  await rm(join(outputDir, unsavedName), { force: true });
}

export function isUnsaved(outputDir: string): boolean {
  return existsSync(join(outputDir, unsavedName));
}
