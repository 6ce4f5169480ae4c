import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { commitInBackground } from "../../checkpoint/committer.js";
import { inspectCheckpoint } from "../../checkpoint/find.js";
import { rotateCheckpoints } from "../../checkpoint/rotation.js";
import { stageCheckpoint } from "../../checkpoint/store.js";
import { pointToBest } from "./best.js";
import type { Surroundings } from "./changed-settings.js";
import type { RunContext } from "./context.js";
import { type Bookkeeping, loadModelParameters, writeModelFiles, writeTrainingState } from "./snapshot.js";

/**
 * Writes the checkpoints of one run, and keeps as many as `save_total_limit` says. The next step waits only until the files
 * are written: to flush, list and name them is another thread's work. One save at a time.
 */
export class Saver {
  /** The newest checkpoint of this run that is in its place. */
  lastSaved: string | null = null;
  /** Never rejects. */
  private pending: Promise<void> | undefined;
  private failure: Error | undefined;

  constructor(
    private readonly run: RunContext,
    private readonly surroundings: Surroundings,
  ) {}

  /**
   * Saves the last step, and tells the callbacks. Where one of them has `on_save`, the checkpoint is in its place by then.
   * @param early when training is left in the middle of the step's log, evaluation and save: a resume does the rest
   * @throws CheckpointError when this save cannot be written, or the one before could not be finished
   */
  async saveCheckpoint(early = false): Promise<void> {
    await this.settle();
    const { trainer, budget, run_id } = this.run;
    const { args, state, control } = trainer;
    const started = performance.now();
    const previousBest = state.best_model_checkpoint;
    pointToBest(trainer, this.lastSaved);
    const undo = (error: Error) => {
      state.best_model_checkpoint = previousBest;
      this.failure = error;
    };
    try {
      const staged = await stageCheckpoint(args.output_dir, { run_id, global_step: state.global_step }, (dir) =>
        this.writeFiles(dir, early),
      );
      const rotation = { run_id, limit: args.save_total_limit, best: state.best_model_checkpoint };
      this.pending = commitInBackground(staged, rotation)
        .then((dir) => {
          this.lastSaved = dir;
        }, undo)
        .finally(() => budget.note("save", performance.now() - started));
    } catch (error) {
      undo(error as Error);
    }
    control.should_save = false;
    if (this.failure || trainer.callbacks.some((callback) => callback.on_save)) await this.settle();
    await trainer.emit("on_save");
  }

  /** Waits for the save that is under way. @throws CheckpointError when it fails */
  async settle(): Promise<void> {
    await this.pending;
    this.pending = undefined;
    this.throwIfFailed();
  }

  /** The same where another error or the end of training is to be told: a failure is only printed. */
  async settleQuietly(): Promise<void> {
    await this.settle().catch((error: Error) => console.error(`kaisetsu: ${error.message}`));
  }

  /** @throws CheckpointError, once, when a save has failed since */
  throwIfFailed(): void {
    const { failure } = this;
    this.failure = undefined;
    if (failure) throw failure;
  }

  /** After the last step: the model of the best checkpoint, and with `save_total_limit: 1` no other checkpoint. */
  async loadBestModel(): Promise<void> {
    const { trainer, run_id } = this.run;
    const { args, state } = trainer;
    const best = state.best_model_checkpoint;
    if (best === null) return;
    if (args.load_best_model_at_end) await this.loadModel(best);
    if (args.save_total_limit === 1) {
      await rotateCheckpoints(args.output_dir, { run_id, limit: 1, newest: best, best }, (line) =>
        console.error(`kaisetsu: ${line}`),
      );
    }
  }

  private async writeFiles(dir: string, early: boolean): Promise<void> {
    const { trainer, step, scheduler } = this.run;
    const { args, state, model } = trainer;
    step.syncModel();
    // The commit flushes all files at once.
    await writeModelFiles(dir, trainer, { flush: false });
    if (!args.save_only_model) {
      await writeTrainingState(dir, { step, model, scheduler, args, books: this.bookkeeping(early) });
    }
    state.stateful_callbacks = { TrainerControl: trainer.control.toState(), ...this.callbackStates() };
    await writeFile(join(dir, "trainer_state.json"), state.toJson());
  }

  private async loadModel(dir: string): Promise<void> {
    const { state, reason } = await inspectCheckpoint(dir);
    if (state !== "whole" && state !== "python") {
      console.error(
        `kaisetsu: the best checkpoint, ${dir}, cannot be used (${reason}); the model stays as the last step left it.`,
      );
      return;
    }
    await loadModelParameters(dir, this.run.trainer.model);
    this.run.step.takeFromModel();
  }

  private bookkeeping(early: boolean): Bookkeeping {
    const { control, state } = this.run.trainer;
    const stoppedByCallback = control.should_training_stop && state.global_step < state.max_steps;
    return {
      ...this.run.books,
      run_id: this.run.run_id,
      pending: {
        should_training_stop: stoppedByCallback,
        should_epoch_stop: control.should_epoch_stop,
        should_log: early && control.should_log,
        should_evaluate: early && control.should_evaluate,
        should_save: early && control.should_save,
      },
      ...this.surroundings,
      callbacks: this.callbackStates(),
    };
  }

  private callbackStates(): Record<string, Record<string, unknown>> {
    return Object.fromEntries(
      this.run.trainer.callbacks.flatMap((callback) =>
        callback.name !== undefined && callback.state ? [[callback.name, callback.state()]] : [],
      ),
    );
  }
}
