import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  AutoModelForCausalLM,
  Dataset,
  getPeftModel,
  LoraConfig,
  Trainer,
  TrainingArguments,
  useEngine,
} from "kaisetsu";

const config = {
  model_type: "gemma2",
  vocab_size: 2048,
  hidden_size: 256,
  intermediate_size: 1024,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 64,
  query_pre_attn_scalar: 64,
  sliding_window: 4096,
  max_position_embeddings: 256,
  rms_norm_eps: 1e-6,
  hidden_activation: "gelu_pytorch_tanh",
  tie_word_embeddings: true,
  pad_token_id: 0,
};

test("on onnx the event loop turns in the middle of the steps of train()", async () => {
  await useEngine("onnx");
  const base = AutoModelForCausalLM.fromConfig(config, { seed: 1, dtype: "float32" });
  const model = getPeftModel(base, new LoraConfig({ r: 4, target_modules: ["q_proj", "down_proj"] }));
  const words = Array.from({ length: 128 }, (_, i) => 1 + (i % 90));
  const row = { input_ids: words, attention_mask: words.map(() => 1), labels: words };
  const output_dir = mkdtempSync(join(tmpdir(), "kaisetsu-event-loop-"));

  // How much of each step its longest silence took: nearly all of it, if the step held the event loop up. A busy machine
  // makes both longer.
  const shares: number[] = [];
  let [began, latest, longest] = [0, 0, 0];
  const tick = () => {
    longest = Math.max(longest, performance.now() - latest);
    latest = performance.now();
  };
  const timer = setInterval(tick, 1);
  const trainer = new Trainer({
    model,
    train_dataset: Dataset.fromArray(Array.from({ length: 4 }, () => row)),
    data_collator: {
      collate: (rows: object[]) => {
        const all = rows as (typeof row)[];
        return {
          input_ids: all.map(({ input_ids }) => input_ids),
          attention_mask: all.map(({ attention_mask }) => attention_mask),
          labels: all.map(({ labels }) => labels),
        };
      },
    },
    args: new TrainingArguments({
      output_dir,
      max_steps: 7,
      per_device_train_batch_size: 4,
      save_strategy: "no",
      logging_strategy: "no",
      disable_tqdm: true,
    }),
    callbacks: [
      {
        on_step_begin: () => {
          began = latest = performance.now();
          longest = 0;
        },
        on_step_end: () => {
          tick();
          shares.push(longest / (latest - began));
        },
      },
    ],
  });
  try {
    await trainer.train();
  } finally {
    clearInterval(timer);
    rmSync(output_dir, { recursive: true });
    model.dispose();
  }
  const [, ...replayed] = shares;
  const median = replayed.sort((a, b) => a - b)[replayed.length >> 1]!;
  assert.ok(median < 0.5, `the longest silences took these shares of the steps: ${replayed.map((s) => s.toFixed(2))}`);
});
