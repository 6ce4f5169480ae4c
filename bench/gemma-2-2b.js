/**
 * One QLoRA step on a checkpoint of Gemma-2-2B's shape with random weights: time and peak memory of loading and training.
 *
 *   node bench/gemma-2-2b.js FOLDER [--layers 26] [--tokens 512] [--steps 2] [--engine onnx] [--checkpointing]
 *
 * Makes FOLDER (5.2 GB of bfloat16 for 26 layers) if it is not there. Needs about 7 GB of memory.
 */
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs";
import { AutoModelForCausalLM, BitsAndBytesConfig, getPeftModel, LoraConfig, useEngine } from "kaisetsu";
import { architectureOf, parameterShapes } from "../dist/src/model/architecture.js";
import { writeSafetensors } from "../dist/src/model/files/safetensors.js";
import { helpIfAsked } from "./help.js";

helpIfAsked(import.meta.url);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    layers: { type: "string", default: "26" },
    tokens: { type: "string", default: "512" },
    steps: { type: "string", default: "2" },
    engine: { type: "string", default: "onnx" },
    checkpointing: { type: "boolean", default: false },
  },
});
const folder = positionals[0];
if (!folder) throw new Error("usage: node bench/gemma-2-2b.js FOLDER");

const config = {
  architectures: ["Gemma2ForCausalLM"],
  model_type: "gemma2",
  vocab_size: 256000,
  hidden_size: 2304,
  intermediate_size: 9216,
  num_hidden_layers: Number(values.layers),
  num_attention_heads: 8,
  num_key_value_heads: 4,
  head_dim: 256,
  query_pre_attn_scalar: 256,
  sliding_window: 4096,
  attn_logit_softcapping: 50,
  final_logit_softcapping: 30,
  pad_token_id: 0,
  eos_token_id: 1,
  bos_token_id: 2,
  dtype: "bfloat16",
};

if (!existsSync(join(folder, "config.json"))) await makeCheckpoint();
const engine = await useEngine(values.engine);
console.log(engine.description);

let start = performance.now();
const base = await AutoModelForCausalLM.fromPretrained(folder, {
  quantization_config: new BitsAndBytesConfig({
    load_in_4bit: true,
    bnb_4bit_quant_type: "nf4",
    bnb_4bit_use_double_quant: true,
  }),
});
report("loaded in 4 bit");

const model = getPeftModel(
  base,
  new LoraConfig({ r: 16, lora_alpha: 32, target_modules: ["q_proj", "k_proj", "v_proj", "o_proj"] }),
);
model.printTrainableParameters();
const names = Object.keys(model.trainableParameters());
const options = { gradient_checkpointing: values.checkpointing };
const step = engine.jit(({ input_ids, attention_mask, ...params }) => {
  const { value, grads } = tf.valueAndGrads((...list) =>
    model.lossSum(
      Object.fromEntries(names.map((name, i) => [name, list[i]])),
      { input_ids, attention_mask, labels: input_ids },
      options,
    ),
  )(names.map((name) => params[name]));
  return { loss: value, norm: tf.sqrt(tf.addN(grads.map((gradient) => tf.sum(tf.square(gradient))))) };
});
const seq = Number(values.tokens);
const input_ids = tf.tensor2d(
  Array.from({ length: seq }, (_, i) => 3 + ((i * 7919) % 255000)),
  [1, seq],
  "int32",
);
const attention_mask = tf.onesLike(input_ids);
for (let i = 1; i <= Number(values.steps); i++) {
  start = performance.now();
  const outputs = await step({ input_ids, attention_mask, ...model.trainableParameters() });
  const [loss, norm] = [(await outputs.loss.data())[0] / (seq - 1), (await outputs.norm.data())[0]];
  report(`step ${i}: loss ${loss.toFixed(4)}, gradient norm ${norm.toFixed(4)}`);
  tf.dispose(Object.values(outputs));
}
process.exit(0);

function report(what) {
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const { rss } = process.memoryUsage();
  const peak = (process.resourceUsage().maxRSS * 1024) / 1e9;
  console.log(`${what}: ${seconds} s, resident ${(rss / 1e9).toFixed(2)} GB, peak ${peak.toFixed(2)} GB`);
}

/** In shards of at most 5 GB with an index, as the published checkpoint. */
async function makeCheckpoint() {
  await mkdir(folder, { recursive: true });
  const shards = [new Map()];
  let room = 5e9;
  for (const [name, shape] of parameterShapes(architectureOf(config, "bfloat16"))) {
    const size = shape.reduce((a, b) => a * b, 1);
    if (2 * size > room) {
      shards.push(new Map());
      room = 5e9;
    }
    room -= 2 * size;
    const values = () => randomValues(size, shape.length === 2 ? 0.02 : 0);
    shards.at(-1).set(name, { dtype: "BF16", shape, values });
  }
  const weight_map = {};
  for (const [i, shard] of shards.entries()) {
    const file = `model-${String(i + 1).padStart(5, "0")}-of-${String(shards.length).padStart(5, "0")}.safetensors`;
    await writeSafetensors(join(folder, file), shard);
    for (const name of shard.keys()) weight_map[name] = file;
  }
  await writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify({ metadata: {}, weight_map }, null, 2));
  await writeFile(join(folder, "config.json"), JSON.stringify(config, null, 2));
}

/** Near enough to a normal distribution: the sum of two uniforms; a linear congruence is fast and repeatable. */
function randomValues(size, scale) {
  const values = new Float32Array(size);
  if (scale === 0) return values;
  let state = size >>> 0;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const one = state;
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = ((one + state) / 2 ** 32 - 1) * scale * 2.45;
  }
  return values;
}
