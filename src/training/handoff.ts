import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { findNewestCheckpoint, inspectCheckpoint } from "../checkpoint/find.js";
import { parsePythonJson, toPythonJson } from "../checkpoint/python-json.js";
import { saveTrainingConfig } from "../checkpoint/training-config.js";
import { readAdapterConfig } from "../model/peft/peft-files.js";
import { TrainingArguments } from "./arguments/arguments.js";
import type { RowSource } from "./batches.js";
import { HandoffError } from "./errors.js";
import { fingerprint } from "./run/changed-settings.js";
import type { Bookkeeping } from "./run/snapshot.js";
import { TrainerState } from "./state.js";

export interface HandoffOptions {
  /** The folder to write. It must not exist yet, or be empty. */
  output: string;
  /** The tokenised rows that the run trains and evaluates on, in their order. */
  train_dataset: RowSource;
  eval_dataset?: RowSource | null;
  /** Default: the newest whole checkpoint in the run's folder. */
  checkpoint?: string;
}

export interface Handoff {
  /** The checkpoint that was handed on. */
  checkpoint: string;
  global_step: number;
  /** The base model as `train.py` finds it: a hub id, or `model`, the copy in the folder. */
  model_name: string;
}

/**
 * Writes what transformers and PEFT need to go on with a run elsewhere, from the same state: `train.py` (for `torchrun` or
 * `accelerate launch`), `training_config.json`, the tokenised rows, the newest checkpoint with its adapter, and the
 * optimizer's state, which `train.py` turns into torch's form. A base model in a local folder is copied, one from the hub
 * named. Rows, batches and learning rates go on as they would have here; an evaluation that needs `compute_metrics` finds
 * its place in `train.py`.
 *
 * @throws HandoffError when there is no whole checkpoint, the rows are not those of the run, or `output` is not empty
 */
