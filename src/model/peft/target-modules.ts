import { ModelError } from "../errors.js";
import type { LoraConfigFields } from "./lora-config.js";

/** What PEFT targets by default in the supported model types. */
export const DEFAULT_TARGETS = ["q_proj", "v_proj"];

export interface Target {
  /** Full module name, such as `model.layers.0.self_attn.q_proj`. */
  module: string;
  r: number;
  scaling: number;
}

/**
 * The modules that get an adapter, in the model's order, by PEFT's rules.
 * @param linear names of the linear modules, without the output head
 * @param others names of all other modules: naming one of them as a target is an error
 * @throws ModelError when nothing matches, or something does that cannot have an adapter
 */
export function findTargets(config: Readonly<LoraConfigFields>, linear: string[], others: string[]): Target[] {
  const wanted = config.target_modules ?? DEFAULT_TARGETS;
  const all = typeof wanted === "string" && wanted.toLowerCase() === "all-linear";
  const matches = (name: string) => (all ? linear.includes(name) : matchesNames(name, wanted));
  const chosen = [...linear, ...others].filter(
    (name) =>
      matches(name) &&
      !(config.exclude_modules && matchesNames(name, config.exclude_modules)) &&
      !(config.modules_to_save && isPartOf(name, config.modules_to_save)) &&
      inLayers(name, config),
  );
  if (chosen.length === 0) {
    const shown = typeof wanted === "string" ? wanted : wanted.join(", ");
    throw new ModelError(
      `Target modules ${shown} not found in the base model; its linear modules end in ` +
        `${[...new Set(linear.map((name) => name.split(".").at(-1)))].join(", ")}`,
    );
  }
  const impossible = chosen.filter((name) => !linear.includes(name));
  if (impossible.length) {
    throw new ModelError(`LoRA on ${impossible.join(", ")} is not supported: only on the linear modules of the layers`);
  }
  return chosen.map((module) => {
    const r = patternValue(config.rank_pattern, module) ?? config.r;
    const alpha = patternValue(config.alpha_pattern, module) ?? config.lora_alpha;
    return { module, r, scaling: alpha / (config.use_rslora ? Math.sqrt(r) : r) };
  });
}

/** A string is a regular expression for the whole name; a list holds names, or ends of names at a dot. */
function matchesNames(name: string, patterns: string[] | string): boolean {
  if (typeof patterns === "string") return regex(`^(?:${patterns})$`).test(name);
  return patterns.some((pattern) => name === pattern || name.endsWith(`.${pattern}`));
}

/** Whether `name` is one of the modules, or lies inside one. */
export function isPartOf(name: string, modules: string[]): boolean {
  return modules.some((module) => `.${name}.`.includes(`.${module}.`));
}

function inLayers(name: string, { layers_to_transform: layers, layers_pattern: pattern }: LoraConfigFields): boolean {
  if (layers === null) return true;
  const patterns = pattern === null || pattern.length === 0 ? [] : [pattern].flat();
  const found = patterns.length
    ? patterns.map((p) => regex(`.*\\.${p}\\.(\\d+)\\.`).exec(name)).find((match) => match)
    : /^.*?\.[^.]*\.(\d+)\./.exec(name);
  return found !== undefined && found !== null && [layers].flat().includes(Number(found[1]));
}

function patternValue(patterns: Record<string, number>, module: string): number | undefined {
  const key = Object.keys(patterns).find((pattern) => regex(`^(?:.*\\.)?(?:${pattern})$`).test(module));
  return key === undefined ? undefined : patterns[key];
}

function regex(source: string): RegExp {
  // Python allows a needless backslash, as in "\\-"; JavaScript only without "u".
  for (const flags of ["u", ""]) {
    try {
      return new RegExp(source, flags);
    } catch {}
  }
  throw new ModelError(`LoraConfig: ${source} is not a valid regular expression`);
}
