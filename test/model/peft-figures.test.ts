import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import {
  AutoModelForCausalLM,
  BitsAndBytesConfig,
  getPeftModel,
  LoraConfig,
  type LoraConfigFields,
  PeftModel,
  useEngine,
} from "../../src/index.js";
import { readSafetensors } from "../../src/model/files/safetensors.js";
import {
  assertForward,
  forwardOf,
  largestDifference,
  parameterName,
  reference,
  scratchFolder,
  values,
  withoutLeaks,
} from "./reference.js";

before(() => useEngine("auto"));

interface About {
  base: string;
  seed: number;
  settings: Partial<LoraConfigFields>;
  trainable: number;
  total: number;
  trainable_names: string[];
}

const ADAPTERS = [
  "rslora-patterns",
  "dora",
  "saved-modules",
  "bias-all",
  "bias-lora-only",
  "untied-head",
  "gaussian",
  "llama-lora",
];

for (const name of ADAPTERS) {
  const dir = reference("peft", name);
  const about = JSON.parse(readFileSync(join(dir, "about.json"), "utf8")) as About;
  const base = () => AutoModelForCausalLM.fromPretrained(reference("models", about.base));

  describe(`PEFT: ${name}`, () => {
    test("names, order, counts and first values", async () => {
      await withoutLeaks(async () => {
        const model = getPeftModel(await base(), new LoraConfig(about.settings), { seed: about.seed });
        const params = model.trainableParameters();
        assert.deepEqual(Object.keys(params), about.trainable_names.map(parameterName));
        const { trainable, total } = model.parameterCounts();
        assert.deepEqual([trainable, total], [about.trainable, about.total]);
        const first = await readSafetensors(join(dir, "initial", "adapter_model.safetensors"));
        assert.deepEqual([...first.keys()].sort(), Object.keys(params).sort());
        for (const [key, tensor] of Object.entries(params)) {
          assert.ok(largestDifference(values(tensor), first.get(key)!.values) < 1e-6, key);
        }
        model.dispose();
      });
    });

    test("logits, loss, gradients; the same files back; merged logits", async () => {
      await withoutLeaks(async () => {
        const model = await PeftModel.fromPretrained(await base(), join(dir, "adapter"));
        const figure = await forwardOf(join(dir, "forward.safetensors"));
        assertForward(model, figure);
        assertForward(model, figure, { gradient_checkpointing: true });
        const saved = scratchFolder();
        await model.savePretrained(saved);
        const file = "adapter_model.safetensors";
        assert.ok(readFileSync(join(saved, file)).equals(readFileSync(join(dir, "adapter", file))));
        const merged = model.mergeAndUnload();
        const logits = merged.logits({}, figure.inputs);
        const expected = await readSafetensors(join(dir, "merged-logits.safetensors"));
        assert.ok(largestDifference(values(logits), expected.get("logits")!.values, figure.mask) < 1e-4);
        tf.dispose([logits, ...Object.values(figure.inputs)]);
        merged.dispose();
      });
    });
  });
}

test("modules that cannot be trained or merged are named", async () => {
  const gemma = reference("models", "gemma2-bias");
  const tied = await AutoModelForCausalLM.fromPretrained(gemma);
  const config = new LoraConfig({ target_modules: ["q_proj"], modules_to_save: ["lm_head"] });
  const model = getPeftModel(tied, config);
  assert.ok("base_model.model.lm_head.weight" in model.trainableParameters());
  assert.throws(() => model.mergeAndUnload(), /tied embeddings cannot be merged/);
  model.dispose();

  const unknown = new LoraConfig({ target_modules: ["q_proj"], modules_to_save: ["score"] });
  const other = await AutoModelForCausalLM.fromPretrained(gemma);
  assert.throws(() => getPeftModel(other, unknown), /modules_to_save score not found in the base model/);
  other.dispose();

  const quantization_config = new BitsAndBytesConfig({ load_in_4bit: true });
  const packed = await AutoModelForCausalLM.fromPretrained(gemma, { quantization_config });
  const whole = new LoraConfig({ target_modules: ["q_proj"], modules_to_save: ["v_proj"] });
  assert.throws(() => getPeftModel(packed, whole), /v_proj\.weight is in 4 bit and cannot train/);
  packed.dispose();
});
