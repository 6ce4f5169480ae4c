/** How training is left before its last step: what asks for it, and what is done then. */
import { basename } from "node:path";
import { notebookHost } from "../../notebook/host.js";
import { TrainingInterruptedError } from "../errors.js";
import { TrainerControl } from "../state.js";
import type { TrainOutput } from "../trainer.js";
import type { RunContext } from "./context.js";
import type { InterruptWatcher } from "./interrupt.js";
import type { Saver } from "./saver.js";
import type { TimeBudget } from "./time-budget.js";

/** Thrown inside the training loop to leave it before its last step; `train()` turns it into what its caller sees. */
export class EarlyEnd extends Error {
  constructor(
    /** A signal's name or another reason; undefined when the time of `max_train_seconds` is over. */
    readonly signal: string | undefined,
    /** False after a second interrupt: then nothing is saved any more. */
    readonly save: boolean,
  ) {
    super("training ends early");
  }
}

/** Asked at every point where training can end. */
export class EndWatch {
  constructor(
    private readonly interrupts: InterruptWatcher,
    private readonly budget: TimeBudget,
  ) {}

  /**
   * Lets signals in, and leaves the loop if one came or the time is over.
   * @param next what training is about to do, if it may take long
   * @throws EarlyEnd
   */
  async endIfAsked(next?: "step" | "evaluation"): Promise<void> {
    await eventsHandled();
    const { signal, again } = this.interrupts;
    if (signal !== undefined) throw new EarlyEnd(signal, !again);
    if (this.budget.isTooShortFor(next)) throw new EarlyEnd(undefined, true);
  }
}

/**
 * Saves what is done, and says how to go on.
 * @throws TrainingInterruptedError unless it was only the time that is over
 */
export async function endEarly(end: EarlyEnd, run: RunContext, saver: Saver): Promise<TrainOutput> {
  const { trainer, step, budget, books } = run;
  const { state, args, control } = trainer;
  step.dropGradient();
  await saver.settleQuietly();
  const name = `checkpoint-${state.global_step}`;
  if (end.save && state.global_step > 0 && (saver.lastSaved === null || basename(saver.lastSaved) !== name)) {
    await saver.saveCheckpoint(true);
    await saver.settle();
  }
  Object.assign(control, new TrainerControl(), { should_training_stop: true });
  const { lastSaved } = saver;
  const hint = lastSaved
    ? `Everything up to step ${basename(lastSaved).replace("checkpoint-", "")} is saved in ${lastSaved}; go on with ` +
      `trainer.train({ resume_from_checkpoint: true }).`
    : `No step was finished, so there is nothing to save.${end.signal === undefined ? " Give it more time than one step takes." : ""}`;
  const where = `after step ${state.global_step} of ${state.max_steps} in ${args.output_dir}`;
  if (end.signal !== undefined) {
    // A kernel that was told to end shall end, now that everything is safe.
    if (end.signal === "SIGTERM" && notebookHost()) setImmediate(() => process.kill(process.pid, "SIGTERM"));
    const message = `Training was interrupted (${end.signal}) ${where}. ${hint}`;
    throw new TrainingInterruptedError(message, end.signal, lastSaved);
  }
  console.error(`kaisetsu: max_train_seconds (${args.max_train_seconds} s) is nearly over ${where}. ${hint}`);
  const training_loss = books.total_loss / Math.max(state.global_step, 0.001);
  const metrics = { train_runtime: Number((budget.elapsedMs / 1000).toFixed(4)), train_loss: training_loss };
  return { global_step: state.global_step, training_loss, metrics, finished: false };
}

/** An engine that computes in this thread never waits for anything else. */
function eventsHandled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
