import assert from "node:assert/strict";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import {
  AutoModelForCausalLM,
  AutoPeftModelForCausalLM,
  BitsAndBytesConfig,
  type ModelConfig,
  PeftModel,
  type PreTrainedModel,
  useEngine,
} from "../../src/index.js";
import {
  type HostTensor,
  readSafetensors,
  type TensorToWrite,
  writeSafetensors,
} from "../../src/model/files/safetensors.js";
import { figures, largestDifference, scratchFolder, values, withoutLeaks } from "./reference.js";

before(() => useEngine("auto"));

const tiny = figures("tiny-gemma2");
const weights = (model: PreTrainedModel) => [...model.parameters()].map(([name, t]) => [name, [...values(t)]] as const);
const copyOfTiny = () => {
  const dir = scratchFolder();
  cpSync(tiny, dir, { recursive: true });
  return dir;
};
const fails = (dir: string, message: RegExp) =>
  withoutLeaks(() => assert.rejects(AutoModelForCausalLM.fromPretrained(dir), message));

test("one file and shards with an index load the same weights", async () => {
  await withoutLeaks(async () => {
    const whole = await AutoModelForCausalLM.fromPretrained(tiny);
    const sharded = await AutoModelForCausalLM.fromPretrained(figures("tiny-gemma2-sharded"));
    assert.deepEqual(weights(sharded), weights(whole));
    assert.equal(whole.dtype, "float32");
    assert.deepEqual(whole.parameterCounts(), { trainable: 165888, total: 165888, embedding: 271 * 64 });
    whole.dispose();
    sharded.dispose();
  });
});

test("what is saved is what transformers saved, and stale shards go", async () => {
  const model = await AutoModelForCausalLM.fromPretrained(tiny);
  const dir = scratchFolder();
  await model.savePretrained(dir, { max_shard_size: "200KB" });
  const shards = figures("tiny-gemma2-sharded");
  for (const file of readdirSync(shards)) {
    if (/token|jinja/.test(file)) continue;
    assert.equal(readFileSync(join(dir, file), "utf8"), readFileSync(join(shards, file), "utf8"), file);
  }
  await model.savePretrained(dir);
  assert.deepEqual(readdirSync(dir).sort(), ["config.json", "generation_config.json", "model.safetensors"]);
  assert.ok(readFileSync(join(dir, "model.safetensors")).equals(readFileSync(join(tiny, "model.safetensors"))));
  assert.equal(readFileSync(join(dir, "config.json"), "utf8"), readFileSync(join(tiny, "config.json"), "utf8"));
  await model.savePretrained(dir, { dtype: "bfloat16" });
  const half = await AutoModelForCausalLM.fromPretrained(dir);
  assert.equal(half.dtype, "bfloat16");
  const difference = largestDifference(weights(half)[0]![1], weights(model)[0]![1]);
  assert.ok(difference > 0 && difference < 2 ** -9);
  half.dispose();
  model.dispose();
});

test("a broken folder is refused by name", async () => {
  await fails("/nowhere", /there is no model folder \/nowhere/);
  let dir = copyOfTiny();
  rmSync(join(dir, "config.json"));
  await fails(dir, /config\.json is missing/);
  dir = copyOfTiny();
  rmSync(join(dir, "model.safetensors"));
  await fails(dir, /holds no model\.safetensors/);
  dir = scratchFolder();
  cpSync(figures("tiny-gemma2-sharded"), dir, { recursive: true });
  rmSync(join(dir, "model-00003-of-00004.safetensors"));
  await fails(dir, /lacks shards that its index names: model-00003-of-00004\.safetensors/);
});

test("missing, unexpected and misshapen parameters are named", async () => {
  const dir = copyOfTiny();
  const path = join(dir, "model.safetensors");
  const original = await readSafetensors(path);
  const rewrite = async (change: (tensors: Map<string, HostTensor>) => void) => {
    const tensors = new Map(original);
    change(tensors);
    await writeSafetensors(path, tensors as Map<string, TensorToWrite>);
  };
  const norm = "model.norm.weight";
  await rewrite((t) => t.delete(norm));
  await fails(dir, /parameters missing from the weights: model\.norm\.weight/);
  await rewrite((t) => t.set("model.extra.weight", t.get(norm)!));
  await fails(dir, /parameters that this model does not have: model\.extra\.weight/);
  await rewrite((t) => t.set(norm, { ...t.get(norm)!, shape: [8, 8] }));
  await fails(dir, /asks for model\.norm\.weight of shape \[64\], but the weights hold \[8,8\]/);
});

