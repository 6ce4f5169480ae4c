import type { Engine } from "../../engine/types.js";
import { AutoModelForCausalLM } from "../../model/auto-model.js";
import { LoraConfig } from "../../model/peft/lora-config.js";
import { getPeftModel } from "../../model/peft/peft-model.js";
import type { ModelConfig } from "../../model/types.js";
import type { TrainingArguments } from "../arguments/arguments.js";
import { TrainStep } from "../step.js";

let warm = false;

/**
 * Trains a model of one layer and next to no width for four steps, once in a process, where the engine records steps.
 *
 * Recording holds the event loop up, and JavaScript that runs for the first time is three times as slow: read, compiled,
 * its types unknown. Here that happens in small portions, and the first step of the real model takes so much less.
 */
export async function warmUp(engine: Engine, args: TrainingArguments): Promise<void> {
  if (warm || !engine.tracesShapes) return;
  warm = true;
  const base = AutoModelForCausalLM.fromConfig(config, { seed: 1, dtype: "float32" });
  const model = getPeftModel(base, new LoraConfig({ r: 1, target_modules: ["q_proj", "down_proj"] }));
  const step = new TrainStep(model, engine, args);
  try {
    for (const length of [8, 16, 24, 32]) {
      const input_ids = [Array.from({ length }, (_, i) => 1 + (i % 7))];
      const rows = { input_ids, attention_mask: [input_ids[0]!.map(() => 1)], labels: input_ids };
      await step.accumulate(rows, 1 / length, 0);
      await step.update(0);
    }
  } finally {
    step.dispose();
    model.dispose();
  }
}

const config: ModelConfig = {
  model_type: "gemma2",
  vocab_size: 8,
  hidden_size: 8,
  intermediate_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 4,
  query_pre_attn_scalar: 4,
  sliding_window: 16,
  attn_logit_softcapping: 50,
  final_logit_softcapping: 30,
  max_position_embeddings: 32,
  rms_norm_eps: 1e-6,
  hidden_activation: "gelu_pytorch_tanh",
  tie_word_embeddings: true,
  initializer_range: 0.02,
  pad_token_id: 0,
};
