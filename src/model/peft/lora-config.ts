import { ModelError } from "../errors.js";

/** The fields of PEFT's `LoraConfig` (0.21), with its defaults. */
export interface LoraConfigFields {
  task_type: string | null;
  peft_type: "LORA";
  auto_mapping: unknown;
  peft_version: string;
  base_model_name_or_path: string | null;
  revision: string | null;
  inference_mode: boolean;
  /** Rank of the update matrices. */
  r: number;
  /**
   * Which linear modules get an adapter: a list of module names (whole dotted segments, matched from the end), one
   * regular expression that must match the whole module name, or "all-linear". Default: q_proj and v_proj.
   */
  target_modules: string[] | string | null;
  exclude_modules: string[] | string | null;
  /** The update is scaled by `lora_alpha / r`, or `lora_alpha / sqrt(r)` with `use_rslora`. */
  lora_alpha: number;
  lora_dropout: number;
  fan_in_fan_out: boolean;
  bias: "none" | "all" | "lora_only";
  use_rslora: boolean;
  /** Modules that are trained whole and saved with the adapter. */
  modules_to_save: string[] | null;
  init_lora_weights: boolean | "gaussian";
  layers_to_transform: number[] | number | null;
  layers_pattern: string[] | string | null;
  /** Ranks by module name or regular expression, where they differ from `r`. */
  rank_pattern: Record<string, number>;
  alpha_pattern: Record<string, number>;
  megatron_config: unknown;
  megatron_core: string | null;
  trainable_token_indices: unknown;
  loftq_config: Record<string, unknown>;
  eva_config: unknown;
  corda_config: unknown;
  use_dora: boolean;
  alora_invocation_tokens: unknown;
  use_qalora: boolean;
  qalora_group_size: number;
  layer_replication: unknown;
  lora_bias: boolean;
  target_parameters: unknown;
  arrow_config: unknown;
  ensure_weight_tying: boolean;
  use_bdlora: unknown;
  kasa_config: unknown;
  lora_ga_config: unknown;
  monteclora_config: unknown;
  velora_config: unknown;
}

/** In the order of PEFT's dataclass, which is that of `to_dict()`. */
export const LORA_DEFAULTS: LoraConfigFields = {
  task_type: null,
  peft_type: "LORA",
  auto_mapping: null,
  peft_version: "0.21.0",
  base_model_name_or_path: null,
  revision: null,
  inference_mode: false,
  r: 8,
  target_modules: null,
  exclude_modules: null,
  lora_alpha: 8,
  lora_dropout: 0,
  fan_in_fan_out: false,
  bias: "none",
  use_rslora: false,
  modules_to_save: null,
  init_lora_weights: true,
  layers_to_transform: null,
  layers_pattern: null,
  rank_pattern: {},
  alpha_pattern: {},
  megatron_config: null,
  megatron_core: "megatron.core",
  trainable_token_indices: null,
  loftq_config: {},
  eva_config: null,
  corda_config: null,
  lora_ga_config: null,
  use_dora: false,
  velora_config: null,
  alora_invocation_tokens: null,
  use_qalora: false,
  qalora_group_size: 16,
  monteclora_config: null,
  layer_replication: null,
  lora_bias: false,
  target_parameters: null,
  use_bdlora: null,
  arrow_config: null,
  kasa_config: null,
  ensure_weight_tying: false,
};

const TASK_TYPES = ["SEQ_CLS", "SEQ_2_SEQ_LM", "CAUSAL_LM", "TOKEN_CLS", "QUESTION_ANS", "FEATURE_EXTRACTION"];

/** Settings that would change the numbers and are not implemented: anything but PEFT's default is refused. */
const UNSUPPORTED = [
  "fan_in_fan_out",
  "megatron_config",
  "trainable_token_indices",
  "eva_config",
  "corda_config",
  "alora_invocation_tokens",
  "use_qalora",
  "layer_replication",
  "lora_bias",
  "target_parameters",
  "arrow_config",
  "ensure_weight_tying",
  "use_bdlora",
  "kasa_config",
  "lora_ga_config",
  "monteclora_config",
  "velora_config",
] as const satisfies (keyof LoraConfigFields)[];

/**
 * LoRA settings, as PEFT's `LoraConfig` (Hu et al. 2021).
 * @throws ModelError for an unknown field, a value out of range, or a PEFT feature that is not supported
 */
export class LoraConfig {
  readonly fields: Readonly<LoraConfigFields>;

  constructor(fields: Partial<LoraConfigFields> = {}) {
    const unknown = Object.keys(fields).filter((key) => !(key in LORA_DEFAULTS));
    if (unknown.length) throw new ModelError(`LoraConfig has no field ${unknown.join(", ")}`);
    const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
    this.fields = structuredClone({ ...LORA_DEFAULTS, ...given });
    check(this.fields);
  }

  get r(): number {
    return this.fields.r;
  }
  get lora_alpha(): number {
    return this.fields.lora_alpha;
  }
  get lora_dropout(): number {
    return this.fields.lora_dropout;
  }
  get target_modules(): string[] | string | null {
    return this.fields.target_modules;
  }

  /** The fields in PEFT's order, as `training_config.json` stores them. */
  toDict(): LoraConfigFields {
    return structuredClone(this.fields);
  }

  /** The same settings with some fields replaced. */
  with(fields: Partial<LoraConfigFields>): LoraConfig {
    return new LoraConfig({ ...this.fields, ...fields });
  }
}

function check(fields: LoraConfigFields): void {
  const demand = (ok: boolean, text: string) => {
    if (!ok) throw new ModelError(`LoraConfig: ${text}`);
  };
  const { r, lora_alpha, lora_dropout, task_type, target_modules, bias, init_lora_weights, rank_pattern } = fields;
  for (const [name, rank] of [["r", r], ...Object.entries(rank_pattern)] as [string, number][]) {
    demand(Number.isInteger(rank) && rank > 0, `${name} should be a positive integer, got ${rank}`);
  }
  demand(Number.isFinite(lora_alpha), `lora_alpha must be a number, got ${lora_alpha}`);
  demand(lora_dropout >= 0 && lora_dropout < 1, `lora_dropout must lie in [0, 1), got ${lora_dropout}`);
  demand(
    task_type === null || TASK_TYPES.includes(task_type),
    `task_type ${task_type} is invalid; one of ${TASK_TYPES.join(", ")}`,
  );
  demand(fields.peft_type === "LORA", `peft_type ${fields.peft_type} is not supported; supported: LORA`);
  demand(["none", "all", "lora_only"].includes(bias), `bias must be none, all or lora_only, got ${bias}`);
  demand(
    typeof init_lora_weights === "boolean" || init_lora_weights === "gaussian",
    `init_lora_weights ${init_lora_weights} is not supported; supported: true, false, "gaussian"`,
  );
  if (typeof target_modules === "string") {
    demand(fields.layers_to_transform === null, "layers_to_transform cannot be used when target_modules is a string");
    demand(fields.layers_pattern === null, "layers_pattern cannot be used when target_modules is a string");
  }
  demand(
    fields.layers_pattern === null || fields.layers_to_transform !== null,
    "layers_pattern needs layers_to_transform",
  );
  for (const key of UNSUPPORTED) {
    const isDefault = JSON.stringify(fields[key]) === JSON.stringify(LORA_DEFAULTS[key]);
    demand(isDefault, `${key} is not supported here; leave it at ${JSON.stringify(LORA_DEFAULTS[key])}`);
  }
}
