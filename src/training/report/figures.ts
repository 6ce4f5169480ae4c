/** The figures that a run reports, in transformers' words, order and rounding. */
import type { TrainingArguments } from "../arguments/arguments.js";
import { evaluationCount } from "../arguments/compat.js";
import { type Collator, evaluationBatches, type RowSource } from "../batches.js";
import { withPrefix } from "../callbacks.js";
import type { ComputeMetrics, Evaluator } from "../run/evaluation.js";
import type { LogEntry, TrainerState } from "../state.js";

/** `eval_loss`, the metrics of `compute_metrics`, then the speeds; only the latter when `dataloader_drop_last` leaves no batch. */
export async function evaluationMetrics(
  trainer: {
    args: TrainingArguments;
    state: TrainerState;
    collator: Collator;
    compute_metrics: ComputeMetrics | undefined;
    train_dataset: RowSource | null;
    eval_dataset: RowSource | null;
  },
  evaluator: Evaluator,
  rows: RowSource,
  prefix: string,
  onBatch: (done: number, total: number) => Promise<void>,
): Promise<LogEntry> {
  const started = performance.now();
  const { args, compute_metrics, state } = trainer;
  const computes = compute_metrics !== undefined && !args.prediction_loss_only;
  const { train_dataset, eval_dataset } = trainer;
  const evaluations = state.evaluationsUntil(state.global_step);
  const batches = evaluationBatches(args, rows, {
    ...{ train_dataset, eval_dataset, evaluations },
    epochs: Math.ceil(state.epoch),
  });
  const evaluation = await evaluator.run(rows, batches, {
    count: (batch) => evaluationCount(args, batch),
    collator: trainer.collator,
    remove_unused_columns: args.remove_unused_columns,
    keep_predictions: computes,
    on_batch: onBatch,
  });
  const metrics: LogEntry = evaluation.loss === undefined ? {} : { [`${prefix}_loss`]: evaluation.loss };
  if (computes && batches.length > 0) {
    for (const [name, value] of Object.entries(await compute_metrics(evaluation.prediction))) {
      if (typeof value !== "number") throw new TypeError(`compute_metrics returned no number for ${name}.`);
      metrics[withPrefix(name, prefix)] = value;
    }
  }
  const seconds = (performance.now() - started) / 1000;
  return { ...metrics, ...speeds(prefix, seconds, rows.length, batches.length) };
}

/** `<prefix>_runtime` in seconds, and samples and steps a second. */
export function speeds(prefix: string, seconds: number, samples: number, steps: number): LogEntry {
  return {
    [`${prefix}_runtime`]: round(seconds, 4),
    [`${prefix}_samples_per_second`]: round(samples / seconds, 3),
    [`${prefix}_steps_per_second`]: round(steps / seconds, 3),
  };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
