import { CollatorError } from "../errors.js";
import type { PackedRow } from "./packing.js";
import { checkMultiple, roundUp } from "./pad.js";

export interface FlatteningOptions {
  /** Round the length up to a multiple of it; then `pad_token_id` is needed. */
  pad_to_multiple_of?: number | null;
  pad_token_id?: number;
}

/** One row `[1, tokens]` without padding between conversations; there is no attention mask, the positions tell the borders. */
export interface FlatBatch {
  input_ids: number[][];
  labels: number[][];
  position_ids: number[][];
}

/**
 * Lays a batch end to end in one row (transformers' DataCollatorWithFlattening, and TRL's padding-free collator for rows
 * of `packDataset`): positions start anew with each conversation, whose first label is -100, since nothing predicts it.
 *
 * For models that keep conversations apart where `position_ids` jump; plain attention would let them see each other.
 */
export class DataCollatorWithFlattening {
  /** @throws CollatorError when padding is asked for without a pad token. */
  constructor(private readonly options: FlatteningOptions = {}) {
    checkMultiple(options.pad_to_multiple_of);
    if (options.pad_to_multiple_of && options.pad_token_id === undefined) {
      throw new CollatorError("pad_to_multiple_of needs pad_token_id");
    }
  }

  collate(rows: readonly PackedRow[]): FlatBatch {
    if (rows.length === 0) throw new CollatorError("cannot collate an empty batch");
    const input_ids = rows.flatMap((row) => row.input_ids);
    const labels = rows.flatMap((row) => row.labels ?? row.input_ids);
    if (labels.length !== input_ids.length) throw new CollatorError("labels and input_ids differ in length");
    const lengths = rows.flatMap((row) => row.seq_lengths ?? [row.input_ids.length]);
    const position_ids = lengths.flatMap((length) => Array.from({ length }, (_, i) => i));
    if (position_ids.length !== input_ids.length) {
      throw new CollatorError("seq_lengths of a packed row do not add up to its input_ids");
    }
    const padding = roundUp(input_ids.length, this.options.pad_to_multiple_of) - input_ids.length;
    const pad = (values: number[], filler: number) => [...values, ...new Array<number>(padding).fill(filler)];
    return {
      input_ids: [pad(input_ids, this.options.pad_token_id ?? 0)],
      // Padding has position 0 too, and so no label.
      labels: [
        pad(
          labels.map((label, i) => (position_ids[i] === 0 ? -100 : label)),
          -100,
        ),
      ],
      position_ids: [pad(position_ids, 0)],
    };
  }
}
