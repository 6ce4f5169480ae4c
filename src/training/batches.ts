import { epochOrder, lengthGroupedEpochOrder } from "../data/order.js";
import type { Batch, TokenRow } from "../data/types.js";
import type { TrainingArguments } from "./arguments.js";

/** What Trainer needs of a dataset; kaisetsu's own `Dataset` has it. */
export interface RowSource {
  readonly length: number;
  get(index: number): unknown;
}

/** What Trainer needs of a collator: rows in, one padded batch out. */
export interface Collator {
  collate(rows: TokenRow[]): Batch;
}

/**
 * The row numbers of each micro-batch of an epoch (0-based). Nothing random is kept from epoch to epoch, so a resumed run
 * finds its place.
 * @param evaluations how often the run has evaluated before this epoch (only `group_by_length` depends on it)
 */
export function epochBatches(
  args: TrainingArguments,
  rows: RowSource,
  { epoch, evaluations }: { epoch: number; evaluations: number },
): number[][] {
  const order = rowOrder(args, rows, epoch, evaluations);
  const batches = chunk(order, args.per_device_train_batch_size);
  const last = batches.at(-1);
  if (args.dataloader_drop_last && last && last.length < args.per_device_train_batch_size) batches.pop();
  return batches;
}

/** The micro-batches of one optimizer step. */
export interface StepWindow {
  batches: number[][];
  /** Batches of the epoch that are done after it. */
  end: number;
}

/**
 * The optimizer steps of an epoch. A last, shorter accumulation makes a step of its own; in 4.45 it waits for the next epoch
 * instead, since micro-batches are counted through all epochs (unless an epoch is no longer than one accumulation).
 * @param batchesOf the micro-batches of an epoch
 */
export function stepWindows(
  args: TrainingArguments,
  epoch: number,
  batchesOf: (epoch: number) => number[][],
): StepWindow[] {
  const size = args.gradient_accumulation_steps;
  const batches = batchesOf(epoch);
  const carries = args.compat === "hf4.45" && batches.length > size;
  const before = carries ? (epoch * batches.length) % size : 0;
  let window = before > 0 ? batchesOf(epoch - 1).slice(-before) : [];
  const windows: StepWindow[] = [];
  for (const [i, batch] of batches.entries()) {
    window.push(batch);
    const last = i + 1 === batches.length && !carries;
    if (window.length < size && !last) continue;
    windows.push({ batches: window, end: i + 1 });
    window = [];
  }
  return windows;
}

/** The row numbers of each evaluation batch, in order. */
export function sequentialBatches(length: number, size: number): number[][] {
  return chunk(
    Array.from({ length }, (_, i) => i),
    size,
  );
}

/**
 * The rows as token rows.
 * @throws TypeError naming the row that is not tokenised
 */
export function tokenRows(rows: RowSource, indices: number[], removeUnused: boolean): TokenRow[] {
  return indices.map((index) => {
    const row = rows.get(index) as TokenRow | null;
    if (typeof row !== "object" || row === null || !Array.isArray(row.input_ids)) {
      const keys = typeof row === "object" && row !== null ? Object.keys(row).join(", ") : typeof row;
      throw new TypeError(`Row ${index} has no input_ids (it has: ${keys}). Tokenise the dataset before training.`);
    }
    if (!removeUnused) return row;
    return Object.fromEntries(Object.entries(row).filter(([key]) => modelColumns.has(key))) as TokenRow;
  });
}

/** Labels that carry loss: the model compares position t with label t + 1, so column 0 never counts. */
export function countTargets(batch: Batch): number {
  let count = 0;
  for (const row of batch.labels) for (let i = 1; i < row.length; i++) if (row[i] !== -100) count += 1;
  return count;
}

const modelColumns = new Set([
  "input_ids",
  "attention_mask",
  "position_ids",
  "token_type_ids",
  "labels",
  "label",
  "label_ids",
]);

function rowOrder(args: TrainingArguments, rows: RowSource, epoch: number, evaluations: number): number[] {
  switch (args.train_sampling_strategy) {
    case "sequential":
      return Array.from({ length: rows.length }, (_, i) => i);
    case "group_by_length":
      return lengthGroupedEpochOrder(rowLengths(args, rows), {
        batch_size: args.per_device_train_batch_size * args.gradient_accumulation_steps,
        seed: args.seed,
        epoch,
        evaluations,
      });
    default:
      return epochOrder(rows.length, { seed: args.seed, data_seed: args.data_seed, epoch });
  }
}

/** Tokens in each row, or what its length column says. */
function rowLengths(args: TrainingArguments, rows: RowSource): number[] {
  return Array.from({ length: rows.length }, (_, i) => {
    const row = rows.get(i) as Record<string, unknown>;
    const given = row[args.length_column_name];
    return typeof given === "number" ? given : (row.input_ids as number[]).length;
  });
}

function chunk(items: number[], size: number): number[][] {
  const chunks: number[][] = [];
  for (let start = 0; start < items.length; start += size) chunks.push(items.slice(start, start + size));
  return chunks;
}
