import assert from "node:assert/strict";
import { test } from "node:test";
import { LoraConfig, type LoraConfigFields } from "../../src/index.js";
import { findTargets } from "../../src/model/peft/target-modules.js";

const linear = [0, 1, 2].flatMap((i) =>
  ["self_attn.q_proj", "self_attn.v_proj", "mlp.up_proj"].map((name) => `model.layers.${i}.${name}`),
);
const others = ["model.embed_tokens", "model.layers.0.input_layernorm", "model.norm", "lm_head"];
const targets = (fields: Partial<LoraConfigFields>) => findTargets(new LoraConfig(fields).fields, linear, others);
const names = (fields: Partial<LoraConfigFields>) => targets(fields).map(({ module }) => module);
const ending = (end: string) => linear.filter((name) => name.endsWith(end));

test("names match whole dotted segments from the end, regular expressions the whole name", () => {
  assert.deepEqual(names({ target_modules: ["q_proj"] }), ending("q_proj"));
  assert.deepEqual(names({ target_modules: ["layers.1.mlp.up_proj"] }), ["model.layers.1.mlp.up_proj"]);
  assert.deepEqual(names({ target_modules: ".*\\.[12]\\..*(q|v)_proj" }), [
    "model.layers.1.self_attn.q_proj",
    "model.layers.1.self_attn.v_proj",
    "model.layers.2.self_attn.q_proj",
    "model.layers.2.self_attn.v_proj",
  ]);
  assert.deepEqual(names({ target_modules: "ALL-linear" }), linear);
  assert.deepEqual(
    names({}),
    linear.filter((name) => !name.endsWith("up_proj")),
  );
  assert.throws(() => names({ target_modules: ["proj"] }), /Target modules proj not found.*q_proj, v_proj, up_proj/);
  assert.throws(() => names({ target_modules: "q_proj" }), /not found/);
  // Python takes a needless backslash.
  assert.deepEqual(names({ target_modules: ".*\\.q\\_proj" }), names({ target_modules: ["q_proj"] }));
  assert.throws(() => names({ target_modules: "(" }), /not a valid regular expression/);
  assert.throws(() => names({ target_modules: ["norm"] }), /LoRA on model\.norm is not supported/);
});

test("exclusions, saved modules and layers narrow the choice", () => {
  const all = { target_modules: "all-linear" };
  assert.deepEqual(names({ ...all, exclude_modules: ["up_proj", "v_proj"] }), ending("q_proj"));
  assert.deepEqual(names({ ...all, exclude_modules: ".*_attn.*" }), ending("up_proj"));
  assert.deepEqual(names({ ...all, modules_to_save: ["self_attn"] }), ending("up_proj"));
  const q = { target_modules: ["q_proj"] };
  assert.deepEqual(names({ ...q, layers_to_transform: [0, 2] }), [ending("q_proj")[0], ending("q_proj")[2]]);
  assert.deepEqual(names({ ...q, layers_to_transform: 1, layers_pattern: "layers" }), [ending("q_proj")[1]]);
});

test("patterns give single modules their own rank and alpha", () => {
  const found = targets({
    target_modules: ["q_proj"],
    r: 8,
    lora_alpha: 16,
    rank_pattern: { "layers.0.self_attn.q_proj": 4 },
    alpha_pattern: { "model.layers.[01].*": 32 },
  });
  assert.deepEqual(
    found.map(({ r, scaling }) => [r, scaling]),
    [
      [4, 8],
      [8, 4],
      [8, 2],
    ],
  );
  assert.equal(targets({ target_modules: ["q_proj"], r: 16, lora_alpha: 8, use_rslora: true })[0]!.scaling, 2);
});

test("settings that mean nothing, or that are not supported, are refused", () => {
  const refused = (fields: object, message: RegExp) => assert.throws(() => new LoraConfig(fields), message);
  refused({ rank: 8 }, /has no field rank/);
  refused({ r: 0 }, /r should be a positive integer, got 0/);
  refused({ lora_dropout: 1 }, /lora_dropout must lie in \[0, 1\)/);
  refused({ task_type: "CHAT" }, /task_type CHAT is invalid/);
  refused({ target_modules: "all-linear", layers_to_transform: [1] }, /layers_to_transform cannot be used/);
  refused({ layers_pattern: "layers" }, /layers_pattern needs layers_to_transform/);
  refused({ use_qalora: true }, /use_qalora is not supported here/);
  refused({ bias: "some" }, /bias must be none, all or lora_only/);
});

test("toDict gives PEFT's fields in PEFT's order", () => {
  const dict = new LoraConfig({ r: 16, target_modules: ["q_proj"], task_type: "CAUSAL_LM" }).toDict();
  assert.deepEqual(Object.keys(dict).slice(0, 12), [
    "task_type",
    "peft_type",
    "auto_mapping",
    "peft_version",
    "base_model_name_or_path",
    "revision",
    "inference_mode",
    "r",
    "target_modules",
    "exclude_modules",
    "lora_alpha",
    "lora_dropout",
  ]);
  assert.equal(dict.inference_mode, false);
  assert.equal(Object.keys(dict).length, 41);
});
