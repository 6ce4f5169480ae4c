import type { TrainingArguments } from "../training/arguments/arguments.js";
import { askYesNo, canAsk } from "./ask.js";
import { type BilingualMessage, type GuardAction, guardMessages } from "./guard-messages.js";
import { moveAside } from "./move-aside.js";
import { lookInto, type Situation } from "./situation.js";

export interface GuardDecision {
  action: GuardAction;
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

/**
 * Decides before training whether it may start: nothing there -> start; an unfinished run -> resume from its newest whole
 * checkpoint, also one that was cut off between its last step and `saveModel()`; finished training, or checkpoints of
 * which none can be read -> stop, unless a person says otherwise.
 *
 * It never deletes anything, and asks only where somebody can answer: not on Kaggle, in CI, or in a batch run.
 */
export async function checkpointGuard({ args, on_conflict = "ask" }: GuardOptions): Promise<GuardDecision> {
  const situation = await lookInto(args);
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

async function confirmed(situation: Situation, dir: string): Promise<boolean> {
  if (!canAsk()) return false;
  const { ja, en } = guardMessages.question(situation, dir);
  return askYesNo(`${ja}\n${en}`);
}

function decision(action: GuardAction, situation: Situation, dir: string, movedTo?: string): GuardDecision {
  const message = guardMessages.decision(action, situation, dir, movedTo);
  return { action, found: situation.found, reason: message.en, message };
}
