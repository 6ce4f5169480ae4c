import type { Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { randomUniform } from "../../data/random/random.js";
import { ensureEngine } from "../../engine/index.js";
import type { DecoderModel } from "../decoder/decoder-model.js";
import { ModelError } from "../errors.js";
import type { GenerationOptions, NamedTensors } from "../types.js";
import { type DecodingSteps, decodingSteps, settlingStep } from "./decoding-steps.js";
import { KeyValueCache } from "./key-value-cache.js";
import { checkSampling, NAN_LOGITS, pickToken, type SamplingSettings } from "./sampling.js";
import type { Step } from "./steps.js";

/** Prompts are padded on the right to a multiple of this, so that few shapes need tracing. */
const PROMPT_BUCKET = 32;

/** A step that takes less is started before the one before it has been read: the engine need not wait for this thread. */
const SHORT_STEP_MS = 20;

interface Settings extends SamplingSettings {
  max_new_tokens: number;
  stop: Set<number>;
}

/** A step under way. */
interface Started {
  /** What it says of the next tokens: `told` or `logits`, row after row. */
  result: Promise<Float32Array>;
  at: number;
}

/**
 * Token by token generation with a key-value cache, for several prompts at once. Cache and, where no number has to be
 * drawn, chosen tokens stay with the engine.
 */
export class Generator {
  private readonly steps = new Map<boolean, DecodingSteps>();
  private readonly settle: Step;

  constructor(private readonly model: DecoderModel) {
    this.settle = settlingStep(model.arch.layers);
  }

  dispose(): void {
    for (const steps of this.steps.values()) steps.dispose();
    this.steps.clear();
    this.settle.dispose();
  }

  /** Each prompt and its continuation, as transformers' `generate` returns them, without padding. */
  async generate(prompts: number[][], options: GenerationOptions): Promise<number[][]> {
    const settings = this.settings(options);
    checkPrompts(prompts, this.model.arch.vocabSize);
    const greedy = !settings.do_sample && settings.repetition_penalty === 1;
    if (!this.steps.has(greedy)) this.steps.set(greedy, decodingSteps(this.model, greedy));
    const run = new Generation(this.model, this.steps.get(greedy)!, this.settle, prompts, greedy);
    try {
      return await run.until(settings, options);
    } finally {
      run.dispose();
    }
  }

  private settings(options: GenerationOptions): Settings {
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
}

/** One call of `generate`. */
class Generation {
  private readonly rows: number[][];
  private cache: KeyValueCache | undefined;
  /** The newest token of each row, once it is chosen. */
  private next: Tensor2D | undefined;

  constructor(
    private readonly model: DecoderModel,
    private readonly steps: DecodingSteps,
    private readonly settle: Step,
    private readonly prompts: number[][],
    private readonly greedy: boolean,
  ) {
    this.rows = prompts.map((prompt) => [...prompt]);
  }

  async until(settings: Settings, options: GenerationOptions): Promise<number[][]> {
    const { max_new_tokens, stop } = settings;
    const { defers } = await ensureEngine();
    const random = randomSource(options.seed);
    const open = new Set(this.rows.keys());
    const underWay: Started[] = [];
    let started = 0;
    let ahead = 1;
    for (let made = 0; made < max_new_tokens && open.size > 0; made++) {
      options.signal?.throwIfAborted();
      for (; started < max_new_tokens && started < made + ahead; started++) underWay.push(await this.start());
      const { result, at } = underWay.shift()!;
      const chosen = this.greedy ? told(await result) : this.pick(await result, settings, random(made));
      if (this.greedy && defers) ahead = performance.now() - at < SHORT_STEP_MS * ahead ? 2 : 1;
      for (const row of open) {
        const id = chosen[row]!;
        this.rows[row]!.push(id);
        options.on_token?.(id, row);
        if (stop.has(id)) open.delete(row);
      }
    }
    return this.rows;
  }

  dispose(): void {
    this.cache?.dispose();
    this.next?.dispose();
  }

  private async start(): Promise<Started> {
    const at = performance.now();
    const outputs = this.cache ? await this.decode(this.cache) : await this.prefill();
    const answer = outputs[this.greedy ? "told" : "logits"]!;
    const result = answer.data() as Promise<Float32Array>;
    // A generation that ends early leaves it unread.
    result.catch(() => undefined);
    answer.dispose();
    if (this.greedy) this.choose(outputs.next as Tensor2D);
    return { result, at };
  }

  private async prefill(): Promise<NamedTensors> {
    const lengths = this.prompts.map(({ length }) => length);
    const padded = Math.ceil(Math.max(...lengths) / PROMPT_BUCKET) * PROMPT_BUCKET;
    const ids = this.prompts.flatMap((prompt) => [...prompt, ...Array<number>(padded - prompt.length).fill(0)]);
    const outputs = await this.run(this.steps.prefill, {
      input_ids: tf.tensor2d(ids, [lengths.length, padded], "int32"),
      last: tf.tensor1d(
        lengths.map((length, row) => row * padded + length - 1),
        "int32",
      ),
    });
    this.cache = new KeyValueCache(this.model.arch, lengths, outputs);
    return outputs;
  }

  private async decode(cache: KeyValueCache): Promise<NamedTensors> {
    if (cache.isFull) {
      const order = cache.order();
      cache.settle(await this.settle({ ...cache.tensors(), order }));
      order.dispose();
    }
    const own = { input_ids: tf.clone(this.next!), ...cache.place() };
    const outputs = await this.run(this.steps.decode, own, cache.tensors());
    cache.add(outputs);
    return outputs;
  }

  /** @param own inputs that this call disposes */
  private async run(step: Step, own: NamedTensors, kept: NamedTensors = {}): Promise<NamedTensors> {
    const inputs = { ...own, ...kept };
    for (const [name, tensor] of Object.entries(this.model.trainableParameters())) inputs[`param.${name}`] = tensor;
    try {
      return await step(inputs);
    } finally {
      tf.dispose(Object.values(own));
    }
  }

  private choose(next: Tensor2D): void {
    this.next?.dispose();
    this.next = next;
  }

  private pick(logits: Float32Array, settings: SamplingSettings, random: (row: number) => number): number[] {
    const vocab = logits.length / this.rows.length;
    const chosen = this.rows.map((ids, row) =>
      pickToken(logits.slice(row * vocab, (row + 1) * vocab), ids, settings, () => random(row)),
    );
    this.choose(tf.tensor2d(chosen, [chosen.length, 1], "int32"));
    return chosen;
  }
}

/** The ids that greedy steps tell. @throws ModelError when a logit was not a number */
function told(pairs: Float32Array): number[] {
  return Array.from({ length: pairs.length / 2 }, (_, row) => {
    if (Number.isNaN(pairs[2 * row + 1]!)) throw new ModelError(NAN_LOGITS);
    return pairs[2 * row]!;
  });
}

function checkPrompts(prompts: number[][], vocabSize: number): void {
  if (prompts.length === 0) throw new ModelError("generate: there is no prompt");
  for (const prompt of prompts) {
    if (prompt.length === 0) throw new ModelError("generate: the prompt is empty; give at least the bos token");
    const wrong = prompt.findIndex((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
    if (wrong >= 0) {
      throw new ModelError(
        `generate: input_ids[${wrong}] is ${prompt[wrong]}, but the vocabulary has ids 0 to ${vocabSize - 1}: ` +
          "does the tokenizer belong to this model?",
      );
    }
  }
}

/** A number in [0, 1) for each step and row. */
function randomSource(seed = Math.floor(Math.random() * 2 ** 32)): (step: number) => (row: number) => number {
  return (step) => (row) => randomUniform({ seed, name: "generate", step }, row + 1)[row]!;
}
