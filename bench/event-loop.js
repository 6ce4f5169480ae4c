/**
 * How long the event loop stands still in each phase of fine-tuning: progress, interrupts and a notebook's kernel wait so
 * long for an answer. A timer of 1 ms notes when it comes late; the largest gaps of each phase are printed.
 *
 *   node bench/event-loop.js [--config CONFIG.json] [--layers N] [--lengths 64,96,128] [--rounds 3] [--batch 4]
 *                            [--dropout 0.05] [--gradient-checkpointing] [--engine onnx] [--threads T] [--json]
 *
 * Without --config it takes the tutorial's model, with its tokenizer and its metrics. Weights from a
 * --config are random; --layers replaces its number of layers.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  AutoModelForCausalLM,
  AutoTokenizer,
  Dataset,
  getPeftModel,
  LoraConfig,
  socraticMetrics,
  Trainer,
  TrainingArguments,
  useEngine,
} from "../dist/src/index.js";
import { helpIfAsked } from "./help.js";

helpIfAsked(import.meta.url);

const { values } = parseArgs({
  options: {
    config: { type: "string" },
    layers: { type: "string" },
    lengths: { type: "string", default: "64,96,128" },
    rounds: { type: "string", default: "3" },
    batch: { type: "string", default: "4" },
    "gradient-checkpointing": { type: "boolean", default: false },
    engine: { type: "string", default: "onnx" },
    dropout: { type: "string", default: "0" },
    threads: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lengths = values.lengths.split(",").map(Number);
const rounds = Number(values.rounds);
const gaps = watchGaps();

gaps.phase("engine");
const engine = await useEngine(values.engine, values.threads ? { threads: Number(values.threads) } : {});
gaps.phase("model");
const { model, tokenizer } = await loadModel();
const output_dir = mkdtempSync(join(tmpdir(), "kaisetsu-event-loop-"));
try {
  await train();
  gaps.phase("generate");
  for (let i = 0; i < 3; i++) await model.generate(words(40 + 20 * i), { max_new_tokens: 30, do_sample: false });
} finally {
  rmSync(output_dir, { recursive: true });
}
report(gaps.end());
process.exit(0);

async function loadModel() {
  const lora = new LoraConfig({
    r: 8,
    lora_alpha: 16,
    lora_dropout: Number(values.dropout),
    target_modules: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    task_type: "CAUSAL_LM",
  });
  if (!values.config) {
    const dir = join(root, "notebooks/models/kotoba-gemma2");
    const tokenizer = await AutoTokenizer.fromPretrained(dir);
    return { model: getPeftModel(await AutoModelForCausalLM.fromPretrained(dir), lora), tokenizer };
  }
  const config = JSON.parse(readFileSync(values.config, "utf8"));
  if (values.layers) config.num_hidden_layers = Number(values.layers);
  return { model: getPeftModel(AutoModelForCausalLM.fromConfig(config, { seed: 1, dtype: "float32" }), lora) };
}

async function train() {
  const batch = Number(values.batch);
  // Every length comes once a round: the first round traces, the others replay.
  const order = Array.from({ length: rounds }, () => lengths).flat();
  const rows = order.flatMap((length) => Array.from({ length: batch }, () => row(length)));
  const args = new TrainingArguments({
    output_dir,
    max_steps: order.length,
    per_device_train_batch_size: batch,
    per_device_eval_batch_size: batch,
    learning_rate: 1e-3,
    lr_scheduler_type: "linear",
    gradient_checkpointing: values["gradient-checkpointing"],
    eval_strategy: "steps",
    eval_steps: lengths.length,
    save_strategy: "steps",
    save_steps: lengths.length,
    logging_steps: 1,
    disable_tqdm: true,
    train_sampling_strategy: "sequential",
  });
  let step = 0;
  const trainer = new Trainer({
    model,
    args,
    train_dataset: Dataset.fromArray(rows),
    eval_dataset: Dataset.fromArray(lengths.map((length) => row(length))),
    data_collator: { collate },
    ...(tokenizer && { compute_metrics: socraticMetrics(tokenizer) }),
    callbacks: [
      {
        on_step_begin: () => gaps.phase(step++ < lengths.length ? "step, new shape" : "step"),
        on_step_end: () => gaps.phase(step % lengths.length === 0 ? phaseOf("evaluate") : "step"),
        on_evaluate: () => gaps.phase("save"),
      },
    ],
  });
  trainer.log = async (logs) => void trainer.state.log_history.push({ ...logs, step: trainer.state.global_step });
  gaps.phase("train() begins");
  await trainer.train();
  gaps.phase("saveModel");
  await trainer.saveModel(join(output_dir, "model"));

  function phaseOf(name) {
    return step <= lengths.length ? `${name}, new shapes` : name;
  }
}

function row(length) {
  const input_ids = words(length);
  return { input_ids, attention_mask: input_ids.map(() => 1), labels: input_ids };
}

/** Rows of one batch have one length. */
function collate(rows) {
  const width = Math.max(...rows.map(({ input_ids }) => input_ids.length));
  const pad = (list, filler) => [...list, ...new Array(width - list.length).fill(filler)];
  return {
    input_ids: rows.map(({ input_ids }) => pad(input_ids, 0)),
    attention_mask: rows.map(({ attention_mask }) => pad(attention_mask, 0)),
    labels: rows.map(({ labels }) => pad(labels, -100)),
  };
}

function words(length) {
  return Array.from({ length }, (_, i) => 5 + ((i * 7919) % 200));
}

/** A gap counts for every phase that it touches. */
function watchGaps() {
  const found = new Map();
  let touched = new Set();
  let name;
  let latest = performance.now();
  const note = () => {
    const now = performance.now();
    for (const phase of touched) found.get(phase).push(now - latest);
    latest = now;
    touched = new Set(name ? [name] : []);
  };
  const timer = setInterval(note, 1);
  return {
    phase(next) {
      name = next;
      if (!found.has(next)) found.set(next, []);
      touched.add(next);
    },
    end() {
      note();
      clearInterval(timer);
      return found;
    },
  };
}

function report(found) {
  const lines = [...found].map(([phase, all]) => {
    const sorted = all.toSorted((a, b) => b - a);
    const seconds = all.reduce((sum, gap) => sum + gap, 0) / 1000;
    return {
      phase,
      seconds: round(seconds),
      largest: sorted.slice(0, 4).map(round),
      over_50_ms: sorted.filter((gap) => gap > 50).length,
    };
  });
  if (values.json) {
    console.log(JSON.stringify({ engine: engine.description, phases: lines }));
    return;
  }
  console.log(engine.description);
  for (const { phase, seconds, largest, over_50_ms } of lines) {
    console.log(
      `${phase.padEnd(22)} ${`${seconds} s`.padStart(9)}, largest gaps ${largest.join(", ")} ms; over 50 ms: ${over_50_ms}`,
    );
  }
}

function round(number) {
  return Number(number.toFixed(1));
}
