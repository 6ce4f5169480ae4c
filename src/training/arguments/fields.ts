/** `"no"`, every so many optimizer steps, or at the end of each epoch. */
export type IntervalStrategy = "no" | "steps" | "epoch";
export type SaveStrategy = IntervalStrategy | "best";

export const schedulerTypes = [
  "linear",
  "cosine",
  "cosine_with_restarts",
  "polynomial",
  "constant",
  "constant_with_warmup",
  "inverse_sqrt",
  "reduce_lr_on_plateau",
  "cosine_with_min_lr",
  "cosine_warmup_with_min_lr",
  "warmup_stable_decay",
  "greedy",
] as const;
export type SchedulerType = (typeof schedulerTypes)[number];

/** Which transformers release the numbers equal: 5.18, 4.57 or 4.45. */
export type Compat = "hf5" | "hf4.57" | "hf4.45";

/**
 * Every field of `transformers.TrainingArguments` 5.18, in its order, after normalisation.
 * Fields without a comment are accepted and stored, and mean nothing here.
 */
export interface TrainingFields {
  /** Where checkpoints and the final model go. Default `trainer_output`. */
  output_dir: string;
  per_device_train_batch_size: number;
  /** May be fractional: the last epoch then ends early. */
  num_train_epochs: number;
  /** Optimizer steps in all; when positive it overrides `num_train_epochs`. */
  max_steps: number;
  learning_rate: number;
  lr_scheduler_type: SchedulerType;
  /** Arguments of that schedule, such as `{ num_cycles: 2 }`; an argument that it does not take is an error. */
  lr_scheduler_kwargs: Record<string, unknown> | null;
  /** At least 1: optimizer steps. Below 1: a share of all steps (what `warmup_ratio` was). */
  warmup_steps: number;
  /** `adamw_torch` or `adamw_torch_fused`: the same arithmetic here. */
  optim: string;
  optim_args: string | null;
  weight_decay: number;
  adam_beta1: number;
  adam_beta2: number;
  adam_epsilon: number;
  optim_target_modules: string | string[] | null;
  /** Micro-batches whose gradients make one optimizer step. */
  gradient_accumulation_steps: number;
  average_tokens_across_devices: boolean;
  /** Largest gradient norm, 0 = no clipping. */
  max_grad_norm: number;
  label_smoothing_factor: number;
  bf16: boolean;
  fp16: boolean;
  bf16_full_eval: boolean;
  fp16_full_eval: boolean;
  tf32: boolean | null;
  /** Recompute activations in the backward pass: slower, less memory, same numbers. */
  gradient_checkpointing: boolean;
  gradient_checkpointing_kwargs: Record<string, unknown> | null;
  torch_compile: boolean;
  torch_compile_backend: string | null;
  torch_compile_mode: string | null;
  use_liger_kernel: boolean;
  liger_kernel_config: Record<string, unknown> | null;
  use_cache: boolean;
  /** Noise on the embeddings while training; 5 is the paper's value. */
  neftune_noise_alpha: number | null;
  torch_empty_cache_steps: number | null;
  auto_find_batch_size: boolean;
  logging_strategy: IntervalStrategy;
  /** Steps, or below 1 a share of all steps. */
  logging_steps: number;
  logging_first_step: boolean;
  log_on_each_node: boolean;
  /** Leave NaN and infinite losses out of the logged average. */
  logging_nan_inf_filter: boolean;
  include_num_input_tokens_seen: "all" | "non_padding" | "no";
  log_level: string;
  log_level_replica: string;
  /** No progress bar; one printed line a log entry instead. */
  disable_tqdm: boolean;
  report_to: string[];
  run_name: string | null;
  project: string;
  trackio_space_id: string | null;
  trackio_bucket_id: string | null;
  trackio_static_space_id: string | null;
  eval_strategy: IntervalStrategy;
  /** Steps, or below 1 a share of all steps. */
  eval_steps: number | null;
  /** Steps (or epochs) before the first evaluation. */
  eval_delay: number;
  per_device_eval_batch_size: number;
  /** Evaluate the loss only, without `compute_metrics`. */
  prediction_loss_only: boolean;
  eval_on_start: boolean;
  eval_do_concat_batches: boolean;
  eval_use_gather_object: boolean;
  eval_accumulation_steps: number | null;
  include_for_metrics: string[];
  batch_eval_metrics: boolean;
  /** Checkpoints without optimizer and schedule: smaller, but training cannot go on exactly from them. */
  save_only_model: boolean;
  save_strategy: SaveStrategy;
  /** Steps, or below 1 a share of all steps. */
  save_steps: number;
  save_on_each_node: boolean;
  /** Checkpoints to keep; the best and the newest are never deleted. null = all. */
  save_total_limit: number | null;
  enable_jit_checkpoint: boolean;
  push_to_hub: boolean;
  hub_token: string | null;
  hub_private_repo: boolean | null;
  hub_model_id: string | null;
  hub_strategy: "end" | "every_save" | "checkpoint" | "all_checkpoints";
  hub_always_push: boolean;
  hub_revision: string | null;
  /** Needs equal `eval_strategy` and `save_strategy` (or `save_strategy: "best"`). */
  load_best_model_at_end: boolean;
  /** Default `loss` when the best model is asked for. */
  metric_for_best_model: string | null;
  /** Default: true unless the metric's name ends with `loss`. */
  greater_is_better: boolean | null;
  /** Resume at the start of the epoch instead of skipping the rows already seen. */
  ignore_data_skip: boolean;
  restore_callback_states_from_checkpoint: boolean;
  full_determinism: boolean;
  seed: number;
  /** Replaces `seed` for the order of rows only. */
  data_seed: number | null;
  use_cpu: boolean;
  accelerator_config: Record<string, unknown>;
  parallelism_config: Record<string, unknown> | null;
  /** Leave out the last, shorter batch of an epoch. */
  dataloader_drop_last: boolean;
  dataloader_num_workers: number;
  dataloader_pin_memory: boolean;
  dataloader_persistent_workers: boolean;
  dataloader_prefetch_factor: number | null;
  dataloader_multiprocessing_context: string | null;
  dataloader_in_order: boolean;
  /** Drop row keys that the model does not take. */
  remove_unused_columns: boolean;
  label_names: string[] | null;
  train_sampling_strategy: "random" | "sequential" | "group_by_length" | "batch_rebalance";
  length_column_name: string;
  ddp_find_unused_parameters: boolean | null;
  ddp_bucket_cap_mb: number | null;
  ddp_broadcast_buffers: boolean | null;
  ddp_static_graph: boolean | null;
  ddp_backend: string | null;
  ddp_timeout: number;
  fsdp: unknown;
  fsdp_config: unknown;
  deepspeed: unknown;
  /** `underflow_overflow`, `tpu_metrics_debug`. */
  debug: string[];
  skip_memory_metrics: boolean;
  do_train: boolean;
  do_eval: boolean;
  do_predict: boolean;
  /** As in transformers, stored only: pass it to `trainer.train()`. */
  resume_from_checkpoint: string | boolean | null;
  local_rank: number;
}

