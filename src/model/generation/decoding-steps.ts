import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import type { LayerType } from "../architecture.js";
import { linearLogits } from "../decoder/cross-entropy.js";
import { embed, type Pass, runLayers } from "../decoder/decoder.js";
import type { DecoderModel } from "../decoder/decoder-model.js";
import { attentionMasks } from "../decoder/mask.js";
import { type RopeTable, ropeTables } from "../decoder/rope.js";
import type { NamedTensors } from "../types.js";
import { capacityFor } from "./key-value-cache.js";
import { type Step, traceable } from "./steps.js";

/**
 * The pure functions that generation repeats, prepared for the engine in use. `greedy` ones choose the next token
 * themselves and give `next`, `[batch, 1]` int32, and `told`, `[batch, 2]`: the same id, and a sum that is NaN when a logit
 * is. The others give `logits`, `[batch, vocab]`.
 */
export interface DecodingSteps {
  /** `input_ids` `[batch, seq]`, `last` `[batch]`: the row of `[batch * seq]` in which each prompt ends -> keys, values. */
  prefill: Step;
  /** The newest token of each row with what `KeyValueCache` places -> recent keys and values. */
  decode: Step;
  dispose(): void;
}

export function decodingSteps(model: DecoderModel, greedy: boolean): DecodingSteps {
  const chosen = (logits: Tensor2D) => (greedy ? greedyChoice(logits) : { logits });
  const prefill = traceable((inputs) => prefillStep(model, inputs, chosen), "prefill");
  const decode = traceable((inputs) => decodeStep(model, inputs, chosen), "decode");
  const dispose = () => {
    prefill.dispose();
    decode.dispose();
  };
  return { prefill, decode, dispose };
}

/** `cache.…` and `recent.…` in the order that `KeyValueCache` gives -> one cache. */
export function settlingStep(layers: number): Step {
  return traceable((inputs) => {
    const merged: NamedTensors = {};
    for (let layer = 0; layer < layers; layer++) {
      for (const name of [`keys.${layer}`, `values.${layer}`]) {
        const both = tf.concat([inputs[`cache.${name}`] as Tensor4D, inputs[`recent.${name}`] as Tensor4D], 2);
        merged[name] = tf.gather(both, inputs.order as Tensor1D, 2);
      }
    }
    return merged;
  }, "settle");
}

type Chosen = (logits: Tensor2D) => NamedTensors;

function greedyChoice(logits: Tensor2D): NamedTensors {
  const ids = tf.argMax(logits, 1);
  return {
    next: tf.reshape(tf.cast(ids, "int32"), [-1, 1]),
    told: tf.stack([tf.cast(ids, "float32"), tf.sum(logits, 1)], 1),
  };
}

function prefillStep(model: DecoderModel, inputs: NamedTensors, chosen: Chosen): NamedTensors {
  const { arch } = model;
  const [batch, seq] = (inputs.input_ids as Tensor2D).shape;
  const room = capacityFor(seq) - seq;
  const outputs: NamedTensors = {};
  const withRoom = (x: Tensor4D) =>
    room
      ? tf.pad(x, [
          [0, 0],
          [0, 0],
          [0, room],
          [0, 0],
        ])
      : x;
  const pass: Pass = {
    batch,
    seq,
    // Padding stands behind every real token, where the causal mask already hides it.
    masks: attentionMasks(arch, tf.ones([batch, seq], "int32")),
    rope: ropeTables(arch, [...Array(seq).keys()]),
    cache: (layer, keys, values) => {
      outputs[`keys.${layer}`] = withRoom(keys);
      outputs[`values.${layer}`] = withRoom(values);
      return [[keys, values]];
    },
  };
  const logits = nextLogits(model, inputs, pass, inputs.last as Tensor1D);
  return { ...outputs, ...chosen(logits) };
}

function decodeStep(model: DecoderModel, inputs: NamedTensors, chosen: Chosen): NamedTensors {
  const { arch } = model;
  const slot = inputs.slot as Tensor2D;
  const outputs: NamedTensors = {};
  const byType = <T>(make: (type: LayerType) => T) =>
    Object.fromEntries(arch.layerTypes.map((type) => [type, make(type)])) as Record<LayerType, T>;
  const pass: Pass = {
    batch: (inputs.input_ids as Tensor2D).shape[0],
    seq: 1,
    masks: byType((type) => inputs[`mask.${type}`] as Tensor4D),
    rope: byType((type): RopeTable => ({ cos: inputs[`cos.${type}`]!, sin: inputs[`sin.${type}`]! })),
    cache: (layer, keys, values) => {
      const withNew = (name: string, fresh: Tensor4D) => {
        // The recent tokens are 0 at the new token's slot.
        outputs[name] = tf.add(inputs[`recent.${name}`]!, tf.mul(fresh, slot));
        return outputs[name] as Tensor4D;
      };
      const recent: [Tensor4D, Tensor4D] = [withNew(`keys.${layer}`, keys), withNew(`values.${layer}`, values)];
      return [[inputs[`cache.keys.${layer}`] as Tensor4D, inputs[`cache.values.${layer}`] as Tensor4D], recent];
    },
  };
  const logits = nextLogits(model, inputs, pass);
  return { ...outputs, ...chosen(logits) };
}

function nextLogits(model: DecoderModel, inputs: NamedTensors, pass: Pass, last?: Tensor1D): Tensor2D {
  const params: NamedTensors = {};
  for (const [name, tensor] of Object.entries(inputs)) {
    if (name.startsWith("param.")) params[name.slice("param.".length)] = tensor;
  }
  const x = embed(model.arch, model.bind(params), inputs.input_ids as Tensor2D);
  const hidden = runLayers(model.arch, (own) => model.bind(own), params, x, pass);
  const rows: Tensor = last ? tf.gather(hidden, last) : hidden;
  return linearLogits(rows as Tensor2D, model.head(params).weight, model.arch.finalSoftcap);
}
