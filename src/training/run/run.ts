import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { abandonCommits, prepareCommits } from "../../checkpoint/committer.js";
import { checkDiskSpace } from "../../checkpoint/disk-space.js";
import { markSaved, markUnsaved } from "../../checkpoint/finished.js";
import { cleanLeftovers } from "../../checkpoint/leftovers.js";
import { recoverFromCut } from "../../engine/recover.js";
import type { Engine } from "../../engine/types.js";
import { speeds } from "../report/figures.js";
import { createScheduler } from "../schedule/schedule.js";
import { type LogEntry, TrainerControl } from "../state.js";
import { TrainStep } from "../step.js";
import type { Trainer, TrainOptions, TrainOutput } from "../trainer.js";
import { beginAt, beginAtZero } from "./beginning.js";
import { emptyBooks } from "./books.js";
import { type Surroundings, surroundings } from "./changed-settings.js";
import type { RunContext } from "./context.js";
import { EarlyEnd, EndWatch, endEarly } from "./early-end.js";
import { Evaluator } from "./evaluation.js";
import { InterruptWatcher } from "./interrupt.js";
import { TrainingLoop } from "./loop.js";
import { warnOfMemory } from "./memory.js";
import { planTraining } from "./plan.js";
import { type ResumePoint, resumePoint } from "./resume.js";
import { Rollback } from "./rollback.js";
import { Saver } from "./saver.js";
import { loadModelParameters } from "./snapshot.js";
import { TimeBudget } from "./time-budget.js";
import { warmUp } from "./warm-up.js";

/** One call of `Trainer.train()`, from its first check to its last word. */
export class TrainingRun {
  readonly evaluator: Evaluator;
  private readonly saver: Saver;
  private readonly rollback: Rollback;

  private constructor(
    private readonly context: RunContext,
    private readonly interrupts: InterruptWatcher,
    engine: Engine,
    found: Surroundings,
  ) {
    const { model, args } = context.trainer;
    this.evaluator = new Evaluator(model, engine, args.label_smoothing_factor);
    this.saver = new Saver(context, found);
    this.rollback = new Rollback(context);
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
    if (args.save_strategy !== "no") prepareCommits();
    warnOfMemory(trainer, engine);
    if (point) await loadModelParameters(point.dir, model);
    const found = await surroundings(trainer);
    await warmUp(engine, args);
    const { total, embedding } = model.parameterCounts();
    const budget = new TimeBudget(args.max_train_seconds);
    const interrupts = new InterruptWatcher((signal) =>
      console.error(`\nkaisetsu: ${signal}: saving and stopping. A second ${signal} stops at once.`),
    );
    const context: RunContext = {
      trainer,
      plan,
      scheduler,
      budget,
      step: new TrainStep(model, engine, args),
      ends: new EndWatch(interrupts, budget),
      nonEmbeddingParameters: total - embedding,
      run_id: point?.run_id ?? randomUUID(),
      books: emptyBooks(),
    };
    const run = new TrainingRun(context, interrupts, engine, found);
    try {
      await run.begin(point);
      return run;
    } catch (error) {
      run.dispose();
      throw error;
    }
  }

  /** @param abandon called when a kernel has cut training off: nothing else will be executed */
  async train(abandon: () => void): Promise<TrainOutput> {
    const { trainer } = this.context;
    const loop = new TrainingLoop(this.context, this.saver, this.rollback);
    this.interrupts.start(abandon);
    try {
      await trainer.emit("on_train_begin");
      if (trainer.state.global_step > 0) await loop.endInterruptedStep();
      else if (trainer.args.eval_on_start) await trainer.evaluate();
      await loop.runEpochs();
      return await this.finish();
    } catch (error) {
      if (!(error instanceof EarlyEnd)) throw error;
      return await endEarly(error, this.context, this.saver);
    } finally {
      this.interrupts.stop();
      await this.saver.settleQuietly();
      // Whatever happened, the model is left with the parameters of the last update.
      this.syncModel();
    }
  }

  /** In the middle of an evaluation. @throws EarlyEnd */
  endIfAsked(): Promise<void> {
    return this.context.ends.endIfAsked();
  }

  interrupt(reason: string): void {
    this.interrupts.receive(reason);
  }

  syncModel(): void {
    this.context.step.syncModel();
  }

  /** Nothing of this run is executed any more. The engine may be in the middle of something: no tensors here. */
  abandon(): void {
    this.interrupts.stop();
    abandonCommits();
  }

  dispose(): void {
    this.context.step.dispose();
    this.evaluator.dispose();
    this.rollback.forgetStart();
  }

  private async begin(point: ResumePoint | undefined): Promise<void> {
    const { trainer, plan } = this.context;
    const { args } = trainer;
    trainer.control = new TrainerControl();
    if (point === undefined) {
      beginAtZero(this.context);
      if (args.nan_policy === "rollback") this.rollback.rememberStart();
    } else {
      await beginAt(point, this.context);
      this.saver.lastSaved = point.dir;
    }
    trainer.state.max_steps = plan.max_steps;
    trainer.state.num_train_epochs = plan.num_train_epochs;
    trainer.state.train_batch_size = args.per_device_train_batch_size;
    // What an earlier run left there would say that this one has ended.
    await rm(join(args.output_dir, "trainer_state.json"), { force: true });
    await markSaved(args.output_dir);
  }

  private async finish(): Promise<TrainOutput> {
    const { trainer, plan, budget, books } = this.context;
    const { state } = trainer;
    await this.saver.settle();
    const training_loss = books.total_loss / Math.max(state.global_step, 0.001);
    const metrics: LogEntry = {
      ...speeds("train", budget.elapsedMs / 1000, plan.num_train_samples, plan.max_steps),
      total_flos: state.total_flos,
      train_loss: training_loss,
    };
    await trainer.log(metrics);
    await this.saver.loadBestModel();
    await trainer.emit("on_train_end");
    await markUnsaved(trainer.args.output_dir);
    await trainer.saveState();
    return { global_step: state.global_step, training_loss, metrics, finished: true };
  }
}
