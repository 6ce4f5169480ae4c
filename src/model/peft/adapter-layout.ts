import { type Architecture, linearModules, parameterShapes } from "../architecture.js";
import { ModelError } from "../errors.js";
import { type Adapter, adapterNames } from "./lora.js";
import type { LoraConfigFields } from "./lora-config.js";
import { findTargets } from "./target-modules.js";

/** One trainable tensor of an adapted model. */
export interface AdapterTensor {
  shape: number[];
  /** State dict name of the base's parameter that it stands in for (`modules_to_save`, `bias`). */
  replaces?: string;
  /** It is a second copy beside the base's parameter, as PEFT counts parameters. */
  copy?: boolean;
}

export interface AdapterLayout {
  /** By the module's name in the base. */
  adapters: Map<string, Adapter>;
  /** By name in `adapter_model.safetensors`, in the order of torch's `named_parameters()`. */
  tensors: Map<string, AdapterTensor>;
}

/** What trains when `config` is put onto a base of this architecture. */
export function adapterLayout(arch: Architecture, config: Readonly<LoraConfigFields>): AdapterLayout {
  const shapes = parameterShapes(arch);
  if (arch.tiedHead && saves("lm_head", config)) shapes.set("lm_head.weight", shapes.get("model.embed_tokens.weight")!);
  const adapters = new Map(targetsOf(arch, config, shapes).map((adapter) => [adapter.module, adapter]));
  const tensors = new Map<string, AdapterTensor>();
  const saved = new Set<string>();
  for (const [name, shape] of shapes) {
    const [, module, kind] = /^(.*)\.(weight|bias)$/.exec(name) as unknown as [string, string, "weight" | "bias"];
    const adapter = adapters.get(module);
    if (saves(module, config)) {
      tensors.set(`base_model.model.${name}`, { shape, replaces: name, copy: true });
      saved.add(module);
      continue;
    }
    const biasTrains = config.bias === "all" || (config.bias === "lora_only" && adapter);
    if (kind === "bias" && biasTrains) {
      tensors.set(`base_model.model.${module}${adapter ? ".base_layer" : ""}.bias`, { shape, replaces: name });
    }
    if (adapter && (kind === "bias" || !shapes.has(`${module}.bias`))) {
      for (const [name, shape] of Object.entries(adapterShapes(adapter, config))) tensors.set(name, { shape });
    }
  }
  if (config.modules_to_save?.length && saved.size === 0) {
    throw new ModelError(`modules_to_save ${config.modules_to_save.join(", ")} not found in the base model`);
  }
  return { adapters, tensors };
}

function adapterShapes(adapter: Adapter, config: Readonly<LoraConfigFields>): Record<string, number[]> {
  const { A, B, magnitude } = adapterNames(adapter);
  return {
    [A]: [adapter.r, adapter.in],
    [B]: [adapter.out, adapter.r],
    ...(config.use_dora && { [magnitude]: [adapter.out] }),
  };
}

function targetsOf(
  arch: Architecture,
  config: Readonly<LoraConfigFields>,
  shapes: ReadonlyMap<string, number[]>,
): Adapter[] {
  const linear = linearModules(arch);
  const modules = [...shapes.keys()].filter((name) => name.endsWith(".weight")).map((name) => name.slice(0, -7));
  const others = modules.filter((name) => !linear.includes(name));
  if (!others.includes("lm_head")) others.push("lm_head");
  return findTargets(config, linear, others).map((target) => {
    const [out, input] = shapes.get(`${target.module}.weight`) as [number, number];
    return { ...target, in: input, out };
  });
}

/** PEFT copies a module, with all that is in it, when its name merely ends in one of `modules_to_save`. */
function saves(module: string, { modules_to_save: wanted }: Readonly<LoraConfigFields>): boolean {
  if (!wanted) return false;
  const segments = module.split(".");
  return segments.some((_, i) =>
    wanted.some((end) =>
      segments
        .slice(0, i + 1)
        .join(".")
        .endsWith(end),
    ),
  );
}
