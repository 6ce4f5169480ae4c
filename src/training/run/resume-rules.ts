/**
 * What a changed argument means for a resume. An argument in none of these lists has no influence here on what a run
 * computes, logs or keeps, or (`output_dir`, `max_train_seconds`, `disable_tqdm`) none that a resume could break.
 */
import type { TrainingArguments } from "../arguments/arguments.js";

export type ArgumentName = keyof TrainingArguments & string;

/** They decide which numbers a run makes. */
const computing: ArgumentName[] = [
  "per_device_train_batch_size",
  "gradient_accumulation_steps",
  "seed",
  "data_seed",
  "train_sampling_strategy",
  "dataloader_drop_last",
  "remove_unused_columns",
  "ignore_data_skip",
  "label_smoothing_factor",
  "neftune_noise_alpha",
  "max_grad_norm",
  "lr_scheduler_type",
  "lr_scheduler_kwargs",
  "adam_beta1",
  "adam_beta2",
  "adam_epsilon",
  "weight_decay",
  "learning_rate",
  "compat",
];

/** They shape the learning rate's curve, unless the schedule does not look at them. */
const lengths: ArgumentName[] = ["num_train_epochs", "max_steps"];
const withoutEnd = ["constant", "constant_with_warmup", "inverse_sqrt", "reduce_lr_on_plateau", "greedy"];
const withoutWarmup = ["constant", "reduce_lr_on_plateau", "greedy"];

/** They decide when an evaluation comes and what it says: nothing for most runs, much where the run looks at its evaluations. */
const evaluating: ArgumentName[] = [
  "eval_strategy",
  "eval_delay",
  "eval_on_start",
  "per_device_eval_batch_size",
  "prediction_loss_only",
  "metric_for_best_model",
];
const followingMetrics = ["reduce_lr_on_plateau", "greedy"];

/** Intervals come from the checkpoint's trainer_state.json, as in transformers. */
export const keptFromState: ArgumentName[] = ["logging_steps", "eval_steps", "save_steps"];

/** They change what is logged or kept, how it is computed, or what happens when it goes wrong; not the parameters. */
const recording: ArgumentName[] = [
  "logging_strategy",
  "logging_first_step",
  "include_num_input_tokens_seen",
  "save_strategy",
  "save_only_model",
  "save_total_limit",
  "greater_is_better",
  "load_best_model_at_end",
  "gradient_checkpointing",
  "nan_policy",
  // All the same arithmetic here.
  "optim",
  "fp16",
  "bf16",
];

/** The arguments that must be as they were for a run with `args` to go on exactly, and those whose change is worth telling. */
export function resumeRules(args: TrainingArguments): { breaking: ArgumentName[]; harmless: ArgumentName[] } {
  const schedule = args.lr_scheduler_type;
  const grouped = args.train_sampling_strategy === "group_by_length";
  const breaking = [...computing];
  const harmless = [...recording];
  const put = (names: ArgumentName[], breaks: boolean) => (breaks ? breaking : harmless).push(...names);
  put(lengths, !withoutEnd.includes(schedule));
  put(["warmup_steps"], !withoutWarmup.includes(schedule));
  if (grouped) breaking.push("length_column_name");
  // As in transformers, every evaluation moves on the generator that draws the order of grouped rows.
  put(evaluating, followingMetrics.includes(schedule) || grouped);
  return { breaking, harmless };
}

/** Whether other rows for evaluation would make it another run. */
export function followsMetrics(args: TrainingArguments): boolean {
  return followingMetrics.includes(args.lr_scheduler_type);
}
