import { warnOnce } from "../warn.js";
import { olderDefaults } from "./older-dict.js";

/** Settings of releases before 5 that mean nothing here, and meant little there. */
const withoutEffect = new Set([
  "logging_dir",
  "overwrite_output_dir",
  "save_safetensors",
  "use_mps_device",
  "fp16_opt_level",
  "half_precision_backend",
  "fp16_backend",
  "jit_mode_eval",
  "past_index",
  "adafactor",
  "torchdynamo",
  "ray_scope",
  "use_ipex",
  "dispatch_batches",
  "split_batches",
  "tpu_num_cores",
  "tpu_metrics_debug",
  "mp_parameters",
  "use_legacy_prediction_loop",
  "include_inputs_for_metrics",
  "push_to_hub_model_id",
  "push_to_hub_organization",
  "push_to_hub_token",
  "fsdp_min_num_params",
  "fsdp_transformer_layer_cls_to_wrap",
]);

const renamed: Record<string, (value: unknown, given: Record<string, unknown>) => Record<string, unknown>> = {
  evaluation_strategy: (value) => (value === null ? {} : { eval_strategy: value }),
  warmup_ratio: (value, given) => warmup(value, given.warmup_steps),
  no_cuda: (value) => (value ? { use_cpu: true } : {}),
  group_by_length: (value) => (value ? { train_sampling_strategy: "group_by_length" } : {}),
  per_gpu_train_batch_size: (value) => (value ? { per_device_train_batch_size: value } : {}),
  per_gpu_eval_batch_size: (value) => (value ? { per_device_eval_batch_size: value } : {}),
  include_tokens_per_second: (value) => (value ? { include_num_input_tokens_seen: "all" } : {}),
};

/** Every name of an older release, for "did you mean". */
export const oldNames: string[] = [...Object.keys(renamed), ...withoutEffect];

/**
 * Settings under older names (transformers up to 4.57) as settings of 5.18; the others as they are.
 * Where old and new name are both given and differ, the new one wins.
 */
export function translateOldNames(given: Record<string, unknown>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    if (name in olderDefaults && JSON.stringify(value) === JSON.stringify(olderDefaults[name as "fsdp"])) continue;
    if (name in renamed) {
      const translated = renamed[name]!(value, given);
      for (const [newName, newValue] of Object.entries(translated)) {
        warnOnce(`${name} is the old name of ${newName} (${newName}: ${JSON.stringify(newValue)}).`);
        // A file of 4.57 holds warmup_steps: 0 beside every warmup_ratio.
        const unsaid = given[newName] === undefined || (newName === "warmup_steps" && given[newName] === 0);
        if (unsaid) result[newName] = newValue;
      }
    } else if (!withoutEffect.has(name) && !(name in result)) {
      result[name] = value;
    }
  }
  return result;
}

function warmup(ratio: unknown, steps: unknown): Record<string, unknown> {
  if (typeof ratio !== "number" || !(ratio >= 0 && ratio <= 1)) {
    throw new RangeError(`warmup_ratio must lie in the range [0, 1], but is ${String(ratio)}.`);
  }
  if (ratio === 0 || (typeof steps === "number" && steps > 0)) return {};
  // A warmup_steps of exactly 1 would mean one step, so "all of them" is the largest number below 1.
  return { warmup_steps: ratio === 1 ? 1 - Number.EPSILON / 2 : ratio };
}
