/** What the two schedules that follow a metric have in common. */
import { SchedulerError } from "./scheduler-error.js";

export interface MetricRule {
  mode: "min" | "max";
  threshold: number;
  threshold_mode: "rel" | "abs";
  factor: number;
}

/**
 * `lr_scheduler_kwargs` over a schedule's defaults, which tell what each argument is.
 * @throws SchedulerError for an argument that it does not take, or a value that it cannot use
 */
export function metricOptions<T extends MetricRule>(
  type: string,
  defaults: Readonly<T>,
  kwargs: Record<string, unknown>,
): T {
  for (const [name, value] of Object.entries(kwargs)) {
    if (!(name in defaults)) throw new SchedulerError(`${type} takes no argument ${name} in lr_scheduler_kwargs.`);
    const wanted = typeof defaults[name as keyof T];
    if (typeof value === wanted && !Number.isNaN(value)) continue;
    throw new SchedulerError(`${type}: ${name} must be a ${wanted}, but is ${JSON.stringify(value)}.`);
  }
  const options = { ...defaults, ...kwargs };
  if (options.factor >= 1) throw new SchedulerError(`${type}: factor must be below 1, but is ${options.factor}.`);
  if (!["min", "max"].includes(options.mode)) {
    throw new SchedulerError(`${type}: mode must be min or max, but is ${options.mode}.`);
  }
  if (!["rel", "abs"].includes(options.threshold_mode)) {
    throw new SchedulerError(`${type}: threshold_mode must be rel or abs, but is ${options.threshold_mode}.`);
  }
  return options;
}

/** Whether a metric beats the best one by more than the threshold. */
export function isBetter({ mode, threshold, threshold_mode }: MetricRule, metric: number, best: number): boolean {
  const relative = threshold_mode === "rel";
  if (mode === "min") return metric < (relative ? best * (1 - threshold) : best - threshold);
  return metric > (relative ? best * (1 + threshold) : best + threshold);
}

/** What every metric beats. */
export const worstMetric = ({ mode }: MetricRule): number => (mode === "min" ? Infinity : -Infinity);
