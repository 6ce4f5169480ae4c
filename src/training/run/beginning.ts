/** How a run begins: at zero, or where a checkpoint left off. */

import { TrainerState } from "../state.js";
import { findBestAgain } from "./best.js";
import { emptyBooks, type Position } from "./books.js";
import type { RunContext } from "./context.js";
import type { ResumePoint } from "./resume.js";
import { loadTrainingState } from "./snapshot.js";

/** A fresh `TrainerState`, and empty books. */
export function beginAtZero(run: RunContext): void {
  const { logging_steps, eval_steps, save_steps, max_steps, num_train_epochs } = run.plan;
  run.trainer.state = Object.assign(new TrainerState(), { logging_steps, save_steps, max_steps, num_train_epochs });
  // Else transformers leaves the state's own default there.
  if (eval_steps !== null) run.trainer.state.eval_steps = eval_steps;
  run.books = emptyBooks();
}

/** Takes everything but the parameters from a checkpoint: state, optimizer, schedule, books, callbacks. */
export async function beginAt(point: ResumePoint, run: RunContext): Promise<void> {
  const { trainer, step, scheduler } = run;
  const { state } = point;
  trainer.state = state;
  const saved = await loadTrainingState(point.dir, { step, scheduler });
  if (!saved) for (let i = 0; i < state.global_step; i++) scheduler.step();
  run.books = {
    position: saved?.position ?? positionOf(state.global_step, run),
    pending_loss: saved?.pending_loss ?? 0,
    last_logged_step: saved?.last_logged_step ?? state.global_step,
    total_loss: saved?.total_loss ?? 0,
    last_grad_norm: saved?.last_grad_norm ?? 0,
    last_learning_rate: saved?.last_learning_rate ?? scheduler.getLastLr(),
    rollbacks: saved?.rollbacks ?? 0,
    rate_factor: saved?.rate_factor ?? 1,
  };
  Object.assign(trainer.control, saved?.pending);
  findBestAgain(trainer, point.dir);
  for (const callback of trainer.callbacks) {
    const own = callback.name === undefined ? undefined : saved?.callbacks[callback.name];
    if (own) callback.loadState?.(own);
  }
}

/** Where a checkpoint without bookkeeping (Python's) goes on. */
function positionOf(step: number, { plan, trainer }: RunContext): Position {
  return {
    epoch: Math.floor(step / plan.updates_per_epoch),
    next_batch: (step % plan.updates_per_epoch) * trainer.args.gradient_accumulation_steps,
    epoch_ended: false,
  };
}
