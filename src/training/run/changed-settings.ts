/** What has changed between a checkpoint and the run that wants to go on from it. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Tensor } from "@tensorflow/tfjs";
import { currentEngine } from "../../engine/index.js";
import type { CausalLM } from "../../model/types.js";
import type { TrainingArguments } from "../arguments/arguments.js";
import type { RowSource } from "../batches.js";
import type { Trainer } from "../trainer.js";
import { followsMetrics, keptFromState, resumeRules } from "./resume-rules.js";
import type { Bookkeeping } from "./snapshot.js";

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
  eval_rows: number;
  eval_data: string;
  /** Hash of a sample of the weights that the adapter sits on; empty where there are none. */
  base_model: string;
  engine: string;
}

/** Fields of an adapter's configuration that change what it computes. */
const adapterFields = [
  ...["r", "lora_alpha", "lora_dropout", "target_modules", "bias", "use_rslora", "use_dora", "modules_to_save"],
  ...["rank_pattern", "alpha_pattern", "layers_to_transform", "layers_pattern", "exclude_modules"],
];

/** Compares a checkpoint's folder with what `trainer` is about to do. Empty where the checkpoint tells nothing (Python's). */
export async function changedSettings(dir: string, trainer: Trainer): Promise<Changes> {
  const changes: Changes = { breaking: [], harmless: [] };
  await compareArguments(dir, trainer.args, changes);
  const adapter = await readJson(join(dir, "adapter_config.json"));
  const now = adapterConfig(trainer);
  if (adapter && now) changes.breaking.push(...differences(adapter, now, adapterFields));
  const books = (await readJson(join(dir, "bookkeeping.json"))) as Partial<Bookkeeping> | undefined;
  if (!books) return changes;
  compareSurroundings(books, await surroundings(trainer), followsMetrics(trainer.args), changes);
  compareCallbacks(books.callbacks ?? {}, trainer, changes);
  return changes;
}

export async function surroundings({ train_dataset, eval_dataset, model }: Trainer): Promise<Surroundings> {
  return {
    train_rows: train_dataset?.length ?? 0,
    train_data: fingerprint(train_dataset),
    eval_rows: eval_dataset?.length ?? 0,
    eval_data: fingerprint(eval_dataset),
    base_model: await baseFingerprint(model),
    engine: currentEngine()?.name ?? "",
  };
}

/** The final normalisation is small, never quantised, and no two trained models share it. */
async function baseFingerprint(model: CausalLM): Promise<string> {
  const { base } = model as { base?: { parameters?(): ReadonlyMap<string, Tensor> } };
  const norm = base?.parameters?.().get("model.norm.weight");
  if (!norm) return "";
  const values = (await norm.data()) as Float32Array;
  return createHash("sha256")
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest("hex")
    .slice(0, 16);
}

/** Hash of a sample of rows. */
export function fingerprint(rows: RowSource | null): string {
  const hash = createHash("sha256");
  const length = rows?.length ?? 0;
  const step = Math.max(1, Math.floor(length / 64));
  for (let i = 0; i < length; i += step) {
    const { input_ids, labels } = rows!.get(i) as { input_ids?: number[]; labels?: number[] };
    hash.update(JSON.stringify([i, input_ids ?? null, labels ?? null]));
  }
  return hash.digest("hex").slice(0, 16);
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
  const { breaking, harmless } = resumeRules(args);
  changes.breaking.push(...differences(saved, now, breaking));
  changes.harmless.push(...differences(saved, now, harmless));
  const kept = differences(saved, now, keptFromState);
  changes.harmless.push(...kept.map((line) => `${line} (the checkpoint's own is used)`));
}

function compareSurroundings(
  saved: Partial<Surroundings>,
  now: Surroundings,
  evaluationDecides: boolean,
  changes: Changes,
): void {
  const compareRows = (kind: "train" | "eval", words: string, into: string[]) => {
    const [before, after] = [saved[`${kind}_rows`], now[`${kind}_rows`]];
    if (before === undefined) return;
    if (before !== after) into.push(`${words} rows: ${before} -> ${after}`);
    else if (saved[`${kind}_data`] !== now[`${kind}_data`]) into.push(`the ${words} rows themselves`);
  };
  compareRows("train", "training", changes.breaking);
  compareRows("eval", "evaluation", evaluationDecides ? changes.breaking : changes.harmless);
  if (saved.base_model !== undefined && saved.base_model !== now.base_model) changes.breaking.push("the base model");
  if (saved.engine && now.engine && saved.engine !== now.engine) {
    changes.harmless.push(
      `engine: ${saved.engine} -> ${now.engine} (another engine rounds differently in the last digits)`,
    );
  }
}

/** A callback that had something to remember: it may be gone, or ask for something else now. */
function compareCallbacks(saved: Record<string, unknown>, { callbacks }: Trainer, changes: Changes): void {
  for (const [name, state] of Object.entries(saved)) {
    const now = callbacks.find((callback) => callback.name === name)?.state?.();
    if (!now) changes.harmless.push(`the callback ${name} is gone, and its state is left out`);
    else {
      const asked = (of: unknown) => JSON.stringify((of as { args?: unknown } | null)?.args);
      if (asked(state) !== asked(now)) changes.harmless.push(`${name}: ${asked(state)} -> ${asked(now)}`);
    }
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
