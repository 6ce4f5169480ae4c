import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { randomUniform } from "../../data/random/random.js";
import type { LayerType } from "../architecture.js";
import { linearLogits } from "../decoder/cross-entropy.js";
import { embed, type Pass, runLayers } from "../decoder/decoder.js";
import type { DecoderModel } from "../decoder/decoder-model.js";
import { attentionMasks } from "../decoder/mask.js";
import { type RopeTable, ropeTables } from "../decoder/rope.js";
import { ModelError } from "../errors.js";
import type { GenerationOptions, NamedTensors } from "../types.js";
import { KeyValueCache } from "./key-value-cache.js";
import { checkSampling, pickToken, type SamplingSettings } from "./sampling.js";
import { type Step, traceable } from "./steps.js";

/** Prompts are padded on the right to a multiple of this, so that few shapes need tracing. */
const PROMPT_BUCKET = 32;

/**
 * Token by token generation with a key-value cache. The cache lives on the host and each step returns only the new keys
 * and values, because engines copy outputs; a step is a pure function, so that an engine can trace it once and replay it.
 */
export class Generator {
  private readonly prefill: Step;
  private readonly decode: Step;

  constructor(private readonly model: DecoderModel) {
    this.prefill = traceable((inputs) => this.prefillStep(inputs), "prefill");
    this.decode = traceable((inputs) => this.decodeStep(inputs), "decode");
  }

  dispose(): void {
    this.prefill.dispose();
    this.decode.dispose();
  }

  /** The prompt and its continuation, as transformers' `generate` returns them. */
  async generate(prompt: number[], options: GenerationOptions): Promise<number[]> {
    const { arch } = this.model;
    const settings = this.settings(options);
    checkPrompt(prompt, arch.vocabSize);
    const random = randomSource(options.seed);
    const ids = [...prompt];
    const cache = new KeyValueCache(arch, prompt.length + Math.min(settings.max_new_tokens, 128));
    for (let made = 0; made < settings.max_new_tokens; made++) {
      options.signal?.throwIfAborted();
      const logits =
        made === 0 ? await this.runPrefill(ids, cache) : await this.runDecode(ids.at(-1)!, ids.length - 1, cache);
      const id = pickToken(logits, ids, settings, () => random(made));
      ids.push(id);
      options.on_token?.(id);
      if (settings.stop.has(id)) break;
    }
    return ids;
  }

  private settings(options: GenerationOptions): SamplingSettings & { max_new_tokens: number; stop: Set<number> } {
    const { generation_config: defaults, config } = this.model;
    const number = (key: keyof GenerationOptions, fallback: number) =>
      Number(options[key] ?? defaults[key as string] ?? fallback);
    const eos = options.eos_token_id ?? defaults.eos_token_id ?? config.eos_token_id ?? [];
    const settings = {
      do_sample: options.do_sample ?? defaults.do_sample === true,
      temperature: number("temperature", 1),
      top_k: number("top_k", 50),
      top_p: number("top_p", 1),
      repetition_penalty: number("repetition_penalty", 1),
      max_new_tokens: number("max_new_tokens", 256),
      stop: new Set([eos].flat() as number[]),
    };
    checkSampling(settings);
    if (!Number.isInteger(settings.max_new_tokens) || settings.max_new_tokens < 1) {
      throw new RangeError(`generate: max_new_tokens must be a positive integer, got ${settings.max_new_tokens}`);
    }
    return settings;
  }

  private async runPrefill(ids: number[], cache: KeyValueCache): Promise<Float32Array> {
    const padded = Math.ceil(ids.length / PROMPT_BUCKET) * PROMPT_BUCKET;
    const row = [...ids, ...Array(padded - ids.length).fill(0)];
    const inputs = {
      input_ids: tf.tensor2d(row, [1, padded], "int32"),
      last: tf.tensor1d([ids.length - 1], "int32"),
    };
    return this.run(this.prefill, inputs, cache, 0, ids.length, padded);
  }

  private async runDecode(id: number, position: number, cache: KeyValueCache): Promise<Float32Array> {
    const { arch } = this.model;
    cache.reserve(position + 1);
    const rope = ropeTables(arch, [position]);
    const inputs: NamedTensors = {
      input_ids: tf.tensor2d([id], [1, 1], "int32"),
      slot: tf.tensor2d(cache.slot(position), [cache.capacity, 1]),
      ...cache.tensors(),
    };
    for (const type of new Set(arch.layerTypes)) {
      inputs[`mask.${type}`] = tf.tensor4d(cache.mask(position, type), [1, 1, 1, cache.capacity]);
      inputs[`cos.${type}`] = rope[type].cos;
      inputs[`sin.${type}`] = rope[type].sin;
    }
    const used = new Set(Object.values(inputs));
    for (const { cos, sin } of Object.values(rope)) {
      if (!used.has(cos) && !cos.isDisposed) tf.dispose([cos, sin]);
    }
    return this.run(this.decode, inputs, cache, position, 1, 1);
  }

