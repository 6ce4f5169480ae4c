import { type FloatDtype, roundTo } from "./dtype.js";
import { UnsupportedModelError } from "./errors.js";
import type { ModelConfig } from "./types.js";

export type LayerType = "sliding_attention" | "full_attention";

/** What a `config.json` means for the computation: one shape of decoder covers every supported `model_type`. */
export interface Architecture {
  vocabSize: number;
  /** Its embedding row gets no gradient from being read (torch's `padding_idx`). */
  padTokenId: number | null;
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  normEps: number;
  /** RMSNorm multiplies by `normOffset + weight`: Gemma stores its weights around 0, the others around 1. */
  normOffset: 0 | 1;
  /** Gemma 2 and 3 normalise both before and after attention and MLP; the others only before. */
  postNorms: boolean;
  /** RMSNorm over each head's query and key before RoPE (Qwen3, Gemma 3). */
  qkNorm: boolean;
  activation: "gelu_pytorch_tanh" | "silu";
  /** Embeddings are multiplied by this. */
  embedScale: number;
  attentionScale: number;
  attentionSoftcap: number | null;
  finalSoftcap: number | null;
  layerTypes: LayerType[];
  slidingWindow: number;
  rope: Record<LayerType, RopeSettings>;
  tiedHead: boolean;
  attentionBias: boolean;
  outputBias: boolean;
  mlpBias: boolean;
  initializerRange: number;
}

export interface RopeSettings {
  theta: number;
  /** Divides the positions' frequencies (`rope_type: "linear"`), or changes them by wavelength (`"llama3"`). */
  scaling: null | { type: "linear"; factor: number } | ({ type: "llama3" } & Llama3Scaling);
}

export interface Llama3Scaling {
  factor: number;
  low_freq_factor: number;
  high_freq_factor: number;
  original_max_position_embeddings: number;
}

const SUPPORTED = ["gemma2", "gemma3_text", "llama", "qwen3"];

/**
 * Reads a `config.json` (transformers 4 or 5 keys).
 * @param dtype what the weights are stored in; Gemma rounds its embedding scale to it
 * @throws UnsupportedModelError for another `model_type`, or a setting that would silently change the numbers
 */
export function architectureOf(config: ModelConfig, dtype: FloatDtype): Architecture {
  const type = config.model_type;
  if (!SUPPORTED.includes(type)) {
    throw new UnsupportedModelError(`not supported: model_type ${type}; supported: ${SUPPORTED.join(", ")}`);
  }
  const read = reader(config);
  const gemma = type.startsWith("gemma");
  const layers = read.number("num_hidden_layers");
  const hiddenSize = read.number("hidden_size");
  const heads = read.number("num_attention_heads");
  const kvHeads = read.number("num_key_value_heads", heads);
  const headDim = read.number("head_dim", hiddenSize / heads);
  if (heads % kvHeads !== 0) {
    throw new UnsupportedModelError(
      `config.json: num_attention_heads (${heads}) is not a multiple of num_key_value_heads (${kvHeads})`,
    );
  }
  if (config.use_bidirectional_attention) {
    throw new UnsupportedModelError("config.json: use_bidirectional_attention is not supported");
  }
  const layerTypes = layerTypesOf(config, layers);
  const attentionBias = read.flag("attention_bias", false);
  return {
    vocabSize: read.number("vocab_size"),
    padTokenId: config.pad_token_id ?? null,
    hiddenSize,
    intermediateSize: read.number("intermediate_size"),
    layers,
    heads,
    kvHeads,
    headDim,
    normEps: read.number("rms_norm_eps", 1e-6),
    normOffset: gemma ? 1 : 0,
    postNorms: gemma,
    qkNorm: type === "qwen3" || type === "gemma3_text",
    activation: activationOf(config, gemma),
    embedScale: gemma ? roundTo(Math.sqrt(hiddenSize), dtype) : 1,
    attentionScale: (gemma ? read.number("query_pre_attn_scalar", 256) : headDim) ** -0.5,
    attentionSoftcap: read.optional("attn_logit_softcapping", type === "gemma2" ? 50 : null),
    finalSoftcap: read.optional("final_logit_softcapping", type === "gemma2" ? 30 : null),
    layerTypes,
    slidingWindow: layerTypes.includes("sliding_attention") ? read.number("sliding_window", 4096) : 0,
    rope: ropeOf(config),
    tiedHead: read.flag("tie_word_embeddings", gemma),
    attentionBias,
    outputBias: attentionBias,
    mlpBias: read.flag("mlp_bias", false),
    initializerRange: read.number("initializer_range", 0.02),
  };
}

