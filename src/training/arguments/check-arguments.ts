import { warnOnce } from "../warn.js";
import { fail, show } from "./arguments-error.js";
import {
  type Compat,
  defaultExtras,
  defaultFields,
  type ExtraFields,
  schedulerTypes,
  type TrainingFields,
} from "./fields.js";
import { plain } from "./plain.js";

/** Schedules that are stepped with a metric. */
export const followsMetric = ({ lr_scheduler_type: type }: TrainingFields): boolean =>
  type === "reduce_lr_on_plateau" || type === "greedy";

/** @throws TrainingArgumentsError for a value of the wrong kind, and settings that exclude each other */
export function checkArguments(fields: TrainingFields & ExtraFields): void {
  validateKinds(fields);
  validateChoices(fields);
  validateNumbers(fields);
  validateStrategies(fields);
  if (fields.fp16 && fields.bf16) fail("At most one of fp16 and bf16 can be true, but not both.");
  if (fields.fp16_full_eval && fields.bf16_full_eval) {
    fail("At most one of fp16_full_eval and bf16_full_eval can be true, but not both.");
  }
  if (followsMetric(fields) && fields.eval_strategy === "no") {
    fail(`lr_scheduler_type ${fields.lr_scheduler_type} requires an eval strategy: set eval_strategy.`);
  }
  if (fields.dataloader_num_workers === 0 && fields.dataloader_prefetch_factor !== null) {
    fail(
      "dataloader_prefetch_factor can only be set when data is loaded in other processes (dataloader_num_workers > 0).",
    );
  }
}

/** A default tells what kind a field has; null allows anything. */
function validateKinds(fields: TrainingFields & ExtraFields): void {
  const defaults: Record<string, unknown> = { ...defaultFields(), ...defaultExtras() };
  for (const [name, value] of Object.entries(fields)) {
    const wanted = typeof defaults[name];
    if (defaults[name] === null) continue;
    if (wanted === "number" && (typeof value !== "number" || Number.isNaN(value))) {
      fail(`${name} must be a number, but is ${show(value)}.`);
    }
    if (wanted === "boolean" && typeof value !== "boolean")
      fail(`${name} must be true or false, but is ${show(value)}.`);
    if (wanted === "string" && typeof value !== "string") fail(`${name} must be a string, but is ${show(value)}.`);
    if (Array.isArray(defaults[name]) && !Array.isArray(value)) fail(`${name} must be a list, but is ${show(value)}.`);
  }
}

/** Optimizers of transformers whose arithmetic is the AdamW that runs here. */
const optimizers = ["adamw_torch", "adamw_torch_fused"];

const debugOptions = ["underflow_overflow", "tpu_metrics_debug"];
const acceleratorKeys = [...Object.keys(defaultFields().accelerator_config), "use_configured_state"];

function validateChoices(fields: TrainingFields & ExtraFields): void {
  const intervals = ["no", "steps", "epoch"];
  choice(fields, "logging_strategy", intervals);
  choice(fields, "eval_strategy", intervals);
  choice(fields, "save_strategy", [...intervals, "best"]);
  choice(fields, "hub_strategy", ["end", "every_save", "checkpoint", "all_checkpoints"]);
  choice(fields, "lr_scheduler_type", [...schedulerTypes]);
  if (typeof fields.optim === "string" && !optimizers.includes(fields.optim)) {
    fail(`optim ${show(fields.optim)} is not computed here; please select one of ${optimizers.map(show).join(", ")}.`);
  }
  if (fields.train_sampling_strategy === "batch_rebalance") {
    fail('train_sampling_strategy "batch_rebalance" balances several devices; on one, take "group_by_length".');
  }
  choice(fields, "train_sampling_strategy", ["random", "sequential", "group_by_length"]);
  choice(fields, "include_num_input_tokens_seen", ["all", "non_padding", "no"]);
  for (const option of fields.debug) {
    if (debugOptions.includes(option)) continue;
    fail(`${show(option)} is not a valid debug option; please select one of ${debugOptions.map(show).join(", ")}.`);
  }
  const accelerator = Object.keys(fields.accelerator_config).filter((key) => !acceleratorKeys.includes(key));
  if (accelerator.length > 0) fail(`accelerator_config has no ${accelerator.join(", ")}.`);
  choice(fields, "compat", ["hf5", "hf4.57", "hf4.45"] satisfies Compat[]);
  choice(fields, "nan_policy", ["stop", "skip", "rollback"] satisfies ExtraFields["nan_policy"][]);
}

function choice(fields: TrainingFields & ExtraFields, name: keyof (TrainingFields & ExtraFields), all: string[]): void {
  const value = fields[name];
  if (all.includes(value as string)) return;
  fail(`${show(value)} is not a valid ${name}; please select one of ${all.map(show).join(", ")}.`);
}

