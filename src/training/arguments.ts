import { homedir } from "node:os";
import { join } from "node:path";
import { oldNames, translateOldNames } from "./aliases.js";
import {
  type Compat,
  defaultExtras,
  defaultFields,
  type ExtraFields,
  schedulerTypes,
  type TrainingArgumentsOptions,
  type TrainingFields,
} from "./fields.js";
import { nearest } from "./nearest.js";
import { warnOnce } from "./warn.js";

/** A setting of `TrainingArguments` that is unknown, malformed, or contradicts another one. */
export class TrainingArgumentsError extends Error {
  override name = "TrainingArgumentsError";
}

// Declares the fields of the table on the class without repeating their names.
const Fields = Object as unknown as new () => TrainingFields & ExtraFields;

/**
 * The settings of a training run: `transformers.TrainingArguments` 5.18 field for field, with its defaults,
 * normalisation and errors. Names of older releases (`evaluation_strategy`, `warmup_ratio`, `no_cuda`, …) are accepted.
 *
 * @throws TrainingArgumentsError for an unknown field, a value of the wrong kind, and settings that exclude each other.
 */
export class TrainingArguments extends Fields {
  constructor(options: TrainingArgumentsOptions = {}) {
    super();
    const given = translate(options as Record<string, unknown>);
    refuseUnknown(given);
    const fields = { ...defaultFields(), ...defaultExtras(), ...normalise(given) };
    derive(fields);
    validate(fields);
    Object.assign(this, fields);
    warnAboutIdle(fields);
  }

  /**
   * Warm-up steps out of `total` optimizer steps. `ceil` on the plain double product, as in Python
   * (0.07 * 100 is 7.000000000000001 there too, so 8 steps).
   */
  getWarmupSteps(total: number): number {
    return this.warmup_steps >= 1 ? Math.floor(this.warmup_steps) : Math.ceil(total * this.warmup_steps);
  }

  /**
   * Plain JSON with the keys and the key order of transformers' `to_dict()`. As there, a field named `*_token` becomes
   * a placeholder, set or not. Settings that only kaisetsu has come last, and only when set.
   */
  toDict(): Record<string, unknown> {
    const dict: Record<string, unknown> = {};
    for (const name of fieldNames) {
      const value = this[name];
      dict[name] = name.endsWith("_token") ? `<${name.toUpperCase()}>` : plain(value);
    }
    const extras = defaultExtras();
    for (const name of extraNames) if (this[name] !== extras[name]) dict[name] = this[name];
    return dict;
  }
}

const fieldNames = Object.keys(defaultFields()) as (keyof TrainingFields)[];
const extraNames = Object.keys(defaultExtras()) as (keyof ExtraFields)[];

function translate(options: Record<string, unknown>): Record<string, unknown> {
  const set = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  try {
    return translateOldNames(set);
  } catch (error) {
    throw new TrainingArgumentsError((error as Error).message);
  }
}

function refuseUnknown(given: Record<string, unknown>): void {
  const known: string[] = [...fieldNames, ...extraNames];
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const close = nearest(name, [...known, ...oldNames]);
    const hint = close ? `did you mean ${close}?` : "see https://huggingface.co/docs/transformers for the fields.";
    throw new TrainingArgumentsError(`TrainingArguments has no field ${name}; ${hint}`);
  }
}

/** Python's forms to ours: JSON in strings, "all"/"none", booleans where a word is meant. */
function normalise(given: Record<string, unknown>): Partial<TrainingFields & ExtraFields> {
  const result: Record<string, unknown> = { ...given };
  // Like Python's None, null asks for the default where the field itself cannot be null.
  const defaults: Record<string, unknown> = { ...defaultFields(), ...defaultExtras() };
  for (const [name, value] of Object.entries(result)) {
    if (value === null && defaults[name] !== null) delete result[name];
  }
  for (const name of ["accelerator_config", "fsdp_config", "deepspeed", "gradient_checkpointing_kwargs"] as const) {
    result[name] = parseJson(name, result[name]);
    if (result[name] === undefined) delete result[name];
  }
  result.lr_scheduler_kwargs = parseJson("lr_scheduler_kwargs", result.lr_scheduler_kwargs) ?? null;
  if (isRecord(result.accelerator_config)) {
    result.accelerator_config = { ...defaultFields().accelerator_config, ...result.accelerator_config };
  }
  if (typeof result.include_num_input_tokens_seen === "boolean") {
    result.include_num_input_tokens_seen = result.include_num_input_tokens_seen ? "all" : "no";
  }
  if (typeof result.report_to === "string") result.report_to = [result.report_to];
  if (Array.isArray(result.report_to)) {
    // "all" means the integrations that are installed, and there are none.
    result.report_to = result.report_to.filter((name) => name !== "none" && name !== "all");
  }
  if (typeof result.output_dir === "string" && /^~(?=\/|$)/.test(result.output_dir)) {
    result.output_dir = join(homedir(), result.output_dir.slice(1));
  }
  // hub_token and what was masked by to_dict(): a placeholder is no token.
  if (typeof result.hub_token === "string" && /^<.*_TOKEN>$/.test(result.hub_token)) result.hub_token = null;
  return result as Partial<TrainingFields & ExtraFields>;
}

