import { CollatorError } from "../errors.js";
import type { PaddingSide } from "../tokenizer/tokenizer.js";
import type { TokenRow } from "../types.js";

/** What a collator needs of a tokenizer; `PreTrainedTokenizer` has it. */
export interface PaddingTokenizer {
  readonly pad_token_id: number | undefined;
  readonly padding_side: PaddingSide;
}

/** @throws CollatorError when the tokenizer has no padding token, even where no row would need one (as transformers does). */
export function requirePadToken(tokenizer: PaddingTokenizer): number {
  if (tokenizer.pad_token_id === undefined || tokenizer.pad_token_id === null) {
    throw new CollatorError(
      "Asking to pad but the tokenizer does not have a padding token. Choose one, for example " +
        "tokenizer.pad_token = tokenizer.eos_token (a pad token that is also eos takes every eos out of the loss), " +
        'or set "pad_token" in tokenizer_config.json.',
    );
  }
  return tokenizer.pad_token_id;
}

/** The length that a batch is padded to: its longest row, rounded up. @throws CollatorError for rows that are no token rows. */
export function paddedLength(rows: readonly TokenRow[], pad_to_multiple_of: number | null | undefined): number {
  if (rows.length === 0) throw new CollatorError("cannot collate an empty batch");
  for (const [index, row] of rows.entries()) {
    if (!Array.isArray(row?.input_ids)) {
      throw new CollatorError(
        `row ${index} of the batch has no input_ids (its keys: ${Object.keys(row ?? {}).join(", ") || "none"}): ` +
          "tokenise the dataset first, for example with tokenizeDialogues",
      );
    }
    for (const column of ["attention_mask", "special_tokens_mask"]) {
      const mask = row[column];
      if (Array.isArray(mask) && mask.length !== row.input_ids.length) {
        throw new CollatorError(
          `row ${index} of the batch has ${row.input_ids.length} input_ids but ${mask.length} ${column} values`,
        );
      }
    }
  }
  return roundUp(Math.max(...rows.map(({ input_ids }) => input_ids.length)), pad_to_multiple_of);
}

export function roundUp(length: number, multiple: number | null | undefined): number {
  return multiple ? Math.ceil(length / multiple) * multiple : length;
}

/** @throws RangeError unless it is a positive integer, or absent. */
export function checkMultiple(pad_to_multiple_of: number | null | undefined): void {
  if (pad_to_multiple_of == null) return;
  if (!Number.isInteger(pad_to_multiple_of) || pad_to_multiple_of < 1) {
    throw new RangeError(`pad_to_multiple_of must be a positive integer, got ${pad_to_multiple_of}`);
  }
}

/** `values` with `filler` on one side, `length` long. */
export function padTo(values: readonly number[], length: number, filler: number, side: PaddingSide): number[] {
  const padding = new Array<number>(length - values.length).fill(filler);
  return side === "left" ? [...padding, ...values] : [...values, ...padding];
}
