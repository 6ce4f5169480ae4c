import { loggedLoss, logsGradNorm } from "../arguments/compat.js";
import { epochBatches, stepWindows } from "../batches.js";
import { withPrefix } from "../callbacks.js";
import type { LogEntry } from "../state.js";
import { metricNamed, noteBest } from "./best.js";
import type { RunContext } from "./context.js";
import { RollBack } from "./non-finite.js";
import { optimizerStep } from "./optimizer-step.js";
import type { Rollback } from "./rollback.js";
import type { Saver } from "./saver.js";

/**
 * `Trainer._inner_training_loop` and `_maybe_log_save_evaluate` of transformers: epochs, steps, and what comes after a step.
 * Everything that it has to remember is in `run.books` and `trainer.state`, so that a checkpoint can be taken after any step.
 */
export class TrainingLoop {
  constructor(
    private readonly run: RunContext,
    private readonly saver: Saver,
    private readonly rollback: Rollback,
  ) {}

  /** Trains from `run.books.position` to the last step. */
  async runEpochs(): Promise<void> {
    for (;;) {
      try {
        return await this.remainingEpochs();
      } catch (error) {
        if (!(error instanceof RollBack)) throw error;
        if (this.saver.lastSaved !== null) this.rollback.forgetStart();
        if (await this.rollback.goBack(error.message)) await this.endInterruptedStep();
      }
    }
  }

  /** What the run that wrote the checkpoint had still to do for its last step: log, evaluate, end the epoch. */
  async endInterruptedStep(): Promise<void> {
    const { books, trainer } = this.run;
    const { args, control, state } = trainer;
    const { epoch, next_batch } = books.position;
    await this.maybeLogSaveEvaluate();
    const over = next_batch >= this.batchesOf(epoch).length || state.global_step >= state.max_steps;
    const asked = control.should_epoch_stop || control.should_training_stop;
    if (next_batch > 0 && !books.position.epoch_ended && (over || asked)) await this.endEpoch();
    if (books.position.epoch_ended) books.position = { epoch: epoch + 1, next_batch: 0, epoch_ended: false };
    else if (args.ignore_data_skip) books.position.next_batch = 0;
  }

  private async remainingEpochs(): Promise<void> {
    const { trainer, plan, books } = this.run;
    while (!this.isOver() && books.position.epoch < plan.num_train_epochs) {
      await trainer.emit("on_epoch_begin");
      await this.runEpoch();
      await this.endEpoch();
      if (this.isOver()) return;
      books.position = { epoch: books.position.epoch + 1, next_batch: 0, epoch_ended: false };
    }
  }

  private isOver(): boolean {
    const { state, control } = this.run.trainer;
    return control.should_training_stop || state.global_step >= state.max_steps;
  }

  private async runEpoch(): Promise<void> {
    const { trainer, books, ends } = this.run;
    const { control, args } = trainer;
    const { epoch, next_batch } = books.position;
    for (const { batches, end } of stepWindows(args, epoch, (which) => this.batchesOf(which))) {
      if (end <= next_batch) continue;
      this.saver.throwIfFailed();
      if (this.saver.lastSaved !== null) this.rollback.forgetStart();
      await this.trainingStep(batches, end, epoch);
      if (control.should_epoch_stop || control.should_training_stop) return;
      await ends.endIfAsked("step");
    }
  }

  private async endEpoch(): Promise<void> {
    const { trainer, books } = this.run;
    await trainer.emit("on_epoch_end");
    books.position = { ...books.position, epoch_ended: true };
    await this.maybeLogSaveEvaluate();
  }

  /** `window`: the micro-batches (row numbers) of one optimizer step; `end`: the batches of the epoch that are done then. */
  private async trainingStep(window: number[][], end: number, epoch: number): Promise<void> {
    const { run, saver } = this;
    const { trainer, budget, books } = run;
    const { state } = trainer;
    await trainer.emit("on_step_begin");
    if (await budget.measure("step", () => optimizerStep(run, window, saver))) {
      await trainer.emit("on_optimizer_step");
      run.scheduler.step();
    }
    state.global_step += 1;
    state.epoch = epoch + end / run.plan.batches_per_epoch;
    books.position = { epoch, next_batch: end, epoch_ended: false };
    await trainer.emit("on_step_end");
    await this.maybeLogSaveEvaluate();
  }

  private async maybeLogSaveEvaluate(): Promise<void> {
    const { trainer, books } = this.run;
    const { control, state } = trainer;
    if (control.should_log && state.global_step > books.last_logged_step) await this.logTraining();
    if (control.should_evaluate) await this.evaluate();
    if (control.should_save) await this.saver.saveCheckpoint();
  }

  private async logTraining(): Promise<void> {
    const { trainer, books, scheduler } = this.run;
    const { state, args } = trainer;
    const logs: LogEntry = {
      loss: loggedLoss(args.compat, books.pending_loss / (state.global_step - books.last_logged_step)),
      ...(logsGradNorm(args) ? { grad_norm: books.last_grad_norm } : {}),
      // 4.45 looks after the schedule has moved on.
      learning_rate: args.compat === "hf4.45" ? scheduler.getLastLr() * books.rate_factor : books.last_learning_rate,
    };
    books.pending_loss = 0;
    books.last_logged_step = state.global_step;
    await trainer.log(logs);
  }

  private async evaluate(): Promise<void> {
    const { trainer, scheduler, budget, ends } = this.run;
    const { control, args } = trainer;
    await ends.endIfAsked("evaluation");
    const metrics = await budget.measure("evaluation", () => trainer.evaluate());
    const key = withPrefix(args.metric_for_best_model ?? "loss");
    if (scheduler.stepWithMetric) scheduler.stepWithMetric(metricNamed(key, metrics));
    // 4.45 looks for the best only among what it saves.
    const judged = args.metric_for_best_model !== null && (args.compat !== "hf4.45" || control.should_save);
    const improved = judged && noteBest(trainer, metricNamed(key, metrics));
    if (args.save_strategy === "best") control.should_save = improved;
  }

  private batchesOf(epoch: number): number[][] {
    const { trainer, plan } = this.run;
    const firstStep = epoch * plan.updates_per_epoch;
    const { args, train_dataset, eval_dataset } = trainer;
    const evaluations = trainer.state.evaluationsUntil(firstStep);
    return epochBatches(args, epoch, { train_dataset, eval_dataset, evaluations });
  }
}
