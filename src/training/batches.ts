import { epochOrder } from "../data/order.js";
import { permutation } from "../data/permutation.js";
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

/** The row numbers of each micro-batch of an epoch (0-based). It depends on the arguments alone, so a resume finds its place. */
export function epochBatches(args: TrainingArguments, rows: RowSource, epoch: number): number[][] {
  const order = rowOrder(args, rows, epoch);
  const batches = chunk(order, args.per_device_train_batch_size);
  const last = batches.at(-1);
  if (args.dataloader_drop_last && last && last.length < args.per_device_train_batch_size) batches.pop();
  return batches;
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

function rowOrder(args: TrainingArguments, rows: RowSource, epoch: number): number[] {
  switch (args.train_sampling_strategy) {
    case "sequential":
      return Array.from({ length: rows.length }, (_, i) => i);
    case "group_by_length":
      return groupByLength(args, rows, epoch);
    default:
      return epochOrder(rows.length, { seed: args.seed, data_seed: args.data_seed, epoch });
  }
}

/**
 * `transformers.trainer_pt_utils.get_length_grouped_indices`: batches of rows of similar length, still in random order.
 * The longest row of all comes first, so that running out of memory shows at once.
 */
function groupByLength(args: TrainingArguments, rows: RowSource, epoch: number): number[] {
  const lengths = Array.from({ length: rows.length }, (_, i) => {
    const row = rows.get(i) as Record<string, unknown>;
    const given = row[args.length_column_name];
    return typeof given === "number" ? given : (row.input_ids as number[]).length;
  });
  const batch = args.per_device_train_batch_size * args.gradient_accumulation_steps;
  const mega = batch * (Math.min(Math.floor(rows.length / (batch * 4)), 50) || 1);
  const seed = (args.data_seed ?? args.seed) + epoch;
  const groups = chunk(permutation(rows.length, { seed, generator: "torch" }), mega).map((group) =>
    // Array.sort is stable, as Python's sorted is.
    [...group].sort((a, b) => lengths[b]! - lengths[a]!),
  );
  const longest = groups.reduce((best, group, i) => (lengths[group[0]!]! > lengths[groups[best]![0]!]! ? i : best), 0);
  [groups[0]![0], groups[longest]![0]] = [groups[longest]![0]!, groups[0]![0]!];
  return groups.flat();
}

function chunk(items: number[], size: number): number[][] {
  const chunks: number[][] = [];
  for (let start = 0; start < items.length; start += size) chunks.push(items.slice(start, start + size));
  return chunks;
}
