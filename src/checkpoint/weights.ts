import { existsSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { type HostTensor, SafetensorsFile, type TensorEntry } from "../model/files/safetensors.js";
import { openWeights } from "../model/files/weight-files.js";
import type { NamedTensors } from "../model/types.js";
import { CheckpointError } from "./errors.js";

interface Weights {
  readonly entries: ReadonlyMap<string, TensorEntry>;
  read(name: string): Promise<HostTensor>;
  close(): Promise<void>;
}

/**
 * Reads the parameters `names` (with their shapes) from a checkpoint's adapter or model files, ours or Python's.
 * @throws CheckpointError naming what is missing or has another shape
 */
export async function readParameters(
  dir: string,
  wanted: ReadonlyMap<string, readonly number[]>,
): Promise<NamedTensors> {
  const weights = await open(dir);
  const tensors: NamedTensors = {};
  try {
    for (const [name, shape] of wanted) {
      const key = keyOf(name, weights);
      if (key === undefined) throw new CheckpointError(`${dir} holds no weights for ${name}.`);
      const { values, shape: found } = await weights.read(key);
      if (`${found}` !== `${shape}`) {
        throw new CheckpointError(`${dir}: ${name} has shape [${found}] there, and [${shape}] in the model.`);
      }
      tensors[name] = tf.tensor(values as Float32Array, [...shape], "float32");
    }
    return tensors;
  } catch (error) {
    tf.dispose(Object.values(tensors));
    throw error;
  } finally {
    await weights.close();
  }
}

/** Whether every one of the parameters is stored as float32, so that reading them back gives the very same numbers. */
export async function storesExactly(dir: string, names: Iterable<string>): Promise<boolean> {
  const weights = await open(dir);
  try {
    for (const name of names) {
      const key = keyOf(name, weights);
      if (key === undefined || weights.entries.get(key)!.dtype !== "F32") return false;
    }
    return true;
  } finally {
    await weights.close();
  }
}

async function open(dir: string): Promise<Weights> {
  const adapter = join(dir, "adapter_model.safetensors");
  if (!existsSync(adapter)) return openWeights(dir);
  const file = await SafetensorsFile.open(adapter);
  return { entries: file.tensors, read: (name) => file.read(name), close: () => file.close() };
}

/** PEFT names the active adapter inside parameter names and leaves it out in files. */
function keyOf(name: string, { entries }: Weights): string | undefined {
  if (entries.has(name)) return name;
  const inFile = name.replace(/\.default(?=\.|$)/, "");
  return entries.has(inFile) ? inFile : undefined;
}
