import type { Tensor, Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { type Architecture, architectureOf, parameterShapes } from "../architecture.js";
import type { FloatDtype } from "../dtype.js";
import { ModelError } from "../errors.js";
import { type SaveOptions, savePretrainedFiles, writeModelConfig } from "../files/save-pretrained.js";
import type { BitsAndBytesConfig } from "../four-bit/bits-and-bytes.js";
import type { FourBitMatrix } from "../four-bit/four-bit-linear.js";
import { widen } from "../narrow-tensor.js";
import type { DropoutMask, ModelConfig, NamedTensors } from "../types.js";
import type { Weights } from "./decoder.js";
import { checkParameters, DecoderModel, type Head } from "./decoder-model.js";

export interface BaseModelParts {
  config: ModelConfig;
  generation_config?: Record<string, unknown>;
  name_or_path: string;
  dtype: FloatDtype;
  /** Parameters by state dict name; the model owns them from now on. */
  tensors: Map<string, Tensor>;
  /** Weights in 4 bit, by state dict name; such a model is frozen. */
  quantized?: Map<string, FourBitMatrix>;
  quantization_config?: BitsAndBytesConfig;
}

/** Up to this size, all weights of a 4-bit model are decoded once: a step on so small a model spends a third of its time on that. */
const DECODED_BYTES = 2 ** 26;

/** A decoder with its own weights, as `AutoModelForCausalLM` makes it. All of them train until `requiresGrad(false)`. */
export class PreTrainedModel extends DecoderModel {
  readonly config: ModelConfig;
  readonly generation_config: Record<string, unknown>;
  readonly name_or_path: string;
  readonly dtype: FloatDtype;
  readonly arch: Architecture;
  /** How the weights were quantised; undefined: they were not. */
  readonly quantization_config: BitsAndBytesConfig | undefined;
  private readonly tensors: Map<string, Tensor>;
  private readonly quantized: Map<string, FourBitMatrix>;
  private trains: boolean;

  constructor(parts: BaseModelParts) {
    super();
    const { config, generation_config = {}, name_or_path, dtype, tensors, quantized = new Map() } = parts;
    this.config = config;
    this.generation_config = generation_config;
    this.name_or_path = name_or_path;
    this.dtype = dtype;
    this.arch = architectureOf(config, dtype);
    this.tensors = tensors;
    this.quantized = quantized;
    this.quantization_config = parts.quantization_config;
    this.trains = quantized.size === 0;
    for (const tensor of tensors.values()) tf.keep(tensor);
    if (Number(config.attention_dropout ?? 0) > 0) {
      console.warn(`${name_or_path}: attention_dropout ${config.attention_dropout} is not applied when training`);
    }
  }

  /**
   * Whether the weights train (as `requires_grad_` in torch). Adapters freeze their base.
   * @throws ModelError when 4-bit weights are asked to train
   */
  requiresGrad(trains: boolean): this {
    if (trains && this.quantized.size > 0) {
      throw new ModelError(
        "weights in 4 bit cannot train: put an adapter on the model (getPeftModel), or load it unquantised",
      );
    }
    if (trains !== this.trains) this.forgetTraces();
    this.trains = trains;
    return this;
  }

  trainableParameters(): NamedTensors {
    return this.trains ? Object.fromEntries(this.tensors) : {};
  }

  /** Every parameter that is not in 4 bit, whether it trains or not. Owned by the model. */
  parameters(): ReadonlyMap<string, Tensor> {
    return this.tensors;
  }

  /** A parameter in float32, decoded if it is in 4 bit. The caller disposes it. */
  materialize(name: string): Tensor {
    return this.quantized.get(name)?.dequantize() ?? tf.clone(this.tensors.get(name)!);
  }

  /**
   * A copy for an adapter to train (`modules_to_save`, `bias`). For a tied head, `lm_head.weight` is the embedding.
   * @throws ModelError for a weight in 4 bit
   */
  trainableCopy(name: string): Tensor {
    if (this.quantized.has(name)) {
      throw new ModelError(`${name} is in 4 bit and cannot train: name it in llm_int8_skip_modules to keep it whole`);
    }
    return tf.clone(this.tensors.get(name) ?? this.head({}).weight);
  }

  /** Replaces parameters, also of a frozen model (`mergeAndUnload` does). Takes ownership. */
  replaceParameters(values: NamedTensors): void {
    checkParameters(values, parameterShapes(this.arch));
    for (const [name, tensor] of Object.entries(values)) {
      const packed = this.quantized.get(name);
      if (packed) {
        this.quantized.set(name, packed.requantize(tensor));
        packed.dispose();
        tensor.dispose();
        continue;
      }
      const old = this.tensors.get(name)!;
      if (old === tensor) continue;
      this.tensors.set(name, tf.keep(tensor));
      old.dispose();
    }
    if (!this.trains) this.forgetTraces();
  }

  override prepareSteps(): void {
    if (this.quantized.size === 0 || 4 * this.parameterCounts().total > DECODED_BYTES) return;
    for (const matrix of this.quantized.values()) matrix.keepDecoded();
    for (const tensor of this.tensors.values()) widen(tensor);
  }

  setTrainableParameters(values: NamedTensors): void {
    if (!this.trains) throw new ModelError("the model is frozen: it has no trainable parameters");
    this.replaceParameters(values);
  }

  parameterCounts() {
    let total = 0;
    for (const shape of parameterShapes(this.arch).values()) total += shape.reduce((a, b) => a * b, 1);
    const embedding = this.arch.vocabSize * this.arch.hiddenSize;
    return { trainable: this.trains ? total : 0, total, embedding };
  }

  dropoutMasks(): DropoutMask[] {
    return [];
  }

  bind(params: NamedTensors): Weights {
    const get = (name: string) => params[name] ?? this.tensors.get(name) ?? this.quantized.get(name)?.dequantize();
    return {
      get,
      trains: (name) => name in params,
      linear: (name, x, bias = true) => {
        const key = `${name}.weight`;
        const packed = key in params ? undefined : this.quantized.get(key);
        const y: Tensor2D = packed ? packed.linear(x) : tf.matMul(x, get(key) as Tensor2D, false, true);
        const offset = bias ? get(`${name}.bias`) : undefined;
        return offset ? tf.add(y, offset) : y;
      },
    };
  }

  head(params: NamedTensors): Head {
    const name = this.arch.tiedHead ? "model.embed_tokens.weight" : "lm_head.weight";
    return { weight: (params[name] ?? this.tensors.get(name)) as Tensor2D, trains: name in params };
  }

  /** The weights in 4 bit by name; they are not among `parameters()`. */
  quantizedParameters(): ReadonlyMap<string, FourBitMatrix> {
    return this.quantized;
  }

  /**
   * Writes `config.json`, `generation_config.json` and the weights, in one file or in shards with an index; weights in
   * 4 bit as bitsandbytes serialises them.
   */
  async savePretrained(dir: string, options: SaveOptions = {}): Promise<void> {
    await savePretrainedFiles(dir, this, options);
  }

  /** Writes `config.json` alone, without weights. */
  saveConfig(dir: string): Promise<void> {
    return writeModelConfig(dir, this, this.dtype);
  }

  override dispose(): void {
    super.dispose();
    for (const tensor of this.tensors.values()) tensor.dispose();
    this.tensors.clear();
    for (const matrix of this.quantized.values()) matrix.dispose();
    this.quantized.clear();
  }
}
