/** What a checkpoint holds besides the model: everything that a run needs to go on exactly. */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { CheckpointError } from "../../checkpoint/errors.js";
import { parsePythonJson, toPythonJson } from "../../checkpoint/python-json.js";
import { readParameters, storesExactly } from "../../checkpoint/weights.js";
import {
  readSafetensors,
  SafetensorsFile,
  type TensorToWrite,
  writeSafetensors,
} from "../../model/files/safetensors.js";
import type { CausalLM, NamedTensors } from "../../model/types.js";
import type { TrainingArguments } from "../arguments/arguments.js";
import type { LRScheduler } from "../schedule/scheduler.js";
import type { TrainerControl } from "../state.js";
import type { OptimizerState, ParameterSlot, TrainStep } from "../step.js";
import type { Books } from "./books.js";
import type { Surroundings } from "./changed-settings.js";

/** `bookkeeping.json`. Checkpoints of the first releases have no position and nothing of roll backs. */
export interface Bookkeeping
  extends Partial<Surroundings>,
    Omit<Books, OfLaterReleases>,
    Partial<Pick<Books, OfLaterReleases>> {
  run_id: string;
  /** Flags of the control that the run had not answered yet when it was left. */
  pending?: Partial<TrainerControl>;
  callbacks: Record<string, Record<string, unknown>>;
}

type OfLaterReleases = "position" | "rollbacks" | "rate_factor";

/** Writes the model, its tokenizer, and the arguments. `model` must be in step with the optimizer. */
export async function writeModelFiles(
  dir: string,
  { model, processing_class, args }: { model: CausalLM; processing_class?: unknown; args: TrainingArguments },
  options: { flush?: boolean } = {},
): Promise<void> {
  await model.savePretrained(dir, options);
  const tokenizer = processing_class as { savePretrained?(dir: string): unknown } | undefined;
  await tokenizer?.savePretrained?.(dir);
  await writeFile(join(dir, "training_args.json"), `${JSON.stringify(args.toDict(), null, 2)}\n`);
}

/** Writes optimizer, schedule, random state and bookkeeping. */
export async function writeTrainingState(
  dir: string,
  parts: { step: TrainStep; model: CausalLM; scheduler: LRScheduler; args: TrainingArguments; books: Bookkeeping },
): Promise<void> {
  const { exp_avg, exp_avg_sq, step, layout } = await parts.step.state();
  const flat = (values: Float32Array): TensorToWrite => ({ dtype: "F32", shape: [values.length], values });
  const tensors = new Map([
    ["exp_avg", flat(exp_avg)],
    ["exp_avg_sq", flat(exp_avg_sq)],
  ]);
  // A model that is stored in 16 bits loses digits of the parameters, which are float32 while training.
  const names = layout.map(({ name }) => name);
  if (!(await storesExactly(dir, names))) tensors.set("parameters", flat(await flatParameters(parts.model, layout)));
  const metadata = { format: "kaisetsu", optimizer: "adamw", step: String(step), layout: JSON.stringify(layout) };
  await writeSafetensors(join(dir, "optimizer.safetensors"), tensors, metadata, { flush: false });
  await writeFile(join(dir, "scheduler.json"), toPythonJson(parts.scheduler.stateDict()));
  // Random numbers are a function of these: there is no generator whose state could be lost.
  const random = { generator: "philox4x32-10", seed: parts.args.seed, data_seed: parts.args.data_seed };
  await writeFile(join(dir, "rng_state.json"), toPythonJson(random));
  await writeFile(join(dir, "bookkeeping.json"), toPythonJson(parts.books));
}

/** Puts a checkpoint's parameters into the model. */
export async function loadModelParameters(dir: string, model: CausalLM): Promise<void> {
  const shapes = new Map(Object.entries(model.trainableParameters()).map(([name, tensor]) => [name, tensor.shape]));
  model.setTrainableParameters((await exactParameters(dir, shapes)) ?? (await readParameters(dir, shapes)));
}

/** Restores optimizer, schedule and bookkeeping; undefined where the checkpoint has none (`save_only_model`, Python's). */
export async function loadTrainingState(
  dir: string,
  { step, scheduler }: { step: TrainStep; scheduler: LRScheduler },
): Promise<Bookkeeping | undefined> {
  if (!existsSync(join(dir, "optimizer.safetensors"))) return undefined;
  step.loadState(await readOptimizer(dir));
  scheduler.loadStateDict((await readJson(join(dir, "scheduler.json"))) as Record<string, unknown>);
  return (await readJson(join(dir, "bookkeeping.json"))) as Bookkeeping;
}

async function readOptimizer(dir: string): Promise<OptimizerState> {
  const path = join(dir, "optimizer.safetensors");
  const { tensors, metadata } = await readWithMetadata(path);
  const layout = JSON.parse(metadata.layout ?? "null") as ParameterSlot[] | null;
  const exp_avg = tensors.get("exp_avg")?.values as Float32Array | undefined;
  const exp_avg_sq = tensors.get("exp_avg_sq")?.values as Float32Array | undefined;
  if (!layout || !exp_avg || !exp_avg_sq) throw new CheckpointError(`${path} is no optimizer state of kaisetsu.`);
  return { step: Number(metadata.step), layout, exp_avg, exp_avg_sq };
}

async function exactParameters(
  dir: string,
  shapes: ReadonlyMap<string, readonly number[]>,
): Promise<NamedTensors | undefined> {
  const path = join(dir, "optimizer.safetensors");
  if (!existsSync(path)) return undefined;
  const { tensors, metadata } = await readWithMetadata(path);
  const flat = tensors.get("parameters")?.values as Float32Array | undefined;
  if (!flat) return undefined;
  const layout = JSON.parse(metadata.layout!) as ParameterSlot[];
  if (layout.some(({ name, shape }) => `${shapes.get(name)}` !== `${shape}`) || layout.length !== shapes.size) {
    throw new CheckpointError(`${path} holds other parameters than the model trains.`);
  }
  return Object.fromEntries(
    layout.map(({ name, shape, offset }) => {
      const size = shape.reduce((product, length) => product * length, 1);
      return [name, tf.tensor(flat.slice(offset, offset + size), shape, "float32")];
    }),
  );
}

async function flatParameters(model: CausalLM, layout: ParameterSlot[]): Promise<Float32Array> {
  const tensors = model.trainableParameters();
  const size = layout.reduce((sum, { name }) => sum + tensors[name]!.size, 0);
  const flat = new Float32Array(size);
  for (const { name, offset } of layout) flat.set((await tensors[name]!.data()) as Float32Array, offset);
  return flat;
}

async function readWithMetadata(path: string) {
  const file = await SafetensorsFile.open(path);
  await file.close();
  return { tensors: await readSafetensors(path), metadata: file.metadata };
}

async function readJson(path: string): Promise<unknown> {
  return parsePythonJson(await readFile(path, "utf8"));
}
