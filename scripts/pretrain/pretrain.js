/**
 * `node scripts/pretrain/pretrain.js [--out DIR] [--dialogues N] [--epochs N] [--seed N]`: makes the tutorial's base
 * model from nothing. It generates the corpus, trains the tokenizer, and trains a small Gemma-2 on plain questions and
 * answers with kaisetsu's own Trainer. The same seed gives the same corpus and tokenizer everywhere, and the same
 * weights up to the rounding of the machine's engine.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root, setup } from "../setup.js";
import { buildCorpus } from "./corpus.js";
import { modelCard } from "./model-card.js";
import { trainTokenizer, writeTokenizer } from "./tokenizer.js";

const { values } = parseArgs({
  options: {
    out: { type: "string", default: join(root, "notebooks/models/kotoba-gemma2") },
    dialogues: { type: "string", default: "40200" },
    epochs: { type: "string", default: "1" },
    seed: { type: "string", default: "20261124" },
    batch: { type: "string", default: "12" },
    lr: { type: "string", default: "0.003" },
    threads: { type: "string" },
  },
});
const seed = Number(values.seed);

setup();
const {
  AutoModelForCausalLM,
  AutoTokenizer,
  DataCollatorForLanguageModeling,
  Dataset,
  tokenizeDialogues,
  Trainer,
  TrainingArguments,
  useEngine,
} = await import("../../dist/src/index.js");

const vocab_size = 3072;
/** Gemma-2's architecture, every feature of it, at a thousandth of its size. */
const config = {
  architectures: ["Gemma2ForCausalLM"],
  model_type: "gemma2",
  vocab_size,
  hidden_size: 192,
  intermediate_size: 768,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 48,
  query_pre_attn_scalar: 48,
  hidden_activation: "gelu_pytorch_tanh",
  max_position_embeddings: 512,
  sliding_window: 64,
  attn_logit_softcapping: 50,
  final_logit_softcapping: 30,
  rms_norm_eps: 1e-6,
  rope_theta: 10000,
  attention_bias: false,
  attention_dropout: 0,
  initializer_range: 0.04,
  tie_word_embeddings: true,
  pad_token_id: 0,
  bos_token_id: 2,
  eos_token_id: [1, 5],
};

const engine = await useEngine("auto", values.threads ? { threads: Number(values.threads) } : {});
console.log(`engine: ${engine.description}`);

const corpus = buildCorpus({ count: Number(values.dialogues), seed });
console.log(`corpus: ${corpus.length} dialogues`);
mkdirSync(values.out, { recursive: true });
const texts = corpus.flatMap(({ messages }) => messages.map(({ content }) => content));
writeTokenizer(values.out, trainTokenizer(texts, { vocab_size }));
const tokenizer = await AutoTokenizer.fromPretrained(values.out);

const rows = [...tokenizeDialogues(Dataset.fromArray(corpus), tokenizer)];
const heldOut = rows.splice(-200);

const model = AutoModelForCausalLM.fromConfig(config, { seed, dtype: "float32" });
console.log(`parameters: ${model.parameterCounts().total.toLocaleString("en")}`);
const scratch = mkdtempSync(join(tmpdir(), "kaisetsu-pretrain-"));
const trainer = new Trainer({
  model,
  args: new TrainingArguments({
    output_dir: scratch,
    num_train_epochs: Number(values.epochs),
    per_device_train_batch_size: Number(values.batch),
    per_device_eval_batch_size: 20,
    learning_rate: Number(values.lr),
    lr_scheduler_type: "cosine",
    warmup_steps: 0.05,
    weight_decay: 0.01,
    adam_beta2: 0.98,
    train_sampling_strategy: "group_by_length",
    max_grad_norm: 1,
    logging_steps: 50,
    eval_strategy: "epoch",
    save_strategy: "no",
    seed,
    disable_tqdm: true,
    report_to: [],
  }),
  train_dataset: Dataset.fromArray(rows),
  eval_dataset: Dataset.fromArray(heldOut),
  data_collator: new DataCollatorForLanguageModeling({
    tokenizer,
    mlm: false,
    pad_to_multiple_of: 8,
  }),
});
const started = Date.now();
await trainer.train();
const seconds = (Date.now() - started) / 1000;
const { eval_loss } = await trainer.evaluate();
await model.savePretrained(values.out, { dtype: "bfloat16" });
const { total: parameters } = model.parameterCounts();
const command = `node scripts/pretrain/pretrain.js${process.argv
  .slice(2)
  .map((word) => ` ${word}`)
  .join("")}`;
writeFileSync(join(values.out, "README.md"), modelCard({ corpus, config, parameters, eval_loss, seed, command }));
rmSync(scratch, { recursive: true, force: true });
console.log(`held-out loss ${eval_loss.toFixed(4)} after ${Math.round(seconds)} s; written to ${values.out}`);
