import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Tensor } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { type Architecture, architectureOf, linearModules, parameterShapes } from "./architecture.js";
import { PreTrainedModel } from "./decoder/base-model.js";
import { randomWeights } from "./decoder/init.js";
import { type FloatDtype, roundArray } from "./dtype.js";
import { listed, PretrainedFilesError, UnsupportedModelError } from "./errors.js";
import { configDtype, generationConfigFrom, readConfig, readGenerationConfig } from "./files/config-files.js";
import { type HubOptions, pretrainedFolder } from "./files/hub.js";
import { STORED_DTYPES } from "./files/safetensors.js";
import { openWeights, type WeightFiles } from "./files/weight-files.js";
import { BitsAndBytesConfig } from "./four-bit/bits-and-bytes.js";
import { quantize4bit } from "./four-bit/four-bit.js";
import { isFourBit, isFourBitPart, readFourBit } from "./four-bit/four-bit-files.js";
import { FourBitMatrix } from "./four-bit/four-bit-linear.js";
import { hasNarrowTensors, narrowTensor } from "./narrow-tensor.js";
import { isPartOf } from "./peft/target-modules.js";
import type { ModelConfig } from "./types.js";

export interface FromPretrainedOptions extends HubOptions {
  /** What the weights are rounded to, and saved as; default "auto": as stored. Computation is float32 in any case. */
  dtype?: FloatDtype | "auto";
  /** Keeps the linear modules of the layers in 4 bit, frozen: the base of QLoRA. */
  quantization_config?: BitsAndBytesConfig;
}

export const AutoModelForCausalLM = {
  /**
   * Loads a model from a Hugging Face folder (`config.json` and safetensors, single or sharded), tensor by tensor, or
   * by its hub id ("google/gemma-2-2b-jpn-it") through the Hugging Face cache; see `pretrainedFolder`.
   * All parameters train until the model is frozen (`getPeftModel` does that).
   * @throws PretrainedFilesError when a file, a parameter or a shape is missing or does not fit
   * @throws UnsupportedModelError when the config asks for something that this library does not compute
   */
  async fromPretrained(nameOrPath: string, options: FromPretrainedOptions = {}): Promise<PreTrainedModel> {
    const dir = await pretrainedFolder(nameOrPath, options);
    if (!existsSync(join(dir, "config.json")) && existsSync(join(dir, "adapter_config.json"))) {
      throw new PretrainedFilesError(`${dir} is an adapter: load it with AutoPeftModelForCausalLM.fromPretrained`);
    }
    const config = await readConfig(dir);
    const weights = await openWeights(dir);
    const tensors = new Map<string, Tensor>();
    const quantized = new Map<string, FourBitMatrix>();
    try {
      const quantization_config = options.quantization_config ?? storedQuantization(config);
      const dtype = chooseDtype(options.dtype ?? "auto", config, weights);
      const arch = architectureOf(config, dtype);
      const shapes = parameterShapes(arch);
      checkNames(dir, shapes, weights);
      const inFourBit = fourBitNames(arch, quantization_config);
      for (const [name, shape] of shapes) {
        if (isFourBit(weights, name)) {
          quantized.set(name, new FourBitMatrix(await readFourBit(weights, name, shape)));
          continue;
        }
        const narrow = quantization_config?.fields.load_in_4bit && narrowType(name, dtype, weights);
        if (narrow && !inFourBit.has(name)) {
          tensors.set(name, narrowTensor(await weights.readBits(name), shape, narrow));
          continue;
        }
        const stored = await weights.read(name);
        const values = stored.values as Float32Array;
        if (stored.dtype !== STORED_DTYPES[dtype]) roundArray(values, dtype);
        if (inFourBit.has(name)) quantized.set(name, quantized4bit(values, shape, quantization_config!));
        else tensors.set(name, tf.tensor(values, shape, "float32"));
      }
      const generation_config = await readGenerationConfig(dir, config);
      const parts = { config, generation_config, name_or_path: nameOrPath, dtype, tensors, quantized };
      return new PreTrainedModel({ ...parts, ...(quantized.size > 0 && { quantization_config }) });
    } catch (error) {
      for (const tensor of [...tensors.values(), ...quantized.values()]) tensor.dispose();
      throw error;
    } finally {
      await weights.close();
    }
  },

  /**
   * A model with random weights: normal with `initializer_range` for matrices, neutral norms. The same seed gives the
   * same weights everywhere.
   */
  fromConfig(config: ModelConfig, { seed = 0, dtype }: { seed?: number; dtype?: FloatDtype } = {}): PreTrainedModel {
    const chosen = dtype ?? configDtype(config) ?? "float32";
    const tensors = randomWeights(architectureOf(config, chosen), seed, chosen);
    const generation_config = generationConfigFrom(config);
    return new PreTrainedModel({ config, generation_config, name_or_path: "", dtype: chosen, tensors });
  },
};

