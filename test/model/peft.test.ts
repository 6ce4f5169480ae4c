import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { AutoModelForCausalLM, getPeftModel, LoraConfig, PeftModel, useEngine } from "../../src/index.js";
import { readSafetensors } from "../../src/model/files/safetensors.js";
import {
  assertForward,
  figures,
  forwardFigures,
  largestDifference,
  scratchFolder,
  values,
  withoutLeaks,
} from "./reference.js";

before(() => useEngine("auto"));

const base = () => AutoModelForCausalLM.fromPretrained(figures("tiny-gemma2"));

test("a PEFT adapter gives PEFT's logits, loss and gradients", async () => {
  await withoutLeaks(async () => {
    const model = await PeftModel.fromPretrained(await base(), figures("adapter-random"));
    const figure = await forwardFigures("forward-adapter-random");
    for (const gradient_checkpointing of [false, true]) assertForward(model, figure, { gradient_checkpointing });
    tf.dispose({ ...figure.inputs });
    model.dispose();
  });
});

test("merging gives PEFT's merged weights, and a model of its own", async () => {
  await withoutLeaks(async () => {
    const model = await PeftModel.fromPretrained(await base(), figures("adapter-random"));
    const merged = model.mergeAndUnload();
    const expected = await readSafetensors(figures("merged-adapter-random.safetensors"));
    for (const [name, tensor] of merged.parameters()) {
      assert.ok(largestDifference(values(tensor), expected.get(name)!.values) < 1e-6, name);
    }
    merged.dispose();
  });
});

test("new adapters start with the values that PEFT draws for the seed", async () => {
  const config = new LoraConfig({
    r: 8,
    lora_alpha: 16,
    target_modules: ["q_proj", "k_proj", "v_proj", "o_proj"],
    task_type: "CAUSAL_LM",
  });
  const model = getPeftModel(await base(), config, { seed: 8 });
  const expected = await readSafetensors(figures("adapter-initial", "adapter_model.safetensors"));
  const params = model.trainableParameters();
  assert.deepEqual(Object.keys(params).sort(), [...expected.keys()].sort());
  for (const [name, tensor] of Object.entries(params)) {
    assert.ok(largestDifference(values(tensor), expected.get(name)!.values) < 1e-7, name);
  }
  model.dispose();
});

test("an adapter is saved as PEFT saves it", async () => {
  const model = await PeftModel.fromPretrained(await base(), figures("adapter-random"));
  const dir = scratchFolder();
  await model.savePretrained(dir);
  const file = "adapter_model.safetensors";
  assert.deepEqual(readFileSync(join(dir, file)), readFileSync(figures("adapter-random", file)));
  const read = (path: string) => readFileSync(path, "utf8");
  const saved = read(join(dir, "adapter_config.json"));
  // The committed figure was re-indented by one space; otherwise it is PEFT's own text.
  const expected = read(figures("adapter-random", "adapter_config.json")).replace(/^ +/gm, (pad) => pad + pad);
  assert.equal(saved, expected);
  model.dispose();
});

test("saveConfig writes the base model's config.json beside an adapter", async () => {
  const model = await PeftModel.fromPretrained(await base(), figures("adapter-random"));
  const dir = scratchFolder();
  await model.saveConfig(dir);
  const read = (path: string) => JSON.parse(readFileSync(path, "utf8"));
  assert.deepEqual(read(join(dir, "config.json")), read(figures("tiny-gemma2", "config.json")));
  model.dispose();
});

test("a trained copy of the embeddings counts as embeddings (total_flos leaves them out)", async () => {
  const model = await base();
  const { total, embedding } = model.parameterCounts();
  const config = new LoraConfig({ r: 2, target_modules: ["q_proj"], modules_to_save: ["embed_tokens"] });
  const adapted = getPeftModel(model, config);
  const counts = adapted.parameterCounts();
  assert.equal(counts.embedding, 2 * embedding);
  assert.equal(counts.total - counts.embedding - (counts.trainable - embedding), total - embedding);
  adapted.dispose();
});

test("masks stand for dropout: they scale the adapter's input and are named in order", async () => {
  const config = new LoraConfig({ target_modules: ["q_proj", "v_proj"], lora_dropout: 0.25, init_lora_weights: false });
  const model = getPeftModel(await base(), config, { seed: 1 });
  const masks = model.dropoutMasks(3, 48);
  assert.equal(masks.length, 2 * 4);
  assert.deepEqual(masks[0], { name: "model.layers.0.self_attn.q_proj.lora_dropout", shape: [3, 48, 64], rate: 0.25 });
  const { inputs } = await forwardFigures("forward-right");
  const [batch, seq] = inputs.input_ids.shape;
  const fill = (value: number) =>
    Object.fromEntries(model.dropoutMasks(batch, seq).map(({ name, shape }) => [name, tf.fill(shape, value)]));
  const params = model.trainableParameters();
  const loss = (value?: number) =>
    values(model.lossSum(params, inputs, value === undefined ? {} : { dropout: fill(value) }))[0]!;
  assert.equal(loss(1), loss());
  assert.notEqual(loss(0), loss());
  const without = Object.fromEntries(Object.entries(params).map(([name, t]) => [name, tf.zerosLike(t)]));
  assert.equal(loss(0), values(model.lossSum(without, inputs))[0]!);
  assert.throws(() => model.lossSum(params, inputs, { dropout: {} }), /dropout masks missing: model.layers.0/);
  model.dispose();
});

test("printTrainableParameters prints PEFT's line", async (t) => {
  const model = await PeftModel.fromPretrained(await base(), figures("adapter-random"));
  const log = t.mock.method(console, "log", () => {});
  model.printTrainableParameters();
  assert.deepEqual(log.mock.calls[0]!.arguments, [
    "trainable params: 14,336 || all params: 180,224 || trainable%: 7.9545",
  ]);
  model.dispose();
});
