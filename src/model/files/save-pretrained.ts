import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Tensor } from "@tensorflow/tfjs";
import type { FloatDtype } from "../dtype.js";
import type { BitsAndBytesConfig } from "../four-bit/bits-and-bytes.js";
import { fourBitTensors } from "../four-bit/four-bit-files.js";
import type { FourBitMatrix } from "../four-bit/four-bit-linear.js";
import type { ModelConfig } from "../types.js";
import { writeConfig } from "./config-files.js";
import { STORED_DTYPES, type StoredDtype, type TensorToWrite, writeSafetensors } from "./safetensors.js";

export interface SaveOptions {
  /** What the weights are stored in; default: what they were loaded from. */
  dtype?: FloatDtype;
  /** Bytes, or as in transformers "5GB", "200MB", "100KB" (decimal); default "50GB". */
  max_shard_size?: number | string;
  /** False where the caller sees to it that the weights reach the disk; default true. */
  flush?: boolean;
}

interface Savable {
  config: ModelConfig;
  generation_config: Record<string, unknown>;
  dtype: FloatDtype;
  parameters(): ReadonlyMap<string, Tensor>;
  quantizedParameters(): ReadonlyMap<string, FourBitMatrix>;
  quantization_config: BitsAndBytesConfig | undefined;
}

/** Writes a folder that transformers' `from_pretrained` reads. Tensors leave the engine one at a time. */
export async function savePretrainedFiles(dir: string, model: Savable, options: SaveOptions): Promise<void> {
  const dtype = options.dtype ?? model.dtype;
  await mkdir(dir, { recursive: true });
  const tensors = new Map<string, TensorToWrite>();
  for (const [name, tensor] of model.parameters()) {
    const values = async () => (await tensor.data()) as Float32Array;
    tensors.set(name, { dtype: STORED_DTYPES[dtype], shape: tensor.shape, values });
  }
  for (const [name, matrix] of model.quantizedParameters()) {
    for (const [part, tensor] of fourBitTensors(name, await matrix.read(), dtype)) tensors.set(part, tensor);
  }
  await writeWeights(dir, tensors, shardBytes(options.max_shard_size ?? "50GB"), options);
  // Last: a folder without config.json is no model, so a save that broke off is not taken for one.
  await writeConfig(join(dir, "generation_config.json"), model.generation_config);
  await writeModelConfig(dir, model, dtype);
}

/** Writes `config.json`, as `config.save_pretrained` does in transformers. */
export async function writeModelConfig(
  dir: string,
  model: Pick<Savable, "config" | "quantization_config">,
  dtype: FloatDtype,
): Promise<void> {
  await mkdir(dir, { recursive: true });
  const { torch_dtype: _, ...config } = model.config;
  const quantization_config = model.quantization_config?.toDict();
  await writeConfig(join(dir, "config.json"), {
    architectures: [CLASSES[config.model_type]],
    ...config,
    dtype,
    ...(quantization_config && { quantization_config }),
  });
}

/** transformers' class for a `model_type`. */
const CLASSES: Record<string, string> = {
  gemma2: "Gemma2ForCausalLM",
  gemma3_text: "Gemma3ForCausalLM",
  llama: "LlamaForCausalLM",
  qwen3: "Qwen3ForCausalLM",
};

const WIDTHS: Partial<Record<StoredDtype, number>> = { F32: 4, F16: 2, BF16: 2, U8: 1 };

async function writeWeights(dir: string, tensors: Map<string, TensorToWrite>, limit: number, { flush }: SaveOptions) {
  const count = ({ shape }: TensorToWrite) => shape.reduce((a, b) => a * b, 1);
  const bytes = (tensor: TensorToWrite) => count(tensor) * WIDTHS[tensor.dtype]!;
  const sum = (size: (tensor: TensorToWrite) => number) => [...tensors.values()].reduce((a, b) => a + size(b), 0);
  const shards: Map<string, TensorToWrite>[] = [];
  let room = 0;
  for (const [name, tensor] of tensors) {
    if (shards.length === 0 || bytes(tensor) > room) {
      shards.push(new Map());
      room = limit;
    }
    shards.at(-1)!.set(name, tensor);
    room -= bytes(tensor);
  }
  const five = (n: number) => String(n).padStart(5, "0");
  const fileOf = (i: number) =>
    shards.length === 1 ? "model.safetensors" : `model-${five(i + 1)}-of-${five(shards.length)}.safetensors`;
  const written = new Set<string>();
  for (const [i, shard] of shards.entries()) {
    await writeSafetensors(join(dir, fileOf(i)), shard, { format: "pt" }, { flush });
    written.add(fileOf(i));
  }
  if (shards.length > 1) {
    const weight_map = Object.fromEntries(shards.flatMap((s, i) => [...s.keys()].map((name) => [name, fileOf(i)])));
    const metadata = { total_parameters: sum(count), total_size: sum(bytes) };
    await writeConfig(join(dir, "model.safetensors.index.json"), { metadata, weight_map });
    written.add("model.safetensors.index.json");
  }
  // What an earlier save left would be read instead of, or beside, what was just written.
  for (const file of await readdir(dir)) {
    const ours = /^model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/.test(file);
    if (ours && !written.has(file)) await rm(join(dir, file));
  }
}

function shardBytes(size: number | string): number {
  if (typeof size === "number") return size;
  const match = /^(\d+(?:\.\d+)?)\s*(KB|MB|GB|KIB|MIB|GIB)$/i.exec(size);
  if (!match) throw new RangeError(`max_shard_size: ${size} is neither a number of bytes nor like "5GB"`);
  const base = match[2]!.toUpperCase().includes("I") ? 1024 : 1000;
  return Number(match[1]) * base ** (["K", "M", "G"].indexOf(match[2]![0]!.toUpperCase()) + 1);
}
