import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { after, test } from "node:test";
import { BitsAndBytesConfig, LoraConfig, saveTrainingConfig, TrainingArguments } from "../../src/index.js";
import { freshDir } from "../training/tiny.js";

const folders: string[] = [];
after(() => {
  for (const dir of folders) rmSync(dir, { recursive: true });
});

test("training_config.json has the keys of the Python notebook, in its order and form", async () => {
  const path = await saveTrainingConfig(freshDir(folders), {
    model_name: "google/gemma-2-2b-jpn-it",
    training_args: new TrainingArguments({ output_dir: "出力", fp16: true, hub_token: "hf_abc" }),
    lora_config: new LoraConfig({ r: 16, target_modules: ["q_proj", "k_proj"], task_type: "CAUSAL_LM" }),
    bnb_config: new BitsAndBytesConfig({ load_in_4bit: true, bnb_4bit_compute_dtype: "torch.float16" }),
  });
  const text = readFileSync(path, "utf8");
  const config = JSON.parse(text);
  assert.deepEqual(Object.keys(config), ["model_name", "training_args", "lora_config", "bnb_config"]);
  assert.equal(config.training_args.hub_token, "<HUB_TOKEN>");
  assert.ok(!text.includes("hf_abc"));
  assert.equal(config.training_args.fp16, true);
  assert.deepEqual(config.lora_config.target_modules, ["q_proj", "k_proj"]);
  assert.equal(config.lora_config.inference_mode, false);
  assert.deepEqual(config.bnb_config, {
    load_in_4bit: true,
    bnb_4bit_use_double_quant: false,
    bnb_4bit_quant_type: "fp4",
    bnb_4bit_compute_dtype: "torch.float16",
  });
  assert.ok(text.startsWith('{\n  "model_name": '), "indented by two");
  assert.ok(text.includes("出力"), "Japanese stays readable");
  assert.ok(!text.endsWith("\n"), "json.dump writes no last line end");
});

test("sets become lists, absent parts null, and passwords in URLs are masked", async () => {
  const path = await saveTrainingConfig(freshDir(folders), {
    model_name: "https://user:secret@example.org/model",
    training_args: {},
    lora_config: { target_modules: new Set(["v_proj", "q_proj"]) },
  });
  const config = JSON.parse(readFileSync(path, "utf8"));
  assert.deepEqual(config.lora_config.target_modules, ["v_proj", "q_proj"]);
  assert.equal(config.bnb_config, null);
  assert.equal(config.model_name, "https://***@example.org/model");
});