/** Name and shape of every parameter, in the order of torch's `named_parameters()`. */
export function parameterShapes(arch: Architecture): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  const { hiddenSize: hidden, intermediateSize: inner, headDim } = arch;
  const linear = (name: string, out: number, input: number, bias: boolean) => {
    shapes.set(`${name}.weight`, [out, input]);
    if (bias) shapes.set(`${name}.bias`, [out]);
  };
  shapes.set("model.embed_tokens.weight", [arch.vocabSize, hidden]);
  for (let i = 0; i < arch.layers; i++) {
    const layer = `model.layers.${i}`;
    linear(`${layer}.self_attn.q_proj`, arch.heads * headDim, hidden, arch.attentionBias);
    linear(`${layer}.self_attn.k_proj`, arch.kvHeads * headDim, hidden, arch.attentionBias);
    linear(`${layer}.self_attn.v_proj`, arch.kvHeads * headDim, hidden, arch.attentionBias);
    linear(`${layer}.self_attn.o_proj`, hidden, arch.heads * headDim, arch.outputBias);
    if (arch.qkNorm) {
      shapes.set(`${layer}.self_attn.q_norm.weight`, [headDim]);
      shapes.set(`${layer}.self_attn.k_norm.weight`, [headDim]);
    }
    linear(`${layer}.mlp.gate_proj`, inner, hidden, arch.mlpBias);
    linear(`${layer}.mlp.up_proj`, inner, hidden, arch.mlpBias);
    linear(`${layer}.mlp.down_proj`, hidden, inner, arch.mlpBias);
    const norms = ["input_layernorm", "post_attention_layernorm"];
    if (arch.postNorms) norms.push("pre_feedforward_layernorm", "post_feedforward_layernorm");
    for (const norm of norms) shapes.set(`${layer}.${norm}.weight`, [hidden]);
  }
  shapes.set("model.norm.weight", [hidden]);
  if (!arch.tiedHead) shapes.set("lm_head.weight", [arch.vocabSize, hidden]);
  return shapes;
}

/** The linear modules (what LoRA may target and 4-bit quantises), without the output head. */
export function linearModules(arch: Architecture): string[] {
  return [...parameterShapes(arch)]
    .filter(([name, shape]) => shape.length === 2 && name.includes(".layers."))
    .map(([name]) => name.replace(/\.weight$/, ""));
}

function reader(config: ModelConfig) {
  const wrong = (key: string, wanted: string) =>
    new UnsupportedModelError(`config.json: ${key} is ${JSON.stringify(config[key])}, expected ${wanted}`);
  return {
    number(key: string, fallback?: number): number {
      const value = config[key] ?? fallback;
      if (typeof value !== "number" || !(value > 0)) throw wrong(key, "a positive number");
      return value;
    },
    optional(key: string, fallback: number | null): number | null {
      const value = config[key] === undefined ? fallback : config[key];
      if (value !== null && (typeof value !== "number" || !(value > 0))) throw wrong(key, "a positive number or null");
      return value as number | null;
    },
    flag(key: string, fallback: boolean): boolean {
      const value = config[key] ?? fallback;
      if (typeof value !== "boolean") throw wrong(key, "true or false");
      return value;
    },
  };
}

function layerTypesOf(config: ModelConfig, layers: number): LayerType[] {
  const given = config.layer_types as LayerType[] | undefined;
  if (given) {
    if (given.length !== layers || given.some((t) => t !== "sliding_attention" && t !== "full_attention")) {
      throw new UnsupportedModelError(
        `config.json: layer_types must name ${layers} layers, each sliding_attention or full_attention`,
      );
    }
    return given;
  }
  const sliding = (i: number): boolean => {
    if (config.model_type === "gemma2") return i % 2 === 0;
    if (config.model_type === "gemma3_text") return (i + 1) % Number(config.sliding_window_pattern ?? 6) !== 0;
    return config.use_sliding_window === true && i >= Number(config.max_window_layers ?? layers);
  };
  return Array.from({ length: layers }, (_, i) => (sliding(i) ? "sliding_attention" : "full_attention"));
}

function activationOf(config: ModelConfig, gemma: boolean): Architecture["activation"] {
  // Gemma's old `hidden_act: "gelu"` is ignored by transformers in favour of hidden_activation.
  const name = gemma ? (config.hidden_activation ?? "gelu_pytorch_tanh") : (config.hidden_act ?? "silu");
  if (name !== "gelu_pytorch_tanh" && name !== "silu") {
    throw new UnsupportedModelError(`not supported: activation ${name}; supported: gelu_pytorch_tanh, silu`);
  }
  return name;
}

function ropeOf(config: ModelConfig): Record<LayerType, RopeSettings> {
  const parameters = config.rope_parameters as Record<string, unknown> | undefined;
  const perType = parameters && ("full_attention" in parameters || "sliding_attention" in parameters);
  const gemma3 = config.model_type === "gemma3_text";
  const full = perType ? parameters.full_attention : (parameters ?? config.rope_scaling);
  const theta = Number(config.rope_theta ?? (gemma3 ? 1_000_000 : 10_000));
  const global = ropeSettings(full as Record<string, unknown> | undefined, theta);
  if (!gemma3) return { full_attention: global, sliding_attention: global };
  const local = perType ? parameters.sliding_attention : undefined;
  return {
    full_attention: global,
    sliding_attention: ropeSettings(
      local as Record<string, unknown> | undefined,
      Number(config.rope_local_base_freq ?? 10_000),
    ),
  };
}

function ropeSettings(parameters: Record<string, unknown> | null | undefined, fallback: number): RopeSettings {
  const theta = Number(parameters?.rope_theta ?? fallback);
  const type = parameters?.rope_type ?? parameters?.type ?? "default";
  if (type === "default") return { theta, scaling: null };
  if (type === "linear") return { theta, scaling: { type, factor: Number(parameters?.factor) } };
  if (type === "llama3") return { theta, scaling: { ...(parameters as unknown as Llama3Scaling), type } };
  throw new UnsupportedModelError(`not supported: rope_type ${type}; supported: default, linear, llama3`);
}
