import type { CausalLM } from "../model/types.js";
import type { TrainingArguments } from "./arguments/arguments.js";
import { type LogEntry, TrainerControl, type TrainerState } from "./state.js";

/** What a callback may look at besides arguments, state and control. */
export interface CallbackContext {
  model: CausalLM;
  processing_class?: unknown;
  /** In `on_log`: the entry, without `step`. */
  logs?: LogEntry;
  /** In `on_evaluate`: the metrics with their prefix. */
  metrics?: LogEntry;
  /** In `on_prediction_step`: batches done, and in all. */
  prediction?: { done: number; total: number };
  /** In `on_substep_end`: micro-batches done of this step, and in all. */
  substep?: { done: number; total: number };
}

type Hook = (
  args: TrainingArguments,
  state: TrainerState,
  control: TrainerControl,
  context: CallbackContext,
) => unknown;

/**
 * `transformers.TrainerCallback`: any of its events, in its order. An event may be asynchronous; a `TrainerControl` that it
 * returns replaces the current one.
 */
export interface TrainerCallback {
  on_init_end?: Hook;
  on_train_begin?: Hook;
  on_train_end?: Hook;
  on_epoch_begin?: Hook;
  on_epoch_end?: Hook;
  on_step_begin?: Hook;
  on_substep_end?: Hook;
  on_pre_optimizer_step?: Hook;
  on_optimizer_step?: Hook;
  on_step_end?: Hook;
  on_evaluate?: Hook;
  on_prediction_step?: Hook;
  on_log?: Hook;
  on_save?: Hook;
  /** What a checkpoint must keep for this callback (`ExportableState`), under `name`. */
  name?: string;
  state?(): Record<string, unknown>;
  loadState?(state: Record<string, unknown>): void;
}

export type CallbackEvent = Exclude<keyof TrainerCallback, "name" | "state" | "loadState">;

/** Sets the flags that the strategies ask for, before any other callback: `transformers.DefaultFlowCallback`. */
export class DefaultFlowCallback implements TrainerCallback {
  on_step_begin(_: TrainingArguments, _state: TrainerState, control: TrainerControl): void {
    control.should_log = false;
    control.should_evaluate = false;
    control.should_save = false;
  }

  on_step_end(args: TrainingArguments, state: TrainerState, control: TrainerControl): void {
    const step = state.global_step;
    const delayPassed = args.eval_delay <= step;
    if (step === 1 && args.logging_first_step) control.should_log = true;
    if (args.logging_strategy === "steps" && step % state.logging_steps === 0) control.should_log = true;
    const bySteps = args.eval_strategy === "steps";
    if (bySteps && step % state.eval_steps! === 0 && delayPassed) control.should_evaluate = true;
    if (args.save_strategy === "steps" && state.save_steps > 0 && step % state.save_steps === 0) {
      control.should_save = true;
    }
    if (step < state.max_steps) return;
    control.should_training_stop = true;
    // Releases before 5 end without this last evaluation.
    if (args.compat === "hf5" && bySteps && delayPassed) control.should_evaluate = true;
    if (args.save_strategy === "steps") control.should_save = true;
  }

  on_epoch_begin(_: TrainingArguments, _state: TrainerState, control: TrainerControl): void {
    control.should_epoch_stop = false;
  }

  on_epoch_end(args: TrainingArguments, state: TrainerState, control: TrainerControl): void {
    if (args.logging_strategy === "epoch") control.should_log = true;
    if (args.eval_strategy === "epoch" && args.eval_delay <= state.epoch) control.should_evaluate = true;
    if (args.save_strategy === "epoch") control.should_save = true;
  }
}

/**
 * Stops after `early_stopping_patience` evaluations without improvement by more than `early_stopping_threshold`.
 * It compares with the best metric before this evaluation, as in transformers.
 */
export class EarlyStoppingCallback implements TrainerCallback {
  readonly name = "EarlyStoppingCallback";
  private counter = 0;
  private readonly patience: number;
  private readonly threshold: number;

  constructor(options: { early_stopping_patience?: number; early_stopping_threshold?: number } = {}) {
    this.patience = options.early_stopping_patience ?? 1;
    this.threshold = options.early_stopping_threshold ?? 0;
  }

  on_train_begin(args: TrainingArguments): void {
    if (args.metric_for_best_model === null) {
      throw new Error("EarlyStoppingCallback needs metric_for_best_model in TrainingArguments.");
    }
    if (args.eval_strategy === "no") throw new Error("EarlyStoppingCallback needs eval_strategy steps or epoch.");
  }

  on_evaluate(args: TrainingArguments, state: TrainerState, control: TrainerControl, context: CallbackContext): void {
    const value = context.metrics?.[withPrefix(args.metric_for_best_model!)];
    // As in transformers: an evaluation without the metric neither helps nor counts.
    if (value === undefined) return;
    const best = state.best_metric;
    const better = best === null || (args.greater_is_better ? value > best : value < best);
    if (best === null || (better && Math.abs(value - best) > this.threshold)) this.counter = 0;
    else this.counter += 1;
    if (this.counter >= this.patience) control.should_training_stop = true;
  }

  state(): Record<string, unknown> {
    return {
      args: { early_stopping_patience: this.patience, early_stopping_threshold: this.threshold },
      attributes: { early_stopping_patience_counter: this.counter },
    };
  }

  loadState(state: Record<string, unknown>): void {
    const attributes = state.attributes as { early_stopping_patience_counter?: number } | undefined;
    this.counter = attributes?.early_stopping_patience_counter ?? 0;
  }
}

/** `combined_score` to `eval_combined_score`; a name that has the prefix stays. */
export function withPrefix(metric: string, prefix = "eval"): string {
  return metric.startsWith(`${prefix}_`) ? metric : `${prefix}_${metric}`;
}

/** Calls the callbacks of a trainer in order, and takes over the control that one returns. */
export class CallbackHandler {
  constructor(readonly callbacks: TrainerCallback[]) {}

  async call(
    event: CallbackEvent,
    run: { args: TrainingArguments; state: TrainerState; control: TrainerControl },
    context: CallbackContext,
  ): Promise<void> {
    for (const callback of this.callbacks) {
      const replacement = await callback[event]?.(run.args, run.state, run.control, context);
      if (replacement instanceof TrainerControl) Object.assign(run.control, replacement);
    }
  }
}
