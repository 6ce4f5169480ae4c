import { hostname } from "node:os";
import type { TrainingFields } from "./fields.js";

/** What `to_dict()` of transformers 4.57 holds, in its order; those that 5 dropped carry their default. */
const KEYS_4_57: [name: string, droppedDefault?: unknown][] = [
  ["output_dir"],
  ["overwrite_output_dir", false],
  ...named("do_train do_eval do_predict eval_strategy prediction_loss_only"),
  ...named("per_device_train_batch_size per_device_eval_batch_size"),
  ["per_gpu_train_batch_size", null],
  ["per_gpu_eval_batch_size", null],
  ...named("gradient_accumulation_steps eval_accumulation_steps eval_delay torch_empty_cache_steps"),
  ...named("learning_rate weight_decay adam_beta1 adam_beta2 adam_epsilon max_grad_norm num_train_epochs max_steps"),
  ...named("lr_scheduler_type lr_scheduler_kwargs"),
  ["warmup_ratio", 0],
  ...named("warmup_steps log_level log_level_replica log_on_each_node"),
  ["logging_dir", null],
  ...named("logging_strategy logging_first_step logging_steps logging_nan_inf_filter"),
  ...named("save_strategy save_steps save_total_limit"),
  ["save_safetensors", true],
  ...named("save_on_each_node save_only_model restore_callback_states_from_checkpoint"),
  ["no_cuda", false],
  ["use_cpu"],
  ["use_mps_device", false],
  ...named("seed data_seed"),
  ["jit_mode_eval", false],
  ...named("bf16 fp16"),
  ["fp16_opt_level", "O1"],
  ["half_precision_backend", "auto"],
  ...named("bf16_full_eval fp16_full_eval tf32 local_rank ddp_backend"),
  ["tpu_num_cores", null],
  ["tpu_metrics_debug", false],
  ...named("debug dataloader_drop_last eval_steps dataloader_num_workers dataloader_prefetch_factor"),
  ["past_index", -1],
  ...named("run_name disable_tqdm remove_unused_columns label_names load_best_model_at_end metric_for_best_model"),
  ...named("greater_is_better ignore_data_skip fsdp"),
  ["fsdp_min_num_params", 0],
  ["fsdp_config"],
  ["fsdp_transformer_layer_cls_to_wrap", null],
  ...named("accelerator_config parallelism_config deepspeed label_smoothing_factor optim optim_args"),
  ["adafactor", false],
  ["group_by_length", false],
  ...named("length_column_name report_to project trackio_space_id"),
  ...named("ddp_find_unused_parameters ddp_bucket_cap_mb ddp_broadcast_buffers"),
  ...named("dataloader_pin_memory dataloader_persistent_workers skip_memory_metrics"),
  ["use_legacy_prediction_loop", false],
  ...named("push_to_hub resume_from_checkpoint hub_model_id hub_strategy hub_token hub_private_repo hub_always_push"),
  ...named("hub_revision gradient_checkpointing gradient_checkpointing_kwargs"),
  ["include_inputs_for_metrics", false],
  ...named("include_for_metrics eval_do_concat_batches"),
  ["fp16_backend", "auto"],
  ["push_to_hub_model_id", null],
  ["push_to_hub_organization", null],
  ["push_to_hub_token", null],
  ["mp_parameters", ""],
  ...named("auto_find_batch_size full_determinism"),
  ["torchdynamo", null],
  ["ray_scope", "last"],
  ...named("ddp_timeout torch_compile torch_compile_backend torch_compile_mode"),
  ["include_tokens_per_second", false],
  ...named("include_num_input_tokens_seen neftune_noise_alpha optim_target_modules batch_eval_metrics eval_on_start"),
  ...named("use_liger_kernel liger_kernel_config eval_use_gather_object average_tokens_across_devices"),
];

/** Came after 4.45. */
const newerThan445 = new Set([
  "parallelism_config",
  "project",
  "trackio_space_id",
  "hub_revision",
  "include_for_metrics",
  "liger_kernel_config",
  "average_tokens_across_devices",
]);

/** What 4.45 still had, before the key that follows it. */
const goneSince445: Record<string, [name: string, value: unknown][]> = {
  bf16: [["use_ipex", false]],
  push_to_hub_model_id: [["evaluation_strategy", null]],
  include_tokens_per_second: [
    ["dispatch_batches", null],
    ["split_batches", null],
  ],
};

/** Where older releases had another default for a field of 5; a file that holds it says nothing. */
export const olderDefaults = {
  fsdp: [],
  fsdp_config: { min_num_params: 0, xla: false, xla_fsdp_v2: false, xla_fsdp_grad_ckpt: false },
  trackio_space_id: "trackio",
  local_rank: 0,
  lr_scheduler_kwargs: {},
  hub_private_repo: false,
};

/** Names of fields that 5 dropped. */
export const droppedFields: string[] = [
  ...KEYS_4_57.filter((entry) => entry.length === 2).map(([name]) => name),
  ...Object.values(goneSince445).flatMap((entries) => entries.map(([name]) => name)),
];

/**
 * The settings as `to_dict()` of an older release writes them. (4.57: proven key for key. 4.45: from its list of fields.)
 * @param given what was given under names that 5 dropped
 */
export function olderDict(
  fields: TrainingFields,
  compat: "hf4.57" | "hf4.45",
  given: Record<string, unknown>,
): Record<string, unknown> {
  const values = { ...fields, ...olderValues(fields, compat), ...given } as Record<string, unknown>;
  const dict: Record<string, unknown> = {};
  const set = (name: string, fallback: unknown) => {
    dict[name] = values[name] === undefined ? fallback : values[name];
  };
  for (const [name, fallback] of KEYS_4_57) {
    if (compat === "hf4.45") {
      for (const [gone, value] of goneSince445[name] ?? []) set(gone, value);
      if (newerThan445.has(name)) continue;
    }
    set(name, fallback);
  }
  return dict;
}

/** `<output_dir>/runs/Nov24_15-09-31_host`, the default up to 4.57. */
export function defaultLoggingDir(outputDir: string, now = new Date()): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const month = now.toLocaleString("en-US", { month: "short" });
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join("-");
  return `${outputDir}/runs/${month}${two(now.getDate())}_${time}_${hostname()}`;
}

/** What is said otherwise in 5. */
function olderValues(fields: TrainingFields, compat: "hf4.57" | "hf4.45"): Record<string, unknown> {
  const { warmup_steps: warmup, include_num_input_tokens_seen: tokens } = fields;
  return {
    warmup_ratio: warmup < 1 ? warmup : 0,
    warmup_steps: warmup < 1 ? 0 : Math.floor(warmup),
    group_by_length: fields.train_sampling_strategy === "group_by_length",
    fsdp: fields.fsdp ?? olderDefaults.fsdp,
    fsdp_config: fields.fsdp_config ?? olderDefaults.fsdp_config,
    trackio_space_id: fields.trackio_space_id ?? olderDefaults.trackio_space_id,
    local_rank: Math.max(0, fields.local_rank),
    ...(compat === "hf4.45" && {
      evaluation_strategy: fields.eval_strategy === "no" ? null : fields.eval_strategy,
      include_num_input_tokens_seen: tokens !== "no",
      lr_scheduler_kwargs: fields.lr_scheduler_kwargs ?? {},
      hub_private_repo: fields.hub_private_repo ?? false,
    }),
  };
}

function named(names: string): [string][] {
  return names.split(" ").map((name) => [name]);
}
