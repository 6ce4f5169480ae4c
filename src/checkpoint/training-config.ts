import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface TrainingConfigParts {
  model_name: string;
  /** `TrainingArguments`, or its `toDict()`. */
  training_args: object;
  /** `LoraConfig`, or its `toDict()`; null when the whole model is trained. */
  lora_config?: object | null;
  /** `BitsAndBytesConfig`, or its `toDict()`; null without quantisation. */
  bnb_config?: object | null;
}

/**
 * Writes `training_config.json`, key for key as the Python notebook does: `model_name`, `training_args`, `lora_config`, and
 * the four settings of `bnb_config`. Sets become lists, Japanese stays readable, passwords in URLs are masked.
 * @returns the file's path
 */
export async function saveTrainingConfig(dir: string, parts: TrainingConfigParts): Promise<string> {
  const config = {
    model_name: parts.model_name,
    training_args: dictOf(parts.training_args),
    lora_config: parts.lora_config ? { ...dictOf(parts.lora_config), inference_mode: false } : null,
    bnb_config: parts.bnb_config ? quantisation(dictOf(parts.bnb_config)) : null,
  };
  const path = join(dir, "training_config.json");
  await mkdir(dir, { recursive: true });
  try {
    await writeFile(`${path}.tmp`, JSON.stringify(config, plain, 2), { flush: true });
    await rename(`${path}.tmp`, path);
  } catch (error) {
    await rm(`${path}.tmp`, { force: true }).catch(() => {});
    throw error;
  }
  return path;
}

function dictOf(value: object): Record<string, unknown> {
  const made = "toDict" in value && typeof value.toDict === "function" ? value.toDict() : value;
  return made as Record<string, unknown>;
}

function quantisation(dict: Record<string, unknown>): Record<string, unknown> {
  const dtype = String(dict.bnb_4bit_compute_dtype ?? "float32");
  return {
    load_in_4bit: dict.load_in_4bit ?? false,
    bnb_4bit_use_double_quant: dict.bnb_4bit_use_double_quant ?? false,
    bnb_4bit_quant_type: dict.bnb_4bit_quant_type ?? "fp4",
    // The notebook writes str(torch.float16).
    bnb_4bit_compute_dtype: dtype.startsWith("torch.") ? dtype : `torch.${dtype}`,
  };
}

function plain(_key: string, value: unknown): unknown {
  if (value instanceof Set) return [...value];
  if (typeof value === "string") return value.replace(/(\w+:\/\/)[^/\s:@]+:[^/\s@]+@/g, "$1***@");
  return value;
}