/** Settings of ours that transformers does not know; `toDict` writes them only when they are set. */
export interface ExtraFields {
  /** Default `hf5`. */
  compat: Compat;
  /** Save and stop in time for this many seconds of training; null = no limit. */
  max_train_seconds: number | null;
  /**
   * What a NaN or infinite loss or gradient does: end with an error (`stop`, the default), leave out that optimizer step
   * (`skip`), or go back to the last checkpoint and halve the learning rate (`rollback`).
   */
  nan_policy: "stop" | "skip" | "rollback";
}

/** Names of older releases, taken with a warning. */
export interface OldFields {
  /** Now `eval_strategy`. */
  evaluation_strategy?: IntervalStrategy;
  /** Now `warmup_steps` below 1. */
  warmup_ratio?: number;
  /** Now `use_cpu`. */
  no_cuda?: boolean;
  /** Now `train_sampling_strategy: "group_by_length"`. */
  group_by_length?: boolean;
  per_gpu_train_batch_size?: number | null;
  per_gpu_eval_batch_size?: number | null;
  include_tokens_per_second?: boolean;
  logging_dir?: string | null;
  overwrite_output_dir?: boolean;
  save_safetensors?: boolean;
}

/** What `new TrainingArguments()` takes: any field, in the forms that Python accepts too. */
export type TrainingArgumentsOptions = Partial<
  Omit<
    TrainingFields,
    | "optim"
    | "report_to"
    | "debug"
    | "include_num_input_tokens_seen"
    | "disable_tqdm"
    | "accelerator_config"
    | "output_dir"
  > &
    ExtraFields & {
      output_dir: string | null;
      optim: string;
      report_to: string | string[] | null;
      debug: string | string[] | null;
      include_num_input_tokens_seen: boolean | "all" | "non_padding" | "no";
      disable_tqdm: boolean | null;
      accelerator_config: Record<string, unknown> | string | null;
    }
