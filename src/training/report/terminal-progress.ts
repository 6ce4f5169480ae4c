import { SingleBar } from "cli-progress";
import type { TrainingArguments } from "../arguments/arguments.js";
import type { CallbackContext, TrainerCallback } from "../callbacks.js";
import type { TrainerControl, TrainerState } from "../state.js";
import { formatDuration } from "./duration.js";

/** One bar on stderr: steps, time left, and the latest loss and evaluation. */
export class TerminalProgress implements TrainerCallback {
  private bar: SingleBar | undefined;
  private figures = "";
  private started = 0;
  private firstStep = 0;

  on_train_begin(_: TrainingArguments, state: TrainerState): void {
    this.started = performance.now();
    this.firstStep = state.global_step;
    this.bar = new SingleBar({
      format: "{bar} {value}/{total} steps, {left} left{figures}",
      stream: process.stderr,
      barsize: 24,
      // Signals are the trainer's business: it saves first.
      gracefulExit: false,
      hideCursor: null,
      barCompleteChar: "█",
      barIncompleteChar: "░",
    });
    this.bar.start(state.max_steps, state.global_step, this.payload(state));
  }

  on_step_end(_: TrainingArguments, state: TrainerState): void {
    this.bar?.update(state.global_step, this.payload(state));
  }

  on_log(_: TrainingArguments, state: TrainerState, _control: TrainerControl, { logs }: CallbackContext): void {
    const shown = { loss: "loss", eval_loss: "eval_loss", eval_combined_score: "score" };
    const parts = Object.entries(shown).flatMap(([key, label]) =>
      logs![key] === undefined ? [] : [`${label} ${logs![key].toPrecision(4)}`],
    );
    if (parts.length > 0) this.figures = `, ${parts.join(", ")}`;
    this.bar?.update(state.global_step, this.payload(state));
  }

  on_train_end(): void {
    this.bar?.stop();
    this.bar = undefined;
  }

  private payload(state: TrainerState): { left: string; figures: string } {
    const done = state.global_step - this.firstStep;
    const seconds = (performance.now() - this.started) / 1000;
    const left = done > 0 ? formatDuration((seconds / done) * (state.max_steps - state.global_step)) : "?";
    return { left, figures: this.figures };
  }
}
