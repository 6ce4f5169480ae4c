import { Dataset } from "../dataset.js";
import { DatasetError } from "../errors.js";
import type { TokenRow } from "../types.js";

/**
 * - `bfd` (best fit, decreasing): whole conversations share a row; what is longer than a row is cut off.
 * - `bfd_split`: as `bfd`, but what is longer goes on in further pieces.
 * - `wrapped`: everything in one stream, cut every `seq_length` tokens without regard to where a conversation ends.
 */
export type PackingStrategy = "bfd" | "bfd_split" | "wrapped";

export interface PackingOptions {
  /** Tokens in a packed row, at most. */
  seq_length: number;
  strategy?: PackingStrategy;
  /** Rows packed together at a time. Default 1000, as TRL does it. */
  batch_size?: number;
}

/** A row made of several: `seq_lengths` tells where each begins, so that `position_ids` can start anew there. */
export interface PackedRow extends TokenRow {
  seq_lengths?: number[];
}

const COLUMNS = ["input_ids", "attention_mask", "labels"] as const;

/**
 * Several token rows in one, to spend less on padding (TRL's `pack_dataset`). Packs `input_ids` and, where all rows have
 * them, `attention_mask` and `labels`; other columns are left behind.
 *
 * A model must be told of the borders (see `DataCollatorWithFlattening`); else a conversation attends to its neighbour.
 *
 * @throws DatasetError for rows whose columns differ in length; RangeError for a row length below 1.
 */
export function packDataset(
  dataset: Dataset<TokenRow>,
  { seq_length, strategy = "bfd", batch_size = 1000 }: PackingOptions,
): Dataset<PackedRow> {
  if (!Number.isInteger(seq_length) || seq_length < 1) {
    throw new RangeError(`seq_length must be a positive number of tokens, got ${seq_length}`);
  }
  if (!["bfd", "bfd_split", "wrapped"].includes(strategy)) {
    throw new RangeError(`unknown packing strategy "${strategy}": use "bfd", "bfd_split" or "wrapped"`);
  }
  const rows = dataset.toArray();
  const columns = COLUMNS.filter((column) => rows.every((row) => Array.isArray(row[column])));
  if (!columns.includes("input_ids")) throw new DatasetError("packDataset takes token rows: every row needs input_ids");
  for (const [index, row] of rows.entries()) {
    const uneven = columns.find((column) => row[column]!.length !== row.input_ids.length);
    if (uneven) throw new DatasetError(`row ${index}: ${uneven} and input_ids differ in length`);
  }

  const packed: PackedRow[] = [];
  for (let at = 0; at < rows.length; at += batch_size) {
    const pieces = rows.slice(at, at + batch_size).map((row) => pick(row, columns));
    if (strategy === "wrapped") packed.push(...cut(concatenate(pieces, columns), seq_length));
    else packed.push(...bestFit(fitting(pieces, seq_length, strategy), seq_length, columns));
  }
  return Dataset.fromArray(packed);
}

type Column = (typeof COLUMNS)[number];

function pick(row: TokenRow, columns: readonly Column[]): TokenRow {
  return Object.fromEntries(columns.map((column) => [column, row[column]])) as TokenRow;
}

/** Pieces of at most `seq_length` tokens, none of them empty. */
function fitting(rows: TokenRow[], seq_length: number, strategy: PackingStrategy): TokenRow[] {
  const pieces = rows.filter((row) => row.input_ids.length > 0).map((row) => cut(row, seq_length));
  return pieces.flatMap((parts) => (strategy === "bfd_split" ? parts : parts.slice(0, 1)));
}

function cut(row: TokenRow, length: number): TokenRow[] {
  const count = Math.ceil(row.input_ids.length / length);
  return Array.from({ length: count }, (_, i) => {
    const slices = Object.entries(row).map(([column, values]) => [
      column,
      (values as number[]).slice(i * length, (i + 1) * length),
    ]);
    return Object.fromEntries(slices) as TokenRow;
  });
}

/** Longest first, each piece into the open row with the least room that still holds it; equal rooms first come, first served. */
function bestFit(pieces: TokenRow[], seq_length: number, columns: readonly Column[]): PackedRow[] {
  const order = [...pieces].sort((a, b) => b.input_ids.length - a.input_ids.length);
  const bins: TokenRow[][] = [];
  /** Open rows by the room that is left in them. */
  const byRoom = Array.from({ length: seq_length }, () => [] as TokenRow[][]);
  for (const piece of order) {
    const length = piece.input_ids.length;
    let room = length;
    while (room < seq_length && byRoom[room]!.length === 0) room++;
    let bin = room < seq_length ? byRoom[room]!.shift() : undefined;
    if (!bin) {
      bin = [];
      bins.push(bin);
    }
    bin.push(piece);
    if (room - length > 0) byRoom[room - length]!.push(bin);
  }
  return bins.map((bin) => ({
    ...concatenate(bin, columns),
    seq_lengths: bin.map(({ input_ids }) => input_ids.length),
  }));
}

function concatenate(rows: TokenRow[], columns: readonly Column[]): TokenRow {
  return Object.fromEntries(columns.map((column) => [column, rows.flatMap((row) => row[column]!)])) as TokenRow;
}
