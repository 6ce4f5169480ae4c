import * as tf from "@tensorflow/tfjs";
import { EngineError } from "../engine/errors.js";
import type { Engine } from "../engine/types.js";
import { AutoModelForCausalLM } from "../model/auto-model.js";
import { LoraConfig } from "../model/peft/lora-config.js";
import { getPeftModel } from "../model/peft/peft-model.js";
import type { CausalLM, ModelInputs, NamedTensors } from "../model/types.js";

export interface Benchmark {
  product: { size: number; gflops: number };
  /** null where products are so slow that a step would take minutes. */
  train_step: TrainStepTimes | null;
}

interface TrainStepTimes {
  tokens: number;
  first_ms: number;
  ms: number;
  tokens_per_second: number;
  parameters: number;
}

/** A product and a LoRA training step of a small Gemma-2, each repeated for a few seconds; the medians. */
export async function benchmark(engine: Engine): Promise<Benchmark> {
  const product = await measureProduct(engine);
  return { product, train_step: product.gflops < tooSlow ? null : await measureTrainStep(engine) };
}

/** In GFLOP/s: the cpu backend, or a graphics driver that is a program on the CPU. */
const tooSlow = 0.5;

const size = 512;

async function measureProduct(engine: Engine): Promise<Benchmark["product"]> {
  const [a, b] = [tf.randomNormal([size, size]), tf.randomNormal([size, size])];
  // One number comes back, so that copying the result out is not measured.
  const step = engine.jit(
    ({ a, b }: NamedTensors) => {
      let product = a!;
      for (let i = 0; i < repeats; i++) product = tf.matMul(product, b!);
      return { sum: tf.sum(product) };
    },
    { name: "doctor_product", pure: true },
  );
  const repeats = 4;
  const { median } = await repeat(1500, async () => {
    const { sum } = await step({ a, b });
    await sum.data();
    sum.dispose();
  });
  step.dispose();
  tf.dispose([a, b]);
  return { size, gflops: (repeats * 2 * size ** 3) / median / 1e6 };
}

const config = {
  model_type: "gemma2",
  vocab_size: 2048,
  hidden_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 32,
  intermediate_size: 512,
  query_pre_attn_scalar: 32,
  sliding_window: 64,
  attn_logit_softcapping: 50,
  final_logit_softcapping: 30,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-6,
  hidden_activation: "gelu_pytorch_tanh",
  pad_token_id: 0,
};

async function measureTrainStep(engine: Engine): Promise<TrainStepTimes> {
  const [batch, seq] = [2, 128];
  const target_modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
  const model = getPeftModel(
    AutoModelForCausalLM.fromConfig(config, { seed: 1 }),
    new LoraConfig({ r: 8, lora_alpha: 16, target_modules, task_type: "CAUSAL_LM" }),
  );
  const ids = tf.tensor2d(
    Array.from({ length: batch * seq }, (_, i) => 1 + ((i * 7919) % (config.vocab_size - 1))),
    [batch, seq],
    "int32",
  );
  const attention_mask: tf.Tensor2D = tf.onesLike(ids);
  let params = model.trainableParameters();
  const names = Object.keys(params);
  const step = engine.jit(gradientStep(model, names), { name: "doctor_train_step", pure: true });
  let firstLoss: number | undefined;
  const { first, median } = await repeat(4000, async () => {
    const outputs = await step({ ...params, "batch:ids": ids, "batch:mask": attention_mask });
    const [loss] = await outputs.loss!.data();
    firstLoss ??= loss!;
    outputs.loss!.dispose();
    const next = Object.fromEntries(names.map((name) => [name, outputs[name]!]));
    model.setTrainableParameters(next);
    params = next;
  });
  const parameters = model.parameterCounts().total;
  step.dispose();
  tf.dispose([ids, attention_mask]);
  model.dispose();
  checkLoss(firstLoss!);
  const tokens = batch * seq;
  return { tokens, first_ms: first, ms: median, tokens_per_second: (tokens / median) * 1e3, parameters };
}

/** What every engine must compute at the first step: the weights and the words are always the same. */
const expectedLoss = 1944.58;

function checkLoss(loss: number): void {
  if (Math.abs(loss / expectedLoss - 1) < 1e-4) return;
  throw new EngineError(
    `this engine computes wrongly: the training step's loss is ${loss}, and should be about ${expectedLoss}`,
  );
}

/** Forward, backward and a plain gradient step: the optimizer hardly counts. */
function gradientStep(model: CausalLM, names: string[]): (inputs: NamedTensors) => NamedTensors {
  return (inputs) => {
    const batch = {
      input_ids: inputs["batch:ids"],
      attention_mask: inputs["batch:mask"],
      labels: inputs["batch:ids"],
    } as ModelInputs;
    const loss = (...params: tf.Tensor[]) =>
      model.lossSum(Object.fromEntries(names.map((name, i) => [name, params[i]!])), batch);
    const { value, grads } = tf.valueAndGrads(loss)(names.map((name) => inputs[name]!));
    const moved = names.map((name, i) => [name, tf.sub(inputs[name]!, tf.mul(grads[i]!, 1e-7))] as const);
    return { loss: value, ...Object.fromEntries(moved) };
  };
}

/**
 * Runs until the milliseconds are over; the first run, which may compile, is kept apart, unless it alone took so long that
 * the rest would not matter.
 */
async function repeat(milliseconds: number, run: () => Promise<void>): Promise<{ first: number; median: number }> {
  const times: number[] = [];
  const begin = performance.now();
  while (performance.now() - begin < milliseconds || (times.length === 1 && times[0]! < 3 * milliseconds)) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  const [first, ...later] = times as [number, ...number[]];
  const rest = later.length > 0 ? later : [first];
  rest.sort((p, q) => p - q);
  return { first, median: rest[Math.floor(rest.length / 2)]! };
}