export async function handOff(runDir: string, options: HandoffOptions): Promise<Handoff> {
  const output = resolve(options.output);
  if (existsSync(output) && (await readdir(output)).length > 0) {
    throw new HandoffError(`${output} is not empty: choose another folder.`);
  }
  const dir = options.checkpoint ?? (await newestCheckpoint(runDir));
  const state = await wholeState(dir);
  await checkRows(dir, options.train_dataset);
  const partial = `${output}.${process.pid}.partial`;
  try {
    await mkdir(join(partial, "state"), { recursive: true });
    const model_name = await writeModelAndConfig(partial, runDir, dir);
    await writeRows(join(partial, "train.jsonl"), options.train_dataset);
    if (options.eval_dataset) await writeRows(join(partial, "eval.jsonl"), options.eval_dataset);
    await writeCheckpoints(partial, dir, state);
    await copyFile(
      fileURLToPath(new URL("../../../scripts/handoff/train.py", import.meta.url)),
      join(partial, "train.py"),
    );
    await rm(output, { recursive: true, force: true });
    await rename(partial, output);
    return { checkpoint: dir, global_step: state.global_step, model_name };
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

async function newestCheckpoint(runDir: string): Promise<string> {
  const { checkpoint, skipped } = await findNewestCheckpoint(runDir);
  for (const { dir, reason } of skipped) console.error(`kaisetsu: ${dir} is passed over: ${reason}.`);
  if (!checkpoint) throw new HandoffError(`${runDir} has no whole checkpoint to go on from.`);
  return checkpoint.dir;
}

async function wholeState(dir: string): Promise<TrainerState> {
  const { state, reason, trainerState } = await inspectCheckpoint(dir);
  if (state !== "whole") throw new HandoffError(`${dir} is no whole checkpoint of kaisetsu: ${reason}.`);
  return trainerState;
}

/** Other rows would be another run. */
async function checkRows(dir: string, rows: RowSource): Promise<void> {
  const books = await bookkeeping(dir);
  const [train_rows, train_data] = [rows.length, fingerprint(rows)];
  if (books.train_rows !== undefined && books.train_rows !== train_rows) {
    throw new HandoffError(`The run trains on ${books.train_rows} rows, but ${train_rows} were given (${dir}).`);
  }
  if (books.train_data !== undefined && books.train_data !== train_data) {
    throw new HandoffError(
      `The rows are not those that the run trains on (${dir}): give the same data, length limit and split.`,
    );
  }
}

async function bookkeeping(dir: string): Promise<Partial<Bookkeeping>> {
  const path = join(dir, "bookkeeping.json");
  if (!existsSync(path))
    throw new HandoffError(`${dir} has no optimizer (save_only_model): it cannot be gone on from.`);
  return parsePythonJson(await readFile(path, "utf8")) as Partial<Bookkeeping>;
}

/** @returns the base model's name for `train.py` */
async function writeModelAndConfig(output: string, runDir: string, dir: string): Promise<string> {
  const saved = await json(join(runDir, "training_config.json"));
  const adapter = existsSync(join(dir, "adapter_config.json")) ? await readAdapterConfig(dir) : null;
  const base = String(adapter?.fields.base_model_name_or_path ?? saved?.model_name ?? "");
  if (!base) throw new HandoffError(`Neither ${dir} nor ${runDir} says which model is trained.`);
  const model_name = existsSync(base) ? "model" : base;
  if (existsSync(base)) await copyFiles(base, join(output, "model"), () => true);
  // Python wants the names of its newest release.
  const { compat: _, ...given } = (await json(join(dir, "training_args.json"))) ?? {};
  await saveTrainingConfig(output, {
    model_name,
    training_args: new TrainingArguments(given),
    lora_config: adapter,
    bnb_config: (saved?.bnb_config as object | null | undefined) ?? null,
  });
  return model_name;
}

async function writeRows(path: string, rows: RowSource): Promise<void> {
  const lines = Array.from({ length: rows.length }, (_, i) => {
    const { input_ids, attention_mask, labels } = rows.get(i) as Record<string, unknown>;
    return JSON.stringify({ input_ids, attention_mask, labels });
  });
  await writeFile(path, `${lines.join("\n")}\n`);
}

/** What is our own in a checkpoint; the rest is what Python's Trainer has there. */
const ownFiles = /^(manifest|bookkeeping|scheduler|rng_state|training_args)\.json$|^optimizer\.safetensors$/;

async function writeCheckpoints(output: string, dir: string, state: TrainerState): Promise<void> {
  const best = state.best_model_checkpoint;
  const dirs = best !== null && best !== dir && existsSync(best) ? [dir, best] : [dir];
  for (const from of dirs) {
    await copyFiles(from, join(output, basename(from)), (name) => !ownFiles.test(name));
  }
  // As Python names it, whose output_dir is the folder itself.
  const own = { best_model_checkpoint: best === null ? null : `./${basename(best)}` };
  const handed = Object.assign(new TrainerState(), state, own);
  await writeFile(join(output, basename(dir), "trainer_state.json"), handed.toJson());
  await copyFile(join(dir, "optimizer.safetensors"), join(output, "state", "optimizer.safetensors"));
  await writeFile(join(output, "state", "scheduler.json"), await scaledSchedule(dir));
}

/** After a roll back the run uses a part of what the schedule says. */
async function scaledSchedule(dir: string): Promise<string> {
  const text = await readFile(join(dir, "scheduler.json"), "utf8");
  const { rate_factor = 1 } = await bookkeeping(dir);
  if (rate_factor === 1) return text;
  const schedule = parsePythonJson(text) as Record<string, unknown>;
  for (const name of ["base_lrs", "_last_lr"]) {
    if (schedule[name]) schedule[name] = (schedule[name] as number[]).map((rate) => rate * rate_factor);
  }
  return toPythonJson(schedule);
}

/** The files of a folder, what links point to included; not its folders, where hubs keep other formats. */
async function copyFiles(from: string, to: string, wanted: (name: string) => boolean): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of (await readdir(from)).filter(wanted)) {
    if ((await stat(join(from, name))).isFile()) await copyFile(join(from, name), join(to, name));
  }
}

async function json(path: string): Promise<Record<string, unknown> | undefined> {
  return existsSync(path) ? JSON.parse(await readFile(path, "utf8")) : undefined;
}
