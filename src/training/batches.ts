import { epochOrder, generatorAfter, lengthGroupedEpochOrder, lengthGroupedOrder } from "../data/order.js";
import { TorchGenerator } from "../data/random/torch-random.js";
import type { Batch, TokenRow } from "../data/types.js";
import type { TrainingArguments } from "./arguments/arguments.js";

/** What Trainer needs of a dataset; kaisetsu's own `Dataset` has it. */
export interface RowSource {
  readonly length: number;
  get(index: number): unknown;
}

/** What Trainer needs of a collator: rows in, one padded batch out. Without an `attention_mask`, every token is attended to. */
export interface Collator {
  collate(rows: TokenRow[]): Omit<Batch, "attention_mask"> & { attention_mask?: number[][] };
}

/** What a run has done before it draws an order; only `group_by_length` depends on it. */
export interface RunSoFar {
  train_dataset: RowSource | null;
  eval_dataset: RowSource | null;
  /** Evaluations made. */
  evaluations: number;
}

/**
 * The row numbers of each micro-batch of an epoch (0-based). Nothing random is kept from epoch to epoch, so a resumed run
 * finds its place.
 * @param before up to the beginning of this epoch
 */
export function epochBatches(args: TrainingArguments, epoch: number, before: RunSoFar): number[][] {
  return batchesOf(rowOrder(args, epoch, before), args.per_device_train_batch_size, args);
}

/**
 * The row numbers of each evaluation batch: in order, or by length with `group_by_length`. `dataloader_drop_last` leaves
 * out rows here too, as in transformers.
 * @param before up to this evaluation, with the epochs that had begun
 */
export function evaluationBatches(
  args: TrainingArguments,
  rows: RowSource,
  before: RunSoFar & { epochs: number },
): number[][] {
  const batch_size = args.per_device_eval_batch_size;
  const order =
    args.train_sampling_strategy === "group_by_length"
      ? lengthGroupedOrder(rowLengths(args, rows), { batch_size, generator: evaluationGenerator(args, rows, before) })
      : inOrder(rows);
  return batchesOf(order, batch_size, args);
}

/** Since 5 every evaluation has the same batches; before, they were drawn from torch's global generator. */
function evaluationGenerator(
  args: TrainingArguments,
  rows: RowSource,
  { epochs, evaluations, train_dataset }: RunSoFar & { epochs: number },
): TorchGenerator {
  if (args.compat === "hf5") return new TorchGenerator(args.data_seed ?? args.seed);
  const draws = { epochs, evaluations, rows: train_dataset?.length ?? 0, eval_rows: rows.length };
  const generator = generatorAfter(args.seed, draws);
  // This evaluation's own loader.
  generator.skip(2);
  return generator;
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

/** The batch that a collator makes of these rows. @throws TypeError naming the row that is not tokenised */
export function collated(collator: Collator, rows: RowSource, indices: number[], removeUnused: boolean): Batch {
  const batch = collator.collate(tokenRows(rows, indices, removeUnused));
  return { ...batch, attention_mask: batch.attention_mask ?? batch.input_ids.map((row) => row.map(() => 1)) };
}

/**
 * The rows as token rows.
 * @throws TypeError naming the row that is not tokenised
 */
function tokenRows(rows: RowSource, indices: number[], removeUnused: boolean): TokenRow[] {
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
  "seq_lengths",
  "token_type_ids",
  "labels",
  "label",
  "label_ids",
]);

function rowOrder(args: TrainingArguments, epoch: number, { train_dataset, eval_dataset, evaluations }: RunSoFar) {
  const rows = train_dataset!;
  switch (args.train_sampling_strategy) {
    case "sequential":
      return inOrder(rows);
    case "group_by_length":
      return lengthGroupedEpochOrder(rowLengths(args, rows), {
        batch_size: args.per_device_train_batch_size * args.gradient_accumulation_steps,
        seed: args.seed,
        epoch,
        evaluations,
        eval_rows: args.compat === "hf5" ? 0 : eval_dataset?.length,
      });
    default:
      return epochOrder(rows.length, { seed: args.seed, data_seed: args.data_seed, epoch });
  }
}

const inOrder = ({ length }: RowSource): number[] => Array.from({ length }, (_, i) => i);

/** Tokens in each row, or what its length column says. */
function rowLengths(args: TrainingArguments, rows: RowSource): number[] {
  return Array.from({ length: rows.length }, (_, i) => {
    const row = rows.get(i) as Record<string, unknown>;
    const given = row[args.length_column_name];
    return typeof given === "number" ? given : (row.input_ids as number[]).length;
  });
}

function batchesOf(order: number[], size: number, { dataloader_drop_last }: TrainingArguments): number[][] {
  const end = dataloader_drop_last ? order.length - (order.length % size) : order.length;
  const batches: number[][] = [];
  for (let start = 0; start < end; start += size) batches.push(order.slice(start, start + size));
  return batches;
}
