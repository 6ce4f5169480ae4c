import type { LRScheduler } from "../schedule/scheduler.js";
import type { TrainStep } from "../step.js";
import type { Trainer } from "../trainer.js";
import type { Books } from "./books.js";
import type { EndWatch } from "./early-end.js";
import type { TrainingPlan } from "./plan.js";
import type { TimeBudget } from "./time-budget.js";

/** What the parts of one run of `Trainer.train()` share. */
export interface RunContext {
  readonly trainer: Trainer;
  readonly plan: TrainingPlan;
  readonly step: TrainStep;
  readonly scheduler: LRScheduler;
  readonly budget: TimeBudget;
  readonly ends: EndWatch;
  /** What transformers' estimate of floating point operations counts. */
  readonly nonEmbeddingParameters: number;
  /** A resumed run keeps the id of the one that it continues. */
  readonly run_id: string;
  books: Books;
}
