import { homedir } from "node:os";
import { join } from "node:path";
import { oldNames, translateOldNames } from "./aliases.js";
import { TrainingArgumentsError } from "./arguments-error.js";
import { checkArguments, followsMetric, warnAboutIdle } from "./check-arguments.js";
import {
  defaultExtras,
  defaultFields,
  type ExtraFields,
  type TrainingArgumentsOptions,
  type TrainingFields,
} from "./fields.js";
import { nearest } from "./nearest.js";
import { defaultLoggingDir, droppedFields, olderDict } from "./older-dict.js";
import { isRecord, plain } from "./plain.js";

// Declares the fields of the table on the class without repeating their names.
const Fields = Object as unknown as new () => TrainingFields & ExtraFields;

/**
 * The settings of a training run: `transformers.TrainingArguments` 5.18 field for field, with its defaults,
 * normalisation and errors. Names of older releases (`evaluation_strategy`, `warmup_ratio`, `no_cuda`, …) are accepted.
 *
 * @throws TrainingArgumentsError for an unknown field, a value of the wrong kind, and settings that exclude each other.
 */
export class TrainingArguments extends Fields {
  /** What was given under names that 5 does not have; only `toDict` of an older release shows it. */
  readonly #older: Record<string, unknown>;

  constructor(options: TrainingArgumentsOptions = {}) {
    super();
    const given = translate(options as Record<string, unknown>);
    refuseUnknown(given);
    const fields = { ...defaultFields(), ...defaultExtras(), ...normalise(given) };
    derive(fields);
    checkArguments(fields);
    Object.assign(this, fields);
    warnAboutIdle(fields);
    this.#older = droppedAmong(options as Record<string, unknown>);
    if (fields.compat !== "hf5") this.#older.logging_dir ??= defaultLoggingDir(fields.output_dir);
  }

  /**
   * Warm-up steps out of `total` optimizer steps. `ceil` on the plain double product, as in Python
   * (0.07 * 100 is 7.000000000000001 there too, so 8 steps).
   */
  getWarmupSteps(total: number): number {
    return this.warmup_steps >= 1 ? Math.floor(this.warmup_steps) : Math.ceil(total * this.warmup_steps);
  }

  /**
   * Plain JSON with the keys and the key order of transformers' `to_dict()` (that of the release that `compat` names). As
   * there, a field named `*_token` becomes a placeholder, set or not. Settings that only kaisetsu has come last, and only
   * when set.
   */
  toDict(): Record<string, unknown> {
    const fields = Object.fromEntries(fieldNames.map((name) => [name, this[name]])) as unknown as TrainingFields;
    const values = this.compat === "hf5" ? fields : olderDict(fields, this.compat, this.#older);
    const dict: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(values)) {
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
  if (typeof result.debug === "string") result.debug = result.debug.split(/\s+/).filter(Boolean);
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
  if (fields.torch_compile_mode !== null || fields.torch_compile_backend !== null) fields.torch_compile = true;
  if (fields.torch_compile) fields.torch_compile_backend ??= "inductor";
  const needsMetric = fields.load_best_model_at_end || followsMetric(fields);
  if (needsMetric && fields.metric_for_best_model === null) fields.metric_for_best_model = "loss";
  if (fields.greater_is_better === null && fields.metric_for_best_model !== null) {
    fields.greater_is_better = !fields.metric_for_best_model.endsWith("loss");
  }
  if (fields.use_cpu) fields.dataloader_pin_memory = false;
}

function droppedAmong(options: Record<string, unknown>): Record<string, unknown> {
  const given = Object.entries(options).filter(([name, value]) => droppedFields.includes(name) && value !== undefined);
  return Object.fromEntries(given);
}
