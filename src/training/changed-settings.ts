/** What has changed between a checkpoint and the run that wants to go on from it. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { currentEngine } from "../engine/index.js";
import type { TrainingArguments } from "./arguments.js";
import type { RowSource } from "./batches.js";
import type { Trainer } from "./trainer.js";

export interface Changes {
  /** "seed: 42 -> 7": going on would be another run. */
  breaking: string[];
  /** Worth knowing; the numbers stay those of the run. */
  harmless: string[];
}

/** What a checkpoint keeps so that a resume can tell whether it is given the same data and engine. */
export interface Surroundings {
  train_rows: number;
  /** Hash of a sample of the training rows. */
  train_data: string;
  engine: string;
}

/** Arguments that decide which numbers a run makes; with another value, a resume would mix two runs. */
const essential: (keyof TrainingArguments)[] = [
  "per_device_train_batch_size",
  "gradient_accumulation_steps",
  "seed",
  "data_seed",
  "train_sampling_strategy",
  "dataloader_drop_last",
  "ignore_data_skip",
  "label_smoothing_factor",
  "neftune_noise_alpha",
  "max_grad_norm",
  "optim",
  "lr_scheduler_type",
  "lr_scheduler_kwargs",
  "adam_beta1",
  "adam_beta2",
  "adam_epsilon",
  "weight_decay",
  "learning_rate",
  "fp16",
  "bf16",
  "nan_policy",
  "compat",
];

/** They shape the learning rate's curve, unless the schedule does not look at them. */
const lengths: (keyof TrainingArguments)[] = ["num_train_epochs", "max_steps"];
const withoutEnd = ["constant", "constant_with_warmup", "inverse_sqrt", "reduce_lr_on_plateau"];
const withoutWarmup = ["constant", "reduce_lr_on_plateau"];

/** Intervals come from the checkpoint's trainer_state.json, as in transformers. */
const keptFromState: (keyof TrainingArguments)[] = ["logging_steps", "eval_steps", "save_steps"];

/** They change what is logged or kept, not the parameters. */
const notable: (keyof TrainingArguments)[] = [
  "logging_strategy",
  "eval_strategy",
  "save_strategy",
  "eval_delay",
  "per_device_eval_batch_size",
  "gradient_checkpointing",
  "metric_for_best_model",
  "greater_is_better",
  "load_best_model_at_end",
  "save_total_limit",
];

/** Fields of an adapter's configuration that change what it computes. */
const adapterFields = ["r", "lora_alpha", "lora_dropout", "target_modules", "bias", "use_rslora", "use_dora"];

/** Compares a checkpoint's folder with what `trainer` is about to do. Empty where the checkpoint tells nothing (Python's). */
export async function changedSettings(dir: string, trainer: Trainer): Promise<Changes> {
  const changes: Changes = { breaking: [], harmless: [] };
  await compareArguments(dir, trainer.args, changes);
  const adapter = await readJson(join(dir, "adapter_config.json"));
  const now = adapterConfig(trainer);
  if (adapter && now) changes.breaking.push(...differences(adapter, now, adapterFields));
  const books = (await readJson(join(dir, "bookkeeping.json"))) as Partial<Surroundings> | undefined;
  if (books && trainer.train_dataset) compareSurroundings(books, surroundings(trainer.train_dataset), changes);
  return changes;
}

export function surroundings(rows: RowSource): Surroundings {
  return { ...fingerprint(rows), engine: currentEngine()?.name ?? "" };
}

/** What tells these training rows from others. */
export function fingerprint(rows: RowSource): Omit<Surroundings, "engine"> {
  const hash = createHash("sha256");
  const step = Math.max(1, Math.floor(rows.length / 64));
  for (let i = 0; i < rows.length; i += step) {
    const { input_ids, labels } = rows.get(i) as { input_ids?: number[]; labels?: number[] };
    hash.update(JSON.stringify([i, input_ids ?? null, labels ?? null]));
  }
  return { train_rows: rows.length, train_data: hash.digest("hex").slice(0, 16) };
}

/** Those of `changedSettings` that the arguments alone tell. */
export async function changedArguments(dir: string, args: TrainingArguments): Promise<Changes> {
  const changes: Changes = { breaking: [], harmless: [] };
  await compareArguments(dir, args, changes);
  return changes;
}

async function compareArguments(dir: string, args: TrainingArguments, changes: Changes): Promise<void> {
  const saved = await readJson(join(dir, "training_args.json"));
  if (!saved) return;
  const now = args.toDict();
  // What the defaults leave out of the dictionary.
  for (const name of ["compat", "nan_policy"] as const) {
    now[name] ??= args[name];
    saved[name] ??= { compat: "hf5", nan_policy: "stop" }[name];
  }
  changes.breaking.push(...differences(saved, now, essential));
  const schedule = args.lr_scheduler_type;
  const put = (names: (keyof TrainingArguments)[], harmless: boolean) =>
    (harmless ? changes.harmless : changes.breaking).push(...differences(saved, now, names));
  put(lengths, withoutEnd.includes(schedule));
  put(["warmup_steps"], withoutWarmup.includes(schedule));
  put(notable, true);
  const kept = differences(saved, now, keptFromState);
  changes.harmless.push(...kept.map((line) => `${line} (the checkpoint's own is used)`));
}

function compareSurroundings(saved: Partial<Surroundings>, now: Surroundings, changes: Changes): void {
  if (saved.train_rows !== undefined && saved.train_rows !== now.train_rows) {
    changes.breaking.push(`training rows: ${saved.train_rows} -> ${now.train_rows}`);
  } else if (saved.train_data !== undefined && saved.train_data !== now.train_data) {
    changes.breaking.push("the training rows themselves");
  }
  if (saved.engine && now.engine && saved.engine !== now.engine) {
    changes.harmless.push(
      `engine: ${saved.engine} -> ${now.engine} (another engine rounds differently in the last digits)`,
    );
  }
}

function differences(saved: Record<string, unknown>, now: Record<string, unknown>, names: readonly string[]): string[] {
  const text = (value: unknown) => JSON.stringify(Array.isArray(value) ? [...value].sort() : (value ?? null));
  return names
    .filter((name) => name in saved && text(saved[name]) !== text(now[name]))
    .map((name) => `${name}: ${JSON.stringify(saved[name])} -> ${JSON.stringify(now[name])}`);
}

function adapterConfig(trainer: Trainer): Record<string, unknown> | undefined {
  const { peft_config } = trainer.model as { peft_config?: { toDict?(): Record<string, unknown> } };
  const dict = peft_config?.toDict?.();
  // As in the file: sets become lists.
  return dict && JSON.parse(JSON.stringify(dict, (_, value) => (value instanceof Set ? [...value] : value)));
}

async function readJson(path: string): Promise<Record<string, unknown> | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
}
