import * as tf from "@tensorflow/tfjs";
import type { Engine } from "../../engine/types.js";
import type { CausalLM } from "../../model/types.js";
import type { TrainingArguments } from "../arguments/arguments.js";
import type { RowSource } from "../batches.js";

/** Bytes that training needs beyond the loaded model. */
export interface MemoryEstimate {
  /** Gradient, moments, and the new values while an update replaces the old ones. */
  optimizer: number;
  /** What the forward pass keeps for the backward pass, for one micro-batch. */
  activations: number;
  /** Tiles of logits and their gradients. */
  logits: number;
  /** The least that it takes: the sum of the above. */
  total: number;
  /** The most that it took in measurements: engines keep copies of weights, blocks for reuse, and what they compile. */
  most: number;
}

/** The loss is computed in tiles of this many logits (model/cross-entropy.ts), of which about five live at a time. */
const tileElements = 2 ** 24;
/** A wasm heap ends here, whatever the machine has. */
const wasmLimit = 4 * 2 ** 30;

/** What an engine needs for itself: compiled steps, threads, buffers of JavaScript. */
const engineBytes = 1e8;

/**
 * An estimate for one micro-batch of `batch` rows of `length` tokens. Peaks measured with the onnx engine (width 256 and
 * 768, 4 and 12 layers, 32 to 2,048 tokens, adapters and a whole model) lie between 0.9 times `total` and 1.1 times `most`.
 * With checkpointing they lie near `most`: onnx's blocks of memory hardly shrink by it.
 */
export function estimateMemory(model: CausalLM, batch: number, length: number, checkpointing: boolean): MemoryEstimate {
  const { hidden_size: hidden, num_hidden_layers: layers, vocab_size: vocab, ...config } = model.config;
  const { trainable } = model.parameterCounts();
  const heads = Number(config.num_attention_heads ?? 1);
  const inner = Number(config.intermediate_size ?? 4 * hidden);
  const tokens = batch * length;
  // Norms, projections and residuals; gate, up and product; scores before and after the softmax.
  const layer = tokens * (10 * hidden + 4 * inner) + 3 * batch * heads * length * length;
  const kept = checkpointing ? layers * tokens * hidden + layer : layers * layer;
  const optimizer = 4 * trainable * 8;
  const activations = 4 * kept;
  const logits = 4 * 5 * Math.min(tokens * vocab, tileElements);
  const copies = 1.5 * tf.memory().numBytes + optimizer;
  const most = engineBytes + copies + optimizer + 1.4 * 4 * layers * layer + logits;
  return { optimizer, activations, logits, total: optimizer + activations + logits, most };
}

/** Before the first step: says so when the machine has not the memory that training probably needs. */
export function warnOfMemory(
  trainer: { model: CausalLM; args: TrainingArguments; train_dataset: RowSource | null },
  engine: Engine,
): void {
  const { model, args } = trainer;
  const length = longestRow(trainer.train_dataset!);
  const estimate = estimateMemory(model, args.per_device_train_batch_size, length, args.gradient_checkpointing);
  const available = availableBytes(engine);
  if (estimate.most <= available.bytes) return;
  const likely = estimate.total > available.bytes;
  const part = (name: string, bytes: number) => `${name} ${gigabytes(bytes)}`;
  console.error(
    `kaisetsu: training ${likely ? "will probably" : "may"} not fit into memory: it needs about ` +
      `${gigabytes(estimate.total)} to ${gigabytes(estimate.most)} beyond the model ` +
      `(at least: ${part("optimizer", estimate.optimizer)}, ${part("activations", estimate.activations)}, ${part("logits", estimate.logits)}; ` +
      `batches of ${args.per_device_train_batch_size} rows of up to ${length} tokens), and ${gigabytes(available.bytes)} ` +
      `${available.where}. Lower per_device_train_batch_size (and raise gradient_accumulation_steps), shorten the rows, ` +
      "set gradient_checkpointing: true, or train an adapter (getPeftModel) instead of the whole model.",
  );
}

function availableBytes(engine: Engine): { bytes: number; where: string } {
  const free = process.availableMemory();
  if (engine.name !== "wasm") return { bytes: free, where: "are free" };
  const heap = Math.max(0, wasmLimit - tf.memory().numBytes);
  return heap < free
    ? { bytes: heap, where: "are left of the 4 GB that the wasm engine can address" }
    : { bytes: free, where: "are free" };
}

/** Of a sample: a data set that is tokenised row by row would take long. */
function longestRow(rows: RowSource): number {
  const step = Math.max(1, Math.floor(rows.length / 256));
  let longest = 1;
  for (let i = 0; i < rows.length; i += step) {
    const row = rows.get(i) as { input_ids?: unknown } | null;
    if (Array.isArray(row?.input_ids)) longest = Math.max(longest, row.input_ids.length);
  }
  return longest;
}

function gigabytes(bytes: number): string {
  return bytes < 1e8 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