function parseJson(name: string, value: unknown): unknown {
  if (typeof value !== "string" || !value.trim().startsWith("{")) return value;
  try {
    return coerceLeaves(JSON.parse(value));
  } catch (error) {
    throw new TrainingArgumentsError(`${name} looks like JSON but cannot be read: ${(error as Error).message}`);
  }
}

/** Strings inside such JSON that spell a boolean or a number become one, as in transformers. */
function coerceLeaves(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(coerceLeaves);
  if (isRecord(value)) return Object.fromEntries(Object.entries(value).map(([key, leaf]) => [key, coerceLeaves(leaf)]));
  if (typeof value !== "string") return value;
  if (/^(true|false)$/i.test(value)) return value.toLowerCase() === "true";
  return /^\d+$|^\d*\.\d+$|^\d+\.\d*$/.test(value) ? Number(value) : value;
}

/** Fields that follow from others (the order is transformers'). */
function derive(fields: TrainingFields): void {
  if (fields.eval_strategy !== "no") fields.do_eval = true;
  if (fields.eval_strategy === "steps" && !fields.eval_steps) {
    if (!(fields.logging_steps > 0)) {
      throw new TrainingArgumentsError(
        `evaluation strategy ${fields.eval_strategy} requires either non-zero eval_steps or logging_steps`,
      );
    }
    fields.eval_steps = fields.logging_steps;
  }
  const needsMetric = fields.load_best_model_at_end || followsMetric(fields);
  if (needsMetric && fields.metric_for_best_model === null) fields.metric_for_best_model = "loss";
  if (fields.greater_is_better === null && fields.metric_for_best_model !== null) {
    fields.greater_is_better = !fields.metric_for_best_model.endsWith("loss");
  }
  if (fields.use_cpu) fields.dataloader_pin_memory = false;
}

const followsMetric = ({ lr_scheduler_type: type }: TrainingFields): boolean =>
  type === "reduce_lr_on_plateau" || type === "greedy";

function validate(fields: TrainingFields & ExtraFields): void {
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
    if (defaults[name] === null || name === "debug") continue;
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

function validateChoices(fields: TrainingFields & ExtraFields): void {
  const intervals = ["no", "steps", "epoch"];
  choice(fields, "logging_strategy", intervals);
  choice(fields, "eval_strategy", intervals);
  choice(fields, "save_strategy", [...intervals, "best"]);
  choice(fields, "hub_strategy", ["end", "every_save", "checkpoint", "all_checkpoints"]);
  choice(fields, "lr_scheduler_type", [...schedulerTypes]);
  choice(fields, "optim", optimizers);
  choice(fields, "train_sampling_strategy", ["random", "sequential", "group_by_length"]);
  choice(fields, "include_num_input_tokens_seen", ["all", "non_padding", "no"]);
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
      "load_best_model_at_end requires the save and eval strategy to match, but found\n" +
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

function warnAboutIdle(fields: TrainingFields): void {
  const defaults = defaultFields();
  const set = idle.filter((name) => JSON.stringify(plain(fields[name])) !== JSON.stringify(plain(defaults[name])));
  if (set.length > 0)
    warnOnce(`TrainingArguments: no effect in kaisetsu, only kept in the saved settings: ${set.join(", ")}.`);
}

function plain(value: unknown): unknown {
  if (value instanceof Set) return [...value].map(plain);
  if (Array.isArray(value)) return value.map(plain);
  if (isRecord(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}

function fail(message: string): never {
  throw new TrainingArgumentsError(message);
}
