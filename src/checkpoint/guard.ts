import type { TrainingArguments } from "../training/arguments/arguments.js";
import { changedArguments } from "../training/run/changed-settings.js";
import { askYesNo, canAsk } from "./ask.js";
import { findNewestCheckpoint } from "./find.js";
import { isFinished, isUnsaved, readFinalState } from "./finished.js";
import { type BilingualMessage, guardMessages } from "./guard-messages.js";
import { restoreReplaced } from "./leftovers.js";
import { describeLock } from "./lock.js";
import { moveAside } from "./move-aside.js";

export interface GuardDecision {
  action: "start" | "resume" | "stop";
  /** With `resume`: pass it to `trainer.train({ resume_from_checkpoint: checkpoint })`. */
  checkpoint?: string;
  /** What was found, in one word. */
  found: Situation["found"];
  /** Why, in English. */
  reason: string;
  /** For the reader, in both languages. */
  message: BilingualMessage;
}

export interface GuardOptions {
  args: TrainingArguments;
  /**
   * What to do where a fresh start would come into the way of something finished or unreadable. `ask` (default) asks, if
   * somebody can answer, and else stops; `overwrite` starts afresh after moving what is there into a folder `previous-…`.
   */
  on_conflict?: "ask" | "stop" | "overwrite";
}

/** What is in `output_dir`. */
type Situation =
  | { found: "nothing" }
  | { found: "running"; owner: string }
  | { found: "finished"; epoch: number; step: number; lost: boolean }
  | { found: "unsaved"; checkpoint: string; step: number; skipped: string[]; changed: string[] }
  | { found: "unfinished"; checkpoint: string; step: number; skipped: string[]; changed: string[] }
  | { found: "damaged"; skipped: string[] };

/**
 * Decides before training whether it may start: nothing there -> start; an unfinished run -> resume from its newest whole
 * checkpoint, also one that was cut off between its last step and `saveModel()`; finished training, or checkpoints of
 * which none can be read -> stop, unless a person says otherwise.
 *
 * It never deletes anything, and asks only where somebody can answer: not on Kaggle, in CI, or in a batch run.
 */
export async function checkpointGuard({ args, on_conflict = "ask" }: GuardOptions): Promise<GuardDecision> {
  const situation = await look(args);
  const dir = args.output_dir;
  if (situation.found === "nothing") return decision("start", situation, dir);
  if (situation.found === "running") return decision("stop", situation, dir);
  const goesOn = situation.found === "unfinished" || situation.found === "unsaved";
  if (goesOn && on_conflict !== "overwrite") {
    return { ...decision("resume", situation, dir), checkpoint: situation.checkpoint };
  }
  const overwrite = on_conflict === "overwrite" || (on_conflict === "ask" && (await confirmed(situation, dir)));
  if (!overwrite) return decision("stop", situation, dir);
  return decision("start", situation, dir, await moveAside(dir));
}

async function look(args: TrainingArguments): Promise<Situation> {
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

async function confirmed(situation: Situation, dir: string): Promise<boolean> {
  if (!canAsk()) return false;
  const { ja, en } = guardMessages.question(situation, dir);
  return askYesNo(`${ja}\n${en}`);
}

function decision(action: GuardDecision["action"], situation: Situation, dir: string, movedTo?: string): GuardDecision {
  const message = guardMessages.decision(action, situation, dir, movedTo);
  return { action, found: situation.found, reason: message.en, message };
}

export type { Situation };
