import { isBetter, metricOptions, worstMetric } from "./metric-schedule.js";
import type { LRScheduler, SchedulerState } from "./scheduler.js";

const defaults = {
  mode: "min" as "min" | "max",
  factor: 0.1,
  patience: 10,
  threshold: 1e-4,
  threshold_mode: "rel" as "rel" | "abs",
  cooldown: 0,
  min_lr: 0,
  eps: 1e-8,
};

/**
 * `torch.optim.lr_scheduler.ReduceLROnPlateau`, stepped after each evaluation; it has no warm-up.
 *
 * Trap, kept because transformers has it: the mode stays `min` even where greater is better, unless
 * `lr_scheduler_kwargs` says `{ mode: "max" }`.
 */
export class ReduceLROnPlateau implements LRScheduler {
  private readonly options: typeof defaults;
  private best: number;
  private badEpochs = 0;
  private cooldownCounter = 0;
  private evaluations = 0;

  constructor(
    private lr: number,
    kwargs: Record<string, unknown>,
  ) {
    this.options = metricOptions("reduce_lr_on_plateau", defaults, kwargs);
    this.best = worstMetric(this.options);
  }

  getLastLr(): number {
    return this.lr;
  }

  step(): void {}

  stepWithMetric(metric: number): void {
    const { factor, patience, cooldown, min_lr, eps } = this.options;
    this.evaluations += 1;
    if (isBetter(this.options, metric, this.best)) {
      this.best = metric;
      this.badEpochs = 0;
    } else {
      this.badEpochs += 1;
    }
    if (this.cooldownCounter > 0) {
      this.cooldownCounter -= 1;
      this.badEpochs = 0;
    }
    if (this.badEpochs > patience) {
      const lower = Math.max(this.lr * factor, min_lr);
      if (this.lr - lower > eps) this.lr = lower;
      this.cooldownCounter = cooldown;
      this.badEpochs = 0;
    }
  }

  stateDict(): SchedulerState {
    return {
      best: this.best,
      num_bad_epochs: this.badEpochs,
      cooldown_counter: this.cooldownCounter,
      last_epoch: this.evaluations,
      _last_lr: [this.lr],
    };
  }

  loadStateDict(state: SchedulerState): void {
    this.best = state.best as number;
    this.badEpochs = state.num_bad_epochs as number;
    this.cooldownCounter = state.cooldown_counter as number;
    this.evaluations = state.last_epoch as number;
    this.lr = (state._last_lr as number[])[0]!;
  }
}
