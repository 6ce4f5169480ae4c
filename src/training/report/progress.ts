import { inNotebook } from "../../notebook/display.js";
import type { TrainingArguments } from "../arguments/arguments.js";
import type { CallbackContext, TrainerCallback } from "../callbacks.js";
import type { LogEntry, TrainerControl, TrainerState } from "../state.js";
import { formatDuration } from "./duration.js";
import { NotebookProgress } from "./notebook-progress.js";
import { TerminalProgress } from "./terminal-progress.js";

/**
 * How a run shows itself: one live display in a notebook, a bar in a terminal, a line now and then elsewhere; with
 * `disable_tqdm` every log entry as a line.
 */
export function progressCallback(args: TrainingArguments): TrainerCallback {
  if (args.disable_tqdm) return new PrinterCallback();
  if (inNotebook()) return new NotebookProgress();
  return process.stderr.isTTY ? new TerminalProgress() : new LineProgress();
}

/** `transformers.PrinterCallback`: prints each log entry. */
export class PrinterCallback implements TrainerCallback {
  on_log(_: TrainingArguments, _state: TrainerState, _control: TrainerControl, { logs }: CallbackContext): void {
    const { total_flos: _flos, ...shown } = logs!;
    console.log(Object.fromEntries(Object.entries(shown).map(([key, value]) => [key, Number(value.toPrecision(4))])));
  }
}

/** For log files: a line at most every `intervalMs`, and one for every evaluation. */
export class LineProgress implements TrainerCallback {
  private started = 0;
  private firstStep = 0;
  private lastLine = 0;
  private latest: LogEntry = {};

  constructor(private readonly intervalMs = 20_000) {}

  on_train_begin(_: TrainingArguments, state: TrainerState): void {
    this.started = this.lastLine = performance.now();
    this.firstStep = state.global_step;
  }

  on_log(_: TrainingArguments, state: TrainerState, _control: TrainerControl, { logs }: CallbackContext): void {
    this.latest = logs!;
    if ("eval_loss" in logs!) this.line(state);
  }

  on_step_end(_: TrainingArguments, state: TrainerState): void {
    if (performance.now() - this.lastLine >= this.intervalMs || state.global_step >= state.max_steps) this.line(state);
  }

  private line(state: TrainerState): void {
    this.lastLine = performance.now();
    const seconds = (this.lastLine - this.started) / 1000;
    const done = state.global_step - this.firstStep;
    const left = done > 0 ? formatDuration((seconds / done) * (state.max_steps - state.global_step)) : "?";
    const figures = ["loss", "eval_loss", "eval_combined_score"]
      .filter((key) => key in this.latest)
      .map((key) => `, ${key} ${this.latest[key]!.toPrecision(4)}`);
    console.error(`kaisetsu: step ${state.global_step}/${state.max_steps}, ${left} left${figures.join("")}`);
  }
}
