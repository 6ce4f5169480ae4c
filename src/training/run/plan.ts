import type { TrainingArguments } from "../arguments/arguments.js";

/** How many batches and optimizer steps a run has. */
export interface TrainingPlan {
  /** Micro-batches in an epoch. */
  batches_per_epoch: number;
  /** Optimizer steps in an epoch. */
  updates_per_epoch: number;
  /** Optimizer steps in the whole run. */
  max_steps: number;
  /** Epochs that the loop enters; the last may end early. */
  num_train_epochs: number;
  /** Rows that count for `train_samples_per_second`. */
  num_train_samples: number;
  warmup_steps: number;
  logging_steps: number;
  eval_steps: number | null;
  save_steps: number;
}

/**
 * The counts of `transformers.Trainer` for `rows` training rows on one device.
 *
 * Since 5, a short last accumulation of an epoch makes an optimizer step of its own; releases up to 4.45 carried it over
 * into the next epoch, so they take fewer steps.
 * @throws RangeError for an empty training set
 */
export function planTraining(args: TrainingArguments, rows: number): TrainingPlan {
  const exact = rows / args.per_device_train_batch_size;
  const batches = args.dataloader_drop_last ? Math.floor(exact) : Math.ceil(exact);
  if (batches < 1) {
    const reason =
      rows > 0 ? ` (dataloader_drop_last leaves no batch of ${args.per_device_train_batch_size} rows)` : "";
    throw new RangeError(`The training dataset has ${rows} rows, so there is nothing to train on${reason}.`);
  }
  const windows = batches / args.gradient_accumulation_steps;
  const updates = Math.max(args.compat === "hf4.45" ? Math.floor(windows) : Math.ceil(windows), 1);
  const byEpochs = args.max_steps <= 0;
  const max_steps = byEpochs ? Math.ceil(args.num_train_epochs * updates) : args.max_steps;
  const share = (value: number) => (value < 1 ? Math.ceil(max_steps * value) : value);
  return {
    batches_per_epoch: batches,
    updates_per_epoch: updates,
    max_steps,
    num_train_epochs: byEpochs ? Math.ceil(args.num_train_epochs) : Math.ceil(max_steps / updates),
    num_train_samples: byEpochs
      ? rows * args.num_train_epochs
      : max_steps * args.per_device_train_batch_size * args.gradient_accumulation_steps,
    warmup_steps: args.getWarmupSteps(max_steps),
    logging_steps: share(args.logging_steps),
    eval_steps: args.eval_steps === null ? null : share(args.eval_steps),
    save_steps: share(args.save_steps),
  };
}