function validateNumbers(fields: TrainingFields & ExtraFields): void {
  for (const name of [
    "per_device_train_batch_size",
    "per_device_eval_batch_size",
    "gradient_accumulation_steps",
  ] as const) {
    if (!Number.isInteger(fields[name]) || fields[name] < 1)
      fail(`${name} must be an integer of at least 1, but is ${show(fields[name])}.`);
  }
  if (fields.seed < 0) fail(`seed must be at least 0, but is ${fields.seed}.`);
  for (const name of ["max_steps", "seed"] as const) {
    if (!Number.isInteger(fields[name])) fail(`${name} must be an integer, but is ${show(fields[name])}.`);
  }
  if (fields.max_steps === 0) fail("max_steps must be positive, or -1 to train by num_train_epochs.");
  for (const name of ["learning_rate", "weight_decay", "max_grad_norm", "num_train_epochs"] as const) {
    if (!Number.isFinite(fields[name]) || fields[name] < 0)
      fail(`${name} must be a finite number of at least 0, but is ${show(fields[name])}.`);
  }
  for (const name of ["adam_beta1", "adam_beta2"] as const) {
    if (!(fields[name] >= 0 && fields[name] < 1))
      fail(`${name} must lie in the range [0, 1), but is ${show(fields[name])}.`);
  }
  if (!(fields.adam_epsilon > 0)) fail(`adam_epsilon must be above 0, but is ${show(fields.adam_epsilon)}.`);
  if (!(fields.warmup_steps >= 0 && Number.isFinite(fields.warmup_steps))) {
    fail(
      `warmup_steps must be either a non-negative number of steps or a share of them below 1, but is ${show(fields.warmup_steps)}.`,
    );
  }
  if (!(fields.label_smoothing_factor >= 0 && fields.label_smoothing_factor < 1)) {
    fail(`label_smoothing_factor must lie in the range [0, 1), but is ${show(fields.label_smoothing_factor)}.`);
  }
  const empty = fields.torch_empty_cache_steps;
  if (empty !== null && !(Number.isInteger(empty) && empty > 0)) {
    fail(`torch_empty_cache_steps must be an integer bigger than 0, but is ${show(empty)}.`);
  }
  const seconds = fields.max_train_seconds;
  if (seconds !== null && !(typeof seconds === "number" && seconds > 0)) {
    fail(`max_train_seconds must be a number of seconds above 0, but is ${show(seconds)}.`);
  }
}

function validateStrategies(fields: TrainingFields): void {
  if (fields.logging_strategy === "steps" && fields.logging_steps === 0) {
    fail("logging strategy steps requires non-zero logging_steps");
  }
  for (const kind of ["logging", "eval", "save"] as const) {
    const value = fields[`${kind}_steps`];
    if (value === null) continue;
    if (typeof value !== "number" || !(value >= 0))
      fail(`${kind}_steps must be a number of at least 0, but is ${show(value)}.`);
    if (fields[`${kind}_strategy`] === "steps" && value > 1 && !Number.isInteger(value)) {
      fail(`${kind}_steps must be an integer if bigger than 1: ${value}`);
    }
  }
  if (!fields.load_best_model_at_end || fields.save_strategy === "best") return;
  if (fields.eval_strategy !== fields.save_strategy) {
    fail(
      'load_best_model_at_end requires the save and eval strategy to match, except when save_strategy is "best", but found\n' +
        `- Evaluation strategy: ${fields.eval_strategy}\n- Save strategy: ${fields.save_strategy}`,
    );
  }
  if (fields.eval_strategy === "steps") checkMultiple(fields.save_steps, fields.eval_steps!);
}

function checkMultiple(save: number, evaluate: number): void {
  const rule = "load_best_model_at_end requires the saving steps to be a";
  if (save % evaluate === 0) return;
  if (save >= 1 && evaluate >= 1) {
    fail(
      `${rule} round multiple of the evaluation steps, but found ${save}, which is not a round multiple of ${evaluate}.`,
    );
  }
  if (save >= 1 || evaluate >= 1) {
    fail(
      `${rule} multiple of the evaluation steps, which cannot get guaranteed when mixing ratio and absolute steps for ` +
        `save_steps ${save} and eval_steps ${evaluate}.`,
    );
  }
  // Ratios such as 0.3 and 0.1 are multiples only after scaling (Python's work-around for binary fractions).
  if ((save * 1_000_000) % (evaluate * 1_000_000) !== 0) {
    fail(`${rule} multiple of the evaluation steps, but found ${save}, which is not a multiple of ${evaluate}.`);
  }
}

/** Fields that do something here; any other one that is set is named in one warning. */
const idle: (keyof TrainingFields)[] = [
  ...["optim_args", "optim_target_modules", "bf16_full_eval", "fp16_full_eval", "tf32"],
  ...["gradient_checkpointing_kwargs", "torch_compile", "torch_compile_backend", "torch_compile_mode"],
  ...["use_liger_kernel", "liger_kernel_config", "use_cache", "torch_empty_cache_steps", "auto_find_batch_size"],
  ...["report_to", "run_name", "project", "trackio_space_id", "trackio_bucket_id", "trackio_static_space_id"],
  ...["eval_use_gather_object", "batch_eval_metrics", "include_for_metrics", "eval_do_concat_batches"],
  ...["enable_jit_checkpoint", "push_to_hub", "hub_token", "hub_private_repo", "hub_model_id", "hub_always_push"],
  ...["hub_revision", "parallelism_config", "dataloader_num_workers", "dataloader_persistent_workers"],
  ...["dataloader_multiprocessing_context", "ddp_find_unused_parameters", "ddp_bucket_cap_mb", "ddp_broadcast_buffers"],
  ...["ddp_static_graph", "ddp_backend", "ddp_timeout", "fsdp", "fsdp_config", "deepspeed"],
] as (keyof TrainingFields)[];

/** Names in one warning what is set and has no effect here. */
export function warnAboutIdle(fields: TrainingFields): void {
  const defaults = defaultFields();
  const set = idle.filter((name) => JSON.stringify(plain(fields[name])) !== JSON.stringify(plain(defaults[name])));
  if (set.length > 0)
    warnOnce(`TrainingArguments: no effect in kaisetsu, only kept in the saved settings: ${set.join(", ")}.`);
}
