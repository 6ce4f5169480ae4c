/** State of a schedule in a checkpoint, with torch's names. */
export type SchedulerState = Record<string, unknown>;

/** The learning rate of each optimizer step. Update k (from 1) uses the rate after k - 1 steps of the schedule. */
export interface LRScheduler {
  /** The rate that the next update uses. */
  getLastLr(): number;
  /** After an update. Schedules by evaluation ignore it. */
  step(): void;
  /** After an evaluation, for `reduce_lr_on_plateau` and `greedy`. */
  stepWithMetric?(metric: number): void;
  stateDict(): SchedulerState;
  loadStateDict(state: SchedulerState): void;
}
