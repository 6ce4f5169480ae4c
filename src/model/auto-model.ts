import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Tensor } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { architectureOf, parameterShapes } from "./architecture.js";
import { PreTrainedModel } from "./base-model.js";
import { configDtype, generationConfigFrom, readConfig, readGenerationConfig } from "./config-files.js";
import { type FloatDtype, roundArray } from "./dtype.js";
import { listed, PretrainedFilesError } from "./errors.js";
import { randomWeights } from "./init.js";
import type { ModelConfig } from "./types.js";
import { openWeights, type WeightFiles } from "./weight-files.js";

export interface FromPretrainedOptions {
  /** What the weights are rounded to, and saved as; default "auto": as stored. Computation is float32 in any case. */
  dtype?: FloatDtype | "auto";
}

export const AutoModelForCausalLM = {
  /**
   * Loads a model from a Hugging Face folder (`config.json` and safetensors, single or sharded), tensor by tensor.
   * All parameters train until the model is frozen (`getPeftModel` does that).
   * @throws PretrainedFilesError when a file, a parameter or a shape is missing or does not fit
   * @throws UnsupportedModelError when the config asks for something that this library does not compute
   */
  async fromPretrained(dir: string, options: FromPretrainedOptions = {}): Promise<PreTrainedModel> {
    if (!existsSync(dir) || !statSync(dir).isDirectory()) {
      throw new PretrainedFilesError(`there is no model folder ${dir}`);
    }
    const config = await readConfig(dir);
    const weights = await openWeights(dir);
    const tensors = new Map<string, Tensor>();
    try {
      const dtype = chooseDtype(options.dtype ?? "auto", config, weights);
      const shapes = parameterShapes(architectureOf(config, dtype));
      checkNames(dir, shapes, weights);
      for (const name of shapes.keys()) tensors.set(name, await load(weights, name, dtype));
      const generation_config = await readGenerationConfig(dir, config);
      return new PreTrainedModel({ config, generation_config, name_or_path: dir, dtype, tensors });
    } catch (error) {
      for (const tensor of tensors.values()) tensor.dispose();
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

async function load(weights: WeightFiles, name: string, dtype: FloatDtype): Promise<Tensor> {
  const { values, shape } = await weights.read(name);
  return tf.tensor(roundArray(values as Float32Array, dtype), shape, "float32");
}

function checkNames(dir: string, shapes: Map<string, number[]>, weights: WeightFiles): void {
  const missing = [...shapes.keys()].filter((name) => !weights.entries.has(name));
  if (missing.length) throw new PretrainedFilesError(`${dir}: parameters missing from the weights: ${listed(missing)}`);
  // A tied head may be stored twice, and old checkpoints hold RoPE tables; neither is a parameter.
  const unexpected = [...weights.entries.keys()].filter(
    (name) => !shapes.has(name) && name !== "lm_head.weight" && !name.endsWith("rotary_emb.inv_freq"),
  );
  if (unexpected.length) {
    throw new PretrainedFilesError(`${dir}: parameters that this model does not have: ${listed(unexpected)}`);
  }
  for (const [name, shape] of shapes) {
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