function chooseDtype(asked: FloatDtype | "auto", config: ModelConfig, weights: WeightFiles): FloatDtype {
  if (asked !== "auto") return asked;
  const stored = { F32: "float32", F16: "float16", BF16: "bfloat16" } as const;
  const first = weights.entries.values().next().value?.dtype;
  return configDtype(config) ?? stored[first as keyof typeof stored] ?? "float32";
}

/** How a checkpoint that was saved in 4 bit was quantised. */
function storedQuantization(config: ModelConfig): BitsAndBytesConfig | undefined {
  const stored = config.quantization_config as Record<string, unknown> | undefined;
  if (!stored) return undefined;
  if (stored.quant_method !== "bitsandbytes") {
    throw new UnsupportedModelError(
      `not supported: quantisation ${stored.quant_method}; supported: bitsandbytes in 4 bit`,
    );
  }
  const { quant_method: _, _load_in_4bit: __, _load_in_8bit: ___, ...fields } = stored;
  return new BitsAndBytesConfig(fields);
}

/** transformers quantises every linear module except the output head and what `llm_int8_skip_modules` names. */
function fourBitNames(arch: Architecture, config: BitsAndBytesConfig | undefined): Set<string> {
  if (!config?.fields.load_in_4bit) return new Set();
  const skipped = config.fields.llm_int8_skip_modules ?? [];
  const modules = linearModules(arch).filter((module) => !isPartOf(module, skipped));
  return new Set(modules.map((module) => `${module}.weight`));
}

function quantized4bit(values: Float32Array, shape: number[], { fields }: BitsAndBytesConfig): FourBitMatrix {
  const format = { type: fields.bnb_4bit_quant_type, double: fields.bnb_4bit_use_double_quant };
  return new FourBitMatrix(quantize4bit(values, shape, format));
}

/** The tables of a large vocabulary are most of a 4-bit model. They are frozen, and of as few bits as on the disk. */
const TABLES = ["model.embed_tokens.weight", "lm_head.weight"];

/** The 16 bits in which a table can stay without a rounding; undefined: it has more, or the engine cannot. */
function narrowType(name: string, dtype: FloatDtype, { entries }: WeightFiles): "float16" | "bfloat16" | undefined {
  const stored = ({ F16: "float16", BF16: "bfloat16" } as const)[entries.get(name)!.dtype as "F16" | "BF16"];
  const exact = dtype === "float32" || dtype === stored;
  return TABLES.includes(name) && exact && hasNarrowTensors() ? stored : undefined;
}

function checkNames(dir: string, shapes: Map<string, number[]>, weights: WeightFiles): void {
  const missing = [...shapes.keys()].filter((name) => !weights.entries.has(name));
  if (missing.length) throw new PretrainedFilesError(`${dir}: parameters missing from the weights: ${listed(missing)}`);
  // A tied head may be stored twice, and old checkpoints hold RoPE tables; neither is a parameter.
  const unexpected = [...weights.entries.keys()].filter(
    (name) =>
      !shapes.has(name) &&
      name !== "lm_head.weight" &&
      !name.endsWith("rotary_emb.inv_freq") &&
      !(isFourBitPart(name) && isFourBit(weights, name.slice(0, name.indexOf(".weight.") + ".weight".length))),
  );
  if (unexpected.length) {
    throw new PretrainedFilesError(`${dir}: parameters that this model does not have: ${listed(unexpected)}`);
  }
  for (const [name, shape] of shapes) {
    if (isFourBit(weights, name)) continue;
    const entry = weights.entries.get(name)!;
    if (`${entry.shape}` !== `${shape}`) {
      throw new PretrainedFilesError(
        `${join(dir, "config.json")} asks for ${name} of shape [${shape}], but the weights hold [${entry.shape}]`,
      );
    }
    if (!["F32", "F16", "BF16", "F64"].includes(entry.dtype)) {
      throw new PretrainedFilesError(`${dir}: ${name} is stored as ${entry.dtype}; supported: F32, F16, BF16`);
    }
  }
}
