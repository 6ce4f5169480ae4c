import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { listed, PretrainedFilesError } from "../errors.js";
import { pythonJson, readJson, writeWhole } from "../files/config-files.js";
import { SafetensorsFile, type TensorToWrite, writeSafetensors } from "../files/safetensors.js";
import type { NamedTensors } from "../types.js";
import { LORA_DEFAULTS, LoraConfig, type LoraConfigFields } from "./lora-config.js";

/**
 * Reads a PEFT adapter folder. Unknown keys of its config are ignored with a warning, as newer PEFT versions add some.
 * @param shapesFor the tensors that an adapter of this config must have
 */
export async function readAdapter(
  dir: string,
  shapesFor: (config: LoraConfig) => Map<string, number[]>,
): Promise<{ config: LoraConfig; tensors: NamedTensors }> {
  const config = await readAdapterConfig(dir);
  const shapes = shapesFor(config);
  const path = join(dir, "adapter_model.safetensors");
  if (!existsSync(path)) throw new PretrainedFilesError(`${path} is missing: ${dir} is not a PEFT adapter folder`);
  const file = await SafetensorsFile.open(path);
  const tensors: NamedTensors = {};
  try {
    const missing = [...shapes.keys()].filter((name) => !file.tensors.has(name));
    if (missing.length) throw new PretrainedFilesError(`${path} lacks the adapter's tensors ${listed(missing)}`);
    const unexpected = [...file.tensors.keys()].filter((name) => !shapes.has(name));
    if (unexpected.length) {
      throw new PretrainedFilesError(`${path} holds tensors that its config does not name: ${listed(unexpected)}`);
    }
    for (const [name, shape] of shapes) {
      const stored = file.tensors.get(name)!.shape;
      if (`${stored}` !== `${shape}`) {
        throw new PretrainedFilesError(
          `${path}: ${name} has shape [${stored}], expected [${shape}] for this base model`,
        );
      }
      const { values } = await file.read(name);
      tensors[name] = tf.tensor(values as Float32Array, shape, "float32");
    }
    return { config, tensors };
  } catch (error) {
    tf.dispose(Object.values(tensors));
    throw error;
  } finally {
    await file.close();
  }
}

export async function readAdapterConfig(dir: string): Promise<LoraConfig> {
  const path = join(dir, "adapter_config.json");
  if (!existsSync(path)) throw new PretrainedFilesError(`${path} is missing: ${dir} is not a PEFT adapter folder`);
  const json = await readJson(path);
  // `runtime_config` and `peft_version` say how a file was made, not what it means.
  const unknown = Object.keys(json).filter((key) => !(key in LORA_DEFAULTS) && key !== "runtime_config");
  const meaningful = unknown.filter((key) => json[key] !== null && json[key] !== false);
  if (meaningful.length) console.warn(`${path}: unknown settings are ignored: ${listed(meaningful)}`);
  const known = Object.fromEntries(Object.entries(json).filter(([key]) => key in LORA_DEFAULTS));
  return new LoraConfig({ ...(known as Partial<LoraConfigFields>), inference_mode: false });
}

/** Writes the folder as PEFT does; the weights are float32. */
export async function saveAdapter(
  dir: string,
  config: LoraConfig,
  params: NamedTensors,
  options: { flush?: boolean },
): Promise<void> {
  await mkdir(dir, { recursive: true });
  const fields = config.toDict();
  const sorted = (names: unknown) => (Array.isArray(names) ? [...names].sort() : names);
  const json = {
    ...fields,
    inference_mode: true,
    peft_version: LORA_DEFAULTS.peft_version,
    target_modules: sorted(fields.target_modules),
    modules_to_save: sorted(fields.modules_to_save),
    exclude_modules: sorted(fields.exclude_modules),
  };
  const tensors = new Map<string, TensorToWrite>();
  for (const [name, tensor] of Object.entries(params)) {
    const values = async () => (await tensor.data()) as Float32Array;
    tensors.set(name, { dtype: "F32", shape: tensor.shape, values });
  }
  await writeSafetensors(join(dir, "adapter_model.safetensors"), tensors, { format: "pt" }, options);
  await writeWhole(join(dir, "adapter_config.json"), pythonJson(json));
}
