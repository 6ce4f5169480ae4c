import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

/** Prints the loss and the process's peak of memory, in MB, after one training step of a model whose layers are many. */
const program = `
const { AutoModelForCausalLM, getPeftModel, LoraConfig, TrainingArguments, useEngine } = await import("kaisetsu");
const { TrainStep } = await import(process.argv[1]);
const engine = await useEngine("onnx");
const base = AutoModelForCausalLM.fromConfig({
  architectures: ["Gemma2ForCausalLM"], model_type: "gemma2", vocab_size: 256, hidden_size: 128, num_hidden_layers: 8,
  num_attention_heads: 4, num_key_value_heads: 2, head_dim: 32, intermediate_size: 512, query_pre_attn_scalar: 32,
  sliding_window: 512, attn_logit_softcapping: 50, final_logit_softcapping: 30, max_position_embeddings: 512,
  rms_norm_eps: 1e-6, hidden_activation: "gelu_pytorch_tanh", pad_token_id: 0, bos_token_id: 2, eos_token_id: 1,
}, { seed: 1, dtype: "float32" });
const model = getPeftModel(base, new LoraConfig({ r: 4, target_modules: ["q_proj", "v_proj"], task_type: "CAUSAL_LM" }));
const args = new TrainingArguments({ output_dir: "unused", gradient_checkpointing: process.argv[2] === "on" });
const step = new TrainStep(model, engine, args);
const input_ids = Array.from({ length: 4 }, (_, row) => Array.from({ length: 512 }, (_, i) => 1 + ((7 * i + row) % 255)));
const batch = { input_ids, labels: input_ids, attention_mask: input_ids.map((row) => row.map(() => 1)) };
const loss = await step.accumulate(batch, 1 / 2044, 0);
console.log(JSON.stringify({ loss, peak: process.resourceUsage().maxRSS / 1024 }));
process.exit(0);
`;

test("gradient checkpointing lowers the peak of a process, and computes the same", () => {
  const [plain, checkpointed] = ["off", "on"].map((checkpointing) => {
    const step = new URL("../../src/training/step.js", import.meta.url).href;
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      ["--input-type=module", "-e", program, step, checkpointing],
      { encoding: "utf8", env: { ...process.env, KAISETSU_ENGINE: "onnx" } },
    );
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout.trim().split("\n").at(-1)!) as { loss: number; peak: number };
  });
  assert.ok(Math.abs(plain!.loss - checkpointed!.loss) < 1e-5, `${plain!.loss} and ${checkpointed!.loss}`);
  const share = checkpointed!.peak / plain!.peak;
  assert.ok(share < 0.65, `peak ${checkpointed!.peak} MB with, ${plain!.peak} MB without checkpointing`);
});
