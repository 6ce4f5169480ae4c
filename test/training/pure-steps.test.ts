import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AutoModelForCausalLM,
  Dataset,
  type Engine,
  getPeftModel,
  LoraConfig,
  TrainingArguments,
  useEngine,
} from "kaisetsu";
import { Evaluator } from "../../src/training/run/evaluation.js";
import { TrainStep } from "../../src/training/step.js";

const tinyConfig = {
  model_type: "gemma2",
  vocab_size: 64,
  hidden_size: 16,
  intermediate_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 8,
  query_pre_attn_scalar: 8,
  sliding_window: 16,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-6,
  hidden_activation: "gelu_pytorch_tanh",
  tie_word_embeddings: true,
  pad_token_id: 0,
};

test("the Trainer's own steps, which it says are pure, are so: checked at every call they pass", async () => {
  const engine = await useEngine("onnx");
  const checking: Engine = { ...engine, jit: (step, options) => engine.jit(step, { ...options, pure: false }) };
  const base = AutoModelForCausalLM.fromConfig(tinyConfig, { seed: 1, dtype: "float32" });
  const lora = new LoraConfig({ r: 2, lora_dropout: 0.3, target_modules: ["q_proj", "down_proj"] });
  const model = getPeftModel(base, lora);
  const args = new TrainingArguments({ output_dir: "unused", neftune_noise_alpha: 5, weight_decay: 0.1 });
  const train = new TrainStep(model, checking, args);
  const evaluator = new Evaluator(model, checking);
  const rows = [8, 16, 8, 16].map((length) => ({
    input_ids: Array.from({ length }, (_, i) => 1 + ((3 * i + length) % 60)),
    attention_mask: new Array<number>(length).fill(1),
    labels: Array.from({ length }, (_, i) => 1 + ((3 * i + length) % 60)),
  }));
  const losses: number[] = [];
  for (const [i, { input_ids, attention_mask, labels }] of rows.entries()) {
    const batch = { input_ids: [input_ids], attention_mask: [attention_mask], labels: [labels] };
    losses.push(await train.accumulate(batch, 1 / (i + 1), i));
    await train.update(0.01 * (i + 1));
    train.syncModel();
    await evaluator.run(Dataset.fromArray(rows), [[i]], {
      count: () => 1,
      collator: { collate: () => batch },
      remove_unused_columns: false,
      keep_predictions: false,
    });
  }
  assert.equal(new Set(losses).size, 4);
  train.dispose();
  evaluator.dispose();
  model.dispose();
});