test("what cannot be computed faithfully is refused", async () => {
  const config = JSON.parse(readFileSync(join(tiny, "config.json"), "utf8")) as ModelConfig;
  const refused = (changes: object, message: RegExp) =>
    assert.throws(() => AutoModelForCausalLM.fromConfig({ ...config, ...changes }), message);
  refused({ model_type: "mamba" }, /not supported: model_type mamba; supported: .*gemma2/);
  refused({ hidden_activation: "relu" }, /not supported: activation relu/);
  refused({ num_key_value_heads: 3 }, /not a multiple of num_key_value_heads/);
  refused({ rope_parameters: { rope_theta: 1, rope_type: "yarn" } }, /not supported: rope_type yarn/);
  refused({ hidden_size: "64" }, /hidden_size is "64", expected a positive number/);
});

test("fromConfig: the seed decides the weights, norms start neutral", async () => {
  await withoutLeaks(async () => {
    const config = JSON.parse(readFileSync(join(tiny, "config.json"), "utf8")) as ModelConfig;
    const [a, b, c] = [1, 1, 2].map((seed) => AutoModelForCausalLM.fromConfig(config, { seed }));
    assert.deepEqual(weights(a!), weights(b!));
    assert.notDeepEqual(weights(a!)[0], weights(c!)[0]);
    const embedding = values(a!.parameters().get("model.embed_tokens.weight")!);
    const variance = embedding.reduce((sum, x) => sum + x * x, 0) / embedding.length;
    assert.ok(Math.abs(Math.sqrt(variance) - 0.02) < 0.001);
    assert.ok(values(a!.parameters().get("model.norm.weight")!).every((x) => x === 0));
    for (const model of [a, b, c]) model!.dispose();
  });
});

test("an adapter folder loads with its base, and missing or unexpected tensors are errors", async () => {
  await withoutLeaks(async () => {
    const model = await AutoPeftModelForCausalLM.fromPretrained(figures("adapter-random"));
    assert.equal(model.parameterCounts().trainable, 14336);
    model.dispose();
  });
  const dir = scratchFolder();
  cpSync(figures("adapter-random"), dir, { recursive: true });
  const path = join(dir, "adapter_model.safetensors");
  const original = await readSafetensors(path);
  const name = "base_model.model.model.layers.2.self_attn.k_proj.lora_B.weight";
  const load = async () => {
    const base = await AutoModelForCausalLM.fromPretrained(tiny);
    return PeftModel.fromPretrained(base, dir).finally(() => base.dispose());
  };
  await writeSafetensors(path, new Map([...original].filter(([key]) => key !== name)));
  await withoutLeaks(() => assert.rejects(load(), new RegExp(`lacks the adapter's tensors ${name}`)));
  await writeSafetensors(path, new Map([...original, ["surprise", original.get(name)!]]));
  await assert.rejects(load(), /holds tensors that its config does not name: surprise/);
  rmSync(path);
  await assert.rejects(load(), /adapter_model\.safetensors is missing/);
  const config = join(dir, "adapter_config.json");
  writeFileSync(config, readFileSync(config, "utf8").replace('"r": 8', '"r": 0'));
  await assert.rejects(load(), /r should be a positive integer/);
  assert.ok(existsSync(config));
});

test("BitsAndBytesConfig.toDict equals transformers'", () => {
  const config = new BitsAndBytesConfig({
    load_in_4bit: true,
    bnb_4bit_quant_type: "nf4",
    bnb_4bit_use_double_quant: true,
    bnb_4bit_compute_dtype: "torch.float16",
  });
  assert.deepEqual(Object.entries(config.toDict()), [
    ["quant_method", "bitsandbytes"],
    ["_load_in_8bit", false],
    ["_load_in_4bit", true],
    ["llm_int8_threshold", 6],
    ["llm_int8_skip_modules", null],
    ["llm_int8_enable_fp32_cpu_offload", false],
    ["llm_int8_has_fp16_weight", false],
    ["bnb_4bit_quant_type", "nf4"],
    ["bnb_4bit_use_double_quant", true],
    ["bnb_4bit_compute_dtype", "float16"],
    ["bnb_4bit_quant_storage", "uint8"],
    ["load_in_4bit", true],
    ["load_in_8bit", false],
  ]);
  assert.throws(() => new BitsAndBytesConfig({ load_in_4bit: true, load_in_8bit: true }), /choose one/);
  assert.throws(() => new BitsAndBytesConfig({ bnb_4bit_compute_dtype: "int8" }), /not float32, float16 or bfloat16/);
});
