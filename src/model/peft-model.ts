import * as tf from "@tensorflow/tfjs";
import { type Architecture, linearModules, parameterShapes } from "./architecture.js";
import type { PreTrainedModel } from "./base-model.js";
import type { Weights } from "./decoder.js";
import { checkParameters, DecoderModel } from "./decoder-model.js";
import type { FloatDtype } from "./dtype.js";
import { type Adapter, adapterNames, dropoutName, initialAdapters, mergedWeight, withAdapters } from "./lora.js";
import type { LoraConfig } from "./lora-config.js";
import { readAdapter, saveAdapter } from "./peft-files.js";
import { DEFAULT_TARGETS, findTargets } from "./target-modules.js";
import type { DropoutMask, ModelConfig, NamedTensors, StepOptions } from "./types.js";

/**
 * A frozen base model with a trainable LoRA adapter, as PEFT's `PeftModel`. Parameter names are those of
 * `adapter_model.safetensors`. It owns its base: disposing one disposes both.
 */
export class PeftModel extends DecoderModel {
  readonly peft_config: LoraConfig;
  private readonly adapters: ReadonlyMap<string, Adapter>;
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
    this.adapters = new Map(adaptersOf(base.arch, config).map((adapter) => [adapter.module, adapter]));
    this.params = params;
    for (const tensor of Object.values(params)) tf.keep(tensor);
  }

  /**
   * Puts a saved adapter onto a base model and makes it trainable.
   * @param dir a folder with `adapter_config.json` and `adapter_model.safetensors`
   * @throws PretrainedFilesError when a file is missing, or names of the adapter's tensors are missing or unexpected
   */
  static async fromPretrained(base: PreTrainedModel, dir: string): Promise<PeftModel> {
    const { config, tensors } = await readAdapter(dir, (config) => adapterShapes(base.arch, config));
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

  trainableParameters(): NamedTensors {
    return { ...this.params };
  }

  setTrainableParameters(values: NamedTensors): void {
    checkParameters(values, new Map(Object.entries(this.params).map(([name, { shape }]) => [name, shape])));
    for (const [name, tensor] of Object.entries(values)) {
      const old = this.params[name]!;
      if (old === tensor) continue;
      this.params[name] = tf.keep(tensor);
      old.dispose();
    }
  }

  parameterCounts() {
    const { total, embedding } = this.base.parameterCounts();
    const trainable = Object.values(this.params).reduce((sum, tensor) => sum + tensor.size, 0);
    return { trainable, total: total + trainable, embedding };
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
    return [...this.adapters.values()].map((adapter) => ({
      name: dropoutName(adapter.module),
      shape: [batch, seq, adapter.in],
      rate,
    }));
  }

  bind(params: NamedTensors, options: StepOptions = {}): Weights {
    return withAdapters(this.base.bind({}), this.adapters, params, options.dropout);
  }

  head(): { name: string; trains: boolean } {
    return { ...this.base.head({}), trains: false };
  }

  /**
   * Adds the adapter into the base weights and gives the base model back, frozen, without the adapter. This model must
   * not be used afterwards. A 4-bit base is quantised again, which loses some of the adapter: better merge into the
   * unquantised model.
   */
  mergeAndUnload(): PreTrainedModel {
    this.forgetTraces();
    if (this.base.quantization_config) {
      console.warn("merging into a 4-bit base rounds the adapter's changes to 4 bit; merge into the unquantised model");
    }
    for (const adapter of this.adapters.values()) {
      const name = `${adapter.module}.weight`;
      const weight = this.base.materialize(name);
      const merged = mergedWeight(weight, adapter, this.params);
      weight.dispose();
      this.base.replaceParameters({ [name]: merged });
    }
    this.disposeAdapter();
    return this.base;
  }

  /** Writes `adapter_config.json` and `adapter_model.safetensors`, which PEFT loads. */
  savePretrained(dir: string): Promise<void> {
    return saveAdapter(dir, this.peft_config, this.params);
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
  const adapters = adaptersOf(model.arch, config);
  return new PeftModel(model, config, initialAdapters(adapters, config.fields, seed));
}

function adaptersOf(arch: Architecture, config: LoraConfig): Adapter[] {
  const shapes = parameterShapes(arch);
  const linear = linearModules(arch);
  const others = [...shapes.keys()]
    .filter((name) => name.endsWith(".weight"))
    .map((name) => name.slice(0, -".weight".length))
    .filter((name) => !linear.includes(name));
  if (arch.tiedHead) others.push("lm_head");
  return findTargets(config.fields, linear, others).map((target) => {
    const [out, input] = shapes.get(`${target.module}.weight`) as [number, number];
    return { ...target, in: input, out };
  });
}

/** "all-linear" and the default, spelled out, as PEFT stores them. */
function plainTargets({ target_modules }: LoraConfig, arch: Architecture): string[] | string {
  if (target_modules === null) return DEFAULT_TARGETS;
  if (typeof target_modules !== "string" || target_modules.toLowerCase() !== "all-linear") return target_modules;
  return [...new Set(linearModules(arch).map((name) => name.split(".").at(-1)!))].sort();
}

function adapterShapes(arch: Architecture, config: LoraConfig): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  for (const adapter of adaptersOf(arch, config)) {
    const { A, B } = adapterNames(adapter);
    shapes.set(A, [adapter.r, adapter.in]);
    shapes.set(B, [adapter.out, adapter.r]);
  }
  return shapes;
}
