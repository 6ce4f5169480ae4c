import type { TrainingArguments } from "../training/arguments/arguments.js";
import { changedArguments } from "../training/run/changed-settings.js";
import { findNewestCheckpoint } from "./find.js";
import { isFinished, isUnsaved, readFinalState } from "./finished.js";
import { restoreReplaced } from "./leftovers.js";
import { describeLock } from "./lock.js";

/** What is in `output_dir`. */
export type Situation =
  | { found: "nothing" }
  | { found: "running"; owner: string }
  | { found: "finished"; epoch: number; step: number; lost: boolean }
  | { found: "unsaved"; checkpoint: string; step: number; skipped: string[]; changed: string[] }
  | { found: "unfinished"; checkpoint: string; step: number; skipped: string[]; changed: string[] }
  | { found: "damaged"; skipped: string[] };

/** What a run finds in its `output_dir`. Puts back what a kill in the middle of a replacement left. */
export async function lookInto(args: TrainingArguments): Promise<Situation> {
  const owner = describeLock(args.output_dir);
  if (owner) return { found: "running", owner };
  // What a kill in the middle of a replacement left: else an older checkpoint would be taken for the newest.
  for (const line of await restoreReplaced(args.output_dir)) console.error(`kaisetsu: ${args.output_dir}: ${line}`);
  const final = await readFinalState(args.output_dir);
  const { checkpoint, skipped } = await findNewestCheckpoint(args.output_dir);
  const newest = checkpoint?.inspection.trainerState;
  // Early stopping ends a run before its last step; then only the final state tells, if it is the same plan.
  const stoppedEarly = final && final.num_train_epochs === Math.ceil(args.num_train_epochs) && args.max_steps <= 0;
  // Our own run leaves a final state when it ends: without one it was killed after its last step, and has to be ended yet.
  const byEpoch = checkpoint?.inspection.state === "python" && newest ? isFinished(newest, args) : false;
  const ended = byEpoch ? newest : final && (isFinished(final, args) || stoppedEarly) ? final : undefined;
  const unsaved = ended !== undefined && isUnsaved(args.output_dir);
  if (ended && !(unsaved && checkpoint)) {
    return { found: "finished", epoch: ended.epoch, step: ended.global_step, lost: unsaved };
  }
  const reasons = skipped.map(({ dir, reason }) => `${dir}: ${reason}`);
  if (checkpoint) {
    const { dir, step } = checkpoint;
    const { breaking: changed } = await changedArguments(dir, args);
    return { found: unsaved ? "unsaved" : "unfinished", checkpoint: dir, step, skipped: reasons, changed };
  }
  return reasons.length > 0 ? { found: "damaged", skipped: reasons } : { found: "nothing" };
}
