import { isBetter, metricOptions, worstMetric } from "./metric-schedule.js";
import type { LRScheduler, SchedulerState } from "./scheduler.js";

const defaults = {
  mode: "min" as "min" | "max",
  factor: 0.95,
  patience: 10,
  threshold: 1e-6,
  threshold_mode: "abs" as "rel" | "abs",
  cooldown: 0,
  warmup: 0,
  min_lr: 1e-3,
  max_lr: 1,
  eps: 1e-8,
  verbose: false,
  smooth: false,
  window_size: 50,
  reset_start: 500,
};

/**
 * `transformers.GreedyLR` (5.x): after each evaluation the rate goes up while the metric improves, and down while it does
 * not; after long enough at the lowest rate it starts again.
 *
 * Traps, kept because transformers has them: the mode stays `min` even where greater is better, and the default `min_lr` of
 * 1e-3 lies above usual rates, so that a small rate never falls; set `lr_scheduler_kwargs`.
 */
export class GreedyLR implements LRScheduler {
  private readonly options: typeof defaults;
  private readonly initialLr: number;
  private best: number;
  private badEpochs = 0;
  private goodEpochs = 0;
  private cooldownCounter = 0;
  private warmupCounter = 0;
  private untilReset: number;
  private evaluations = 0;
  /** The newest metrics, for `smooth`. */
  private recent: number[] = [];
  /** Their sum, kept up to date by adding and subtracting as transformers does, so that it rounds alike. */
  private recentSum = 0;

  constructor(
    private lr: number,
    kwargs: Record<string, unknown>,
  ) {
    this.options = metricOptions("greedy", defaults, kwargs);
    this.initialLr = lr;
    this.untilReset = this.options.reset_start;
    this.best = worstMetric(this.options);
  }

  getLastLr(): number {
    return this.lr;
  }

  step(): void {}

  stepWithMetric(metric: number): void {
    const { patience, smooth, warmup, cooldown } = this.options;
    const current = smooth ? this.smoothed(metric) : metric;
    this.evaluations += 1;
    if (this.cooldownCounter > 0 || this.warmupCounter > 0) {
      if (this.cooldownCounter > 0) this.cooldownCounter -= 1;
      else this.warmupCounter -= 1;
      this.badEpochs = 0;
      this.goodEpochs = 0;
      return;
    }
    if (isBetter(this.options, current, this.best)) {
      this.best = current;
      this.badEpochs = 0;
      this.goodEpochs += 1;
    } else {
      this.badEpochs += 1;
      this.goodEpochs = 0;
    }
    if (this.goodEpochs > patience) {
      this.raise();
      this.warmupCounter = warmup;
      this.goodEpochs = 0;
    } else if (this.badEpochs > patience) {
      this.lower();
      this.cooldownCounter = cooldown;
      this.badEpochs = 0;
    }
  }

  stateDict(): SchedulerState {
    return {
      best: this.best,
      num_bad_epochs: this.badEpochs,
      num_good_epochs: this.goodEpochs,
      cooldown_counter: this.cooldownCounter,
      warmup_counter: this.warmupCounter,
      reset_start: this.untilReset,
      last_epoch: this.evaluations,
      _last_lr: [this.lr],
      ...(this.options.smooth && { _streaming_avg: { values: [...this.recent], sum: this.recentSum } }),
    };
  }

  loadStateDict(state: SchedulerState): void {
    this.best = state.best as number;
    this.badEpochs = state.num_bad_epochs as number;
    this.goodEpochs = state.num_good_epochs as number;
    this.cooldownCounter = state.cooldown_counter as number;
    this.warmupCounter = state.warmup_counter as number;
    this.untilReset = state.reset_start as number;
    this.evaluations = state.last_epoch as number;
    this.lr = (state._last_lr as number[])[0]!;
    const average = state._streaming_avg as { values: number[]; sum: number } | undefined;
    this.recent = [...(average?.values ?? [])];
    this.recentSum = average?.sum ?? 0;
  }

  private smoothed(metric: number): number {
    this.recent.push(metric);
    this.recentSum += metric;
    if (this.recent.length > this.options.window_size) this.recentSum -= this.recent.shift()!;
    return this.recentSum / this.recent.length;
  }

  private raise(): void {
    const { factor, max_lr, eps, reset_start } = this.options;
    const higher = Math.min(this.lr / factor, max_lr);
    if (higher - this.lr > eps) this.lr = higher;
    this.untilReset = reset_start;
  }

  private lower(): void {
    const { factor, min_lr, eps } = this.options;
    const lower = Math.max(this.lr * factor, min_lr);
    if (this.lr - lower > eps) this.lr = lower;
    if (this.lr > min_lr) return;
    this.untilReset -= 1;
    if (this.untilReset <= 0) this.reset();
  }

  private reset(): void {
    this.lr = this.initialLr;
    this.best = worstMetric(this.options);
    this.badEpochs = this.goodEpochs = this.cooldownCounter = this.warmupCounter = 0;
    this.untilReset = this.options.reset_start;
    this.recent = [];
    this.recentSum = 0;
  }
}
