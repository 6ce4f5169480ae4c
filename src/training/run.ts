import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { cleanLeftovers, rotateCheckpoints, writeCheckpoint } from "../checkpoint/store.js";
import type { Batch } from "../data/types.js";
import type { Engine } from "../engine/types.js";
import { countTargets, epochBatches, type RowSource, tokenRows } from "./batches.js";
import { withPrefix } from "./callbacks.js";
import { NonFiniteError, TrainingInterruptedError } from "./errors.js";
import { Evaluator } from "./evaluation.js";
import { speeds } from "./figures.js";
import { InterruptWatcher } from "./interrupt.js";
import { planTraining, type TrainingPlan } from "./plan.js";
import { type ResumePoint, resumePoint } from "./resume.js";
import { createScheduler, type LRScheduler } from "./schedule.js";
import {
  type Bookkeeping,
  loadModelParameters,
  loadTrainingState,
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
  private readonly started = performance.now();
  private readonly rows: RowSource;
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
  private longestStepMs = 0;
  private longestSaveMs = 0;

  private constructor(
    private readonly trainer: Trainer,
    engine: Engine,
    private readonly plan: TrainingPlan,
    private readonly step: TrainStep,
    private readonly scheduler: LRScheduler,
    private runId: string,
  ) {
    this.evaluator = new Evaluator(trainer.model, engine, trainer.args.label_smoothing_factor);
    this.rows = trainer.train_dataset!;
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

  async train(): Promise<TrainOutput> {
    this.interrupts.start();
    try {
      await this.trainer.emit("on_train_begin");
      if (this.trainer.args.eval_on_start) await this.trainer.evaluate();
      await this.epochs();
      return await this.finish();
    } finally {
      this.interrupts.stop();
      // Whatever happened, the model is left with the parameters of the last update.
      this.syncModel();
    }
  }

  interrupt(reason: string): void {
    this.interrupts.receive(reason);
  }

  syncModel(): void {
    this.step.syncModel();
  }

  /** Seconds so far, and tokens a second in this session. */
  tokenSpeed(): LogEntry {
    const train_runtime = Number(((performance.now() - this.started) / 1000).toFixed(4));
    const tokens = this.trainer.state.num_input_tokens_seen - this.tokensBefore;
    return { train_runtime, train_tokens_per_second: Number((tokens / train_runtime).toFixed(3)) };
  }

  dispose(): void {
    this.step.dispose();
    this.evaluator.dispose();
  }

  private async beginState(point: ResumePoint | undefined): Promise<void> {
    const { trainer, plan } = this;
    const { args } = trainer;
    trainer.control = new TrainerControl();
    trainer.state = point?.state ?? new TrainerState();
    const { state } = trainer;
    state.max_steps = plan.max_steps;
    state.num_train_epochs = plan.num_train_epochs;
    state.train_batch_size = args.per_device_train_batch_size;
    if (point === undefined) {
      state.logging_steps = plan.logging_steps;
      // Else transformers leaves the state's own default there.
      if (plan.eval_steps !== null) state.eval_steps = plan.eval_steps;
      state.save_steps = plan.save_steps;
    } else {
      await this.restore(point);
    }
    // What an earlier run left there would say that this one has ended.
    await rm(join(args.output_dir, "trainer_state.json"), { force: true });
  }

  private async restore(point: ResumePoint): Promise<void> {
    const { state, callbacks } = this.trainer;
    const books = await loadTrainingState(point.dir, { step: this.step, scheduler: this.scheduler });
    this.lastLoggedStep = books?.last_logged_step ?? state.global_step;
    this.pendingLoss = books?.pending_loss ?? 0;
    this.totalLoss = books?.total_loss ?? 0;
    this.lastGradNorm = books?.last_grad_norm ?? 0;
    this.tokensBefore = state.num_input_tokens_seen;
    this.lastSaved = point.dir;
    this.findBestAgain(point.dir);
    if (!books) for (let i = 0; i < state.global_step; i++) this.scheduler.step();
    this.lastLearningRate = this.scheduler.getLastLr();
    for (const callback of callbacks) {
      const saved = callback.name === undefined ? undefined : books?.callbacks[callback.name];
      if (saved) callback.loadState?.(saved);
    }
  }

  /** The best checkpoint may have been deleted, or moved together with the others. */
  private findBestAgain(resumedFrom: string): void {
    const { state, args } = this.trainer;
    if (state.best_model_checkpoint === null) return;
    const name = basename(state.best_model_checkpoint);
    const found = [args.output_dir, dirname(resumedFrom)].map((dir) => join(dir, name)).find((dir) => existsSync(dir));
    if (!found) {
      console.error(
        `kaisetsu: the best checkpoint, ${state.best_model_checkpoint}, is gone; a new best one is looked for.`,
      );
    }
    state.best_model_checkpoint = found ?? null;
  }

  private async epochs(): Promise<void> {
    const { trainer, plan } = this;
    const { args, state } = trainer;
    if (state.global_step >= state.max_steps) return;
    const firstEpoch = Math.floor(state.global_step / plan.updates_per_epoch);
    const stepsInEpoch = state.global_step % plan.updates_per_epoch;
    let skip = args.ignore_data_skip ? 0 : stepsInEpoch * args.gradient_accumulation_steps;
    for (let epoch = firstEpoch; epoch < plan.num_train_epochs; epoch++) {
      await trainer.emit("on_epoch_begin");
      const batches = epochBatches(args, this.rows, { epoch, evaluations: this.evaluationsBefore(epoch) });
      for (let at = skip; at < batches.length; at += args.gradient_accumulation_steps) {
        await this.oneStep(batches.slice(at, at + args.gradient_accumulation_steps), at, epoch);
        if (trainer.control.should_epoch_stop || trainer.control.should_training_stop) break;
      }
      skip = 0;
      await trainer.emit("on_epoch_end");
      await this.logEvaluateSave();
      if (trainer.control.should_training_stop) break;
    }
  }

  private evaluationsBefore(epoch: number): number {
    const firstStep = epoch * this.plan.updates_per_epoch;
    return this.trainer.state.log_history.filter((entry) => "eval_loss" in entry && entry.step! <= firstStep).length;
  }

  /** `window`: the micro-batches (row numbers) of one optimizer step; `at`: the first one's place in the epoch. */
  private async oneStep(window: number[][], at: number, epoch: number): Promise<void> {
    const { trainer, step, scheduler } = this;
    const { args, state } = trainer;
    const started = performance.now();
    await trainer.emit("on_step_begin");
    const batches = window.map((rows) =>
      trainer.collator.collate(tokenRows(this.rows, rows, args.remove_unused_columns)),
    );
    const targets = batches.reduce((sum, batch) => sum + countTargets(batch), 0);
    let loss = 0;
    let finite = true;
    for (const [i, batch] of batches.entries()) {
      const draw = state.global_step * args.gradient_accumulation_steps + i;
      // Torch adds the micro-losses in float32.
      const part = await step.accumulate(batch, targets === 0 ? Number.NaN : 1 / targets, draw);
      await this.stopIfInterrupted();
      if (!Number.isFinite(part)) {
        this.refuseNonFinite(`The loss of a training batch is ${part}`, window[i]!, targets === 0);
        finite = false;
        break;
      }
      loss = Math.fround(loss + part);
      if (i + 1 < batches.length) {
        await trainer.emit("on_substep_end", { substep: { done: i + 1, total: batches.length } });
      }
    }
    await trainer.emit("on_pre_optimizer_step");
    this.lastLearningRate = scheduler.getLastLr();
    if (finite) {
      this.lastGradNorm = await step.update(this.lastLearningRate);
      finite = Number.isFinite(this.lastGradNorm);
      if (!finite) this.refuseNonFinite(`The gradient's norm is ${this.lastGradNorm}`, window.flat(), false);
    } else {
      step.dropGradient();
      this.lastGradNorm = Number.NaN;
    }
    if (finite) {
      this.pendingLoss += loss;
      this.totalLoss += loss;
      await trainer.emit("on_optimizer_step");
      scheduler.step();
    }
    // Only now: an interruption in the middle drops the whole step, as if it had never begun.
    for (const batch of batches) this.countTokens(batch);
    state.global_step += 1;
    state.epoch = epoch + (at + window.length) / this.plan.batches_per_epoch;
    await trainer.emit("on_step_end");
    this.longestStepMs = Math.max(this.longestStepMs, performance.now() - started);
    this.stopInTime();
    await this.logEvaluateSave();
  }

  private async logEvaluateSave(): Promise<void> {
    const { trainer } = this;
    const { control, state, args } = trainer;
    if (control.should_log && state.global_step > this.lastLoggedStep) await this.logTraining();
    if (control.should_evaluate) {
      const metrics = await trainer.evaluate();
      const key = withPrefix(args.metric_for_best_model ?? "loss");
      if (this.scheduler.stepWithMetric) this.scheduler.stepWithMetric(metricNamed(key, metrics));
      const improved = args.metric_for_best_model !== null && this.noteBest(metricNamed(key, metrics));
      if (args.save_strategy === "best") control.should_save = improved;
    }
    if (control.should_save) {
      await this.save();
      control.should_save = false;
      await trainer.emit("on_save");
    }
  }

  private async logTraining(): Promise<void> {
    const { state } = this.trainer;
    const logs: LogEntry = {
      loss: this.pendingLoss / (state.global_step - this.lastLoggedStep),
      grad_norm: this.lastGradNorm,
      learning_rate: this.lastLearningRate,
    };
    this.pendingLoss = 0;
    this.lastLoggedStep = state.global_step;
    await this.trainer.log(logs);
  }

  /** @returns whether this is the best value so far; equal is not better, and NaN never is. */
  private noteBest(value: number): boolean {
    const { state, args } = this.trainer;
    const best = state.best_metric;
    const better = args.greater_is_better ? value > (best ?? -Infinity) : value < (best ?? Infinity);
    if (!better) return false;
    state.best_metric = value;
    if (args.save_strategy !== "no") state.best_global_step = state.global_step;
    return true;
  }

  private async save(): Promise<void> {
    const { trainer, step, scheduler } = this;
    const { args, state, model } = trainer;
    const started = performance.now();
    this.syncModel();
    const previousBest = state.best_model_checkpoint;
    this.pointToBest();
    const run = { run_id: this.runId, global_step: state.global_step };
    try {
      this.lastSaved = await writeCheckpoint(args.output_dir, run, async (dir) => {
        await writeModelFiles(dir, trainer);
        if (!args.save_only_model) {
          await writeTrainingState(dir, { step, model, scheduler, args, books: this.bookkeeping() });
        }
        state.stateful_callbacks = this.callbackStates();
        await writeFile(join(dir, "trainer_state.json"), state.toJson());
      });
    } catch (error) {
      state.best_model_checkpoint = previousBest;
      throw error;
    }
    await this.rotate(args.save_total_limit);
    this.longestSaveMs = Math.max(this.longestSaveMs, performance.now() - started);
  }

  /** The best checkpoint is the one of the best step, if that step was saved; else the older one stays. */
  private pointToBest(): void {
    const { state, args } = this.trainer;
    if (state.best_global_step === null) return;
    const best = join(args.output_dir, `checkpoint-${state.best_global_step}`);
    if (state.best_global_step === state.global_step || this.savedHere(best)) state.best_model_checkpoint = best;
  }

  private savedHere(dir: string): boolean {
    return dir === this.lastSaved || dir === this.trainer.state.best_model_checkpoint;
  }

  private async rotate(limit: number | null): Promise<void> {
    const { args, state } = this.trainer;
    if (this.lastSaved === null) return;
    const best = state.best_model_checkpoint;
    await rotateCheckpoints(args.output_dir, { run_id: this.runId, limit, newest: this.lastSaved, best });
  }

  private bookkeeping(): Bookkeeping {
    return {
      run_id: this.runId,
      pending_loss: this.pendingLoss,
      last_logged_step: this.lastLoggedStep,
      total_loss: this.totalLoss,
      last_grad_norm: this.lastGradNorm,
      train_rows: this.rows.length,
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
      ...speeds("train", (performance.now() - this.started) / 1000, plan.num_train_samples, plan.max_steps),
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
    if (!this.outOfTime) await trainer.saveState();
    return { global_step: state.global_step, training_loss, metrics };
  }

  private async loadBest(dir: string): Promise<void> {
    await loadModelParameters(dir, this.trainer.model);
    this.step.takeFromModel();
  }

  private outOfTime = false;

  /** With `max_train_seconds`: stops while there is still time for a save. */
  private stopInTime(): void {
    const { args, control, state } = this.trainer;
    if (args.max_train_seconds === null || state.global_step >= state.max_steps) return;
    const needed = (performance.now() - this.started + 2 * this.longestStepMs + 2 * this.longestSaveMs) / 1000;
    if (needed < args.max_train_seconds) return;
    this.outOfTime = true;
    control.should_training_stop = true;
    control.should_save = true;
    console.error(
      `kaisetsu: max_train_seconds (${args.max_train_seconds} s) is nearly over after step ${state.global_step} of ` +
        `${state.max_steps}: saving and stopping. Resume with trainer.train({ resume_from_checkpoint: true }).`,
    );
  }

  private async stopIfInterrupted(): Promise<void> {
    const { signal } = this.interrupts;
    if (signal === undefined) return;
    const { state, args } = this.trainer;
    this.step.dropGradient();
    const name = `checkpoint-${state.global_step}`;
    if (state.global_step > 0 && (this.lastSaved === null || basename(this.lastSaved) !== name)) await this.save();
    const hint = this.lastSaved
      ? `Everything up to step ${state.global_step} is saved in ${this.lastSaved}; go on with ` +
        "trainer.train({ resume_from_checkpoint: true })."
      : "No step was finished, so there is nothing to save.";
    throw new TrainingInterruptedError(
      `Training was interrupted (${signal}) after step ${state.global_step} of ${state.max_steps} in ${args.output_dir}. ${hint}`,
      signal,
      this.lastSaved,
    );
  }

  private refuseNonFinite(what: string, rows: number[], allMasked: boolean): void {
    const { state, args } = this.trainer;
    const where = `at step ${state.global_step + 1} of ${state.max_steps} (training rows ${rows.join(", ")})`;
    const why = allMasked ? "every label of this step is -100, so there is nothing to learn from" : "";
    const message = `${what} ${where}${why ? `: ${why}` : ""}.`;
    if (args.nan_policy === "skip") {
      console.error(`kaisetsu: ${message} This step is left out (nan_policy: "skip").`);
      return;
    }
    const kept = this.lastSaved
      ? `The last good checkpoint is ${this.lastSaved}.`
      : "No checkpoint had been saved yet.";
    throw new NonFiniteError(
      `${message} Nothing was changed by it. ${kept} Try a lower learning_rate or a smaller max_grad_norm, look at those ` +
        'rows, or set nan_policy: "skip".',
    );
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

function metricNamed(key: string, metrics: LogEntry): number {
  const value = metrics[key];
  if (value === undefined) {
    throw new Error(
      `metric_for_best_model asks for ${key}, but the evaluation has only: ${Object.keys(metrics).join(", ")}. ` +
        "Change metric_for_best_model, or return that figure from compute_metrics.",
    );
  }
  return value;
}
