import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { TrainingArguments } from "../arguments/arguments.js";
import { pointsToBest } from "../arguments/compat.js";
import type { LogEntry, TrainerState } from "../state.js";

interface Training {
  args: TrainingArguments;
  state: TrainerState;
}

/** @throws Error when the evaluation has no such figure: it names those that it has */
export function metricNamed(key: string, metrics: LogEntry): number {
  const value = metrics[key];
  if (value === undefined) {
    throw new Error(
      `metric_for_best_model asks for ${key}, but the evaluation has only: ${Object.keys(metrics).join(", ")}. ` +
        "Change metric_for_best_model, or return that figure from compute_metrics.",
    );
  }
  return value;
}

/** @returns whether this is the best value so far; equal is not better, and NaN never is. */
export function noteBest({ args, state }: Training, value: number): boolean {
  const best = state.best_metric;
  const better = args.greater_is_better ? value > (best ?? -Infinity) : value < (best ?? Infinity);
  if (!better) return false;
  state.best_metric = value;
  if (pointsToBest(args)) state.best_global_step = state.global_step;
  return true;
}

/** The best checkpoint is the one of the best step, if that step was saved; else the older one stays. */
export function pointToBest({ args, state }: Training, lastSaved: string | null): void {
  if (state.best_global_step === null) return;
  const best = join(args.output_dir, `checkpoint-${state.best_global_step}`);
  const saved = best === lastSaved || best === state.best_model_checkpoint;
  if (saved || state.best_global_step === state.global_step) state.best_model_checkpoint = best;
}

/** After a resume: the best checkpoint may have been deleted, or moved together with the others. */
export function findBestAgain({ args, state }: Training, resumedFrom: string): void {
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
