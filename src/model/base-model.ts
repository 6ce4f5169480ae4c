import type { Tensor, Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { type Architecture, architectureOf, parameterShapes } from "./architecture.js";
import type { Weights } from "./decoder.js";
import { checkParameters, DecoderModel } from "./decoder-model.js";
import type { FloatDtype } from "./dtype.js";
import { type SaveOptions, savePretrainedFiles } from "./save-pretrained.js";
import type { DropoutMask, ModelConfig, NamedTensors } from "./types.js";

export interface BaseModelParts {
  config: ModelConfig;
  generation_config?: Record<string, unknown>;
  name_or_path: string;
  dtype: FloatDtype;
  /** Every parameter by state dict name; the model owns them from now on. */
  tensors: Map<string, Tensor>;
}

/** A decoder with its own weights, as `AutoModelForCausalLM` makes it. All of them train until `requiresGrad(false)`. */
export class PreTrainedModel extends DecoderModel {
  readonly config: ModelConfig;
  readonly generation_config: Record<string, unknown>;
  readonly name_or_path: string;
  readonly dtype: FloatDtype;
  readonly arch: Architecture;
  private readonly tensors: Map<string, Tensor>;
  private trains = true;

  constructor({ config, generation_config = {}, name_or_path, dtype, tensors }: BaseModelParts) {
    super();
    this.config = config;
    this.generation_config = generation_config;
    this.name_or_path = name_or_path;
    this.dtype = dtype;
    this.arch = architectureOf(config, dtype);
    this.tensors = tensors;
    for (const tensor of tensors.values()) tf.keep(tensor);
  }

  /** Whether the weights train (as `requires_grad_` in torch). Adapters freeze their base. */
  requiresGrad(trains: boolean): this {
    if (trains !== this.trains) this.forgetTraces();
    this.trains = trains;
    return this;
  }

  trainableParameters(): NamedTensors {
    return this.trains ? Object.fromEntries(this.tensors) : {};
  }

  /** Every parameter, whether it trains or not. Owned by the model. */
  parameters(): ReadonlyMap<string, Tensor> {
    return this.tensors;
  }

  /** Replaces parameters, also of a frozen model (`mergeAndUnload` does). Takes ownership. */
  replaceParameters(values: NamedTensors): void {
    checkParameters(values, Object.fromEntries(this.tensors));
    for (const [name, tensor] of Object.entries(values)) {
      const old = this.tensors.get(name)!;
      if (old === tensor) continue;
      this.tensors.set(name, tf.keep(tensor));
      old.dispose();
    }
    if (!this.trains) this.forgetTraces();
  }

  setTrainableParameters(values: NamedTensors): void {
    checkParameters(values, this.trainableParameters());
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
    const get = (name: string) => params[name] ?? this.tensors.get(name)!;
    return {
      get,
      linear: (name, x) => {
        const y: Tensor2D = tf.matMul(x, get(`${name}.weight`) as Tensor2D, false, true);
        const bias = get(`${name}.bias`);
        return bias ? tf.add(y, bias) : y;
      },
    };
  }

  head(params: NamedTensors) {
    const name = this.arch.tiedHead ? "model.embed_tokens.weight" : "lm_head.weight";
    return { name, trains: name in params };
  }

  /** Writes `config.json`, `generation_config.json` and the weights, in one file or in shards with an index. */
  savePretrained(dir: string, options: SaveOptions = {}): Promise<void> {
    return savePretrainedFiles(dir, this, options);
  }

  override dispose(): void {
    super.dispose();
    for (const tensor of this.tensors.values()) tensor.dispose();
    this.tensors.clear();
  }
}
