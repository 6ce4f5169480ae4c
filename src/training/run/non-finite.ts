import type { TrainingArguments } from "../arguments/arguments.js";
import { NonFiniteError } from "../errors.js";
import type { TrainerState } from "../state.js";

/** Thrown inside the training loop by `nan_policy: "rollback"`. */
export class RollBack extends Error {}

/** Enough to leave a bad stretch; a run that needs more is broken in another way. */
export const maxRollbacks = 8;

/** What went wrong, where. */
export interface NonFinite {
  /** "The loss of a training batch is NaN" */
  what: string;
  /** Training rows. */
  rows: number[];
  /** Every label of the step is -100. */
  all_masked: boolean;
}

/**
 * Answers a loss or gradient that is not a number as `nan_policy` says. When it returns, the step is to be left out.
 * @throws NonFiniteError (`stop`) or RollBack (`rollback`)
 */
export function answerNonFinite(
  found: NonFinite,
  run: { state: TrainerState; args: TrainingArguments; lastSaved: string | null; rollbacks: number },
): void {
  const { state, args, lastSaved } = run;
  const where = `at step ${state.global_step + 1} of ${state.max_steps} (training rows ${found.rows.join(", ")})`;
  const why = found.all_masked ? ": every label of this step is -100, so there is nothing to learn from" : "";
  const message = `${found.what} ${where}${why}.`;
  if (args.nan_policy === "skip") {
    console.error(`kaisetsu: ${message} This step is left out (nan_policy: "skip").`);
    return;
  }
  if (args.nan_policy === "rollback" && !found.all_masked && run.rollbacks < maxRollbacks) throw new RollBack(message);
  const kept = lastSaved ? `The last good checkpoint is ${lastSaved}.` : "No checkpoint had been saved yet.";
  const tried =
    args.nan_policy === "rollback" && !found.all_masked
      ? `Rolling back ${run.rollbacks} times and lowering the learning rate did not help.`
      : "";
  throw new NonFiniteError(
    `${message} Nothing was changed by it. ${kept} ${tried} Try a lower learning_rate or a smaller max_grad_norm, look at those ` +
      'rows, or set nan_policy: "skip" (leave such steps out) or "rollback" (go back and lower the rate).',
  );
}