> &
  OldFields;

/** The defaults of transformers 5.18, in the order of its `to_dict()`. */
export function defaultFields(): TrainingFields {
  return {
    output_dir: "trainer_output",
    per_device_train_batch_size: 8,
    num_train_epochs: 3,
    max_steps: -1,
    learning_rate: 5e-5,
    lr_scheduler_type: "linear",
    lr_scheduler_kwargs: null,
    warmup_steps: 0,
    optim: "adamw_torch_fused",
    optim_args: null,
    weight_decay: 0,
    adam_beta1: 0.9,
    adam_beta2: 0.999,
    adam_epsilon: 1e-8,
    optim_target_modules: null,
    gradient_accumulation_steps: 1,
    average_tokens_across_devices: true,
    max_grad_norm: 1,
    label_smoothing_factor: 0,
    bf16: false,
    fp16: false,
    bf16_full_eval: false,
    fp16_full_eval: false,
    tf32: null,
    gradient_checkpointing: false,
    gradient_checkpointing_kwargs: null,
    torch_compile: false,
    torch_compile_backend: null,
    torch_compile_mode: null,
    use_liger_kernel: false,
    liger_kernel_config: null,
    use_cache: false,
    neftune_noise_alpha: null,
    torch_empty_cache_steps: null,
    auto_find_batch_size: false,
    logging_strategy: "steps",
    logging_steps: 500,
    logging_first_step: false,
    log_on_each_node: true,
    logging_nan_inf_filter: true,
    include_num_input_tokens_seen: "no",
    log_level: "passive",
    log_level_replica: "warning",
    disable_tqdm: false,
    report_to: [],
    run_name: null,
    project: "huggingface",
    trackio_space_id: null,
    trackio_bucket_id: null,
    trackio_static_space_id: null,
    eval_strategy: "no",
    eval_steps: null,
    eval_delay: 0,
    per_device_eval_batch_size: 8,
    prediction_loss_only: false,
    eval_on_start: false,
    eval_do_concat_batches: true,
    eval_use_gather_object: false,
    eval_accumulation_steps: null,
    include_for_metrics: [],
    batch_eval_metrics: false,
    save_only_model: false,
    save_strategy: "steps",
    save_steps: 500,
    save_on_each_node: false,
    save_total_limit: null,
    enable_jit_checkpoint: false,
    push_to_hub: false,
    hub_token: null,
    hub_private_repo: null,
    hub_model_id: null,
    hub_strategy: "every_save",
    hub_always_push: false,
    hub_revision: null,
    load_best_model_at_end: false,
    metric_for_best_model: null,
    greater_is_better: null,
    ignore_data_skip: false,
    restore_callback_states_from_checkpoint: false,
    full_determinism: false,
    seed: 42,
    data_seed: null,
    use_cpu: false,
    accelerator_config: {
      split_batches: false,
      dispatch_batches: null,
      even_batches: true,
      use_seedable_sampler: true,
      non_blocking: false,
      gradient_accumulation_kwargs: null,
    },
    parallelism_config: null,
    dataloader_drop_last: false,
    dataloader_num_workers: 0,
    dataloader_pin_memory: true,
    dataloader_persistent_workers: false,
    dataloader_prefetch_factor: null,
    dataloader_multiprocessing_context: null,
    dataloader_in_order: true,
    remove_unused_columns: true,
    label_names: null,
    train_sampling_strategy: "random",
    length_column_name: "length",
    ddp_find_unused_parameters: null,
    ddp_bucket_cap_mb: null,
    ddp_broadcast_buffers: null,
    ddp_static_graph: null,
    ddp_backend: null,
    ddp_timeout: 1800,
    fsdp: null,
    fsdp_config: null,
    deepspeed: null,
    debug: [],
    skip_memory_metrics: true,
    do_train: false,
    do_eval: false,
    do_predict: false,
    resume_from_checkpoint: null,
    local_rank: -1,
  };
}

export function defaultExtras(): ExtraFields {
  return { compat: "hf5", max_train_seconds: null, nan_policy: "stop" };
}
