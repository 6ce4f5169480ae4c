import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { AutoModelForCausalLM, useEngine } from "../../src/index.js";
import { assertForward, forwardOf, reference, scratchFolder, withoutLeaks } from "./reference.js";

before(() => useEngine("auto"));

const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));

for (const name of ["gemma2-bias", "gemma3", "llama", "qwen3"]) {
  const dir = reference("models", name);

  test(`${name}: logits, loss, gradients and greedy generation equal transformers'`, async () => {
    await withoutLeaks(async () => {
      const model = await AutoModelForCausalLM.fromPretrained(dir);
      const figure = await forwardOf(join(dir, "forward.safetensors"));
      assertForward(model, figure);
      assertForward(model, figure, { gradient_checkpointing: true });
      tf.dispose({ ...figure.inputs });
      const { prompt, output } = json(join(dir, "generate.json"));
      assert.deepEqual(await model.generate(prompt, { max_new_tokens: 12, eos_token_id: [] }), output);
      model.dispose();
    });
  });

  test(`${name}: packed texts see only themselves`, async () => {
    await withoutLeaks(async () => {
      const model = await AutoModelForCausalLM.fromPretrained(dir);
      const figure = await forwardOf(join(dir, "packed.safetensors"));
      assertForward(model, figure);
      tf.dispose({ ...figure.inputs });
      model.dispose();
    });
  });

  test(`${name}: what is saved is what transformers saved`, async () => {
    const model = await AutoModelForCausalLM.fromPretrained(dir);
    const copy = scratchFolder();
    await model.savePretrained(copy);
    assert.ok(readFileSync(join(copy, "model.safetensors")).equals(readFileSync(join(dir, "model.safetensors"))));
    assert.equal(readFileSync(join(copy, "config.json"), "utf8"), readFileSync(join(dir, "config.json"), "utf8"));
    model.dispose();
  });
}

test("older configs mean the same: flat rope settings, layer patterns", async () => {
  const gemma3 = json(reference("models", "gemma3", "config.json"));
  const { rope_parameters: _, layer_types: __, ...flat } = gemma3;
  const old = {
    ...flat,
    sliding_window_pattern: 3,
    rope_theta: 50000,
    rope_local_base_freq: 1000,
    rope_scaling: { rope_type: "linear", factor: 4 },
  };
  const a = AutoModelForCausalLM.fromConfig(gemma3);
  const b = AutoModelForCausalLM.fromConfig(old);
  assert.deepEqual(b.arch, a.arch);
  a.dispose();
  b.dispose();
  const llama = json(reference("models", "llama", "config.json"));
  const { rope_parameters, ...rest } = llama;
  const { rope_theta, ...scaling } = rope_parameters;
  const c = AutoModelForCausalLM.fromConfig(llama);
  const d = AutoModelForCausalLM.fromConfig({ ...rest, rope_theta, rope_scaling: scaling });
  assert.equal(d.arch.rope.full_attention.theta, 500);
  assert.deepEqual({ ...d.arch.rope.full_attention.scaling }, { ...scaling, type: "llama3" });
  c.dispose();
  d.dispose();
});
