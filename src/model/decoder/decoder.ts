import type { Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import type { Architecture, LayerType } from "../architecture.js";
import type { ModelInputs, NamedTensors, StepOptions } from "../types.js";
import { type AttendOptions, attend, attendToParts } from "./attend.js";
import { checkpointed } from "./checkpointing.js";
import { attentionMasks } from "./mask.js";
import { gatedUnit, lookup, rmsNorm, rotate } from "./ops.js";
import { type RopeTable, ropeTables, ropeTablesOf } from "./rope.js";

/** How the decoder reaches its parameters: plain, 4-bit or with an adapter, it cannot tell. */
export interface Weights {
  /** A parameter by state dict name, in float32; undefined if the model has none of that name. */
  get(name: string): Tensor | undefined;
  /** Whether a parameter needs a gradient. */
  trains(name: string): boolean;
  /** `x · Wᵀ` of the linear module `name` (no `.weight`), plus its bias if it has one; `x`: `[tokens, in]`. */
  linear(name: string, x: Tensor2D, bias?: boolean): Tensor2D;
}

/** Makes `Weights` that read `params` and, for everything else, frozen tensors. */
export type Bind = (params: NamedTensors) => Weights;

/** What one pass over tokens shares between its layers. */
export interface Pass {
  batch: number;
  seq: number;
  /** Broadcast to `[batch, heads, seq, keys]`. */
  masks: Record<LayerType, Tensor4D>;
  rope: Record<LayerType, RopeTable>;
  /**
   * Gives generation each layer's new keys and values, `[batch, kvHeads, seq, headDim]`, and takes those to attend to, in
   * parts that follow one another.
   */
  cache?: (layer: number, keys: Tensor4D, values: Tensor4D) => [Tensor4D, Tensor4D][];
}

/** The decoder's output after the final norm, `[batch * seq, hidden]`. */
export function hiddenStates(
  arch: Architecture,
  bind: Bind,
  params: NamedTensors,
  inputs: ModelInputs,
  options: StepOptions = {},
): Tensor2D {
  const [batch, seq] = inputs.input_ids.shape;
  const pass: Pass = {
    batch,
    seq,
    masks: attentionMasks(arch, inputs.attention_mask, inputs.position_ids),
    rope: inputs.position_ids ? ropeTablesOf(arch, inputs.position_ids) : ropeTables(arch, [...Array(seq).keys()]),
  };
  return runLayers(arch, bind, params, embed(arch, bind(params), inputs.input_ids, options), pass, options);
}

/** Token embeddings, scaled, `[batch * seq, hidden]`. */
export function embed(arch: Architecture, weights: Weights, ids: Tensor2D, options: StepOptions = {}): Tensor2D {
  const table = weights.get("model.embed_tokens.weight") as Tensor2D;
  const rows = lookup(table, tf.reshape(ids, [-1]) as Tensor1D, arch.padTokenId);
  const scaled = arch.embedScale === 1 ? rows : tf.mul(rows, arch.embedScale);
  const noise = options.embedding_noise;
  return (noise ? tf.add(scaled, tf.reshape(noise, [-1, arch.hiddenSize])) : scaled) as Tensor2D;
}

/** All layers and the final norm over embeddings `x`, `[batch * seq, hidden]`. */
export function runLayers(
  arch: Architecture,
  bind: Bind,
  params: NamedTensors,
  x: Tensor2D,
  pass: Pass,
  options: StepOptions = {},
): Tensor2D {
  for (let i = 0; i < arch.layers; i++) {
    if (options.gradient_checkpointing) x = checkpointedLayer(arch, bind, params, i, x, pass);
    else if (pass.cache) x = layer(arch, bind(params), i, x, pass);
    // What no gradient needs goes as soon as the layer is done.
    else x = tf.tidy(() => layer(arch, bind(params), i, x, pass));
  }
  return norm(arch, bind(params), "model.norm", x);
}

function checkpointedLayer(arch: Architecture, bind: Bind, params: NamedTensors, i: number, x: Tensor2D, pass: Pass) {
  const own = Object.entries(params).filter(([name]) => name.includes(`.layers.${i}.`));
  const type = arch.layerTypes[i]!;
  const run = (x: Tensor2D, own: NamedTensors, { mask, cos, sin }: NamedTensors) => {
    const masks = { [type]: mask } as Pass["masks"];
    const rope = { [type]: { cos, sin } } as unknown as Pass["rope"];
    return layer(arch, bind({ ...params, ...own }), i, x, { ...pass, masks, rope });
  };
  const { cos, sin } = pass.rope[type];
  return checkpointed(run, x, Object.fromEntries(own), { mask: pass.masks[type], cos, sin });
}

function layer(arch: Architecture, weights: Weights, i: number, x: Tensor2D, pass: Pass): Tensor2D {
  const name = `model.layers.${i}`;
  const attended = attention(arch, weights, i, norm(arch, weights, `${name}.input_layernorm`, x), pass);
  if (!arch.postNorms) {
    x = tf.add(x, attended);
    return tf.add(x, mlp(arch, weights, name, norm(arch, weights, `${name}.post_attention_layernorm`, x)));
  }
  x = tf.add(x, norm(arch, weights, `${name}.post_attention_layernorm`, attended));
  const y = mlp(arch, weights, name, norm(arch, weights, `${name}.pre_feedforward_layernorm`, x));
  return tf.add(x, norm(arch, weights, `${name}.post_feedforward_layernorm`, y));
}

function norm<T extends Tensor>(arch: Architecture, weights: Weights, name: string, x: T): T {
  const weight = weights.get(`${name}.weight`)!;
  return rmsNorm(x, arch.normOffset ? tf.add(weight, 1) : weight, arch.normEps, weights.trains(`${name}.weight`));
}

function mlp(arch: Architecture, weights: Weights, layer: string, x: Tensor2D): Tensor2D {
  const [gate, up] = ["gate_proj", "up_proj"].map((name) => weights.linear(`${layer}.mlp.${name}`, x));
  return weights.linear(`${layer}.mlp.down_proj`, gatedUnit(arch.activation, gate!, up!));
}

function attention(arch: Architecture, weights: Weights, i: number, x: Tensor2D, pass: Pass): Tensor2D {
  const { batch, seq } = pass;
  const { heads, kvHeads, headDim } = arch;
  const name = `model.layers.${i}.self_attn`;
  const type = arch.layerTypes[i]!;
  const { cos, sin } = pass.rope[type];
  // [tokens, n * headDim] -> [batch, n, seq, headDim]
  const split = (projection: string, n: number, normName?: string): Tensor4D => {
    let y: Tensor4D = tf.reshape(weights.linear(`${name}.${projection}`, x), [batch, seq, n, headDim]);
    if (arch.qkNorm && normName) y = norm(arch, weights, `${name}.${normName}`, y);
    return tf.transpose(y, [0, 2, 1, 3]);
  };
  const q = rotate(split("q_proj", heads, "q_norm"), cos, sin);
  const k = rotate(split("k_proj", kvHeads, "k_norm"), cos, sin);
  const v = split("v_proj", kvHeads);
  const parts = pass.cache?.(i, k, v) ?? [[k, v]];

  // The heads that share a key head lie side by side, so they become rows of one product: keys are never repeated.
  const rows = (x: Tensor4D) => tf.reshape(x, [batch * kvHeads, -1, headDim]) as Tensor3D;
  const options: AttendOptions = {
    mask: pass.masks[type],
    shape: [batch, heads, seq, parts.reduce((sum, [k]) => sum + k.shape[2], 0)],
    scale: arch.attentionScale,
    softcap: arch.attentionSoftcap,
  };
  const rowParts = parts.map(([k, v]): [Tensor3D, Tensor3D] => [rows(k), rows(v)]);
  const mixed =
    rowParts.length === 1 ? attend(rows(q), ...rowParts[0]!, options) : attendToParts(rows(q), rowParts, options);
  const joined = tf.transpose(tf.reshape(mixed, [batch, heads, seq, headDim]), [0, 2, 1, 3]);
  return weights.linear(`${name}.o_proj`, tf.reshape(joined, [batch * seq, heads * headDim]));
}
