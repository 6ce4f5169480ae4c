import type { Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { type Architecture, linearModules } from "../architecture.js";
import type { PreTrainedModel } from "../decoder/base-model.js";
import type { Weights } from "../decoder/decoder.js";
import { checkParameters, DecoderModel, type Head } from "../decoder/decoder-model.js";
import type { FloatDtype } from "../dtype.js";
import { ModelError } from "../errors.js";
import { type HubOptions, pretrainedFolder } from "../files/hub.js";
import type { DropoutMask, ModelConfig, NamedTensors, StepOptions } from "../types.js";
import { type AdapterLayout, adapterLayout } from "./adapter-layout.js";
import { dropoutName, initialAdapters, mergedWeight, withAdapters } from "./lora.js";
import type { LoraConfig } from "./lora-config.js";
import { readAdapter, saveAdapter } from "./peft-files.js";
import { DEFAULT_TARGETS } from "./target-modules.js";

/**
 * A frozen base model with a trainable LoRA adapter, as PEFT's `PeftModel`. Parameter names are those of
 * `adapter_model.safetensors`. It owns its base: disposing one disposes both.
 */
export class PeftModel extends DecoderModel {
  readonly peft_config: LoraConfig;
  private readonly layout: AdapterLayout;
  private params: NamedTensors;

  /** @param params the adapter's tensors; the model owns them from now on */
  constructor(
    readonly base: PreTrainedModel,
    config: LoraConfig,
    params: NamedTensors,
  ) {
    super();
    base.requiresGrad(false);
    const base_model_name_or_path = config.fields.base_model_name_or_path ?? base.name_or_path;
    this.peft_config = config.with({ base_model_name_or_path, target_modules: plainTargets(config, base.arch) });
    this.layout = adapterLayout(base.arch, config.fields);
    this.params = Object.fromEntries([...this.layout.tensors.keys()].map((name) => [name, params[name]!]));
    for (const tensor of Object.values(params)) tf.keep(tensor);
  }

  /**
   * Puts a saved adapter onto a base model and makes it trainable.
   * @param nameOrPath a folder, or a hub id, with `adapter_config.json` and `adapter_model.safetensors`
   * @throws PretrainedFilesError when a file is missing, or names of the adapter's tensors are missing or unexpected
   */
  static async fromPretrained(base: PreTrainedModel, nameOrPath: string, options: HubOptions = {}): Promise<PeftModel> {
    const dir = await pretrainedFolder(nameOrPath, options);
    const { config, tensors } = await readAdapter(dir, (config) => shapesOf(adapterLayout(base.arch, config.fields)));
    return new PeftModel(base, config, tensors);
  }

  get config(): ModelConfig {
    return this.base.config;
  }
  get name_or_path(): string {
    return this.base.name_or_path;
  }
  get dtype(): FloatDtype {
    return this.base.dtype;
  }
  get arch(): Architecture {
    return this.base.arch;
  }
  get generation_config(): Record<string, unknown> {
    return this.base.generation_config;
  }

  override prepareSteps(): void {
    this.base.prepareSteps();
  }

  trainableParameters(): NamedTensors {
    return { ...this.params };
  }

  setTrainableParameters(values: NamedTensors): void {
    checkParameters(values, shapesOf(this.layout));
    for (const [name, tensor] of Object.entries(values)) {
      const old = this.params[name]!;
      if (old === tensor) continue;
      this.params[name] = tf.keep(tensor);
      old.dispose();
    }
  }

  parameterCounts() {
    let { total, embedding } = this.base.parameterCounts();
    let trainable = 0;
    for (const { shape, replaces, copy } of this.layout.tensors.values()) {
      const size = shape.reduce((a, b) => a * b, 1);
      trainable += size;
      if (copy || !replaces) total += size;
      if (copy && replaces === "model.embed_tokens.weight") embedding += size;
    }
    return { trainable, total, embedding };
  }

  /** PEFT's line, such as `trainable params: 6,389,760 || all params: 2,620,731,648 || trainable%: 0.2438`. */
  printTrainableParameters(): void {
    const { trainable, total } = this.parameterCounts();
    const share = ((100 * trainable) / total).toFixed(4);
    const number = (n: number) => n.toLocaleString("en-US");
    console.log(`trainable params: ${number(trainable)} || all params: ${number(total)} || trainable%: ${share}`);
  }

  dropoutMasks(batch: number, seq: number): DropoutMask[] {
    const rate = this.peft_config.lora_dropout;
    if (rate === 0) return [];
    return [...this.layout.adapters.values()].map((adapter) => ({
      name: dropoutName(adapter.module),
      shape: [batch, seq, adapter.in],
      rate,
    }));
  }

  bind(params: NamedTensors, options: StepOptions = {}): Weights {
    const own: NamedTensors = {};
    for (const [name, { replaces }] of this.layout.tensors) if (replaces) own[replaces] = params[name]!;
    return withAdapters(this.base.bind(own), this.layout.adapters, params, options.dropout);
  }

  head(params: NamedTensors): Head {
    const own = params["base_model.model.lm_head.weight"] as Tensor2D | undefined;
    return own ? { weight: own, trains: true } : this.base.head({});
  }

  /**
   * Adds the adapter into the base weights and gives the base model back, frozen, without the adapter. This model must
   * not be used afterwards. A 4-bit base is quantised again, which loses some of the adapter: better merge into the
   * unquantised model.
   */
  mergeAndUnload(): PreTrainedModel {
    const copies = [...this.layout.tensors].filter(([, { copy }]) => copy);
    if (this.arch.tiedHead && copies.some(([, { replaces }]) => /^(lm_head|model\.embed_tokens)\./.test(replaces!))) {
      throw new ModelError(
        "an adapter that trains embed_tokens or lm_head of a model with tied embeddings cannot be merged into it",
      );
    }
    this.forgetTraces();
    if (this.base.quantization_config) {
      console.warn("merging into a 4-bit base rounds the adapter's changes to 4 bit; merge into the unquantised model");
    }
    const weights = this.base.bind({});
    for (const adapter of this.layout.adapters.values()) {
      const merged = tf.tidy(() => mergedWeight(weights, adapter, this.params));
      this.base.replaceParameters({ [`${adapter.module}.weight`]: merged });
    }
    for (const [name, { replaces }] of this.layout.tensors) {
      if (replaces) this.base.replaceParameters({ [replaces]: tf.clone(this.params[name]!) });
    }
    this.disposeAdapter();
    return this.base;
  }

  /** Writes `adapter_config.json` and `adapter_model.safetensors`, which PEFT loads. */
  savePretrained(dir: string, options: { flush?: boolean } = {}): Promise<void> {
    return saveAdapter(dir, this.peft_config, this.params, options);
  }

  /** Writes the base model's `config.json`, which `savePretrained` leaves out as PEFT does. */
  saveConfig(dir: string): Promise<void> {
    return this.base.saveConfig(dir);
  }

  override dispose(): void {
    super.dispose();
    this.disposeAdapter();
    this.base.dispose();
  }

  private disposeAdapter(): void {
    for (const tensor of Object.values(this.params)) tensor.dispose();
    this.params = {};
  }
}

/**
 * Freezes `model` and gives it a new LoRA adapter, as PEFT's `get_peft_model`.
 * @param options.seed the first values are those that PEFT draws after `torch.manual_seed(seed)`; default 42
 */
export function getPeftModel(model: PreTrainedModel, config: LoraConfig, { seed = 42 } = {}): PeftModel {
  const { adapters, tensors } = adapterLayout(model.arch, config.fields);
  const values = initialAdapters(model.bind({}), adapters.values(), config.fields, seed);
  for (const [name, { replaces }] of tensors) if (replaces) values[name] = model.trainableCopy(replaces);
  return new PeftModel(model, config, values);
}

const shapesOf = ({ tensors }: AdapterLayout): Map<string, number[]> =>
  new Map([...tensors].map(([name, { shape }]) => [name, shape]));

/** "all-linear" and the default, spelled out, as PEFT stores them. */
function plainTargets({ target_modules }: LoraConfig, arch: Architecture): string[] | string {
  if (target_modules === null) return DEFAULT_TARGETS;
  if (typeof target_modules !== "string" || target_modules.toLowerCase() !== "all-linear") return target_modules;
  return [...new Set(linearModules(arch).map((name) => name.split(".").at(-1)!))].sort();
}
