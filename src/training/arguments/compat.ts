/** Where older releases of transformers give other numbers (`compat`); everything else is the same in all of them. */
import type { Batch } from "../../data/types.js";
import { countTargets } from "../batches.js";
import type { TrainingArguments } from "./arguments.js";

/**
 * By what each micro-batch's summed loss is multiplied in an optimizer step.
 *
 * - 5: one over the targets of the whole step, so every token weighs the same;
 * - 4.57: the same, but the label at position 0, which nothing predicts, is counted too (with label smoothing: the mean of
 *   each micro-batch, not divided by their number);
 * - 4.45: the mean of each micro-batch, divided by `gradient_accumulation_steps`, also where the step has fewer.
 *
 * NaN where there is no target: the caller refuses that.
 */
export function lossScales(args: TrainingArguments, batches: Batch[]): number[] {
  const counts = batches.map(countTargets);
  if (args.compat === "hf4.45") return counts.map((count) => inverse(count * args.gradient_accumulation_steps));
  if (args.compat === "hf4.57" && args.label_smoothing_factor !== 0) return counts.map(inverse);
  const all = args.compat === "hf4.57" ? batches.map(countLabels) : counts;
  const total = all.reduce((sum, count) => sum + count, 0);
  return batches.map(() => inverse(total));
}

/**
 * What an evaluation batch's summed loss is divided by: its targets; in 4.57 also the label at position 0 (not with label
 * smoothing, which counts for itself).
 */
export function evaluationCount(args: TrainingArguments, batch: Batch): number {
  const all = args.compat === "hf4.57" && args.label_smoothing_factor === 0;
  return all ? countLabels(batch) : countTargets(batch);
}

/** Before 5, `loss` is logged with four decimals. */
export function loggedLoss(compat: TrainingArguments["compat"], loss: number): number {
  return compat === "hf5" ? loss : Number(loss.toFixed(4));
}

/** Before 5, the gradient's norm is known only where it is clipped. */
export function logsGradNorm(args: TrainingArguments): boolean {
  return args.compat === "hf5" || args.max_grad_norm > 0;
}

/** Whether the best step is remembered: before 5 not with `save_strategy: "best"`, which then loads no best model at the end. */
export function pointsToBest({ save_strategy, compat }: TrainingArguments): boolean {
  return save_strategy === "steps" || save_strategy === "epoch" || (save_strategy === "best" && compat === "hf5");
}

function countLabels(batch: Batch): number {
  return batch.labels.reduce((sum, row) => sum + row.filter((label) => label !== -100).length, 0);
}

function inverse(count: number): number {
  return count === 0 ? Number.NaN : 1 / count;
}