  /** Runs a step, moves its new keys and values into the cache, and gives the logits of the next token. */
  private async run(step: Step, own: NamedTensors, cache: KeyValueCache, at: number, count: number, stride: number) {
    const params = Object.entries(this.model.trainableParameters());
    const inputs = { ...own, ...Object.fromEntries(params.map(([name, tensor]) => [`param.${name}`, tensor])) };
    let outputs: NamedTensors = {};
    try {
      outputs = await step(inputs);
      const read = async (name: string) => (await outputs[name]!.data()) as Float32Array;
      const layers = [...Array(this.model.arch.layers).keys()];
      const fresh = await Promise.all(layers.map((i) => Promise.all([read(`keys.${i}`), read(`values.${i}`)])));
      const logits = await read("logits");
      // The input tensors may share the cache's memory: gone before it changes.
      tf.dispose(Object.values(own));
      for (const [i, [keys, values]] of fresh.entries()) cache.store(i, keys, values, at, count, stride);
      return Float32Array.from(logits);
    } finally {
      tf.dispose(Object.values(own));
      tf.dispose(Object.values(outputs));
    }
  }

  private prefillStep(inputs: NamedTensors): NamedTensors {
    const { arch } = this.model;
    const ids = inputs.input_ids as Tensor2D;
    const seq = ids.shape[1];
    const outputs: NamedTensors = {};
    const pass: Pass = {
      batch: 1,
      seq,
      // Padding stands behind every real token, where the causal mask already hides it.
      masks: attentionMasks(arch, tf.ones([1, seq], "int32")),
      rope: ropeTables(arch, [...Array(seq).keys()]),
      cache: (layer, keys, values) => {
        outputs[`keys.${layer}`] = keys;
        outputs[`values.${layer}`] = values;
        return [keys, values];
      },
    };
    outputs.logits = this.nextLogits(inputs, pass, inputs.last as Tensor1D);
    return outputs;
  }

  private decodeStep(inputs: NamedTensors): NamedTensors {
    const { arch } = this.model;
    const slot = inputs.slot as Tensor2D;
    const outputs: NamedTensors = {};
    const byType = <T>(make: (type: LayerType) => T) =>
      Object.fromEntries(arch.layerTypes.map((type) => [type, make(type)])) as Record<LayerType, T>;
    const pass: Pass = {
      batch: 1,
      seq: 1,
      masks: byType((type) => inputs[`mask.${type}`] as Tensor4D),
      rope: byType(
        (type): RopeTable => ({ cos: inputs[`cos.${type}`] as Tensor2D, sin: inputs[`sin.${type}`] as Tensor2D }),
      ),
      cache: (layer, keys, values) => {
        outputs[`keys.${layer}`] = keys;
        outputs[`values.${layer}`] = values;
        // The cache is 0 at the new token's slot.
        const withNew = (cached: Tensor, fresh: Tensor4D): Tensor4D => tf.add(cached, tf.mul(fresh, slot));
        return [withNew(inputs[`cache.keys.${layer}`]!, keys), withNew(inputs[`cache.values.${layer}`]!, values)];
      },
    };
    outputs.logits = this.nextLogits(inputs, pass);
    return outputs;
  }

  private nextLogits(inputs: NamedTensors, pass: Pass, last?: Tensor1D): Tensor {
    const { model } = this;
    const params: NamedTensors = {};
    for (const [name, tensor] of Object.entries(inputs)) {
      if (name.startsWith("param.")) params[name.slice("param.".length)] = tensor;
    }
    const x = embed(model.arch, model.bind(params), inputs.input_ids as Tensor2D);
    const hidden = runLayers(model.arch, (own) => model.bind(own), params, x, pass);
    const row: Tensor2D = last ? tf.gather(hidden, last) : hidden;
    return tf.reshape(linearLogits(row, model.head(params).weight, model.arch.finalSoftcap), [-1]);
  }
}

function checkPrompt(prompt: number[], vocabSize: number): void {
  if (prompt.length === 0) throw new ModelError("generate: the prompt is empty; give at least the bos token");
  const wrong = prompt.findIndex((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
  if (wrong >= 0) {
    throw new ModelError(
      `generate: input_ids[${wrong}] is ${prompt[wrong]}, but the vocabulary has ids 0 to ${vocabSize - 1}: ` +
        "does the tokenizer belong to this model?",
    );
  }
}

function randomSource(seed = Math.floor(Math.random() * 2 ** 32)): (step: number) => number {
  return (step) => randomUniform({ seed, name: "generate", step }, 1)[0]!;
}
