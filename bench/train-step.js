/**
 * One training step of a Gemma-2, repeated: forward, backward, clipping and AdamW, exactly as the Trainer runs it.
 *
 *   node bench/train-step.js --config bench/configs/small.json --batch 4 --seq 128 --steps 20 --lora-rank 8 --json
 *
 * Weights are random from a seed, words from a formula: `train_step.py` does the same step in PyTorch, on the same
 * numbers when both are given the folder that `--save` writes. Needs a build (`npm run build`).
 */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";

const help = `node bench/train-step.js --config CONFIG.json --batch B --seq S --steps N [options]

  --config FILE       a Hugging Face config.json of a Gemma-2 (or Gemma, Llama, Qwen2) model
  --batch B --seq S   rows and tokens a row
  --steps N           optimizer steps; times leave the first one out
  --lora-rank R       LoRA of rank R on all seven projections; without it every weight trains
  --target NAMES      other modules for LoRA, separated by commas
  --gradient-checkpointing
  --engine E          onnx, wasm, tfjs-node-gpu, tfjs-node, webgpu, cpu or auto (default)
  --device D          for onnx: an execution provider
  --threads T         for onnx and wasm
  --seed SEED         default 1
  --save DIR          write the model (and adapter) before the first step, for train_step.py --load DIR
  --json              one line of JSON`;

const options = readOptions();
const kaisetsu = await loadKaisetsu();
const result = await run().catch((error) => {
  console.error(`train-step: ${error.message}`);
  process.exit(1);
});
if (options.json) console.log(JSON.stringify(result));
else {
  console.log(
    `${result.engine}: ${result.ms_median} ms a step (best ${result.ms_best}, first ${result.ms_first}), ` +
      `${result.tokens_per_second} tokens/s, peak ${result.peak_rss_mb} MB, ` +
      `loss ${result.loss_first} -> ${result.loss_last}`,
  );
}
process.exit(0);

async function run() {
  const { AutoModelForCausalLM, getPeftModel, LoraConfig, TrainingArguments, TrainStep, useEngine } = kaisetsu;
  const { batch, seq, steps, seed } = options;
  const engine = await useEngine(options.engine, { device: options.device, threads: options.threads });
  const config = JSON.parse(readFileSync(options.config, "utf8"));
  let model = AutoModelForCausalLM.fromConfig(config, { seed, dtype: "float32" });
  if (options.save) await model.savePretrained(options.save);
  if (options.loraRank) {
    const r = options.loraRank;
    model = getPeftModel(
      model,
      new LoraConfig({ r, lora_alpha: 2 * r, lora_dropout: 0, target_modules: options.target, task_type: "CAUSAL_LM" }),
    );
    if (options.save) await model.savePretrained(join(options.save, "adapter"));
  }
  const args = new TrainingArguments({
    output_dir: "unused",
    learning_rate: 1e-3,
    weight_decay: 0.01,
    max_grad_norm: 1,
    gradient_checkpointing: options.gradientCheckpointing,
  });
  const step = new TrainStep(model, engine, args);
  const input_ids = words(batch, seq, config.vocab_size);
  const rows = { input_ids, attention_mask: input_ids.map((row) => row.map(() => 1)), labels: input_ids };
  const losses = [];
  const times = [];
  for (let i = 0; i < steps; i++) {
    const start = performance.now();
    losses.push(await step.accumulate(rows, 1 / (batch * (seq - 1)), i));
    await step.update(1e-3);
    times.push(performance.now() - start);
  }
  const [first, ...rest] = times;
  const sorted = (rest.length > 0 ? rest : [first]).toSorted((p, q) => p - q);
  const median = sorted[sorted.length >> 1];
  return {
    engine: engine.name,
    description: engine.description,
    config: basename(options.config),
    batch,
    seq,
    steps,
    lora_rank: options.loraRank ?? null,
    gradient_checkpointing: options.gradientCheckpointing,
    ms_median: round(median, 1),
    ms_best: round(sorted[0], 1),
    ms_first: round(first, 1),
    tokens_per_second: round(((batch * seq) / median) * 1e3, 1),
    peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
    loss_first: losses[0],
    loss_last: losses.at(-1),
    parameters: model.parameterCounts(),
  };
}

/** The same words in train_step.py: Knuth's multiplicative hash of the position; 0 is padding and does not occur. */
function words(batch, seq, vocab) {
  return Array.from({ length: batch }, (_, b) =>
    Array.from({ length: seq }, (_, s) => 1 + ((Math.imul(b * seq + s + 1, 2654435761) >>> 0) % (vocab - 1))),
  );
}

function readOptions() {
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        config: { type: "string" },
        batch: { type: "string" },
        seq: { type: "string" },
        steps: { type: "string" },
        "lora-rank": { type: "string" },
        target: { type: "string", default: "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj" },
        "gradient-checkpointing": { type: "boolean", default: false },
        engine: { type: "string", default: "auto" },
        device: { type: "string" },
        threads: { type: "string" },
        seed: { type: "string", default: "1" },
        save: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    }));
  } catch (error) {
    usage(error.message);
  }
  if (values.help) {
    console.log(help);
    process.exit(0);
  }
  if (!values.config) usage("--config is missing");
  return {
    config: values.config,
    batch: positive("batch", values.batch),
    seq: positive("seq", values.seq),
    steps: positive("steps", values.steps),
    loraRank: values["lora-rank"] === undefined ? undefined : positive("lora-rank", values["lora-rank"]),
    target: values.target.split(","),
    gradientCheckpointing: values["gradient-checkpointing"],
    engine: values.engine,
    device: values.device,
    threads: values.threads === undefined ? undefined : positive("threads", values.threads),
    seed: Number(values.seed),
    save: values.save,
    json: values.json,
  };
}

function positive(name, text) {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) usage(`--${name} must be a whole number above 0, not ${text}`);
  return number;
}

function usage(message) {
  console.error(`${message}\n\n${help}`);
  process.exit(2);
}

async function loadKaisetsu() {
  try {
    return { ...(await import("../dist/src/index.js")), ...(await import("../dist/src/training/step.js")) };
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND" || !error.message.includes("dist")) throw error;
    console.error("bench: there is no build yet; run `npm run build`");
    process.exit(1);
  }
}

function round(value, digits) {
  return Number(value.toFixed(digits));
}
