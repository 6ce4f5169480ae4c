/**
 * The tutorial's training loop from end to end: our Trainer with LoRA, and Hugging Face's Trainer with PEFT, on the same
 * weights and rows. Batches of rows of different lengths, accumulation, evaluations, logging; no saving (see saving.js).
 *
 *   node bench/trainer.js [--config bench/configs/small.json] [--rows 160] [--engine onnx] [--python PATH]
 *
 *   --config FILE   a Hugging Face config.json; weights are random
 *   --rows N        rows to train on, 24 to 128 tokens long; a fifth as many to evaluate on
 *
 * PATH is an interpreter with torch, transformers and peft. The first session of each shape is part of our time.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  AutoModelForCausalLM,
  DataCollatorForLanguageModeling,
  Dataset,
  getPeftModel,
  LoraConfig,
  Trainer,
  TrainingArguments,
  useEngine,
} from "../dist/src/index.js";
import { helpIfAsked } from "./help.js";

helpIfAsked(import.meta.url);

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    config: { type: "string", default: join(here, "configs/small.json") },
    rows: { type: "string", default: "160" },
    engine: { type: "string", default: "onnx" },
    python: { type: "string" },
  },
});
const config = JSON.parse(readFileSync(values.config, "utf8"));
const rows = Array.from({ length: Number(values.rows) }, (_, i) => {
  const length = 24 + (hash(i) % 105);
  const input_ids = Array.from({ length }, (_, j) => 3 + (hash(1000 * i + j) % (config.vocab_size - 3)));
  return { input_ids, attention_mask: input_ids.map(() => 1) };
});
const folder = mkdtempSync(join(tmpdir(), "kaisetsu-bench-"));
const settings = {
  per_device_train_batch_size: 4,
  per_device_eval_batch_size: 4,
  gradient_accumulation_steps: 2,
  num_train_epochs: 1,
  learning_rate: 1e-3,
  weight_decay: 0.01,
  eval_strategy: "steps",
  eval_steps: 10,
  save_strategy: "no",
  logging_steps: 10,
  report_to: "none",
  train_sampling_strategy: "sequential",
};
await useEngine(values.engine);
const base = AutoModelForCausalLM.fromConfig(config, { seed: 1, dtype: "float32" });
await base.savePretrained(folder);
const target_modules = ["q_proj", "k_proj", "v_proj", "o_proj"];
const model = getPeftModel(
  base,
  new LoraConfig({ r: 16, lora_alpha: 32, lora_dropout: 0, target_modules, task_type: "CAUSAL_LM" }),
);
await model.savePretrained(join(folder, "adapter"));
writeFileSync(join(folder, "rows.json"), JSON.stringify(rows));
const results = { kaisetsu: await ours() };
if (values.python) results["transformers and peft"] = theirs();
rmSync(folder, { recursive: true });
const slowest = Object.values(results).at(-1).seconds;
for (const [name, { seconds, train_loss, eval_loss }] of Object.entries(results)) {
  console.log(
    `${name}: ${seconds.toFixed(2)} s, training loss ${train_loss.toFixed(5)}, evaluation loss ${eval_loss.toFixed(5)}, ` +
      `${(slowest / seconds).toFixed(2)} times as fast as ${Object.keys(results).at(-1)}`,
  );
}
process.exit(0);

async function ours() {
  const dataset = Dataset.fromArray(rows);
  const tokenizer = { pad_token_id: 0, padding_side: "right" };
  const trainer = new Trainer({
    model,
    args: new TrainingArguments({ ...settings, output_dir: join(folder, "ours"), disable_tqdm: true }),
    train_dataset: dataset,
    eval_dataset: dataset.select([...Array(Math.floor(rows.length / 5)).keys()]),
    data_collator: new DataCollatorForLanguageModeling({ tokenizer, mlm: false, pad_to_multiple_of: 8 }),
  });
  const log = console.log;
  console.log = () => undefined;
  const start = performance.now();
  const { training_loss } = await trainer.train();
  console.log = log;
  const seconds = (performance.now() - start) / 1e3;
  return { seconds, train_loss: training_loss, eval_loss: lastEvaluation(trainer.state.log_history) };
}

function lastEvaluation(history) {
  return history.findLast((entry) => "eval_loss" in entry).eval_loss;
}

function theirs() {
  const script = `
import json, os, sys, time, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
folder, settings = sys.argv[1], json.loads(sys.argv[2])
rows = json.load(open(os.path.join(folder, "rows.json")))
def collate(rows):
    length = -(-max(len(row["input_ids"]) for row in rows) // 8) * 8
    pad = lambda list, value: list + [value] * (length - len(list))
    ids = torch.tensor([pad(row["input_ids"], 0) for row in rows])
    mask = torch.tensor([pad(row["attention_mask"], 0) for row in rows])
    return {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask == 0, -100)}
base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
base.config.use_cache = False
model = PeftModel.from_pretrained(base, os.path.join(folder, "adapter"), is_trainable=True)
args = TrainingArguments(output_dir=os.path.join(folder, "theirs"), use_cpu=True, disable_tqdm=True, **settings)
trainer = Trainer(model=model, args=args, train_dataset=rows, eval_dataset=rows[: len(rows) // 5], data_collator=collate)
start = time.perf_counter()
loss = trainer.train().training_loss
seconds = time.perf_counter() - start
last = [entry for entry in trainer.state.log_history if "eval_loss" in entry][-1]
print(json.dumps({"seconds": seconds, "train_loss": loss, "eval_loss": last["eval_loss"]}))`;
  const { stdout, stderr, status } = spawnSync(values.python, ["-c", script, folder, JSON.stringify(settings)], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

/** Knuth's multiplicative hash. */
function hash(n) {
  return Math.imul(n + 1, 2654435761) >>> 7;
}
