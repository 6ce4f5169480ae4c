import { CollatorError } from "../errors.js";
import type { Batch, TokenRow } from "../types.js";
import { checkMultiple, type PaddingTokenizer, paddedLength, padTo, requirePadToken, roundUp } from "./pad.js";

export interface Seq2SeqOptions {
  tokenizer: PaddingTokenizer;
  pad_to_multiple_of?: number | null;
  /** What labels are padded with. Default -100: no loss. */
  label_pad_token_id?: number;
}

/**
 * Pads token rows that bring their own labels (transformers' class of this name): the collator for causal rows whose
 * labels were masked beforehand. Labels are padded by position, so a pad token that is also eos stays learnable.
 */
export class DataCollatorForSeq2Seq {
  /** @throws CollatorError when the tokenizer has no pad token. */
  constructor(private readonly options: Seq2SeqOptions) {
    checkMultiple(options.pad_to_multiple_of);
    requirePadToken(options.tokenizer);
  }

  /**
   * `input_ids` and `attention_mask` `[rows, longest]`; `labels` `[rows, longest labels]`, both rounded up to the multiple.
   * @throws CollatorError for an empty batch, and rows without input_ids or labels.
   */
  collate(rows: readonly TokenRow[]): Batch {
    const { tokenizer, pad_to_multiple_of, label_pad_token_id = -100 } = this.options;
    const pad = requirePadToken(tokenizer);
    const side = tokenizer.padding_side;
    const length = paddedLength(rows, pad_to_multiple_of);
    const labels = rows.map((row, index) => {
      if (Array.isArray(row.labels)) return row.labels;
      throw new CollatorError(
        `row ${index} of the batch has no labels: use DataCollatorForLanguageModeling, which makes them from input_ids`,
      );
    });
    const labelLength = roundUp(Math.max(...labels.map((row) => row.length)), pad_to_multiple_of);
    return {
      input_ids: rows.map((row) => padTo(row.input_ids, length, pad, side)),
      attention_mask: rows.map((row) =>
        padTo(row.attention_mask ?? new Array<number>(row.input_ids.length).fill(1), length, 0, side),
      ),
      labels: labels.map((row) => padTo(row, labelLength, label_pad_token_id, side)),
    };
  }
}
