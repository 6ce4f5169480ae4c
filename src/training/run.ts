import { randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { checkDiskSpace } from "../checkpoint/disk-space.js";
import { inspectCheckpoint } from "../checkpoint/find.js";
import { cleanLeftovers, rotateCheckpoints, writeCheckpoint } from "../checkpoint/store.js";
import type { Batch } from "../data/types.js";
import { recoverFromCut } from "../engine/recover.js";
import type { Engine } from "../engine/types.js";
import type { NamedTensors } from "../model/types.js";
import { notebookHost } from "../notebook/host.js";
import { epochBatches, type RowSource, stepWindows, tokenRows } from "./batches.js";
import { findBestAgain, metricNamed, noteBest, pointToBest } from "./best.js";
import { withPrefix } from "./callbacks.js";
import { type Surroundings, surroundings } from "./changed-settings.js";
import { loggedLoss, logsGradNorm, lossScales } from "./compat.js";
import { EarlyEnd, eventsHandled, TimeBudget } from "./early-end.js";
import { NonFiniteError, TrainingInterruptedError } from "./errors.js";
import { Evaluator } from "./evaluation.js";
import { speeds } from "./figures.js";
import { InterruptWatcher } from "./interrupt.js";
import { warnOfMemory } from "./memory.js";
import { answerNonFinite, type NonFinite, RollBack, rollbackFactor } from "./non-finite.js";
import { planTraining, type TrainingPlan } from "./plan.js";
import { newestOwnCheckpoint, type ResumePoint, resumePoint } from "./resume.js";
import { createScheduler, type LRScheduler } from "./schedule.js";
import {
  type Bookkeeping,
  loadModelParameters,
  loadTrainingState,
  type Position,
  writeModelFiles,
  writeTrainingState,
} from "./snapshot.js";
import { type LogEntry, TrainerControl, TrainerState } from "./state.js";
import { TrainStep } from "./step.js";
import type { Trainer, TrainOptions, TrainOutput } from "./trainer.js";

/** One call of `Trainer.train()`: the loop and what it has to remember. */
export class TrainingRun {
  readonly evaluator: Evaluator;
  private readonly interrupts: InterruptWatcher;
  private readonly budget: TimeBudget;
  private readonly rows: RowSource;
  private readonly surroundings: Surroundings;
  private readonly nonEmbeddingParameters: number;
  /** Tokens of earlier sessions. */
  private tokensBefore = 0;
  private pendingLoss = 0;
  private lastLoggedStep = 0;
  private totalLoss = 0;
  private lastGradNorm = 0;
  /** The rate that the last update used: what a log entry shows. */
  private lastLearningRate = 0;
  /** The newest checkpoint of this run. */
  private lastSaved: string | null = null;
  private position: Position = { epoch: 0, next_batch: 0, epoch_ended: false };
  /** How often `nan_policy: "rollback"` went back, and what became of the learning rate. */
  private rollbacks = 0;
  private rateFactor = 1;
  private start: StartPoint | undefined;

  private constructor(
    private readonly trainer: Trainer,
    engine: Engine,
    private readonly plan: TrainingPlan,
    private readonly step: TrainStep,
    private readonly scheduler: LRScheduler,
    private runId: string,
  ) {
    this.budget = new TimeBudget(trainer.args.max_train_seconds);
    this.evaluator = new Evaluator(trainer.model, engine, trainer.args.label_smoothing_factor);
    this.rows = trainer.train_dataset!;
    this.surroundings = surroundings(this.rows);
    const counts = trainer.model.parameterCounts();
    this.nonEmbeddingParameters = counts.total - counts.embedding;
    this.interrupts = new InterruptWatcher((signal) =>
      console.error(`\nkaisetsu: ${signal}: saving and stopping. A second ${signal} stops at once.`),
    );
  }

  /** Checks, cleans up, loads the checkpoint to go on from; nothing is trained yet. */
  static async prepare(trainer: Trainer, engine: Engine, options: TrainOptions): Promise<TrainingRun> {
    const { args, model } = trainer;
    const plan = planTraining(args, trainer.train_dataset!.length);
    const scheduler = createScheduler(args.lr_scheduler_type, {
      learning_rate: args.learning_rate,
      warmup_steps: plan.warmup_steps,
      total_steps: plan.max_steps,
      kwargs: args.lr_scheduler_kwargs,
    });
    for (const line of await cleanLeftovers(args.output_dir)) console.error(`kaisetsu: ${args.output_dir}: ${line}`);
    const point = await resumePoint(trainer, options);
    recoverFromCut();
    if (args.save_strategy !== "no") await checkDiskSpace(args.output_dir, model, args.save_only_model);
    warnOfMemory(trainer, engine);
    if (point) await loadModelParameters(point.dir, model);
    const step = new TrainStep(model, engine, args);
    const run = new TrainingRun(trainer, engine, plan, step, scheduler, point?.run_id ?? randomUUID());
    try {
      await run.beginState(point);
      return run;
    } catch (error) {
      run.dispose();
      throw error;
    }
  }

  /** @param abandon called when a kernel has cut training off: nothing else will be executed */
  async train(abandon: () => void): Promise<TrainOutput> {
    this.interrupts.start(abandon);
    try {
      const { state, args } = this.trainer;
      await this.trainer.emit("on_train_begin");
      if (state.global_step > 0) await this.endInterruptedStep();
      else if (args.eval_on_start) await this.trainer.evaluate();
      await this.epochs();
      return await this.finish();
    } catch (error) {
      if (!(error instanceof EarlyEnd)) throw error;
      return await this.endEarly(error);
    } finally {
      this.interrupts.stop();
      // Whatever happened, the model is left with the parameters of the last update.
      this.syncModel();
    }
  }

  /** At every point where training can end: lets signals in, and leaves the loop if one came or the time is over. */
  async endIfAsked(next?: "step" | "evaluation"): Promise<void> {
    await eventsHandled();
    const { signal, again } = this.interrupts;
    if (signal !== undefined) throw new EarlyEnd(signal, !again);
    if (this.budget.isTooShortFor(next)) throw new EarlyEnd(undefined, true);
  }

  interrupt(reason: string): void {
    this.interrupts.receive(reason);
  }

  syncModel(): void {
    this.step.syncModel();
  }

  /** Nothing of this run is executed any more. The engine may be in the middle of something: no tensors here. */
  abandon(): void {
    this.interrupts.stop();
  }

  /** Seconds so far, and tokens a second in this session. */
  tokenSpeed(): LogEntry {
    const train_runtime = Number((this.budget.elapsedMs / 1000).toFixed(4));
    const tokens = this.trainer.state.num_input_tokens_seen - this.tokensBefore;
    return { train_runtime, train_tokens_per_second: Number((tokens / train_runtime).toFixed(3)) };
  }

  dispose(): void {
    this.step.dispose();
    this.evaluator.dispose();
    tf.dispose(this.start?.parameters ?? {});
  }

  private async beginState(point: ResumePoint | undefined): Promise<void> {
    const { trainer, plan } = this;
    const { args } = trainer;
    trainer.control = new TrainerControl();
    if (point === undefined) {
      this.beginAtZero();
      if (args.nan_policy === "rollback") this.rememberStart();
    } else {
      await this.restore(point);
    }
    trainer.state.max_steps = plan.max_steps;
    trainer.state.num_train_epochs = plan.num_train_epochs;
    trainer.state.train_batch_size = args.per_device_train_batch_size;
    // What an earlier run left there would say that this one has ended.
    await rm(join(args.output_dir, "trainer_state.json"), { force: true });
  }

  private beginAtZero(): void {
    const { logging_steps, eval_steps, save_steps, max_steps, num_train_epochs } = this.plan;
    this.trainer.state = Object.assign(new TrainerState(), { logging_steps, save_steps, max_steps, num_train_epochs });
    // Else transformers leaves the state's own default there.
    if (eval_steps !== null) this.trainer.state.eval_steps = eval_steps;
    this.position = { epoch: 0, next_batch: 0, epoch_ended: false };
    this.pendingLoss = this.totalLoss = this.lastLoggedStep = 0;
  }

  private async restore(point: ResumePoint): Promise<void> {
    this.trainer.state = point.state;
    const { state, callbacks } = this.trainer;
    const books = await loadTrainingState(point.dir, { step: this.step, scheduler: this.scheduler });
    this.lastLoggedStep = books?.last_logged_step ?? state.global_step;
    this.pendingLoss = books?.pending_loss ?? 0;
    this.totalLoss = books?.total_loss ?? 0;
    this.lastGradNorm = books?.last_grad_norm ?? 0;
    this.tokensBefore = state.num_input_tokens_seen;
    this.rollbacks = books?.rollbacks ?? 0;
    this.rateFactor = books?.rate_factor ?? 1;
    this.position = books?.position ?? this.positionOf(state.global_step);
    Object.assign(this.trainer.control, books?.pending);
    this.lastSaved = point.dir;
    findBestAgain(this.trainer, point.dir);
    if (!books) for (let i = 0; i < state.global_step; i++) this.scheduler.step();
    this.lastLearningRate = books?.last_learning_rate ?? this.scheduler.getLastLr();
    for (const callback of callbacks) {
      const saved = callback.name === undefined ? undefined : books?.callbacks[callback.name];
      if (saved) callback.loadState?.(saved);
    }
  }

  /** Where a checkpoint without bookkeeping (Python's) goes on. */
  private positionOf(step: number): Position {
    const { plan } = this;
    const { args } = this.trainer;
    const epoch = Math.floor(step / plan.updates_per_epoch);
    return {
      epoch,
      next_batch: (step % plan.updates_per_epoch) * args.gradient_accumulation_steps,
      epoch_ended: false,
    };
  }

  /** What the run that wrote the checkpoint had still to do for its last step: log, evaluate, end the epoch. */
  private async endInterruptedStep(): Promise<void> {
    const { trainer, position } = this;
    const { args, control, state } = trainer;
    await this.logEvaluateSave();
    const batches = this.batchesOf(position.epoch).length;
    const over = position.next_batch >= batches || state.global_step >= state.max_steps;
    const asked = control.should_epoch_stop || control.should_training_stop;
    if (position.next_batch > 0 && !position.epoch_ended && (over || asked)) await this.endEpoch();
    if (this.position.epoch_ended) this.position = { epoch: position.epoch + 1, next_batch: 0, epoch_ended: false };
    else if (args.ignore_data_skip) this.position.next_batch = 0;
  }

  private async epochs(): Promise<void> {
    const { trainer, plan } = this;
    for (;;) {
      try {
        while (!this.isOver() && this.position.epoch < plan.num_train_epochs) {
          await trainer.emit("on_epoch_begin");
          await this.stepsOfEpoch();
          await this.endEpoch();
          if (this.isOver()) return;
          this.position = { epoch: this.position.epoch + 1, next_batch: 0, epoch_ended: false };
        }
        return;
      } catch (error) {
        if (!(error instanceof RollBack)) throw error;
        await this.rollBack(error.message);
      }
    }
  }

  private isOver(): boolean {
    const { state, control } = this.trainer;
    return control.should_training_stop || state.global_step >= state.max_steps;
  }

  private async stepsOfEpoch(): Promise<void> {
    const { control, args } = this.trainer;
    const { epoch, next_batch } = this.position;
    for (const { batches, end } of stepWindows(args, epoch, (which) => this.batchesOf(which))) {
      if (end <= next_batch) continue;
      await this.oneStep(batches, end, epoch);
      if (control.should_epoch_stop || control.should_training_stop) return;
      await this.endIfAsked("step");
    }
  }

  private async endEpoch(): Promise<void> {
    await this.trainer.emit("on_epoch_end");
    this.position = { ...this.position, epoch_ended: true };
    await this.logEvaluateSave();
  }

  private batchesOf(epoch: number): number[][] {
    return epochBatches(this.trainer.args, this.rows, { epoch, evaluations: this.evaluationsBefore(epoch) });
  }

  private evaluationsBefore(epoch: number): number {
    const firstStep = epoch * this.plan.updates_per_epoch;
    return this.trainer.state.log_history.filter((entry) => "eval_loss" in entry && entry.step! <= firstStep).length;
  }

  /** `window`: the micro-batches (row numbers) of one optimizer step; `end`: the batches of the epoch that are done then. */
  private async oneStep(window: number[][], end: number, epoch: number): Promise<void> {
    const { trainer, scheduler } = this;
    const { state } = trainer;
    await trainer.emit("on_step_begin");
    const finite = await this.budget.measure("step", () => this.updateWith(window));
    if (finite) {
      await trainer.emit("on_optimizer_step");
      scheduler.step();
    }
    state.global_step += 1;
    state.epoch = epoch + end / this.plan.batches_per_epoch;
    this.position = { epoch, next_batch: end, epoch_ended: false };
    await trainer.emit("on_step_end");
    await this.logEvaluateSave();
  }

  /** @returns false when the step was left out, because something in it was not a number */
  private async updateWith(window: number[][]): Promise<boolean> {
    const { trainer, step } = this;
    const { args, state } = trainer;
    const batches = window.map((rows) =>
      trainer.collator.collate(tokenRows(this.rows, rows, args.remove_unused_columns)),
    );
    const scales = lossScales(args, batches);
    let loss = 0;
    let bad: NonFinite | undefined;
    for (const [i, batch] of batches.entries()) {
      const draw = state.global_step * args.gradient_accumulation_steps + i;
      // Torch adds the micro-losses in float32.
      const part = await step.accumulate(batch, scales[i]!, draw);
      await this.endIfAsked();
      if (!Number.isFinite(part)) {
        bad = {
          what: `The loss of a training batch is ${part}`,
          rows: window[i]!,
          all_masked: Number.isNaN(scales[i]),
        };
        break;
      }
      loss = Math.fround(loss + part);
      if (i + 1 < batches.length) {
        await trainer.emit("on_substep_end", { substep: { done: i + 1, total: batches.length } });
      }
    }
    // Not before the whole step is there: one that an interrupt drops must leave no trace.
    for (const batch of batches) this.countTokens(batch);
    await trainer.emit("on_pre_optimizer_step");
    this.lastLearningRate = this.scheduler.getLastLr() * this.rateFactor;
    if (bad) {
      step.dropGradient();
      this.lastGradNorm = Number.NaN;
    } else {
      this.lastGradNorm = await step.update(this.lastLearningRate);
      if (!Number.isFinite(this.lastGradNorm)) {
        bad = { what: `The gradient's norm is ${this.lastGradNorm}`, rows: window.flat(), all_masked: false };
      }
    }
    if (bad) {
      const { lastSaved, rollbacks } = this;
      answerNonFinite(bad, { state, args, lastSaved, rollbacks });
      return false;
    }
    this.pendingLoss += loss;
    this.totalLoss += loss;
    return true;
  }

  private async logEvaluateSave(): Promise<void> {
    const { trainer } = this;
    const { control, state, args } = trainer;
    if (control.should_log && state.global_step > this.lastLoggedStep) await this.logTraining();
    if (control.should_evaluate) {
      await this.endIfAsked("evaluation");
      const metrics = await this.budget.measure("evaluation", () => trainer.evaluate());
      const key = withPrefix(args.metric_for_best_model ?? "loss");
      if (this.scheduler.stepWithMetric) this.scheduler.stepWithMetric(metricNamed(key, metrics));
      // 4.45 looks for the best only among what it saves.
      const judged = args.metric_for_best_model !== null && (args.compat !== "hf4.45" || control.should_save);
      const improved = judged && noteBest(trainer, metricNamed(key, metrics));
      if (args.save_strategy === "best") control.should_save = improved;
    }
    if (control.should_save) {
      await this.budget.measure("save", () => this.save());
      control.should_save = false;
      await trainer.emit("on_save");
    }
  }

  private async logTraining(): Promise<void> {
    const { state, args } = this.trainer;
    const logs: LogEntry = {
      loss: loggedLoss(args.compat, this.pendingLoss / (state.global_step - this.lastLoggedStep)),
      ...(logsGradNorm(args) ? { grad_norm: this.lastGradNorm } : {}),
      // 4.45 looks after the schedule has moved on.
      learning_rate: args.compat === "hf4.45" ? this.scheduler.getLastLr() * this.rateFactor : this.lastLearningRate,
    };
    this.pendingLoss = 0;
    this.lastLoggedStep = state.global_step;
    await this.trainer.log(logs);
  }

  /** @param early when training is left in the middle of the step's log, evaluation and save: a resume does the rest */
  private async save(early = false): Promise<void> {
    const { trainer, step, scheduler } = this;
    const { args, state, model } = trainer;
    this.syncModel();
    const previousBest = state.best_model_checkpoint;
    pointToBest(trainer, this.lastSaved);
    const run = { run_id: this.runId, global_step: state.global_step };
    try {
      this.lastSaved = await writeCheckpoint(args.output_dir, run, async (dir) => {
        await writeModelFiles(dir, trainer);
        if (!args.save_only_model) {
          await writeTrainingState(dir, { step, model, scheduler, args, books: this.bookkeeping(early) });
        }
        state.stateful_callbacks = this.callbackStates();
        await writeFile(join(dir, "trainer_state.json"), state.toJson());
      });
    } catch (error) {
      state.best_model_checkpoint = previousBest;
      throw error;
    }
    tf.dispose(this.start?.parameters ?? {});
    this.start = undefined;
    await this.rotate(args.save_total_limit);
  }

  private async rotate(limit: number | null): Promise<void> {
    const { args, state } = this.trainer;
    if (this.lastSaved === null) return;
    const best = state.best_model_checkpoint;
    await rotateCheckpoints(args.output_dir, { run_id: this.runId, limit, newest: this.lastSaved, best });
  }

  private bookkeeping(early = false): Bookkeeping {
    const { control, state } = this.trainer;
    const stoppedByCallback = control.should_training_stop && state.global_step < state.max_steps;
    return {
      position: this.position,
      pending: {
        should_training_stop: stoppedByCallback,
        should_epoch_stop: control.should_epoch_stop,
        should_log: early && control.should_log,
        should_evaluate: early && control.should_evaluate,
        should_save: early && control.should_save,
      },
      rollbacks: this.rollbacks,
      rate_factor: this.rateFactor,
      run_id: this.runId,
      pending_loss: this.pendingLoss,
      last_logged_step: this.lastLoggedStep,
      total_loss: this.totalLoss,
      last_grad_norm: this.lastGradNorm,
      last_learning_rate: this.lastLearningRate,
      ...this.surroundings,
      callbacks: Object.fromEntries(
        this.trainer.callbacks.flatMap((callback) =>
          callback.name !== undefined && callback.state ? [[callback.name, callback.state()]] : [],
        ),
      ),
    };
  }

  private callbackStates(): Record<string, unknown> {
    return { TrainerControl: this.trainer.control.toState(), ...this.bookkeeping().callbacks };
  }

  private async finish(): Promise<TrainOutput> {
    const { trainer, plan } = this;
    const { state, args } = trainer;
    const training_loss = this.totalLoss / Math.max(state.global_step, 0.001);
    const metrics: LogEntry = {
      ...speeds("train", this.budget.elapsedMs / 1000, plan.num_train_samples, plan.max_steps),
      total_flos: state.total_flos,
      train_loss: training_loss,
    };
    await trainer.log(metrics);
    if (args.load_best_model_at_end && state.best_model_checkpoint !== null)
      await this.loadBest(state.best_model_checkpoint);
    if (args.save_total_limit === 1 && state.best_model_checkpoint !== null) {
      const best = state.best_model_checkpoint;
      await rotateCheckpoints(args.output_dir, { run_id: this.runId, limit: 1, newest: best, best });
    }
    await trainer.emit("on_train_end");
    await trainer.saveState();
    return { global_step: state.global_step, training_loss, metrics, finished: true };
  }

  private async loadBest(dir: string): Promise<void> {
    const { state, reason } = await inspectCheckpoint(dir);
    if (state !== "whole" && state !== "python") {
      console.error(
        `kaisetsu: the best checkpoint, ${dir}, cannot be used (${reason}); the model stays as the last step left it.`,
      );
      return;
    }
    await loadModelParameters(dir, this.trainer.model);
    this.step.takeFromModel();
  }

  /** Saves what is done, and says how to go on. */
  private async endEarly(end: EarlyEnd): Promise<TrainOutput> {
    const { state, args, control } = this.trainer;
    this.step.dropGradient();
    const name = `checkpoint-${state.global_step}`;
    if (end.save && state.global_step > 0 && (this.lastSaved === null || basename(this.lastSaved) !== name)) {
      await this.save(true);
      await this.trainer.emit("on_save");
    }
    Object.assign(control, new TrainerControl(), { should_training_stop: true });
    const hint = this.lastSaved
      ? `Everything up to step ${stepOf(this.lastSaved)} is saved in ${this.lastSaved}; go on with ` +
        `trainer.train({ resume_from_checkpoint: true }).`
      : "No step was finished, so there is nothing to save.";
    const where = `after step ${state.global_step} of ${state.max_steps} in ${args.output_dir}`;
    if (end.signal !== undefined) {
      // A kernel that was told to end shall end, now that everything is safe.
      if (end.signal === "SIGTERM" && notebookHost()) setImmediate(() => process.kill(process.pid, "SIGTERM"));
      const message = `Training was interrupted (${end.signal}) ${where}. ${hint}`;
      throw new TrainingInterruptedError(message, end.signal, this.lastSaved);
    }
    console.error(`kaisetsu: max_train_seconds (${args.max_train_seconds} s) is nearly over ${where}. ${hint}`);
    const training_loss = this.totalLoss / Math.max(state.global_step, 0.001);
    const metrics = { train_runtime: Number((this.budget.elapsedMs / 1000).toFixed(4)), train_loss: training_loss };
    return { global_step: state.global_step, training_loss, metrics, finished: false };
  }

  private rememberStart(): void {
    const parameters = Object.entries(this.trainer.model.trainableParameters());
    this.start = {
      parameters: Object.fromEntries(parameters.map(([name, tensor]) => [name, tf.clone(tensor)])),
      scheduler: this.scheduler.stateDict(),
    };
  }

  /** Goes back to the newest whole checkpoint of this run, or to the beginning, with a lower learning rate. */
  private async rollBack(why: string): Promise<void> {
    const { trainer, step, scheduler, start } = this;
    const { args, model } = trainer;
    const rollbacks = this.rollbacks + 1;
    const rateFactor = this.rateFactor * rollbackFactor;
    const point = start ? undefined : await newestOwnCheckpoint(args.output_dir, this.runId);
    if (point) {
      await loadModelParameters(point.dir, model);
      step.takeFromModel();
      trainer.control = new TrainerControl();
      await this.restore(point);
      trainer.state.max_steps = this.plan.max_steps;
    } else if (start) {
      model.setTrainableParameters(start.parameters);
      this.start = undefined;
      step.takeFromModel();
      step.forgetMoments();
      scheduler.loadStateDict(start.scheduler);
      trainer.control = new TrainerControl();
      this.beginAtZero();
      this.rememberStart();
    } else {
      throw new NonFiniteError(`${why} There is no whole checkpoint of this run in ${args.output_dir} to go back to.`);
    }
    this.rollbacks = rollbacks;
    this.rateFactor = rateFactor;
    console.error(
      `kaisetsu: ${why} Going back to ${point?.dir ?? "the beginning"} with ${rateFactor} times the learning rate ` +
        `(nan_policy: "rollback").`,
    );
    if (point) await this.endInterruptedStep();
  }

  private countTokens({ input_ids, attention_mask }: Batch): void {
    const { state, args } = this.trainer;
    const padded = input_ids.length * input_ids[0]!.length;
    state.total_flos += 6 * padded * this.nonEmbeddingParameters;
    const kind = args.include_num_input_tokens_seen;
    if (kind === "all") state.num_input_tokens_seen += padded;
    if (kind === "non_padding") {
      for (const row of attention_mask) for (const one of row) if (one !== 0) state.num_input_tokens_seen += 1;
    }
  }
}

/** The beginning, for a roll back before the first save. */
interface StartPoint {
  parameters: NamedTensors;
  scheduler: Record<string, unknown>;
}

function stepOf(checkpoint: string): string {
  return basename(checkpoint).replace("checkpoint-", "");
}
