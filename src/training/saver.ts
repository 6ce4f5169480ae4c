import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inspectCheckpoint } from "../checkpoint/find.js";
import { rotateCheckpoints, writeCheckpoint } from "../checkpoint/store.js";
import { pointToBest } from "./best.js";
import { type Surroundings, surroundings } from "./changed-settings.js";
import type { RunContext } from "./context.js";
import { type Bookkeeping, loadModelParameters, writeModelFiles, writeTrainingState } from "./snapshot.js";

/** Writes the checkpoints of one run, and keeps as many as `save_total_limit` says. */
export class Saver {
  /** The newest checkpoint of this run. */
  lastSaved: string | null = null;
  private readonly surroundings: Surroundings;

  constructor(private readonly run: RunContext) {
    this.surroundings = surroundings(run.trainer.train_dataset!);
  }

  /** @param early when training is left in the middle of the step's log, evaluation and save: a resume does the rest */
  async saveCheckpoint(early = false): Promise<void> {
    const { trainer, step, scheduler, run_id } = this.run;
    const { args, state, model } = trainer;
    step.syncModel();
    const previousBest = state.best_model_checkpoint;
    pointToBest(trainer, this.lastSaved);
    try {
      this.lastSaved = await writeCheckpoint(
        args.output_dir,
        { run_id, global_step: state.global_step },
        async (dir) => {
          await writeModelFiles(dir, trainer);
          if (!args.save_only_model) {
            await writeTrainingState(dir, { step, model, scheduler, args, books: this.bookkeeping(early) });
          }
          state.stateful_callbacks = { TrainerControl: trainer.control.toState(), ...this.callbackStates() };
          await writeFile(join(dir, "trainer_state.json"), state.toJson());
        },
      );
    } catch (error) {
      state.best_model_checkpoint = previousBest;
      throw error;
    }
    const best = state.best_model_checkpoint;
    await rotateCheckpoints(args.output_dir, { run_id, limit: args.save_total_limit, newest: this.lastSaved, best });
  }

  /** After the last step: the model of the best checkpoint, and with `save_total_limit: 1` no other checkpoint. */
  async loadBestModel(): Promise<void> {
    const { trainer, run_id } = this.run;
    const { args, state } = trainer;
    const best = state.best_model_checkpoint;
    if (best === null) return;
    if (args.load_best_model_at_end) await this.loadModel(best);
    if (args.save_total_limit === 1) {
      await rotateCheckpoints(args.output_dir, { run_id, limit: 1, newest: best, best });
    }
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
