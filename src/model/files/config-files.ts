import { existsSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { FloatDtype } from "../dtype.js";
import { PretrainedFilesError } from "../errors.js";
import type { ModelConfig } from "../types.js";

/**
 * `config.json` of a model folder. Keys are kept as they are, so that what was read can be written back.
 * @throws PretrainedFilesError when it is missing or not JSON
 */
export async function readConfig(dir: string): Promise<ModelConfig> {
  const path = join(dir, "config.json");
  if (!existsSync(path)) {
    throw new PretrainedFilesError(`${path} is missing: ${dir} is not a Hugging Face model folder`);
  }
  const config = await readJson(path);
  if (typeof config.model_type !== "string") throw new PretrainedFilesError(`${path} has no model_type`);
  return config as ModelConfig;
}

/** `generation_config.json`, or what `config.json` says of special tokens. */
export async function readGenerationConfig(dir: string, config: ModelConfig): Promise<Record<string, unknown>> {
  const path = join(dir, "generation_config.json");
  return existsSync(path) ? readJson(path) : generationConfigFrom(config);
}

export function generationConfigFrom(config: ModelConfig): Record<string, unknown> {
  const ids: Record<string, unknown> = { _from_model_config: true };
  for (const key of ["bos_token_id", "eos_token_id", "pad_token_id"]) if (config[key] != null) ids[key] = config[key];
  return ids;
}

/** Writes JSON as transformers does: sorted keys, two spaces, a newline; the file appears only when it is whole. */
export async function writeConfig(path: string, value: Record<string, unknown>): Promise<void> {
  await writeWhole(path, `${pythonJson(value)}\n`);
}

export async function writeWhole(path: string, text: string): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  try {
    await writeFile(partial, text);
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** The `dtype` (transformers 5) or `torch_dtype` that a config names, if it is one that we know. */
export function configDtype(config: ModelConfig): FloatDtype | undefined {
  const name = String(config.dtype ?? config.torch_dtype ?? "").replace(/^torch\./, "");
  return name === "float32" || name === "float16" || name === "bfloat16" ? name : undefined;
}

export async function readJson(path: string): Promise<Record<string, unknown>> {
  const text = await readFile(path, "utf8");
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    throw new PretrainedFilesError(`${path} is not valid JSON: ${(error as Error).message}`);
  }
  throw new PretrainedFilesError(`${path} does not hold a JSON object`);
}

/**
 * JSON in Python's notation for the fields of a model's config that are floats in Python: JavaScript would write
 * 10000.0 as 10000 and 1e-06 as 0.000001. Keys are sorted, non-ASCII is escaped (`ensure_ascii`).
 */
export function pythonJson(value: unknown, indent = 2, level = 0, key = ""): string {
  const pad = " ".repeat(indent * (level + 1));
  const close = `\n${" ".repeat(indent * level)}`;
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    return `[\n${value.map((v) => pad + pythonJson(v, indent, level + 1, key)).join(",\n")}${close}]`;
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, v]) => v !== undefined);
    if (entries.length === 0) return "{}";
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    const lines = entries.map(([k, v]) => `${pad}${escaped(k)}: ${pythonJson(v, indent, level + 1, k)}`);
    return `{\n${lines.join(",\n")}${close}}`;
  }
  if (typeof value === "string") return escaped(value);
  if (typeof value === "number") return pythonNumber(value, PYTHON_FLOATS.has(key));
  return JSON.stringify(value);
}

const PYTHON_FLOATS = new Set([
  "attention_dropout",
  "attn_logit_softcapping",
  "dropout",
  "final_logit_softcapping",
  "initializer_range",
  "lora_dropout",
  "rms_norm_eps",
  "rope_local_base_freq",
  "rope_theta",
  "temperature",
  "top_p",
  "repetition_penalty",
  "factor",
  "low_freq_factor",
  "high_freq_factor",
  "llm_int8_threshold",
]);

function pythonNumber(value: number, isFloat: boolean): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
  if (Number.isInteger(value) && Math.abs(value) < 1e16) return isFloat ? `${value}.0` : `${value}`;
  // Python's repr switches to an exponent below 1e-4, JavaScript below 1e-6; both print the shortest digits.
  const [mantissa, exponent] = value.toExponential().split("e") as [string, string];
  const power = Number(exponent);
  if (power >= -4 && power < 16) return `${value}`;
  return `${mantissa}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

function escaped(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
